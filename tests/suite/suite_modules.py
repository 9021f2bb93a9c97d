"""Task modules of the shipped suite, loaded by path (the suite is a folder, not a package), and their instances."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_agentcore import Instance
from pytest_agentcore.tasks.suite import Suite

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
