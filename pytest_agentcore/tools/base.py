"""The contract of a tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_agentcore.sandbox.base import Sandbox, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An injected tool error: the first `times` calls whose arguments mention `mentions` fail with `message`."""

    mentions: str
    message: str
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is told of it."""

    name: str
    """`[a-z][a-z0-9_]*`"""
    description: str
    parameters: Mapping[str, Any]
    """A JSON schema of type object with `additionalProperties: false`; arguments are validated against it."""
    see_more: str = "ask for less at once"
    """Advice on how to see what was clipped from a result; ends the note that stands in its place."""


def object_schema(required: Iterable[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """The place where a call acts, and the time it has."""

    workspace: Workspace
    sandbox: Sandbox
    seconds_left: float
    """Wall clock left to the trial; a tool that starts a process bounds it by this too."""


class Tool(Protocol):
    """One tool. Registered through the hook `pytest_agentcore_tools`."""

    spec: ToolSpec

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        """Act and return what the model reads, before clipping.

        Raises:
            ToolError: the tool refuses or fails; the sentence goes back to the model.
            SandboxError: nothing could be run at all.
        """
