"""The live line and its estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_agentcore.reports.terminal import Progress, progress_line, remaining_seconds
from pytest_agentcore.trial.result import TrialKey

MIDWAY = Progress(
    current=TrialKey("tiny", "task_05_minimal_fix", 2),
    turn=4,
    runs=3,
    done=12,
    planned=30,
    elapsed=192.0,
    remaining=360.0,
)


def test_the_line_says_where_the_run_is() -> None:
    assert progress_line(MIDWAY, 100) == "task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"turn": 0}, "task_05_minimal_fix run 2/3 · 12/30 done · 3m12s elapsed · ~6m left"),
        ({"remaining": None}, "task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed"),
        ({"current": None}, "12/30 done · 3m12s elapsed · ~6m left"),
    ],
)
def test_what_is_not_known_is_left_out(change: dict[str, Any], line: str) -> None:
    assert progress_line(replace(MIDWAY, **change), 100) == line


@pytest.mark.parametrize("width", [1, 20, 60, 70, 79])
def test_the_line_never_wraps(width: int) -> None:
    assert len(progress_line(MIDWAY, width)) <= width


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (72, "task_05_minima… run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left"),
        (60, "task_05_minimal… run 2/3 · turn 4 · 3m12s elapsed · ~6m left"),
        (40, "task_05_minimal_… r2/3 t4 3m12s ~6m left"),
        (20, "t4 3m12s ~6m left"),
    ],
)
def test_on_a_narrow_terminal_the_name_gives_way_first_and_then_words(width: int, line: str) -> None:
    assert progress_line(MIDWAY, width) == line


@pytest.mark.parametrize("width", [80, 60, 40])
def test_trial_turn_elapsed_and_remaining_always_stand_there(width: int) -> None:
    """The longest of all: hours, hundreds of trials, the longest name of the suite."""
    key = TrialKey("tiny", "task_02_refactor_duplicated_code", 10)
    longest = replace(MIDWAY, current=key, turn=15, runs=10, done=200, planned=300, elapsed=44_000.0, remaining=4e4)
    line = progress_line(longest, width)
    assert line.startswith("task_02_ref")
    assert all(part in line for part in ("10/10", "turn 15" if width == 80 else "t15", "12h13m", "~11h", " left"))


@pytest.mark.parametrize(
    ("finished", "left", "current", "at_once", "seconds"),
    [
        ([], 30, 5.0, 1, None),
        ([10.0, 20.0], 4, 0.0, 1, 60.0),
        ([10.0, 20.0], 4, 5.0, 1, 55.0),
        ([10.0, 20.0], 4, 500.0, 1, 45.0),
        ([10.0, 20.0], 4, 0.0, 2, 30.0),
        ([10.0], 0, 0.0, 1, 0.0),
    ],
)
def test_the_estimate_is_the_mean_times_what_is_left(
    finished: list[float], left: int, current: float, at_once: int, seconds: float | None
) -> None:
    assert remaining_seconds(finished, left, current, at_once) == seconds
