"""What is known of a model before it is opened."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial.result import Prices


class Policy(StrEnum):
    """How tool calls are asked for and read."""

    native = "native"
    """The dialect that the chat template teaches, strictly."""
    lenient = "lenient"
    """The same decoding; near misses are read too, and each repair is counted."""
    constrained = "constrained"
    """A grammar makes every reply a well-formed call; a `finish` tool ends the trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Every value that decides the next token; all are pinned, none is left to a library's default."""

    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 0.95
    top_k: int = 0
    """0 is off."""
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    """1.0 is off."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


Value = bool | int | float

_WORDS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How an in-process model is loaded. None leaves the choice to the backend, which records what it chose."""

    n_ctx: int | None = None
    """Tokens of context; None is min(16384, what the model was trained for)."""
    n_batch: int = 512
    """Prompt tokens per evaluation; a deadline or a cancel is noticed between two of them."""
    n_ubatch: int = 512
    """Prompt tokens per pass through the graph."""
    n_gpu_layers: int | None = None
    """-1 is all; None is all when the build has a GPU backend."""
    main_gpu: int = 0
    threads: int | None = None
    """For sampling; None is the physical cores of this process, shared with other xdist workers."""
    threads_batch: int | None = None
    """For prompts; None is `threads`."""
    flash_attn: bool | None = None
    """None lets llama.cpp decide by device."""
    mmap: bool = True
    mlock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """How an endpoint is spoken to. None: what it says of itself."""

    n_ctx: int | None = None
    """Tokens of context that it gives one conversation."""
    slots: int | None = None
    """Conversations at once."""
    idle_timeout: float = 300.0
    """Seconds of silence after which the connection counts as broken."""
    slowest: float = 0.1
    """Pieces of text a second; below it a trial that runs out of time is the endpoint's fault."""


ENDPOINT_KEYS: dict[str, type] = {"n_ctx": int, "slots": int, "idle_timeout": float, "slowest": float}
"""Type of each key for endpoints; the meaning stands in `EndpointSettings`."""

ENGINE_KEYS: dict[str, type] = {
    "n_ctx": int,
    "n_batch": int,
    "n_ubatch": int,
    "n_gpu_layers": int,
    "main_gpu": int,
    "threads": int,
    "threads_batch": int,
    "flash_attn": bool,
    "mmap": bool,
    "mlock": bool,
}
"""Type of each engine key; the meaning stands in `EngineSettings`."""

SAMPLING_KEYS: dict[str, type] = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "min_p": float,
    "repeat_penalty": float,
    "presence_penalty": float,
    "frequency_penalty": float,
}
"""Type of each sampling key; the meaning stands in `models.base.Sampling`."""

_RANGES: dict[str, tuple[float, float]] = {
    "n_ctx": (512, 2**31 - 1),
    "n_batch": (1, 65536),
    "n_ubatch": (1, 65536),
    "n_gpu_layers": (-1, 10_000),
    "main_gpu": (0, 1024),
    "slots": (1, 10_000),
    "idle_timeout": (0.1, 86_400.0),
    "slowest": (0.0, 1000.0),
    "threads": (1, 1024),
    "threads_batch": (1, 1024),
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 2**31 - 1),
    "min_p": (0.0, 1.0),
    "repeat_penalty": (0.01, 100.0),
    "presence_penalty": (-100.0, 100.0),
    "frequency_penalty": (-100.0, 100.0),
}


def read_engine(given: Mapping[str, str | int | float | bool]) -> EngineSettings:
    """Settings from option values.

    Raises:
        UsageError: an unknown key (with the nearest one), a value of another type or out of range.
    """
    values = {key: read_value(key, value, ENGINE_KEYS) for key, value in given.items()}
    return replace(EngineSettings(), **values)  # type: ignore[arg-type]


def read_endpoint(given: Mapping[str, str | int | float | bool]) -> EndpointSettings:
    """Settings of an endpoint from option values.

    Raises:
        UsageError: see `read_engine`.
    """
    values = {key: read_value(key, value, ENDPOINT_KEYS) for key, value in given.items()}
    return replace(EndpointSettings(), **values)  # type: ignore[arg-type]


def read_sampling(
    given: Mapping[str, str | int | float | bool], over: Mapping[str, Value] | Sampling | None = None
) -> Sampling:
    """Option values laid over those of a registry entry (or of another `Sampling`), and these over the defaults.

    Raises:
        UsageError: an unknown key (with the nearest one), a value of another type or out of range.
    """
    base: Mapping[str, Any]
    base = {f.name: getattr(over, f.name) for f in fields(over)} if isinstance(over, Sampling) else over or {}
    values = {key: read_value(key, value, SAMPLING_KEYS) for key, value in {**base, **given}.items()}
    return replace(Sampling(), **values)  # type: ignore[arg-type]


def read_value(key: str, value: str | int | float | bool, keys: Mapping[str, type]) -> Value:
    """One value as its key's type.

    Raises:
        UsageError: see `read_engine`.
    """
    if key not in keys:
        near = difflib.get_close_matches(key, keys, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(keys)}"
        raise UsageError(f"{key}={value}: there is no key {key!r}; {hint}")
    read = _converted(str(value), keys[key])
    if read is None:
        raise UsageError(f"{key}={value}: {value!r} is no {_NAMES[keys[key]]}")
    low, high = _RANGES.get(key, (0, 1))
    if not low <= read <= high:
        raise UsageError(f"{key}={value}: {key} lies between {low:g} and {high:g}")
    return read


