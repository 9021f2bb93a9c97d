"""The numbers of a campaign, per task and overall, as one value that every table and report reads.

Nothing is rounded and nothing formatted here. None is undefined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.stats.counting import (
    Distribution,
    Observed,
    Rates,
    Repeats,
    basis,
    by_task,
    cause_counts,
    mean,
    observed,
    outcome_counts,
    ratio,
    repeats,
)
from pytest_agentcore.stats.intervals import Interval, clustered, stratified, wilson
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import Prices, TrialResult, dollars

EVERY = "*"
"""All tasks, or all causes; no task's id can be this."""

REPEATS = (1, 2, 3, 5, 10)
"""The k of pass@k and pass^k, as far as that many runs were planned; the planned number itself comes with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Time, turns, calls, tokens and money: first of the trials that `basis` names, then of all that were recorded."""

    basis: str
    """`scored` trials; `unscored` where there is no other."""
    seconds: Distribution
    """Wall clock of a trial."""
    turns: Distribution
    tool_calls: Distribution
    mean_model_seconds: float | None
    mean_tool_seconds: float | None
    timed_out: int
    """Trials that the wall clock ended."""
    problems: int
    """Sum: replies and calls that could not be used."""
    repairs: int
    """Sum: near misses that were accepted."""

    total_seconds: float
    """Sum: wall clock."""
    model_seconds: float
    """Sum: the model was at work."""
    tool_seconds: float
    """Sum: tools were."""
    prompt_tokens: int
    """Sum: all that went in, cached ones included."""
    cached_tokens: int
    """Sum: those of them that were not evaluated again."""
    reply_tokens: int
    """Sum: all that came out, reasoning included."""
    tokens_per_second: float | None
    """Tokens out per second of the model's time, reading the prompt included; None where it took no time."""
    cost: float | None
    """USD of every recorded trial, unscored ones included: they were paid for too. None: prices are not known."""
    cost_per_trial: float | None
    """Of a recorded trial; None without one."""
    cost_per_pass: float | None
    """All that was paid, by the passes it bought; None without a pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The numbers of one task, or of all of them together."""

    task: str
    """Its id, or `EVERY`."""
    rates: Rates
    """Raw and effective."""
    distinct: Observed
    """Scored trials, identical ones counted once, at the rate of all: what intervals and tests rest on."""
    wilson: Interval | None
    """For the effective rate, as if the distinct trials were all alike; None without one."""
    repeats: tuple[Repeats, ...]
    """pass@k and pass^k by rising k."""
    effort: Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFigures:
    """The numbers of one campaign."""

    tasks: tuple[Figures, ...]
    """In the order of their names; planned tasks without a result too."""
    overall: Figures
    same_tasks: Interval | None
    """*The same tasks again*: for the effective rate, see `stats.intervals.stratified`."""
    other_tasks: Interval | None
    """*Other tasks like these*: for the effective rate, see `stats.intervals.clustered`."""
    outcomes: Mapping[str, int]
    """Planned trials by outcome, all outcomes present."""
    causes: Mapping[tuple[str, Cause], int]
    """Trials that did not pass by (outcome, cause), the most frequent first."""

    @property
    def groups(self) -> tuple[Figures, ...]:
        """Those of each task, then those of all of them: the rows of a table."""
        return (*self.tasks, self.overall)

    def task(self, task: str) -> Figures:
        """The figures of one task by its id.

        Raises:
            KeyError: there is none of that name.
        """
        return {figures.task: figures for figures in self.tasks}[task]


def figures_of(results: Sequence[TrialResult], planned: Mapping[str, int], prices: Prices | None) -> CampaignFigures:
    """The figures of one model under one policy.

    Args:
        results: one per trial, in any order.
        planned: trials by task.
        prices: None where they are not known.
    """
    grouped = by_task(results, planned)
    rates = {task: Rates.of(found, planned.get(task, 0)) for task, found in grouped.items()}
    tasks = tuple(_figures(task, found, [rates[task]], prices) for task, found in grouped.items())
    strata, weights = [task.distinct for task in tasks], [float(task.rates.scored) for task in tasks]
    return CampaignFigures(
        tasks=tasks,
        overall=_figures(EVERY, results, list(rates.values()), prices),
        same_tasks=stratified(strata, weights),
        other_tasks=clustered(strata, weights),
        outcomes=outcome_counts(results, sum(planned.values())),
        causes=cause_counts(results),
    )


def _figures(task: str, results: Sequence[TrialResult], rates: Sequence[Rates], prices: Prices | None) -> Figures:
    """The figures of one task or of `EVERY`, that is, of the tasks with these rates."""
    distinct = observed(results)
    most = max((max(each.planned, each.scored) for each in rates), default=0)
    basis_name, counted = basis(results)
    paid = None if prices is None else sum(dollars(result, prices) for result in results)
    passed = sum(result.passed is True for result in results)
    summed = ("model_seconds", "tool_seconds", "prompt_tokens", "cached_tokens", "reply_tokens")
    sums: dict[str, Any] = {field: sum(getattr(result, field) for result in results) for field in summed}
    effort = Effort(
        basis=basis_name,
        seconds=Distribution.of(result.seconds for result in counted),
        turns=Distribution.of(result.turns for result in counted),
        tool_calls=Distribution.of(result.tool_calls for result in counted),
        mean_model_seconds=mean([result.model_seconds for result in counted]),
        mean_tool_seconds=mean([result.tool_seconds for result in counted]),
        timed_out=sum(result.stop_reason is StopReason.time_limit for result in counted),
        problems=sum(result.problems for result in counted),
        repairs=sum(result.repairs for result in counted),
        total_seconds=sum(result.seconds for result in results),
        **sums,
        tokens_per_second=ratio(sums["reply_tokens"], sums["model_seconds"]),
        cost=paid,
        cost_per_trial=None if paid is None else ratio(paid, len(results)),
        cost_per_pass=None if paid is None else ratio(paid, passed),
    )
    return Figures(
        task=task,
        rates=Rates.sum(rates),
        distinct=distinct,
        wilson=wilson(distinct.passed, distinct.n),
        repeats=tuple(repeats(rates, k) for k in sorted({*REPEATS, most}) if 1 <= k <= most),
        effort=effort,
    )
