"""Task modules of the shipped suite, loaded by path: the suite is a folder, not a package."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from pytest_agentcore.tasks.suite import Suite

SUITE = Suite.load(Path(__file__).parents[2] / "suites" / "agentic-core-v1")


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
