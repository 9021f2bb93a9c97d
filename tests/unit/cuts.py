"""Loads benchmarks/dialect_cuts.py, whose cases the tests try by the thousand."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any


@cache
def cuts() -> Any:
    """The module."""
    path = Path(__file__).parents[2] / "benchmarks" / "dialect_cuts.py"
    found = importlib.util.spec_from_file_location("dialect_cuts", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["dialect_cuts"] = module  # where dataclasses look for it
    found.loader.exec_module(module)
    return module
