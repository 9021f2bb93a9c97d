"""Arguments of a call in the types of Python that their schema means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
    return int(value) if isinstance(value, float) and _says_integer(schema.get("type")) else value


def _says_integer(declared: Any) -> bool:
    types = [declared] if isinstance(declared, str) else declared or ()
    return "integer" in types and "number" not in types
