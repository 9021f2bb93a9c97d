"""What an engine chooses by itself."""

from __future__ import annotations

import pytest

from pytest_agentcore.models.engine import default_threads, usable_cores


@pytest.mark.parametrize("workers", ["1", "", "nonsense"])
def test_one_process_takes_all_cores(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", workers)
    assert default_threads() == usable_cores() >= 1


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(usable_cores()))
    assert default_threads() == 1
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1000")
    assert default_threads() == 1
