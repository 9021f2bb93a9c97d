"""Arguments against a tool's schema: refused in one line, or handed over as the schema says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from confined import Cell, make_cell

from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tools.base import ToolContext, ToolSpec
from pytest_agentcore.tools.toolbox import Toolbox
from pytest_agentcore.trial.result import CallOutcome


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return make_cell(open_sandbox("process"), tmp_path / "trial")


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("shell", {}, "'command' is a required property; expected command: string"),
        ("shell", {"command": 3}, "command: 3 is not of type 'string'"),
        ("shell", {"cmd": "ls"}, "expected command: string"),
        ("fs_read", {"path": "a", "offset": 0}, "offset: 0 is less than the minimum of 1"),
        ("fs_read", {"path": "a", "lines": "3"}, "lines: '3' is not of type 'integer'"),
        ("fs_read", {"path": None}, "path: None is not of type 'string'"),
        ("fs_write", {"path": "a", "content": "b", "mode": "w"}, "'mode' was unexpected"),
        ("fs_read", {"path": ["x\n" * 5000]}, "is not of type 'string'"),
    ],
)
def test_a_violated_schema_is_one_readable_line(cell: Cell, tool: str, arguments: dict[str, Any], said: str) -> None:
    done = cell.call(tool, **arguments)
    assert done.outcome is CallOutcome.invalid
    assert done.result.startswith(f"invalid arguments for {tool}: ")
    assert said in done.result or len(str(arguments)) > 1000
    assert "\n" not in done.result
    assert len(done.result) < 500


COUNTED: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "integer": {"type": "integer"},
        "either": {"type": ["integer", "null"]},
        "number": {"type": "number"},
        "any": {},
        "list": {"type": "array", "items": {"type": "integer"}},
        "nested": {"type": "object", "properties": {"integer": {"type": "integer"}}},
    },
    "additionalProperties": False,
}


class Repeating:
    """A plugin's tool that says which arguments it was called with."""

    spec = ToolSpec(name="repeating", description="Repeats.", parameters=COUNTED)

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        return json.dumps(arguments)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"integer": 2.0}, {"integer": 2}),
        ({"either": -3.0}, {"either": -3}),
        ({"either": None}, {"either": None}),
        ({"number": 2.0}, {"number": 2.0}),
        ({"any": 2.0}, {"any": 2.0}),
        ({"list": [1.0, 2]}, {"list": [1, 2]}),
        ({"nested": {"integer": 1e3, "other": 2.0}}, {"nested": {"integer": 1000, "other": 2.0}}),
    ],
)
def test_a_tool_gets_an_int_where_its_schema_says_integer(
    cell: Cell, given: dict[str, Any], seen: dict[str, Any]
) -> None:
    """A model's 2.0 is valid against `integer`, and no index in Python."""
    done = Cell(cell.sandbox, cell.workspace, Toolbox([Repeating()])).call("repeating", **given)
    assert (done.outcome, done.result) == (CallOutcome.ok, json.dumps(seen))
    assert json.dumps(done.arguments) == json.dumps(given), "the record says what the model sent"


@pytest.mark.parametrize("arguments", [{"offset": 2.0}, {"lines": 1.0, "offset": 2}, {"offset": 2.0, "lines": 1.0}])
def test_fs_read_takes_whole_numbers_of_either_spelling(cell: Cell, arguments: dict[str, Any]) -> None:
    (cell.root / "a.txt").write_text("one\ntwo\n")
    done = cell.call("fs_read", path="a.txt", **arguments)
    assert (done.outcome, done.result) == (CallOutcome.ok, "two\n[lines 2 to 2 of 2]")


@pytest.mark.parametrize("number", [2.5, 1e400, float("nan"), True])
def test_what_is_no_whole_number_goes_back_to_the_model(cell: Cell, number: float) -> None:
    assert cell.call("fs_read", path="a.txt", offset=number).outcome is CallOutcome.invalid
