"""Plans how many runs settle a question, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapreplace
from itertools import cycle, islice

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
from pytest_agentcore.stats.power import detectable, learned, runs_against, runs_to_detect, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Two campaigns that are to find a difference."""

    detect: float
    """The difference of mean pass rates, above 0."""
    power: float
    """The chance to find it."""
    earlier: Campaign | None
    """The campaign that rates, seconds and prices are learned from."""
    tasks: int
    expected: float
    """Mean pass rate before."""
    within: float | None
    """Variance within tasks, as a share of what equal tasks would have; None without an earlier one."""
    change: float
    """`detect`, or less than 0 where it is looked for as a fall."""
    runs: int
    """Of every task in each of the two."""
    against: int | None = None
    """Runs of every task that one campaign needs against the earlier one as it is; None: no number is enough."""
    finds: float | None = None
    """The least difference that two campaigns of the earlier one's size find; None: not even the largest."""

    @property
    def trials(self) -> int:
        """Trials of a campaign."""
        return self.runs * self.tasks

    @property
    def seconds(self) -> float | None:
        """Seconds of a campaign, one trial after the other; None without an earlier one."""
        return (self.earlier.figures.overall.effort.seconds.mean or 0.0) * self.trials if self.earlier else None

    @property
    def at_once(self) -> int:
        """Trials that shared a machine in the earlier campaign: its seconds are those of such trials."""
        if self.earlier is None:
            return 1
        machines = sum(one["workers"] for one in self.earlier.manifest.workers) or 1
        return max(1, round(self.earlier.manifest.parallel / machines))

    @property
    def cost(self) -> float | None:
        """US dollars of a campaign; None where prices are not known."""
        each = self.earlier.figures.overall.effort.cost_per_trial if self.earlier else None
        return None if each is None else each * self.trials


def plan(*, detect: float, power: float, earlier: Campaign | None = None, tasks: int = 10) -> Plan:
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
            raise UsageError(
                f"{earlier.folder.id} has no scored trial to learn from; name another, or leave --from out"
            )
        expected = learned([task.distinct for task in earlier.figures.tasks])
        had = min(task.rates.scored for task in earlier.figures.tasks)
    mean = expected.mean
    if detect > max(mean, 1 - mean):
        raise UsageError(
            f"--detect {points(detect)[1:]}pp: from an expected pass rate of {percent(mean)} there is no room "
            "for such a change in either direction; ask for a smaller one"
        )
    change = -detect if detect <= mean else detect
    return Plan(
        detect=detect,
        power=power,
        earlier=earlier,
        tasks=len(expected.rates),
        expected=mean,
        within=expected.variance / (mean * (1 - mean)) if earlier else None,
        change=change,
        runs=runs_to_detect(change, power, expected),
        # what the earlier one is good for: as one of the two, and as a measure of their size
        against=runs_against(change, power, expected, had) if had else None,
        finds=detectable(had, power, expected, rise=change > 0) if had else None,
    )


def plan_lines(plan: Plan, width: int = 80, workers: int = 0) -> list[str]:
    """Write the question, what the answer rests on, runs, cost; and how long a campaign takes on so many workers."""
    kind, earlier, mean = "fall" if plan.change < 0 else "rise", plan.earlier, plan.expected
    question = (
        f"a {kind} of the pass rate by {points(plan.detect)[1:]} points between two campaigns of "
        f"{count(plan.tasks, 'task')}, to be found with {percent(plan.power)} probability at p <= "
        f"{ALPHA:g} (two-sided, paired by task)"
    )
    of_each = f"{count(plan.runs, 'run')} of every task in each of the two: {count(plan.trials, 'trial')} a campaign"
    if earlier:
        rates = earlier.figures.overall.rates
        source = (
            f"{earlier.folder.id}: {fraction(rates.passed, rates.scored)} of the scored trials passed; expected "
            f"pass rate {percent(mean)}; runs of one task vary {percent(plan.within)} as much as if all tasks were "
            "equally hard"
        )
        many = f"{count(plan.against, 'run')} of every task" if plan.against else _NO_NUMBER
        least = f"a {kind} by {points(plan.finds)[1:]} points or more" if plan.finds else f"not even the largest {kind}"
        beside = f"with {earlier.folder.id} as one of the two: {many}; two campaigns of its size would find {least}"
        costs = [("", beside), *_costs(plan, earlier), *([_together(plan, earlier, workers)] if workers else [])]
    else:
        source = (
            f"no earlier campaign: assumes that every task passes {percent(mean)} of the time before and "
            f"{percent(mean + plan.change)} after, the case that needs the most runs"
        )
        costs = [("cost", "not known: --from CAMPAIGN takes seconds and prices from an earlier one")]
    return labelled_lines([("question", question), ("from", source), ("runs", of_each), *costs], width)


_NO_NUMBER = "no number of runs is enough, because it has too few itself"


def _together(plan: Plan, earlier: Campaign, workers: int) -> Line:
    """Say how long a campaign takes on so many workers that are each like one of the earlier campaign's machines."""
    like = f"{count(plan.at_once, 'trial')} at a time on each, as in {earlier.folder.id}"
    # whoever is free takes the next trial, so that the last to end decides, and no campaign is shorter than a trial
    ends = [0.0] * min(plan.trials, workers * plan.at_once)
    for seconds in islice(cycle([result.seconds for result in earlier.results]), plan.trials):
        heapreplace(ends, ends[0] + seconds)
    return "workers", f"{estimate(max(ends))} a campaign on {count(workers, 'worker')} ({like}; loading not counted)"


def _costs(plan: Plan, earlier: Campaign) -> Iterator[Line]:
    """Say what two campaigns of so many trials cost by what the earlier one took."""
    # seconds as run one after the other, and money by what a run cost
    overall, seconds = earlier.figures.overall, plan.seconds or 0.0
    money, both = "prices not known", ""
    if plan.cost is not None:
        money, both = dollars(plan.cost), f", {dollars(2 * plan.cost)}"
    each = f"{latency(overall.effort.seconds.mean or 0.0)} a trial, one after the other"
    yield "cost", f"{estimate(seconds)} and {money} a campaign ({each}); {estimate(2 * seconds)}{both} for two"
    if overall.distinct.n < overall.rates.scored:
        text = (
            f"{overall.distinct.n} of {count(overall.rates.scored, 'scored trial')} were distinct: trials that repeat "
            "each other word for word count once, so plan for more runs than this (at temperature 0, where all "
            "repeat, no number is enough)"
        )
        yield "CAUTION", text
