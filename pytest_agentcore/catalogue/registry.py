"""Models by name: those that ship, and over them those of the user's own files."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from pytest_agentcore.catalogue.entry import (
    ENDPOINT,
    LLAMA,
    SCRIPTED,
    ModelEntry,
    Policy,
    Sampling,
    read_entry,
    settings_of,
)
from pytest_agentcore.dialects.families import DIALECTS
from pytest_agentcore.errors import UsageError
from pytest_agentcore.untrusted import clip

_LONGEST = 80
"""Characters of a value that a message repeats."""


def registry_schema() -> dict[str, Any]:
    """The schema of a whole file, with that of one entry under `$defs`; the settings in it are those of entry.py."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("registry.schema.json").read_text(encoding="utf-8"))
    keys, sampling = schema["$defs"]["entry"]["properties"], settings_of(Sampling)
    kinds = {float: "number", int: "integer"}
    keys["sampling"]["properties"] = {key: {"type": kinds[to]} for key, (to, _) in sampling.items()}
    keys["not_sent"]["items"]["enum"] = [*sampling, "seed"]
    keys["policy"]["enum"] = [policy.value for policy in Policy]
    return schema


def check_tables(where: str, tables: Any) -> None:
    """Refuse tables that break the schema.

    Args:
        where: the file, and the table in it, e.g. `pyproject.toml: tool.agentcore.models`.
        tables: entries by name.

    Raises:
        UsageError: names file, entry and key.
    """
    errors = sorted(_validator().iter_errors(tables), key=lambda error: len(error.path))
    if errors:
        key = ".".join(map(str, errors[0].absolute_path))
        raise UsageError(f"{where}{f'.{key}' if key else ''}: {_sentence(errors[0])}")
    for name, table in tables.items():
        _check_places(f"{where}.{name}", table)
        _check_dialect(f"{where}.{name}", table)


def _validator() -> Any:
    """TOML tells 1.0 from 1, other than JSON, and has `nan` and `inf`."""
    kinds = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _checker, value: type(value) is int)
    kinds = kinds.redefine("number", lambda _checker, value: type(value) in (int, float) and math.isfinite(value))
    return validators.extend(Draft202012Validator, type_checker=kinds)(registry_schema())  # type: ignore[no-untyped-call]


def _check_places(where: str, table: Mapping[str, Any]) -> None:
    """A model comes from one place, and from one that its backend can open."""
    places = [key for key in _PLACES if key in table]
    if len(places) > 1:
        raise UsageError(f"{where}: {places[1]} cannot stand beside {places[0]}, a model comes from one place")
    backend = table.get("backend", "")
    wanted = _OPENED_FROM.get(backend, _PLACES)
    if backend in _OPENED_FROM and not set(places) & set(wanted):
        raise UsageError(f"{where}.backend: {backend} needs {' or '.join(wanted)} beside it")


def _check_dialect(where: str, table: Mapping[str, Any]) -> None:
    known = [dialect.name for dialect in DIALECTS]
    if table.get("dialect", known[0]) not in known:
        raise UsageError(f"{where}.dialect: {clip(repr(table['dialect']), _LONGEST)} is none of {', '.join(known)}")
    if "dialect" in table and table.get("backend", ENDPOINT) == ENDPOINT and "base_url" in table:
        raise UsageError(
            f"{where}.dialect: cannot stand beside base_url, the endpoint's server knows the model's dialect"
        )


def _sentence(error: ValidationError) -> str:
    if "propertyNames" in error.absolute_schema_path:
        return f"{error.instance!r}: a name has only the characters a-z, 0-9, dot and hyphen"
    say = _SENTENCES.get(str(error.validator))
    return say(error) if say else clip(error.message, _LONGEST)


def _unknown_key(error: ValidationError) -> str:
    known = list(cast("Mapping[str, Any]", error.schema).get("properties", {}))
    unknown = [key for key in cast("Mapping[str, Any]", error.instance) if key not in known]
    near = difflib.get_close_matches(unknown[0], known, n=1)
    return f"unknown key {unknown[0]!r}; " + (f"did you mean {near[0]!r}?" if near else f"keys: {', '.join(known)}")


