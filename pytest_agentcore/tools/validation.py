"""Holds the arguments of a call to the tool's schema. Importing it takes long: it is done before the first trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.tools.results import one_line


def objection(spec: ToolSpec, arguments: Mapping[str, Any]) -> str:
    """One line on the first violation of the schema, or nothing.

    Raises:
        Exception: whatever jsonschema makes of a schema that is itself broken.
    """
    error = best_match(Draft202012Validator(spec.parameters).iter_errors(arguments))
    if error is None:
        return ""
    where = ".".join(map(str, error.absolute_path))
    expected = ", ".join(_expected(spec))
    return f"invalid arguments for {spec.name}: {where and f'{where}: '}{one_line(error.message)}; expected {expected}"


def _expected(spec: ToolSpec) -> list[str]:
    required = spec.parameters.get("required", ())
    return [
        f"{name}: {schema.get('type', 'any')}{'' if name in required else ' (optional)'}"
        for name, schema in spec.parameters.get("properties", {}).items()
    ] or ["no arguments"]
