"""The four tools that come with the package."""

from __future__ import annotations

from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.fs import FsRead, FsWrite
from pytest_agentcore.tools.shell import Shell
from pytest_agentcore.tools.sql import SqlQuery


def builtin_tools() -> tuple[Tool, ...]:
    """In the order in which a model is told about them."""
    return FsRead(), FsWrite(), Shell(), SqlQuery()
