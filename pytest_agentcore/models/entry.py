"""What is known of a model before it is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.base import Policy
from pytest_agentcore.models.settings import SAMPLING_KEYS, Value, read_value
from pytest_agentcore.prices import Prices

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
