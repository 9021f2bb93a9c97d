"""Holds tables of models to registry.schema.json, and says what is wrong with one in a sentence."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.dialects.families import DIALECTS
from pytest_agentcore.untrusted import clip

_LONGEST = 80
"""Characters of a value that a message repeats."""


def registry_schema() -> dict[str, Any]:
    """The schema: of a whole file, with that of one entry under `$defs`."""
    text = Path(__file__).with_name("registry.schema.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


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
    if "dialect" in table and table.get("backend", "openai") == "openai" and "base_url" in table:
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
    "llama_cpp": ("file", "package_file", "path"),
    "openai": ("base_url",),
    "scripted": ("path",),
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
