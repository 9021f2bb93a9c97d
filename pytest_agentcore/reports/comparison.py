"""Two campaigns side by side: one value, from which the terminal, the report and the gate say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_agentcore.campaign.figures import CampaignFigures, Figures, figures_of
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.errors import UsageError
from pytest_agentcore.reports.conditions import Condition, conditions
from pytest_agentcore.stats import Observed
from pytest_agentcore.stats.chance import PairedTest, fisher, holm, least_fisher, mantel_haenszel, paired_permutation
from pytest_agentcore.stats.intervals import Interval, difference, exact


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """One task in both campaigns."""

    task: str
    first: Figures
    second: Figures
    difference: float | None
    """Of the effective rates, second minus first; None where one side has no scored trial."""
    interval: Interval | None
    """Of `difference`, for the same task again, over distinct trials; as careful as `p` is."""
    p: float | None
    """Fisher's exact test, two-sided, over distinct trials."""
    least_p: float | None
    """No result with as many distinct trials could have had a smaller p."""
    corrected_p: float | None
    """After Holm, for as many looks as there are tasks with a p."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two campaigns say about each other. `first` is the baseline where there is one."""

    first: Campaign
    second: Campaign
    first_figures: CampaignFigures
    second_figures: CampaignFigures
    tasks: tuple[TaskComparison, ...]
    """The tasks that both planned, in the order of their names."""
    only_first: tuple[str, ...]
    """Tasks that the second did not plan; they are in no number here."""
    only_second: tuple[str, ...]
    conditions: tuple[Condition, ...]
    """What differs besides the outcome, the model first."""
    same_suite: bool
    """False: forced, and then tasks of one name need not be the same task."""
    test: PairedTest | None
    """The one test that the verdict rests on; None where no task has scored trials on both sides."""

    @property
    def looks(self) -> int:
        """Tasks with a p of their own."""
        return sum(task.p is not None for task in self.tasks)

    @property
    def confounders(self) -> tuple[str, ...]:
        """Names of conditions that could be the reason as well as the model."""
        return tuple(condition.name for condition in self.conditions if condition.name not in OUTSIDE)

    @property
    def regression(self) -> bool:
        """Whether the second is significantly worse."""
        return self.test is not None and self.test.significant and self.test.difference < 0

    @property
    def improvement(self) -> bool:
        """Whether the second is significantly better."""
        return self.test is not None and self.test.significant and self.test.difference > 0


OUTSIDE = (
    *("model", "file", "model's content", "seed", "device", "backend", "parallel"),
    *(f"engine {name}" for name in ("threads", "threads_batch", "n_gpu_layers", "main_gpu", "mmap", "mlock")),
)
"""Conditions that are the question itself or, for verdicts, of no account."""


def compare(first: Campaign, second: Campaign, *, force: bool = False) -> Comparison:
    """Compare the tasks that both campaigns planned.

    Raises:
        UsageError: a selection is among them, the suites differ and `force` is not given, or no task is shared.
    """
    check_comparable(first, second.manifest.judged_by, second.manifest.suite.title, force=force)
    check_counts(second)
    one, two = (figures_of(campaign.manifest, campaign.results) for campaign in (first, second))
    pairs = {task.task: (task, two.task(task.task)) for task in one.tasks if task.task in second.manifest.tasks}
    if not pairs:
        raise UsageError(f"{first.folder.id} and {second.folder.id} have no task in common")
    return Comparison(
        first=first,
        second=second,
        first_figures=one,
        second_figures=two,
        tasks=_compare_tasks(pairs),
        only_first=tuple(task for task in first.manifest.tasks if task not in pairs),
        only_second=tuple(task for task in second.manifest.tasks if task not in pairs),
        conditions=tuple(conditions(first, second)),
        same_suite=first.manifest.judged_by == second.manifest.judged_by,
        test=paired_permutation(
            [(mine.distinct, yours.distinct) for mine, yours in pairs.values()],
            [mantel_haenszel(mine.rates.scored, yours.rates.scored) for mine, yours in pairs.values()],
        ),
    )


def check_comparable(campaign: Campaign, digest: str, title: str, *, force: bool = False) -> None:
    """Whether a campaign can be compared with one of the suite of this digest.

    Raises:
        UsageError: it is a selection, or of another suite and `force` is not given.
    """
    check_counts(campaign)
    mine, judge = campaign.manifest.suite, campaign.manifest.judged_by
    if judge != digest and not force:
        how = "ran" if judge == mine.digest else "was judged anew by"
        raise UsageError(
            f"{campaign.folder.id} {how} {mine.title} with digest {judge[:12]}, the other {title} with digest "
            f"{digest[:12]}: these are not the same tasks (agentcore compare --force compares them all the same)"
        )


def check_counts(campaign: Campaign) -> None:
    """Whether a campaign's rates mean something.

    Raises:
        UsageError: it is a selection.
    """
    if not campaign.manifest.counts:
        raise UsageError(
            f"{campaign.folder.id} is a selection: its trials were picked by how they had ended, so its rate is no "
            "pass rate and cannot be compared"
        )


def _compare_tasks(pairs: Mapping[str, tuple[Figures, Figures]]) -> tuple[TaskComparison, ...]:
    tested = {task: fisher(mine.distinct, yours.distinct) for task, (mine, yours) in pairs.items()}
    found = {task: p for task, p in tested.items() if p is not None}
    corrected = dict(zip(found, holm(list(found.values())), strict=True))
    return tuple(
        TaskComparison(
            task=task,
            first=mine,
            second=yours,
            difference=_change(mine.rates.effective, yours.rates.effective),
            interval=_interval(mine.distinct, yours.distinct),
            p=tested[task],
            least_p=least_fisher(mine.distinct, yours.distinct),
            corrected_p=corrected.get(task),
        )
        for task, (mine, yours) in pairs.items()
    )


def _change(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first


def _interval(first: Observed, second: Observed) -> Interval | None:
    """From exact intervals: Wilson's would exclude 0 beside a p of 0.10, as for 3/3 against 0/3."""
    one, two = exact(first.passed, first.n), exact(second.passed, second.n)
    return difference(first.passed / first.n, one, second.passed / second.n, two) if one and two else None
