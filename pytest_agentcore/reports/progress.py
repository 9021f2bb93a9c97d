"""The live line: which trial is at which turn, how far the run is, how long it may still take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_agentcore.reports.numbers import duration, estimate, fraction
from pytest_agentcore.stats import mean
from pytest_agentcore.trial import TrialKey
from pytest_agentcore.untrusted import clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is."""

    current: TrialKey | None
    """None between trials."""
    turn: int
    """0 before the first request."""
    runs: int
    """Of each task."""
    done: int
    planned: int
    elapsed: float
    """Seconds since the first trial began."""
    remaining: float | None
    """Seconds, None when nothing is known yet."""


def progress_line(progress: Progress, width: int = 80) -> str:
    """`task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left`, never wider than `width`.

    On a narrow terminal the trial's name gives way first.
    """
    rest = [f"{fraction(progress.done, progress.planned)} done", f"{duration(progress.elapsed)} elapsed"]
    if progress.remaining is not None:
        rest.append(f"{estimate(progress.remaining)} left")
    if progress.current is None:
        return clip(" · ".join(rest), width)
    if progress.turn:
        rest.insert(0, f"turn {progress.turn}")
    tail = f" run {fraction(progress.current.run, progress.runs)} · {' · '.join(rest)}"
    return clip(clip(progress.current.task, max(8, width - len(tail))) + tail, width)


def remaining_seconds(finished: Sequence[float], left: int, current: float = 0.0, at_once: int = 1) -> float | None:
    """Mean seconds of the finished trials times those left, less what the current one has had already.

    Args:
        finished: seconds of every finished trial; with none the answer is None.
        left: trials not yet finished, the current ones included.
        current: seconds that the current trial has been running.
        at_once: how many trials run at the same time.
    """
    typical = mean(finished)
    return None if typical is None else max(0.0, typical * left - min(current, typical)) / at_once
