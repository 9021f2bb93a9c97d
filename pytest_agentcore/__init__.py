"""Agentic tasks as parametrized tests. These are the names a task file imports; nothing heavy is loaded by them."""

from pytest_agentcore.task import Budget, Fault, Instance, database, read_folder, task

__all__ = ["Budget", "Fault", "Instance", "__version__", "database", "read_folder", "task"]

__version__ = "0.1.0"
