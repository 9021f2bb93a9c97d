"""Plans how many runs settle a question, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_agentcore.analysis.compare import check_counts
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import (
    Line,
    count,
    dollars,
    estimate,
    fraction,
    labelled_lines,
    latency,
    percent,
    points,
)
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats.chance import ALPHA
from pytest_agentcore.stats.power import Expected, detectable, learned, runs_against, runs_to_detect, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Two campaigns that would show a change, if there is one."""

    change: float
    """Of the mean pass rate: a fall, or a rise where there is no room to fall."""
    power: float
    expected: Expected
    runs: int
    """Of every task, in each of two campaigns."""
    earlier: Campaign | None
    """What rates, seconds and prices were learned from."""
    runs_against_earlier: int | None
    """Where the earlier campaign is one of the two; None: it has too few runs for that, or there is none."""
    found_by_earlier: float | None
    """The smallest change that two campaigns as large as the earlier one find; None: none, or there is none."""

    @property
    def trials(self) -> int:
        """Trials of one campaign."""
        return self.runs * len(self.expected.rates)


def make_plan(*, detect: float, power: float, earlier: Campaign | None, tasks: int) -> Plan:
    """Plan two campaigns that differ by `detect`.

    Args:
        detect: a difference of mean pass rates above 0.
        power: the chance to find it, above one half.
        earlier: what rates, seconds and prices are learned from.
        tasks: of the suite; not used with an earlier campaign.

    Raises:
        UsageError: the earlier campaign is a selection or has no score, or no pass rate can change by so much.
    """
    # without an earlier campaign: the rates that ask for most runs, so that the plan is never too small
    expected, had = unknown(tasks, -detect), 0
    if earlier:
        check_counts(earlier)
        if not earlier.figures.overall.distinct.n:
            raise UsageError(f"{earlier.folder.id} has no scored trial to learn from")
        expected = learned([task.distinct for task in earlier.figures.tasks])
        had = min(task.rates.scored for task in earlier.figures.tasks)
    if detect > max(expected.mean, 1 - expected.mean):
        raise UsageError(
            f"--detect {points(detect)[1:]}pp: from an expected pass rate of {percent(expected.mean)} there is no room "
            "for such a change in either direction"
        )
    change = -detect if detect <= expected.mean else detect
    return Plan(
        change=change,
        power=power,
        expected=expected,
        runs=runs_to_detect(change, power, expected),
        earlier=earlier,
        runs_against_earlier=runs_against(change, power, expected, had) if had else None,
        found_by_earlier=detectable(had, power, expected, rise=change > 0) if had else None,
    )


def plan_lines(plan: Plan, width: int = 80) -> list[str]:
    """Write question, what it rests on, runs, cost."""
    kind, trials = "fall" if plan.change < 0 else "rise", count(plan.trials, "trial")
    question = (
        f"a {kind} of the pass rate by {points(abs(plan.change))[1:]} points between two campaigns of "
        f"{count(len(plan.expected.rates), 'task')}, found with a chance of {percent(plan.power)} at p <= "
        f"{ALPHA:g} (two-sided, paired by task)"
    )
    runs = f"{count(plan.runs, 'run')} of every task in each of the two: {trials} a campaign"
    mean, variance = plan.expected.mean, plan.expected.variance
    if plan.earlier:
        rates = plan.earlier.figures.overall.rates
        source = (
            f"{plan.earlier.folder.id}: {fraction(rates.passed, rates.scored)} of the scored trials passed; expected "
            f"from then on {percent(mean)}, and within tasks {percent(variance / (mean * (1 - mean)))} of the variance "
            "that equal tasks would have"
        )
        costs = list(_beside(plan, plan.earlier, kind))
    else:
        source = (
            f"no earlier campaign: every task is taken to pass {percent(mean)} of the time and "
            f"{percent(mean + plan.change)} after it, which asks for the most runs"
        )
        costs = [("cost", "not known: --from CAMPAIGN takes seconds and prices from an earlier one")]
    return labelled_lines([("question", question), ("from", source), ("runs", runs), *costs], width)


def _beside(plan: Plan, earlier: Campaign, kind: str) -> Iterator[Line]:
    """Say what the earlier campaign is good for, and what two new ones cost by what it took."""
    runs, found = plan.runs_against_earlier, plan.found_by_earlier
    many = f"{count(runs, 'run')} of every task" if runs else "no number of runs: it has too few itself"
    least = f"a {kind} by {points(found)[1:]} points or more" if found else f"not even the largest {kind}"
    yield "", f"against {earlier.folder.id} as it is, {many}; two campaigns of its size would find {least}"
    # seconds as run one after the other, and money by what a run cost
    overall = earlier.figures.overall
    seconds, per_run = overall.effort.seconds.mean or 0.0, overall.effort.cost_per_trial
    money, both = "prices not known", ""
    if per_run is not None:
        money, both = dollars(per_run * plan.trials), f", {dollars(2 * per_run * plan.trials)}"
    one = f"{estimate(seconds * plan.trials)} and {money} a campaign ({latency(seconds)} a trial, one after the other)"
    yield "cost", f"{one}; {estimate(2 * seconds * plan.trials)}{both} for two"
    if overall.distinct.n < overall.rates.scored:
        text = (
            f"{overall.distinct.n} of {count(overall.rates.scored, 'scored trial')} were distinct: trials that repeat "
            "each other word for word count once, so plan for more runs than this (at temperature 0, where all do, no "
            "number is enough)"
        )
        yield "CAUTION", text
