"""Plans how many runs settle a question, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator

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


def plan_lines(
    *, detect: float, power: float, earlier: Campaign | None = None, tasks: int = 10, workers: int = 0, width: int = 80
) -> list[str]:
    """Plan two campaigns that differ by `detect`: the question, what the answer rests on, runs, cost.

    Args:
        detect: a difference of mean pass rates above 0.
        power: the chance to find it, above one half.
        earlier: what rates, seconds and prices are learned from.
        tasks: of the suite; not used with an earlier campaign.
        workers: for which to say how long a campaign takes; 0 leaves that out.
        width: columns.

    Raises:
        UsageError: the earlier campaign is a selection or has no score, or no pass rate can change by so much.
    """
    # without an earlier campaign: the rates that ask for most runs, so that the plan is never too small
    expected = unknown(tasks, -detect)
    if earlier:
        check_counts(earlier)
        if not earlier.figures.overall.distinct.n:
            raise UsageError(
                f"{earlier.folder.id} has no scored trial to learn from; name another, or leave --from out"
            )
        expected = learned([task.distinct for task in earlier.figures.tasks])
    mean, variance = expected.mean, expected.variance
    if detect > max(mean, 1 - mean):
        raise UsageError(
            f"--detect {points(detect)[1:]}pp: from an expected pass rate of {percent(mean)} there is no room "
            "for such a change in either direction; ask for a smaller one"
        )
    change = -detect if detect <= mean else detect
    runs = runs_to_detect(change, power, expected)
    kind, trials = "fall" if change < 0 else "rise", runs * len(expected.rates)
    question = (
        f"a {kind} of the pass rate by {points(detect)[1:]} points between two campaigns of "
        f"{count(len(expected.rates), 'task')}, found with a chance of {percent(power)} at p <= "
        f"{ALPHA:g} (two-sided, paired by task)"
    )
    of_each = f"{count(runs, 'run')} of every task in each of the two: {count(trials, 'trial')} a campaign"
    if earlier:
        rates = earlier.figures.overall.rates
        source = (
            f"{earlier.folder.id}: {fraction(rates.passed, rates.scored)} of the scored trials passed; expected "
            f"from then on {percent(mean)}, and within tasks {percent(variance / (mean * (1 - mean)))} of the variance "
            "that equal tasks would have"
        )
        # what it is good for: as one of the two, and as a measure of their size
        had = min(task.rates.scored for task in earlier.figures.tasks)
        against = runs_against(change, power, expected, had) if had else None
        found = detectable(had, power, expected, rise=change > 0) if had else None
        many = f"{count(against, 'run')} of every task" if against else "no number of runs: it has too few itself"
        least = f"a {kind} by {points(found)[1:]} points or more" if found else f"not even the largest {kind}"
        beside = f"against {earlier.folder.id} as it is, {many}; two campaigns of its size would find {least}"
        costs = [("", beside), *_costs(earlier, trials), *([_together(earlier, trials, workers)] if workers else [])]
    else:
        source = (
            f"no earlier campaign: every task is taken to pass {percent(mean)} of the time and "
            f"{percent(mean + change)} after it, which asks for the most runs"
        )
        costs = [("cost", "not known: --from CAMPAIGN takes seconds and prices from an earlier one")]
    return labelled_lines([("question", question), ("from", source), ("runs", of_each), *costs], width)


def _together(earlier: Campaign, trials: int, workers: int) -> Line:
    """Say how long a campaign takes on so many workers that are each like one of the earlier campaign's machines."""
    had = sum(one["workers"] for one in earlier.manifest.workers) or 1
    each = max(1, round(earlier.manifest.parallel / had))  # seconds are those of trials that so many shared a machine
    seconds = (earlier.figures.overall.effort.seconds.mean or 0.0) * trials / (workers * each)
    like = f"{count(each, 'trial')} at a time on each, as in {earlier.folder.id}"
    return "workers", f"{estimate(seconds)} a campaign on {count(workers, 'worker')} ({like}; loading not counted)"


def _costs(earlier: Campaign, trials: int) -> Iterator[Line]:
    """Say what two campaigns of so many trials cost by what the earlier one took."""
    # seconds as run one after the other, and money by what a run cost
    overall = earlier.figures.overall
    seconds, per_run = overall.effort.seconds.mean or 0.0, overall.effort.cost_per_trial
    money, both = "prices not known", ""
    if per_run is not None:
        money, both = dollars(per_run * trials), f", {dollars(2 * per_run * trials)}"
    one = f"{estimate(seconds * trials)} and {money} a campaign ({latency(seconds)} a trial, one after the other)"
    yield "cost", f"{one}; {estimate(2 * seconds * trials)}{both} for two"
    if overall.distinct.n < overall.rates.scored:
        text = (
            f"{overall.distinct.n} of {count(overall.rates.scored, 'scored trial')} were distinct: trials that repeat "
            "each other word for word count once, so plan for more runs than this (at temperature 0, where all do, no "
            "number is enough)"
        )
        yield "CAUTION", text
