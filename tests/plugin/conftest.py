"""A tiny suite and scripted models, driven through the real plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny import COUNT, HELLO, Script


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Path:
    """Two tasks in a folder, and no ini file."""
    folder = pytester.mkdir("tiny")
    (folder / "test_task_01_hello.py").write_text(HELLO)
    (folder / "test_task_02_count.py").write_text(COUNT)
    return folder


@pytest.fixture
def script(pytester: pytest.Pytester) -> Script:
    """Writes replies by task for `scripted:FILE`; `*` is for every other task."""

    def make(name: str = "bot", **replies: Sequence[dict[str, Any]]) -> Path:
        path = pytester.path / f"{name}.json"
        path.write_text(json.dumps({"replies": replies}))
        return path

    return make


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    """The address of a scheduler with two workers, each a process; it loads what pytester would forget."""
    pytest.importorskip("distributed")
    from pytest_agentcore.elsewhere.dask import start_here  # noqa: PLC0415 - optional

    with start_here([], 2, 4) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")