_NAMES: Mapping[type, str] = {bool: "yes or no (true, false, on, off)", int: "whole number", float: "number"}


def _converted(text: str, to: type) -> Value | None:
    if to is bool:
        return _WORDS.get(text.lower())
    try:
        return int(text) if to is int else float(text)
    except ValueError:
        return None


AGENTS = ("oracle", "null")
"""Agents without a model; names like any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model as it can be asked for."""

    name: str
    """As given to `--model`, or the registry's name."""
    slug: str
    """`[a-z0-9.-]+`: names the campaign's folder and stands in item ids."""
    backend: str
    """`llama_cpp`, `openai`, `scripted`, `oracle`, `null`, or one that a plugin registered."""
    title: str = ""
    """As its makers write it, e.g. `Gemma 4 12B IT`."""
    path: Path | None = None
    """The model's or the script's file; None until it is on this machine, and for agents and endpoints."""
    argument: str = ""
    """What stood after `BACKEND:`."""
    repo: str = ""
    """Hugging Face repository that holds `file`."""
    revision: str = ""
    """Branch, tag or commit of `repo`; empty is its main branch."""
    file: str = ""
    """Name inside `repo`, or of a file that the user puts into a model folder; of several parts the first."""
    package: str = ""
    """Distribution that ships the file."""
    package_file: str = ""
    """`import_name/path/inside` of that distribution."""
    sha256: str = ""
    """Of the file; empty where it is not known."""
    base_url: str = ""
    """Of an endpoint, e.g. `https://host/v1`."""
    model: str = ""
    """What the endpoint calls it."""
    api_key_env: str = ""
    """Name of the environment variable that holds the endpoint's key; the key itself is never kept here."""
    quant: str = ""
    context: int | None = None
    """Tokens the model was trained for, or that the endpoint allows."""
    sampling: Mapping[str, Value] = field(default_factory=dict)
    """The makers' recommendation; what is missing stays at the project's default."""
    sampling_source: str = ""
    """Where the makers recommend it."""
    not_sent: tuple[str, ...] = ()
    """Sampling values, and `seed`, that the endpoint does not take: they are left out, and its own count."""
    policy: Policy | None = None
    dialect: str = ""
    """Name of a dialect, where the chat template's own words mislead; empty leaves the choice to the template."""
    reply_tokens: int | None = None
    """Ceiling of one reply, where the model needs a lower one than the session's."""
    prices: Prices | None = None
    """None: not known; in-process then nothing is paid, and an endpoint's costs stay empty."""
    tier: str = ""
    """Where it runs, as leaderboards say it: `Local`, `API`."""
    notes: str = ""
    origin: str = ""
    """Name of the user's file that says all this; empty for what ships and for what no file names."""

    @property
    def is_agent(self) -> bool:
        """Whether no model is behind it: oracle and null."""
        return self.backend in AGENTS

    @property
    def is_to_fetch(self) -> bool:
        """Whether its file is in a repository and not yet on this machine."""
        return bool(self.repo) and self.path is None


def slug_of(name: str) -> str:
    """`name` in the characters of a slug, e.g. `My Model_Q4.gguf` → `my-model-q4.gguf`."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"


def read_entry(name: str, table: Mapping[str, Any], *, home: Path | None = None) -> ModelEntry:
    """An entry from its table in a file; the table must obey the schema.

    Args:
        name: the table's, which is also the slug.
        table: the keys of one entry.
        home: folder that a relative `path` is meant from.

    Raises:
        UsageError: a sampling value that is out of range.
    """
    values: dict[str, Any] = {**table, "backend": table.get("backend") or _backend(table)}
    values["sampling"] = {
        key: read_value(key, value, SAMPLING_KEYS) for key, value in table.get("sampling", {}).items()
    }
    values["tier"] = table.get("tier") or ("API" if "base_url" in table else "Local")
    if lost := sorted(set(table.get("not_sent", ())).intersection(values["sampling"])):
        raise UsageError(f"{', '.join(lost)}: cannot have a value and stand under not_sent too")
    values["not_sent"] = tuple(table.get("not_sent", ()))
    if "policy" in table:
        values["policy"] = Policy(table["policy"])
    if "prices" in table:
        values["prices"] = read_prices(table["prices"])
    if "path" in table:
        values["path"] = (home or Path()) / Path(table["path"]).expanduser()
    return ModelEntry(name=name, slug=name, **values)


def read_prices(table: Mapping[str, Any]) -> Prices:
    """Prices from their table; cached prompt tokens cost as much as others where nothing else is said."""
    given: dict[str, Any] = {"cached": table.get("prompt", 0.0), **table}
    values: dict[str, Any] = {key: float(value) if isinstance(value, int) else value for key, value in given.items()}
    return Prices(**values)


def _backend(table: Mapping[str, Any]) -> str:
    return "openai" if "base_url" in table else "llama_cpp"