def _kind(error: ValidationError) -> str:
    finite = "" if not isinstance(error.instance, float) or math.isfinite(error.instance) else "finite "
    return f"{_shown(error)} is no {finite}{_KINDS.get(str(error.validator_value), error.validator_value)}"


def _pattern(error: ValidationError) -> str:
    if error.absolute_path[-1] == "api_key_env":  # it may be the key itself
        return "must be the name of an environment variable that holds the key, not the key itself"
    return f"{_shown(error)} cannot be used here; it must match {error.validator_value}"


def _choice(error: ValidationError) -> str:
    return f"{_shown(error)} is none of {', '.join(cast('Sequence[str]', error.validator_value))}"


def _companion(error: ValidationError) -> str:
    given = cast("Mapping[str, Any]", error.instance)
    rules = cast("Mapping[str, Sequence[str]]", error.validator_value)
    key, missing = next((key, name) for key in rules if key in given for name in rules[key] if name not in given)
    return f"{key} needs {missing} beside it"


def _one_of(error: ValidationError) -> str:
    ways = cast("Sequence[Mapping[str, Sequence[str]]]", error.validator_value)
    return f"one of these must be said: {', '.join(' and '.join(way['required']) for way in ways)}"


def _shown(error: ValidationError) -> str:
    return clip(repr(error.instance), _LONGEST)


_PLACES = ("file", "package_file", "path", "base_url")
_OPENED_FROM: Mapping[str, Sequence[str]] = {
    LLAMA: ("file", "package_file", "path"),
    ENDPOINT: ("base_url",),
    SCRIPTED: ("path",),
}
_KINDS: Mapping[str, str] = {
    "object": "table",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "number": "number",
}
_SENTENCES: Mapping[str, Callable[[ValidationError], str]] = {
    "additionalProperties": _unknown_key,
    "type": _kind,
    "pattern": _pattern,
    "enum": _choice,
    "dependentRequired": _companion,
    "anyOf": _one_of,
}


Registry = Mapping[str, ModelEntry]
"""Entries by name."""

_TABLE = ("tool", "agentcore", "models")
"""Where a pyproject.toml keeps entries."""


def shipped() -> dict[str, ModelEntry]:
    """The entries of registry.toml. Tests hold that file to the schema; nothing is validated here."""
    tables = tomllib.loads(Path(__file__).with_name("registry.toml").read_text(encoding="utf-8"))
    return {name: read_entry(name, table) for name, table in tables.items()}


def open_registry(project: Path | None = None, models_file: Path | None = None) -> dict[str, ModelEntry]:
    """What ships, below it what the project says, below that what a file of the user's says: the last one counts.

    Args:
        project: folder whose pyproject.toml may hold `[tool.agentcore.models]`.
        models_file: TOML file of entries, or a pyproject.toml that holds such a table.

    Raises:
        UsageError: a file that is not there or breaks the schema; names file, entry and key.
    """
    known = shipped()
    pyproject = project / "pyproject.toml" if project else None
    if pyproject and pyproject.is_file():
        known |= _of_user(pyproject, _inner(_read(pyproject)) or {}, f"{pyproject.name}: {'.'.join(_TABLE)}")
    if models_file:
        tables = _read(models_file)
        known |= _of_user(models_file, tables if _inner(tables) is None else _inner(tables), models_file.name)
    return known


def project_above(folder: Path) -> Path | None:
    """The nearest folder upwards that has a pyproject.toml: what a command takes for pytest's rootdir."""
    return next((parent for parent in (folder, *folder.parents) if (parent / "pyproject.toml").is_file()), None)


def _of_user(file: Path, tables: Any, where: str) -> dict[str, ModelEntry]:
    if not tables:
        return {}
    check_tables(where, tables)
    return {name: _entry(where, name, table, file) for name, table in tables.items()}


def _entry(where: str, name: str, table: Mapping[str, Any], file: Path) -> ModelEntry:
    try:
        return replace(read_entry(name, table, home=file.resolve().parent), origin=file.name)
    except UsageError as error:
        raise UsageError(f"{where}.{name}.sampling: {error}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not a TOML file: {error}") from error


def _inner(tables: Mapping[str, Any]) -> Any:
    """What a pyproject.toml keeps for us; None where it keeps nothing."""
    found: Any = tables
    for key in _TABLE:
        found = found.get(key) if isinstance(found, dict) else None
    return found
