"""Agentic tasks as parametrized tests: names for task files, and for reading results in Python.

Each is loaded when it is first used, so that the plugin's start-up and a task file load nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_agentcore.agent.actor import Actor
    from pytest_agentcore.analysis.frames import Results, compare, figures, read
    from pytest_agentcore.checking.plain import plain_lines, stated
    from pytest_agentcore.checking.trial import Trial
    from pytest_agentcore.tasks.declare import task
    from pytest_agentcore.tasks.task import Budget, Instance, database, read_folder
    from pytest_agentcore.tools.base import Fault


__all__ = [
    "Actor",
    "Budget",
    "Fault",
    "Instance",
    "Results",
    "Trial",
    "__version__",
    "compare",
    "database",
    "figures",
    "plain_lines",
    "read",
    "read_folder",
    "stated",
    "task",
]

__version__ = "0.1.0"

_HOMES = {
    "Actor": "pytest_agentcore.agent.actor",
    **dict.fromkeys(("Results", "compare", "figures", "read"), "pytest_agentcore.analysis.frames"),
    "Trial": "pytest_agentcore.checking.trial",
    "plain_lines": "pytest_agentcore.checking.plain",
    "stated": "pytest_agentcore.checking.plain",
    "task": "pytest_agentcore.tasks.declare",
}


def __getattr__(name: str) -> Any:
    """Every name is loaded by the task file that imports it, not by the plugin's start-up."""
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "pytest_agentcore.tasks.task")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
