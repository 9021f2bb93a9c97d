"""Models by name: those that ship, and over them those of the user's own files."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.untrusted import clip

Registry = Mapping[str, ModelEntry]
"""Entries by name."""


def shipped() -> dict[str, ModelEntry]:
    """The entries of registry.toml. Tests hold that file to the schema; nothing is validated here."""
    tables = tomllib.loads(Path(__file__).with_name("registry.toml").read_text(encoding="utf-8"))
    return {name: read_entry(name, table) for name, table in tables.items()}


def open_registry(project: Path | None = None, models_file: Path | None = None) -> dict[str, ModelEntry]:
    """The entries that ship, over them the project's, over these those of a file of the user's: the last one counts.

    Args:
        project: folder whose pyproject.toml may hold `[tool.agentcore.models]`.
        models_file: TOML file of entries, or a pyproject.toml that holds such a table.

    Raises:
        UsageError: a file that is not there or breaks the schema; names file, entry and key.
    """
    known, pyproject = shipped(), project / "pyproject.toml" if project else None
    for file in (pyproject if pyproject and pyproject.is_file() else None, models_file):
        if file is None:
            continue
        try:
            whole = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: not a TOML file: {error}") from error
        tables: Any = whole
        for key in ("tool", "agentcore", "models"):
            tables = tables.get(key) if isinstance(tables, dict) else None
        where = f"{file.name}: tool.agentcore.models"
        if file is models_file:
            tables, where = whole if tables is None else tables, file.name
        if tables:  # most projects have none, and jsonschema is not even imported then
            check_tables(where, tables)
            for name, table in tables.items():
                try:
                    known[name] = replace(read_entry(name, table, home=file.resolve().parent), origin=file.name)
                except UsageError as error:
                    raise UsageError(f"{where}.{name}.sampling: {error}") from error
    return known


def project_above(folder: Path) -> Path | None:
    """The nearest folder upwards that has a pyproject.toml: what a command takes for pytest's rootdir."""
    return next((parent for parent in (folder, *folder.parents) if (parent / "pyproject.toml").is_file()), None)


def registry_schema() -> dict[str, Any]:
    """The schema of a whole file, with that of one entry under `$defs`; the settings in it are those of entry.py."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("registry.schema.json").read_text(encoding="utf-8"))
    keys, sampling = schema["$defs"]["entry"]["properties"], settings_of(Sampling)
    kinds = {float: "number", int: "integer"}
    keys["sampling"]["properties"] = {key: {"type": kinds[to]} for key, (to, _) in sampling.items()}
    keys["not_sent"]["items"]["enum"] = [*sampling, "seed"]
    keys["policy"]["enum"] = [policy.value for policy in Policy]
    keys["dialect"]["enum"] = [dialect.name for dialect in DIALECTS]
    return schema


def check_tables(where: str, tables: Any) -> None:
    """Refuse tables that break the schema, or name a place that their backend cannot open.

    Args:
        where: the file, and the table in it, e.g. `pyproject.toml: tool.agentcore.models`.
        tables: entries by name.

    Raises:
        UsageError: names file, entry and key.
    """
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - heavy, and few have entries of their own

    # TOML tells 1.0 from 1, other than JSON, and has `nan` and `inf`
    kinds = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _checker, value: type(value) is int)
    kinds = kinds.redefine("number", lambda _checker, value: type(value) in (int, float) and math.isfinite(value))
    checked = validators.extend(Draft202012Validator, type_checker=kinds)(registry_schema())  # type: ignore[no-untyped-call]
    for error in sorted(checked.iter_errors(tables), key=lambda error: len(error.path)):
        key = ".".join(map(str, error.absolute_path))
        raise UsageError(f"{where}{f'.{key}' if key else ''}: {_sentence(error)}")
    for name, table in tables.items():
        # A model comes from one place, and from one that its backend can open.
        backend, places = table.get("backend", ""), [key for key in _PLACES if key in table]
        here = f"{where}.{name}"
        if len(places) > 1:
            raise UsageError(f"{here}: {places[1]} cannot stand beside {places[0]}, a model comes from one place")
        if backend in _OPENED_FROM and not {*places}.intersection(_OPENED_FROM[backend]):
            raise UsageError(f"{here}.backend: {backend} needs {' or '.join(_OPENED_FROM[backend])} beside it")
        if "dialect" in table and "base_url" in table and backend in ("", ENDPOINT):
            why = "the endpoint's server knows the model's dialect"
            raise UsageError(f"{here}.dialect: cannot stand beside base_url, {why}")


_PLACES = ("file", "package_file", "path", "base_url")
_OPENED_FROM: Mapping[str, Sequence[str]] = {
    LLAMA: ("file", "package_file", "path"),
    ENDPOINT: ("base_url",),
    SCRIPTED: ("path",),
}
_KINDS = {"object": "table", "array": "list", "string": "text", "integer": "whole number"}


def _sentence(error: Any) -> str:
    """An error of the schema in the words of somebody who writes TOML."""
    given, rule = error.instance, error.validator_value
    shown, said = clip(repr(given), 80), clip(error.message, 80)
    if "propertyNames" in error.absolute_schema_path:
        said = f"{given!r}: a name has only the characters a-z, 0-9, dot and hyphen"
    elif error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(key for key in given if key not in known)
        said = f"unknown key {unknown!r}; {instead(unknown, known)}"
    elif error.validator == "type":
        finite = "finite " if isinstance(given, float) and not math.isfinite(given) else ""
        said = f"{shown} is no {finite}{_KINDS.get(rule, rule)}"
    elif error.validator == "pattern" and error.absolute_path[-1] == "api_key_env":  # it may be the key itself
        said = "must be the name of an environment variable that holds the key, not the key itself"
    elif error.validator == "pattern":
        said = f"{shown} cannot be used here; it must match {rule}"
    elif error.validator == "enum":
        said = f"{shown} cannot stand here; {instead(str(given), rule)}"
    elif error.validator == "required":
        said = f"needs {', '.join(name for name in rule if name not in given)} beside it"
    elif error.validator == "dependentRequired":
        key, missing = next((key, name) for key in rule if key in given for name in rule[key] if name not in given)
        said = f"{key} needs {missing} beside it"
    elif error.validator == "anyOf":
        said = f"one of these must be said: {', '.join(' and '.join(way['required']) for way in rule)}"
    return said
