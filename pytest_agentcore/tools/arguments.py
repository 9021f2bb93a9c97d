"""The arguments of a call against the tool's JSON schema. Imported late, because jsonschema is slow to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.tools.text import one_line


def objection(spec: ToolSpec, arguments: Mapping[str, Any]) -> str:
    """One line on the first violation of the schema, or nothing.

    Raises:
        Exception: whatever jsonschema makes of a schema that is itself broken.
    """
    error = best_match(Draft202012Validator(spec.parameters).iter_errors(arguments))
    if error is None:
        return ""
    where = ".".join(map(str, error.absolute_path))
    required = spec.parameters.get("required", ())
    expected = [
        f"{name}: {schema.get('type', 'any')}{'' if name in required else ' (optional)'}"
        for name, schema in spec.parameters.get("properties", {}).items()
    ]
    problem = f"{where and f'{where}: '}{one_line(error.message)}"
    return f"invalid arguments for {spec.name}: {problem}; expected {', '.join(expected) or 'no arguments'}"


def as_declared(value: Any, schema: Any) -> Any:
    """The value with an int wherever the schema says integer: JSON Schema takes 2.0 for one, `range` does not.

    https://json-schema.org/draft/2020-12/json-schema-core, section 4.2.2. `value` has been validated.
    """
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, Mapping):
        named = schema.get("properties", {})
        return {key: as_declared(each, named.get(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [as_declared(each, schema.get("items")) for each in value]
    types = schema.get("type") or ()
    types = [types] if isinstance(types, str) else types
    return int(value) if isinstance(value, float) and "integer" in types and "number" not in types else value
