"""The tools of one trial: choose, validate, call, inject faults, clip. One of the two borders that catch everything."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from pytest_agentcore.errors import AgentcoreError, InfrastructureError, ToolError, UsageError
from pytest_agentcore.tools.base import Fault, Tool, ToolContext, ToolSpec
from pytest_agentcore.tools.fs import FsRead, FsWrite
from pytest_agentcore.tools.shell import Shell
from pytest_agentcore.tools.sql import SqlQuery
from pytest_agentcore.tools.text import RESULT_CHARACTERS, clip, harmless, one_line
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import CallOutcome, CallRecord


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


class Toolbox:
    """The tools of one trial, called by name. Counts injected faults, hence one per trial."""

    def __init__(self, tools: Sequence[Tool], *, names: Iterable[str], faults: Sequence[Fault] = ()) -> None:
        """`tools` are all there are; `names` are those that the task gives.

        Raises:
            UsageError: a name that no tool has, or that two have.
        """
        self._tools = _by_name(tools, tuple(names))
        self._faults = {index: fault.times for index, fault in enumerate(faults)}
        self._declared = tuple(faults)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told."""
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
        if name not in self._tools:
            return CallOutcome.unknown, unknown_tool(name, self._tools)
        with _border(name):  # the schema is the tool's too
            objection = self._objection(name, arguments)
        if objection:
            return CallOutcome.invalid, objection
        if message := self._fault(arguments):
            return CallOutcome.fault, message
        try:
            return CallOutcome.ok, self._result(name, context, arguments)
        except ToolError as error:
            return CallOutcome.refused, str(error)

    def _result(self, name: str, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        tool = self._tools[name]
        with _border(name):
            result: object = tool(context, as_declared(arguments, tool.spec.parameters))
        if not isinstance(result, str):
            raise InfrastructureError(f"tool {name} returned {result!r:.80}, which is no text", Cause.tool_broken)
        return result

    def _objection(self, name: str, arguments: Mapping[str, Any]) -> str:
        from pytest_agentcore.tools.toolbox import objection  # noqa: PLC0415 - heavy

        return objection(self._tools[name].spec, arguments)

    def _fault(self, arguments: Mapping[str, Any]) -> str:
        """The message of the first injected error that these arguments meet, or nothing."""
        mentioned = "\n".join(_strings(arguments))
        for index, fault in enumerate(self._declared):
            if self._faults[index] and fault.mentions in mentioned:
                self._faults[index] -= 1
                return fault.message
        return ""


@contextmanager
def _border(name: str) -> Iterator[None]:
    """Whatever a tool raises but for our own errors and the user's interrupt: it broke, and the trial cannot go on."""
    try:
        yield
    except (AgentcoreError, KeyboardInterrupt):
        raise
    except BaseException as error:
        sentence = f"tool {name} broke: {type(error).__name__}: {error}"
        raise InfrastructureError(sentence, Cause.tool_broken) from error


def unknown_tool(name: str, tools: Collection[str]) -> str:
    """What a model reads that called a tool which is not there."""
    near = difflib.get_close_matches(name, tools, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the tools are {', '.join(tools)}"
    return f"there is no tool {one_line(repr(name))}; {hint}"


def _by_name(tools: Sequence[Tool], names: Sequence[str]) -> dict[str, Tool]:
    known: dict[str, Tool] = {}
    for tool in tools:
        if tool.spec.name in known:
            raise UsageError(f"two tools are named {tool.spec.name!r}; rename one")
        known[tool.spec.name] = tool
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"no tool is named {name!r}; {hint}")
    return {name: known[name] for name in names}


def _strings(value: object) -> list[str]:
    """Every string in the arguments; other values as JSON."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _strings(each)]
    return [json.dumps(value)]


def builtin_tools() -> tuple[Tool, ...]:
    """In the order in which a model is told about them."""
    return FsRead(), FsWrite(), Shell(), SqlQuery()


class KnownTools:
    """Tools by name, and who brought each."""

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
