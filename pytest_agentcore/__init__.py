"""Agentic tasks as parametrized tests. These are the names a task file imports; nothing heavy is loaded by them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pytest_agentcore.task import Budget, Fault, Instance, database, read_folder, task

if TYPE_CHECKING:
    from pytest_agentcore.agent.actor import Actor
    from pytest_agentcore.checking.trial import Trial

__all__ = ["Actor", "Budget", "Fault", "Instance", "Trial", "__version__", "database", "read_folder", "task"]

__version__ = "0.1.0"

_ON_DEMAND = {"Actor": "pytest_agentcore.agent.actor", "Trial": "pytest_agentcore.checking.trial"}


def __getattr__(name: str) -> Any:
    """`Actor` and `Trial` are loaded by the task file that names them, not by the plugin's start-up."""
    if name in _ON_DEMAND:
        return getattr(importlib.import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
