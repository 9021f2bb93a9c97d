"""Computes how many runs settle a question, from what earlier runs showed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from pytest_agentcore.stats.chance import ALPHA
from pytest_agentcore.stats.counting import Observed

LEAST_RUNS = 2
"""One run shows no variance within tasks."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The pass rate that each task of a campaign is expected to have."""

    rates: tuple[float, ...]
    """By task, between 0 and 1."""

    @property
    def mean(self) -> float:
        """Mean rate of the tasks."""
        return math.fsum(self.rates) / len(self.rates)

    @property
    def variance(self) -> float:
        """Variance of one run of one task, averaged over the tasks."""
        return math.fsum(rate * (1 - rate) for rate in self.rates) / len(self.rates)

    def moved(self, by: float) -> Expected:
        """Move the mean by `by`: every task by the same share of its way to 0 or to 1.

        Raises:
            ValueError: there is less room than that.
        """
        room = 1 - self.mean if by > 0 else self.mean
        if abs(by) > room + _ROUNDING or not room:
            raise ValueError(f"a mean of {self.mean} cannot move by {by}")
        share = min(1.0, abs(by) / room)
        goal = 1.0 if by > 0 else 0.0
        return Expected(rates=tuple(rate + share * (goal - rate) for rate in self.rates))


def unknown(tasks: int, change: float = 0.0) -> Expected:
    """Expect all tasks to be alike, as far above one half as they are below it after `change`: nothing is known yet.

    No other rates that differ by so much ask for more runs.
    """
    return Expected(rates=(0.5 - change / 2,) * tasks)


def learned(strata: Sequence[Observed]) -> Expected:
    """Learn rates from an earlier campaign: (passed + 1/2) / (n + 1), since 3/3 does not show that a task never fails.

    Jeffreys' prior (Brown, Cai and DasGupta 2001, Statistical Science 16, 101). A task without observations is taken
    for one that passes half the time.
    """
    return Expected(rates=tuple((stratum.passed + 0.5) / (stratum.n + 1) for stratum in strata))


def runs_to_detect(change: float, power: float, of: Expected) -> int:
    """Runs of every task, in each of two campaigns, so that `change` is found with chance `power`.

    Two proportions with unequal variances, stratified by task: (z₁₋ₐ/₂ + z_power)² · (V₁ + V₂) / (tasks · change²),
    where V is the variance of a run within tasks (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and
    Proportions, 3rd ed., 4.2; Miller 2024, arXiv 2411.00640, 5). It is normal theory: with few runs the exact test
    finds a little less than promised. At least `LEAST_RUNS`.

    Args:
        change: of the mean pass rate, e.g. -0.1; not 0.
        power: between 0 and 1.
        of: what the first campaign is like.

    Raises:
        ValueError: there is no room for such a change.
    """
    after = of.moved(change)
    needed = _deviations(power) * (of.variance + after.variance) / (len(of.rates) * change**2)
    # less a rounding error, which would otherwise cost a whole further run
    return max(LEAST_RUNS, math.ceil(needed - _ROUNDING))


def runs_against(change: float, power: float, of: Expected, runs: int) -> int | None:
    """Do as `runs_to_detect`, where the first campaign exists already and has `runs` runs of every task.

    None: it has too few; not even endless runs of the second would find the change against it.

    Raises:
        ValueError: there is no room for such a change.
    """
    after = of.moved(change)
    room = len(of.rates) * change**2 / _deviations(power) - of.variance / runs
    return max(LEAST_RUNS, math.ceil(after.variance / room - _ROUNDING)) if room > 0 else None


def detectable(runs: int, power: float, of: Expected, rise: bool = False) -> float | None:
    """The smallest fall (or rise) of the mean pass rate that so many runs find with chance `power`.

    None: not even that to nothing (or to everything).
    """
    sign, room = (1, 1 - of.mean) if rise else (-1, of.mean)
    low, high = 0.0, room * (1 - _ROUNDING)
    if runs_to_detect(sign * high, power, of) > runs:
        return None
    for _ in range(40):  # halves the change to less than 1e-12: the runs fall as it rises, with no formula back
        middle = (low + high) / 2
        low, high = (low, middle) if runs_to_detect(sign * middle, power, of) <= runs else (middle, high)
    return high


def _deviations(power: float) -> float:
    """Give the squared number of standard errors that the change must be away from 0."""
    normal = NormalDist()
    return (normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(power)) ** 2
