"""Values that stand as raw text, and the schema that says what they are."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agentcore.dialects.families import GLM4
from pytest_agentcore.dialects.parse import parse

TEXT_OR_NOTHING = {"type": ["null", "string"]}
SOME_OF_EACH = {"enum": ["null", True, "7"]}


@pytest.mark.parametrize(
    ("schema", "written", "read"),
    [
        ({"type": "string"}, "42", "42"),
        ({"type": "integer"}, "42", 42),
        ({"type": "integer"}, "4.0", 4.0),
        ({"type": "integer"}, "many", "many"),
        ({}, "42", 42),
        ({}, '"42"', '"42"'),
        (TEXT_OR_NOTHING, "null", None),
        (TEXT_OR_NOTHING, "42", "42"),
        (TEXT_OR_NOTHING, "[1]", "[1]"),
        (TEXT_OR_NOTHING, '"x"', '"x"'),
        (SOME_OF_EACH, "null", "null"),
        (SOME_OF_EACH, "true", True),
        (SOME_OF_EACH, "7", "7"),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, "7", 7),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "7.5", "7.5"),
    ],
)
def test_text_is_a_value_of_another_type_only_where_the_schema_allows_that_type(
    schema: dict[str, Any], written: str, read: Any
) -> None:
    text = f"<tool_call>a\n<arg_key>x</arg_key>\n<arg_value>{written}</arg_value>\n</tool_call>"
    (call,) = parse(GLM4, text, schemas={"a": {"properties": {"x": schema}}}).calls
    assert call.arguments == {"x": read}
    assert type(call.arguments["x"]) is type(read)
