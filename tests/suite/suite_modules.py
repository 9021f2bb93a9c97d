"""Task modules of the shipped suite, loaded by path (the suite is a folder, not a package), and their instances."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_agentcore import Instance
from pytest_agentcore.agent.session import Limit, Session
from pytest_agentcore.backends.base import ToolCall
from pytest_agentcore.runner import Finished, Job, run_attempt
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tools.toolbox import builtin_tools
from pytest_agentcore.trial.fold import Attempt
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey

SUITE = Suite.load(Path(__file__).parents[2] / "suites" / "agentic-core-v1")
RUNS = range(1, 21)


@cache
def task_module(number: int) -> ModuleType:
    """The module of `task_NN`."""
    (path,) = SUITE.path.glob(f"test_task_{number:02}_*.py")
    spec = importlib.util.spec_from_file_location(f"suite_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def declared(module: ModuleType) -> Any:
    """The module's one `Task`."""
    (task,) = (value.agentcore for value in vars(module).values() if hasattr(value, "agentcore"))
    return task


@cache
def instance(number: int, run: int) -> Instance:
    """The data of one run of a task."""
    drawn: Instance = declared(task_module(number)).instance(SUITE.version, run)
    return drawn


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, without leaving caches there."""
    argv = [sys.executable, "-B", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


Call = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""


def job(number: int, run: int, sandbox: Sandbox | None = None) -> Job:
    """One run of a task, to be worked on by a test."""
    task = declared(task_module(number))
    return Job(
        key=TrialKey("test", task.id, run),
        task=task,
        suite=SUITE,
        sandbox=sandbox or open_sandbox("process"),
        tools={tool.spec.name: tool for tool in builtin_tools()},
        limit=Limit(),
    )


def played(number: int, run: int, turns: Sequence[Sequence[Call]], sandbox: Sandbox | None = None) -> Finished:
    """Make these calls, turn by turn; the finished trial must be closed."""

    def play(_drawn: Instance, session: Session) -> Attempt:
        for calls in turns:
            session.begin_turn()
            for index, (name, arguments) in enumerate(calls):
                session.act(ToolCall(id=f"call_{index}", name=name, arguments=arguments), index)
        return session.finish(StopReason.final_answer, answer="Done.")

    return run_attempt(job(number, run, sandbox), play, lambda _event: None)


def verdict(number: int, run: int, turns: Sequence[Sequence[Call]], sandbox: Sandbox | None = None) -> str:
    """Make these calls, turn by turn, and give what the checker objects to; empty where it accepts."""
    with closing(played(number, run, turns, sandbox)) as finished:
        assert finished.failure is None
        try:
            declared(task_module(number)).checker(finished.trial)
        except AssertionError as error:
            return str(error)
        return ""


def write(path: str, content: str) -> Call:
    """A call that writes a file."""
    return "fs_write", {"path": path, "content": content}
