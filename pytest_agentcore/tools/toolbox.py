"""The tools of one trial: validate, call, inject faults, clip. One of the two borders that catch everything."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_agentcore.errors import AgentcoreError, InfrastructureError, ToolError, UsageError, is_foreign
from pytest_agentcore.tools.base import Fault, Tool, ToolContext, ToolSpec
from pytest_agentcore.tools.fs import FsRead, FsWrite
from pytest_agentcore.tools.shell import Shell, SqlQuery
from pytest_agentcore.tools.text import RESULT_CHARACTERS, clip, harmless, one_line
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import CallOutcome, CallRecord


def builtin_tools() -> tuple[Tool, ...]:
    """The tools that every session has, in the order in which a model is told of them."""
    return FsRead(), FsWrite(), Shell(), SqlQuery()


class KnownTools:
    """All tools of a session by name: the one place where their names are checked."""

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self._origins: dict[str, str] = {}

    def add(self, found: object, origin: str) -> None:
        """Take what `origin` registered.

        Raises:
            UsageError: it is no list of tools, or one has a name that is taken.
        """
        if not isinstance(found, Iterable) or isinstance(found, str):
            raise UsageError(f"{origin}: tools must come as a list, not as {type(found).__name__}")
        for tool in found:
            spec = getattr(tool, "spec", None)
            if not isinstance(spec, ToolSpec) or not callable(tool):
                raise UsageError(f"{origin}: {tool!r:.80} is no tool: it needs a `spec`, a ToolSpec, and a `__call__`")
            if not re.fullmatch("[a-z][a-z0-9_]*", str(spec.name)):
                raise UsageError(f"{origin}: {spec.name!r} is no name of a tool; use letters a to z, digits and _")
            if spec.name in self.tools:
                theirs = f"one of {self._origins[spec.name]} and one of {origin}"
                raise UsageError(f"two tools are named {spec.name!r}, {theirs}; rename one")
            self.tools[spec.name], self._origins[spec.name] = tool, origin


class Toolbox:
    """The tools of one trial, called by name. Counts injected faults, hence one per trial."""

    def __init__(self, tools: Iterable[Tool], faults: Sequence[Fault] = ()) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}
        self._faults = faults
        self._left = [fault.times for fault in faults]

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as the model is told of them."""
        return tuple(tool.spec for tool in self._tools.values())

    def call(
        self, name: str, arguments: Mapping[str, Any], context: ToolContext, *, turn: int, index: int
    ) -> CallRecord:
        """Run one call; whatever is wrong with the call itself is in the record.

        Raises:
            InfrastructureError: the tool broke.
        """
        started = time.monotonic()
        outcome, text = self._outcome(name, arguments, context)
        see_more = self._tools[name].spec.see_more if name in self._tools else ""
        return CallRecord(
            turn=turn,
            index=index,
            name=name,
            arguments=arguments,
            outcome=outcome,
            result=clip(harmless(text), RESULT_CHARACTERS, see_more),
            seconds=time.monotonic() - started,
        )

    def _outcome(self, name: str, arguments: Mapping[str, Any], context: ToolContext) -> tuple[CallOutcome, str]:
        from pytest_agentcore.tools.arguments import as_declared, objection  # noqa: PLC0415 - slow to import

        if name not in self._tools:
            return CallOutcome.unknown, unknown_tool(name, self._tools)
        tool = self._tools[name]
        with _border(name):  # the schema is the tool's too
            problem = objection(tool.spec, arguments)
        if problem:
            return CallOutcome.invalid, problem
        mentioned = "\n".join(_strings(arguments))
        for number, fault in enumerate(self._faults):
            if self._left[number] and fault.mentions in mentioned:
                self._left[number] -= 1
                return CallOutcome.fault, fault.message
        try:
            with _border(name):
                result: object = tool(context, as_declared(arguments, tool.spec.parameters))
        except ToolError as error:
            return CallOutcome.refused, str(error)
        if not isinstance(result, str):
            raise InfrastructureError(f"tool {name} returned {result!r:.80}, which is no text", Cause.tool_broken)
        return CallOutcome.ok, result


@contextmanager
def _border(name: str) -> Iterator[None]:
    """Whatever a tool raises but for our own errors and foreign signals: it broke, and the trial cannot go on."""
    try:
        yield
    except AgentcoreError:
        raise
    except BaseException as error:
        if is_foreign(error):
            raise
        sentence = f"tool {name} broke: {type(error).__name__}: {error}"
        raise InfrastructureError(sentence, Cause.tool_broken) from error


def unknown_tool(name: str, tools: Collection[str]) -> str:
    """The result that a model reads when it called a tool which is not there."""
    near = difflib.get_close_matches(name, tools, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the tools are {', '.join(tools)}"
    return f"there is no tool {one_line(repr(name))}; {hint}"


def _strings(value: object) -> list[str]:
    """Every string in the arguments; other values as JSON."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _strings(each)]
    return [json.dumps(value)]
