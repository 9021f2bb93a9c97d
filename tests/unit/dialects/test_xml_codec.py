"""Values that stand as raw text, and the schema that says what they are."""

from __future__ import annotations

from typing import Any

import pytest
from listed import GLM4

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
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "[1]", "[1]"),
        ({"type": "string", "nullable": True}, "null", None),
        ({"enum": ["1", 2]}, "1", "1"),
        ({"enum": ["1", 2]}, "2", 2),
        ({"type": "integer"}, " 3 ", 3),
        ({"type": "boolean"}, "\n True\n", True),
        ({"type": ["integer", "null"]}, "None", None),
        ({"type": "array"}, "['x', None]", ["x", None]),
        ({"type": "object"}, "{'a': True}", {"a": True}),
        (
            {"type": "object"},
            r"""{'a': "it's \x1b", 'b': ['\u2028', null]}""",
            {"a": "it's \x1b", "b": ["\u2028", None]},
        ),
        ({"type": "integer"}, "007", "007"),
        ({"$ref": "#/$defs/text"}, "42", "42"),
        ({"allOf": [{"type": "string"}]}, "42", "42"),
    ],
)
def test_text_is_a_value_of_another_type_only_where_the_schema_allows_that_type(
    schema: dict[str, Any], written: str, read: Any
) -> None:
    text = f"<tool_call>a\n<arg_key>x</arg_key>\n<arg_value>{written}</arg_value>\n</tool_call>"
    (call,) = parse(
        GLM4, text, schemas={"a": {"properties": {"x": schema}, "$defs": {"text": {"type": "string"}}}}
    ).calls
    assert call.arguments == {"x": read}
    assert type(call.arguments["x"]) is type(read)


def test_a_key_keeps_no_blanks_and_a_value_in_cdata_is_whole() -> None:
    blanks = "<tool_call>a\n<arg_key> x </arg_key>\n<arg_value><![CDATA[1 </arg_value> <b>]]></arg_value>\n</tool_call>"
    (call,) = parse(GLM4, blanks).calls
    assert call.arguments == {"x": "1 </arg_value> <b>"}
