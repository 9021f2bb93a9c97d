"""One model as it can be asked for, and every value that it is loaded and sampled with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.trial.result import Prices

LLAMA, ENDPOINT, SCRIPTED = "llama_cpp", "openai", "scripted"
"""Backends that need no plugin: a GGUF file in this process, an OpenAI-compatible endpoint, replies from a file."""
AGENTS = ("oracle", "null")
"""Agents without a model; they are asked for by name like any other."""


class Policy(StrEnum):
    """How tool calls are asked for and read."""

    native = "native"
    """The dialect that the chat template teaches, strictly."""
    lenient = "lenient"
    """The same decoding; near misses are read too, and each repair is counted."""
    constrained = "constrained"
    """A grammar makes every reply a well-formed call; a `finish` tool ends the trial."""


Value = bool | int | float | str


def _setting(
    default: Value | None,
    meaning: str,
    *,
    least: float = 0,
    most: float = 1,
    off: float | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """A field that says all there is to know of one setting.

    Options and registry are read by these fields; the registry's schema, the errors and the tables of docs/models.md
    and docs/endpoints.md are made from them.

    Args:
        default: counts where nothing is said; None leaves the choice to the backend, which records what it chose.
        meaning: for the tables, with the unit.
        least: smallest value that is taken.
        most: largest value that is taken.
        off: the value that changes nothing, where there is one.
        words: the only ones that a text may be; without them it may be any.
    """
    about = {"meaning": meaning, "least": least, "most": most, "off": off, "words": words}
    return field(default=default, metadata=about)


PLAIN_TYPES = {"f32": 0, "f16": 1, "bf16": 30}
"""What keys and values can be kept as without quantizing them, and ggml's number for it (ggml.h, `enum ggml_type`)."""
CACHE_TYPES = PLAIN_TYPES | {"q8_0": 8, "q5_1": 7, "q5_0": 6, "q4_1": 3, "q4_0": 2, "iq4_nl": 20}
"""All that llama.cpp takes for a KV cache (common/arg.cpp, `kv_cache_types`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Every value that decides the next token; all are pinned, none is left to a library's default."""

    temperature: float = _setting(0.7, "randomness; 0 is greedy", most=100)
    top_p: float = _setting(0.95, "keeps the likeliest tokens up to this total probability", off=1.0)
    top_k: int = _setting(0, "keeps this many of the likeliest tokens", most=2**31 - 1, off=0)
    min_p: float = _setting(0.0, "drops tokens less likely than this share of the likeliest", off=0.0)
    repeat_penalty: float = _setting(1.0, "divides logits of recent tokens", least=0.01, most=100, off=1.0)
    presence_penalty: float = _setting(0.0, "subtracted from logits of recent tokens", least=-100, most=100, off=0.0)
    frequency_penalty: float = _setting(0.0, "the same, times their count", least=-100, most=100, off=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How an in-process model is loaded."""

    n_ctx: int | None = _setting(
        None, "context tokens; default: the trained context, at most 16384", least=512, most=2**31 - 1
    )
    n_batch: int = _setting(
        512, "prompt tokens per evaluation; deadlines and cancels wait for its end", least=1, most=65536
    )
    n_ubatch: int = _setting(512, "prompt tokens per pass through the graph", least=1, most=65536)
    n_gpu_layers: int | None = _setting(
        None, "layers on the GPU; -1 is all, the default with a GPU build", least=-1, most=10_000
    )
    main_gpu: int = _setting(0, "the GPU for a model that is not split", most=1024)
    split_mode: str = _setting(
        "layer", "how GPUs share a model; `none`: one GPU", words=("none", "layer", "row", "tensor")
    )
    tensor_split: str = _setting("", "each GPU's share, e.g. `3,1`; default: by free memory")
    threads: int | None = _setting(
        None,
        "for sampling; default: usable physical cores, divided among pytest-xdist's workers",
        least=1,
        most=1024,
    )
    threads_batch: int | None = _setting(None, "for prompts; default `threads`", least=1, most=1024)
    flash_attn: bool | None = _setting(None, "default: llama.cpp decides by device")
    type_k: str = _setting("f16", "type of keys in the KV cache", words=tuple(CACHE_TYPES))
    type_v: str = _setting("f16", "the same for values; quantized types need flash attention", words=tuple(CACHE_TYPES))
    mmap: bool = _setting(True, "map the file into memory instead of reading it")
    mlock: bool = _setting(False, "keep it from being swapped out")
    rows: int = 1
    """Conversations that are decoded together: what `--agentcore-parallel` comes to, and so no key of its own."""

    def __post_init__(self) -> None:
        if self.flash_attn is False and self.type_v not in PLAIN_TYPES:
            raise UsageError(
                f"type_v={self.type_v}: a quantized cache of values needs flash attention; leave flash_attn=no out, or "
                f"take one of {', '.join(PLAIN_TYPES)}"
            )
        if self.flash_attn is False and self.split_mode == "tensor":
            raise UsageError("split_mode=tensor: needs flash attention; leave flash_attn=no out, or split by layer")
        if self.split_mode == "none" and self.tensor_split:
            raise UsageError(f"tensor_split={self.tensor_split}: with split_mode=none one GPU holds all; name main_gpu")
        self.shares()

    def shares(self) -> tuple[float, ...]:
        """`tensor_split` as numbers, one for each GPU; empty where nothing is said.

        Raises:
            UsageError: not numbers from 0 up, of which one is more.
        """
        try:
            shares = tuple(map(float, self.tensor_split.split(","))) if self.tensor_split else ()
        except ValueError:
            shares = (math.nan,)
        if shares and not (all(0 <= share < math.inf for share in shares) and sum(shares) > 0):
            raise UsageError(f"tensor_split={self.tensor_split}: must be a number from 0 up for each GPU, e.g. 3,1")
        return shares


MOST_SLOTS = 10_000
"""Conversations at once of an endpoint that does not say how many it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """How an endpoint is spoken to."""

    n_ctx: int | None = _setting(
        None, "context tokens per conversation; default: what the server says", least=512, most=2**31 - 1
    )
    slots: int | None = _setting(
        None,
        "most conversations at once; default: what the server says, else no limit",
        least=1,
        most=MOST_SLOTS,
    )
    idle_timeout: float = _setting(
        300.0, "seconds of silence that count as a broken connection", least=0.1, most=86_400
    )
    slowest: float = _setting(
        0.1, "pieces of text per second; a trial that times out below this is the endpoint's fault", most=1000
    )
    grammar: bool = _setting(False, "constrained only: send llama.cpp's server our grammar in place of `tools`")


AnySettings = Sampling | EngineSettings | EndpointSettings
S = TypeVar("S", bound=AnySettings)


def settings_of(kind: type[Any]) -> Mapping[str, tuple[type, Field[Any]]]:
    """Type and field of every setting of a kind, by key."""
    # annotations are text here; of `int | None` the first word counts, since None only says that nothing was chosen
    types: Mapping[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
    return {f.name: (types[str(f.type).partition(" ")[0]], f) for f in fields(kind) if f.metadata}


def read_settings(kind: type[S], given: Mapping[str, str | Value]) -> S:
    """Settings from `KEY=VALUE` pairs of options or of the registry.

    Raises:
        UsageError: an unknown key (with the nearest one), a value of another type or out of range.
    """
    values: dict[str, Any] = {key: read_value(kind, key, value) for key, value in given.items()}
    return kind(**values)


def read_value(kind: type[S], key: str, value: str | Value) -> Value:
    """One value as the type of its key.

    Raises:
        UsageError: see `read_settings`.
    """
    known = settings_of(kind)
    if key not in known:
        raise UsageError(f"{key}={value}: there is no key {key!r}; {instead(key, known)}")
    to, about = known[key]
    try:
        read: Value = _WORDS[str(value).lower()] if to is bool else to(str(value))
    except (KeyError, ValueError):
        raise UsageError(f"{key}={value}: {value!r} is no {_NAMES[to]}") from None
    least, most, words = (about.metadata[name] for name in ("least", "most", "words"))
    if isinstance(read, str):
        read = read.lower()
        if words and read not in words:
            raise UsageError(f"{key}={value}: must be one of {', '.join(words)}")
    elif not least <= read <= most:
        raise UsageError(f"{key}={value}: {key} lies between {least:g} and {most:g}")
    return read


_WORDS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
_NAMES: Mapping[type, str] = {bool: "yes or no (true, false, on, off)", int: "whole number", float: "number"}


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
    base_url: str = field(default="", repr=False)  # it may hold a key, and tracebacks show values of variables
    """Of an endpoint, e.g. `https://host/v1`."""
    model: str = ""
    """What the endpoint calls it."""
    api_key_env: str = ""
    """Name of the environment variable that holds the endpoint's key; the key itself is never kept here."""
    quant: str = ""
    size: float | None = None
    """GB (10⁹ bytes) of the file, all parts."""
    licence: str = ""
    memory: Mapping[str, int] = field(default_factory=dict)
    """`cache`: bytes that one token of context takes in f16; `vocabulary`: tokens. Empty where it is not known."""
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
    values: dict[str, Any] = {**table, "backend": table.get("backend") or (ENDPOINT if "base_url" in table else LLAMA)}
    values["sampling"] = {key: read_value(Sampling, key, value) for key, value in table.get("sampling", {}).items()}
    values["tier"] = table.get("tier") or ("API" if "base_url" in table else "Local")
    if lost := sorted(set(table.get("not_sent", ())).intersection(values["sampling"])):
        raise UsageError(f"{', '.join(lost)}: cannot have a value and stand under not_sent too")
    values["not_sent"] = tuple(table.get("not_sent", ()))
    if "policy" in table:
        values["policy"] = Policy(table["policy"])
    if "prices" in table:
        # Cached prompt tokens cost as much as others where nothing else is said.
        prices: dict[str, Any] = {"cached": table["prices"].get("prompt", 0.0), **table["prices"]}
        prices |= {key: float(value) for key, value in prices.items() if isinstance(value, int)}
        values["prices"] = Prices(**prices)
    if "path" in table:
        values["path"] = (home or Path()) / Path(table["path"]).expanduser()
    return ModelEntry(name=name, slug=name, **values)
