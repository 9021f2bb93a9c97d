"""A comparison in words: every sentence says as much as its test and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_agentcore.analysis.compare import Comparison, TaskComparison
from pytest_agentcore.format import (
    TINY,
    count,
    fraction,
    interval,
    joined,
    labelled,
    odds,
    p_is,
    p_value,
    percent,
    points,
    points_interval,
    table,
    threshold,
)
from pytest_agentcore.pack.figures import Figures
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats import Observed, Rates
from pytest_agentcore.stats.chance import ALPHA, is_significant

FIRST, SECOND = "A", "B"


def comparison_lines(comparison: Comparison, width: int = 80) -> list[str]:
    """Who, what differs, a table, what each changed task says for itself, the verdict."""
    return [
        *_side(FIRST, comparison.first, width),
        *_side(SECOND, comparison.second, width),
        *_differing(comparison, width),
        "",
        *_table(comparison, width),
        "",
        *(line for task in comparison.tasks if (text := task_sentence(task)) for line in labelled("task", text, width)),
        *labelled("looks", looks_sentence(comparison), width),
        *labelled("verdict", verdict_sentence(comparison), width),
    ]


def verdict_sentence(comparison: Comparison, first: str = FIRST, second: str = SECOND) -> str:
    """The one conclusion, from the one overall test.

    Args:
        comparison: of two campaigns.
        first: what the sentence calls the first.
        second: what it calls the second.
    """
    test = comparison.test
    if test is None:
        return "Nothing can be said: no task has scored trials in both campaigns."
    scores = _scores(comparison, first, second)
    if not is_significant(test.least_p):
        return f"So few trials can show nothing: {scores}. Even all against none would have {p_is(test.least_p)}."
    moved = f"That is {points(test.difference)} points, 95% interval {points_interval(test.interval)}."
    chance = (
        f"{p_is(test.p)}: between two campaigns that are alike, chance makes a difference at least this large "
        f"{odds(test.p)} times."
    )
    if test.significant:
        word = "worse" if test.difference < 0 else "better"
        return f"{second} is {word} than {first} on these tasks: {scores}. {moved} {chance}{_confounders(comparison)}"
    caution = "That is no proof that they are alike: what the interval holds remains possible."
    return f"No difference is shown: {scores}. {moved} {chance} {caution}"


def _confounders(comparison: Comparison) -> str:
    names = ", ".join(comparison.confounders)
    return f" They also differ in {names}: the test cannot say what of all this is the reason." if names else ""


def task_sentence(task: TaskComparison) -> str:
    """What one task can say by itself; empty where both sides have the same rate or one has none."""
    if task.p is None or task.least_p is None or not task.difference:
        return ""
    first, second = task.first.distinct, task.second.distinct
    meaning = "rare by chance for one look" if is_significant(task.p) else "could be chance"
    runs = count(first.n, "run") if first.n == second.n else f"{first.n} and {count(second.n, 'run')}"
    if first.repeated or second.repeated:
        runs = f"{first.n} and {second.n} distinct runs"
    said = f"{task.task}: {_share(task.first)} against {_share(task.second)}: {p_is(task.p)}, {meaning}"
    return f"{said}; with {runs} {_reach(task.least_p)}"


def _reach(least: float) -> str:
    return f"{p_is(least)} can be reached" if least < TINY else f"nothing below {p_value(least)} is possible"


def looks_sentence(comparison: Comparison) -> str:
    """What looking at many tasks asks for, and which of them meet it."""
    looks = comparison.looks
    if not looks:
        return "no task has scored trials in both campaigns"
    found = [
        task.task for task in comparison.tasks if task.corrected_p is not None and is_significant(task.corrected_p)
    ]
    asks = f"{count(looks, 'look')} at single tasks: to count, a task needs p = {threshold(ALPHA / looks)} or less"
    met = f"met by {', '.join(found)}" if found else "none has it"
    return f"{asks} ({ALPHA:g} shared among {looks}; Holm after the first); {met}"


def _scores(comparison: Comparison, first: str, second: str) -> str:
    """Over the tasks that the test is about."""
    used = [task for task in comparison.tasks if task.p is not None]
    one, two = (_sum(rates) for rates in ([task.first.rates for task in used], [task.second.rates for task in used]))
    where = f"on the {count(len(used), 'task')} that both have scored trials of"
    return f"{second} passed {_rate(two)} and {first} {_rate(one)} of the scored trials {where}{_duplicates(used)}"


def _duplicates(tasks: Sequence[TaskComparison]) -> str:
    distinct = [sum(side.n for side in sides) for sides in zip(*(_distinct(task) for task in tasks), strict=True)]
    scored = [
        sum(task.first.rates.scored for task in tasks),
        sum(task.second.rates.scored for task in tasks),
    ]
    if distinct == scored:
        return ""
    return f" (identical trials count once: {distinct[1]} and {distinct[0]})"


def _distinct(task: TaskComparison) -> tuple[Observed, Observed]:
    return task.first.distinct, task.second.distinct


def _sum(rates: Sequence[Rates]) -> Rates:
    return Rates(
        planned=sum(r.planned for r in rates),
        recorded=sum(r.recorded for r in rates),
        scored=sum(r.scored for r in rates),
        passed=sum(r.passed for r in rates),
    )


def _rate(rates: Rates) -> str:
    return f"{fraction(rates.passed, rates.scored)} ({percent(rates.effective)})"


def _share(figures: Figures) -> str:
    """`3/3`, and what is left of it when identical trials count once."""
    rates, distinct = figures.rates, figures.distinct
    shown = fraction(rates.passed, rates.scored)
    return shown if distinct.n == rates.scored else f"{shown} ({distinct.n} distinct)"


def _side(label: str, campaign: Campaign, width: int) -> Iterator[str]:
    rates = campaign.figures.overall.rates
    yield from labelled(label, campaign.folder.id, width)
    raw = f"{fraction(rates.passed, rates.planned)} = {percent(rates.raw)} raw"
    effective = f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)} effective"
    yield from labelled(
        "", joined([raw, effective, f"same tasks again {interval(campaign.figures.same_tasks)}"]), width
    )


def _differing(comparison: Comparison, width: int) -> Iterator[str]:
    if not comparison.conditions:
        yield from labelled("differ", "in nothing but their trials", width)
    for i, condition in enumerate(comparison.conditions):
        text = f"{condition.name}: {condition.first} | {condition.second}"
        yield from labelled("" if i else "differ", text, width)
    for label, tasks in ((FIRST, comparison.only_first), (SECOND, comparison.only_second)):
        if tasks:
            yield from labelled("left out", f"only {label} planned {', '.join(tasks)}", width)
    if not comparison.same_suite:
        text = "the suites differ: tasks of one name need not be the same task, and no number below means much."
        yield from labelled("CAUTION", text, width)


def _table(comparison: Comparison, width: int) -> list[str]:
    rows = [["task", FIRST, SECOND, "points", "p", "least p"]]
    rows += [_row(task) for task in comparison.tasks]
    first, second = (_sum([side(task) for task in comparison.tasks]) for side in (_first_rates, _second_rates))
    test = comparison.test
    rows.append(
        [
            "all",
            fraction(first.passed, first.planned),
            fraction(second.passed, second.planned),
            points(test.difference if test else None),
            p_value(test.p if test else None),
            p_value(test.least_p if test else None),
        ]
    )
    partly = test is not None and test.tasks < len(comparison.tasks)
    about = f"points and p: {count(test.tasks, 'task')}" if test and partly else ""
    return table(rows, ["", *(_note(task) for task in comparison.tasks), about], width)


def _first_rates(task: TaskComparison) -> Rates:
    return task.first.rates


def _second_rates(task: TaskComparison) -> Rates:
    return task.second.rates


def _row(task: TaskComparison) -> list[str]:
    return [
        task.task,
        fraction(task.first.rates.passed, task.first.rates.planned),
        fraction(task.second.rates.passed, task.second.rates.planned),
        points(task.difference),
        p_value(task.p),
        p_value(task.least_p),
    ]


def _note(task: TaskComparison) -> str:
    """Trials that did not count, by side."""
    missing = ((FIRST, task.first.rates), (SECOND, task.second.rates))
    return joined(
        f"{label}: {rates.planned - rates.scored} unscored" for label, rates in missing if rates.planned > rates.scored
    )
