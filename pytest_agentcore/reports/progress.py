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

    Below 80 columns the trial's name gives way first, then how many are done, then the words.
    """
    lines = _spellings(progress, width)
    return next((line for line in lines if len(line) <= width), clip(lines[-1], width))


_NAME = 12
"""What is left of a trial's name at least, if the line has one: `task_05_min…`."""


def _spellings(progress: Progress, width: int) -> list[str]:
    """The same, from long to short; only the name, which is cut, depends on the width."""
    done, took = f"{fraction(progress.done, progress.planned)} done", duration(progress.elapsed)
    left = "" if progress.remaining is None else f"{estimate(progress.remaining)} left"
    long, short = filter(None, [f"{took} elapsed", left]), filter(None, [took, left])
    times, brief = " · ".join(long), " ".join(short)
    if progress.current is None:
        return [f"{done} · {times}", f"{done} {brief}", brief]
    run = fraction(progress.current.run, progress.runs)
    turn, t = (f" · turn {progress.turn}", f" t{progress.turn}") if progress.turn else ("", "")
    tails = [f" run {run}{turn} · {done} · {times}", f" run {run}{turn} · {times}", f" r{run}{t} {brief}"]
    named = [clip(progress.current.task, max(_NAME, width - len(tail))) + tail for tail in tails]
    return [*named, f"{t} {brief}".strip()]


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
