"""What an engine chooses by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentcore.backends.llama.engine import LoadedModel, default_threads, usable_cores
from pytest_agentcore.catalogue.entry import EngineSettings


@pytest.mark.parametrize("workers", ["1", "", "nonsense"])
def test_one_process_takes_all_cores(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", workers)
    assert default_threads() == usable_cores() >= 1


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(usable_cores()))
    assert default_threads() == 1
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1000")
    assert default_threads() == 1


@pytest.mark.model
def test_loading_tells_how_far_it_is_and_can_be_interrupted(smollm2: Path) -> None:
    parts: list[float] = []
    LoadedModel(smollm2, EngineSettings(), done=parts.append).close()
    assert parts == sorted(parts)
    assert parts[-1] == 1.0

    def interrupt(_part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LoadedModel(smollm2, EngineSettings(), done=interrupt)


@pytest.mark.needs("llama_cpp")
def test_models_may_be_closed_in_any_order(smollm2: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, third = (LoadedModel(smollm2, EngineSettings(), vocab_only=True) for _ in range(3))
    first.close()
    second.close()
    third.close()
    fourth = LoadedModel(smollm2, EngineSettings(), vocab_only=True)
    assert fourth.log.lines
    fourth.close()
    assert capfd.readouterr() == ("", "")
