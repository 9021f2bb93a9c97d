"""The tools that are there: what plugins and conftests register, each name once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_agentcore.errors import UsageError
from pytest_agentcore.tools.base import Tool, ToolSpec


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
