"""The border between a model's calls and the tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from confined import Cell, make_cell

from pytest_agentcore.errors import BackendError, InfrastructureError, SandboxError, ToolError, UsageError
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tools.base import Fault, Tool, ToolContext, ToolSpec
from pytest_agentcore.tools.fs import FsRead
from pytest_agentcore.tools.shell import Shell
from pytest_agentcore.tools.toolbox import KnownTools, Toolbox, builtin_tools
from pytest_agentcore.trial.modes import Attribution, Cause
from pytest_agentcore.trial.result import CallOutcome

ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Raising:
    """A plugin's tool that raises what it was made with."""

    def __init__(self, error: BaseException) -> None:
        self.spec = ToolSpec(name="raising", description="Raises.", parameters=ANYTHING)
        self._error = error

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        raise self._error


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return make_cell(open_sandbox("process"), tmp_path / "trial")


def with_tools(cell: Cell, *tools: Tool) -> Cell:
    return Cell(cell.sandbox, cell.workspace, Toolbox(tools))


def test_the_built_in_tools_have_closed_schemas_and_valid_names() -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    for tool in builtin_tools():
        Draft202012Validator.check_schema(tool.spec.parameters)
        assert tool.spec.parameters["additionalProperties"] is False
        assert tool.spec.name.isidentifier()
    assert [tool.spec.name for tool in builtin_tools()] == ["fs_read", "fs_write", "shell", "sql_query"]


def test_a_model_is_told_of_the_tools_in_their_order() -> None:
    toolbox = Toolbox([Shell(), FsRead()])
    assert [spec.name for spec in toolbox.specs] == ["shell", "fs_read"]


def test_a_tool_that_the_task_does_not_give_is_unknown(cell: Cell) -> None:
    only = with_tools(cell, FsRead())
    done = only.call("shell", command="touch made")
    assert (done.outcome, done.result) == (CallOutcome.unknown, "there is no tool 'shell'; the tools are fs_read")
    assert not (cell.root / "made").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fs_raed", "there is no tool 'fs_raed'; did you mean fs_read?"),
        ("write_fs", "there is no tool 'write_fs'; did you mean fs_write?"),
        ("browse", "there is no tool 'browse'; the tools are fs_read, fs_write, shell, sql_query"),
        ("", "there is no tool ''; the tools are fs_read, fs_write, shell, sql_query"),
    ],
)
def test_an_unknown_tool_gets_the_nearest_match(cell: Cell, name: str, said: str) -> None:
    done = cell.call(name)
    assert (done.outcome, done.result) == (CallOutcome.unknown, said)


def test_a_refusal_is_the_tools_own_sentence(cell: Cell) -> None:
    done = with_tools(cell, Raising(ToolError("not today"))).call("raising")
    assert (done.outcome, done.result) == (CallOutcome.refused, "not today")


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("x"), OSError(28, "No space left on device")])
def test_a_tool_that_breaks_is_an_infrastructure_error(cell: Cell, error: Exception) -> None:
    with pytest.raises(InfrastructureError, match=f"tool raising broke: {type(error).__name__}") as raised:
        with_tools(cell, Raising(error)).call("raising")
    assert raised.value.__cause__ is error
    assert (raised.value.cause, raised.value.cause.attribution) == (Cause.tool_broken, Attribution.harness)


@pytest.mark.parametrize("error", [SandboxError("x"), BackendError("x"), KeyboardInterrupt()])
def test_what_already_has_a_name_passes_through(cell: Cell, error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        with_tools(cell, Raising(error)).call("raising")
    assert raised.value is error


def test_faults_fail_the_first_calls_that_mention_them(tmp_path: Path) -> None:
    faults = (
        Fault(mentions="orders", message="orders: connection reset", times=2),
        Fault(mentions='say "hi"', message="no"),
    )
    cell = make_cell(open_sandbox("process"), tmp_path / "trial", faults=faults)

    def outcome(command: str) -> tuple[CallOutcome, str]:
        done = cell.call("shell", command=command)
        return done.outcome, done.result

    assert outcome("echo other") == (CallOutcome.ok, "other\nexit code 0")
    assert outcome("echo orders") == (CallOutcome.fault, "orders: connection reset")
    assert cell.call("shell", orders="orders").outcome is CallOutcome.invalid
    assert cell.call("fs_read", path="orders").outcome is CallOutcome.fault
    assert outcome("echo orders") == (CallOutcome.ok, "orders\nexit code 0")
    assert outcome("echo 'say \"hi\"'")[0] is CallOutcome.fault


def named(name: Any) -> Raising:
    tool = Raising(ToolError("x"))
    tool.spec = ToolSpec(name=name, description="Raises.", parameters=ANYTHING)
    return tool


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [named("fs_read")],
            "two tools are named 'fs_read', one of pytest-agentcore and one of a conftest; rename one",
        ),
        (
            [named("one"), named("one")],
            "two tools are named 'one', one of a conftest and one of a conftest; rename one",
        ),
        ([named("Browse")], "a conftest: 'Browse' is no name of a tool; use letters a to z, digits and _"),
        ([named(None)], "a conftest: None is no name of a tool; use letters a to z, digits and _"),
        ("browse", "a conftest: tools must come as a list, not as str"),
        (None, "a conftest: tools must come as a list, not as NoneType"),
        ([3], "a conftest: 3 is no tool: it needs a `spec`, a ToolSpec, and a `__call__`"),
    ],
)
def test_what_cannot_be_a_tool_of_the_session_is_a_usage_error(found: object, said: str) -> None:
    known = KnownTools()
    known.add(builtin_tools(), "pytest-agentcore")
    with pytest.raises(UsageError) as raised:
        known.add(found, "a conftest")
    assert str(raised.value) == said


def test_the_record_says_where_and_what(cell: Cell) -> None:
    context = ToolContext(workspace=cell.workspace, sandbox=cell.sandbox, seconds_left=5)
    done = cell.toolbox.call("shell", {"command": "echo x"}, context, turn=3, index=2)
    assert (done.turn, done.index, done.name, dict(done.arguments)) == (3, 2, "shell", {"command": "echo x"})
    assert done.seconds > 0
