"""A comparison in words: every sentence says as much as its test and no more."""

from __future__ import annotations

from pytest_agentcore.analysis.compare import OUTSIDE, Comparison, TaskComparison
from pytest_agentcore.format import (
    TINY,
    Line,
    count,
    fraction,
    interval,
    joined,
    labelled_lines,
    odds,
    p_is,
    p_value,
    percent,
    points,
    score,
    table,
    threshold,
)
from pytest_agentcore.pack.figures import Figures
from pytest_agentcore.stats.chance import ALPHA, PairedTest, is_significant
from pytest_agentcore.stats.counting import Rates

FIRST, SECOND = "A", "B"


def comparison_lines(comparison: Comparison, width: int = 80) -> list[str]:
    """Write who is compared, what differs, a table, what each changed task says for itself, the verdict."""
    above: list[Line] = []
    for label, campaign in ((FIRST, comparison.first), (SECOND, comparison.second)):
        rates, again = campaign.figures.overall.rates, interval(campaign.figures.same_tasks)
        raw = f"{fraction(rates.passed, rates.planned)} = {percent(rates.raw)} raw"
        effective = f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)} effective"
        above += [(label, campaign.folder.id), ("", joined([raw, effective, f"same tasks again {again}"]))]
    differing = [f"{one.name}: {one.first} | {one.second}" for one in comparison.conditions]
    above += zip(["differ", *[""] * len(differing)], differing or ["in nothing but their trials"], strict=False)
    for label, tasks in ((FIRST, comparison.only_first), (SECOND, comparison.only_second)):
        if tasks:
            above.append(("left out", f"only {label} planned {', '.join(tasks)}"))
    if not comparison.same_suite:
        text = "the suites differ: tasks of the same name may be different tasks, so the numbers below mean little."
        above.append(("CAUTION", text))
    below = [("task", sentence) for task in comparison.tasks if (sentence := task_sentence(task))]
    below += [("by task", looks_sentence(comparison)), ("verdict", verdict_sentence(comparison))]

    def tested(of: TaskComparison | PairedTest | None) -> list[str]:
        return [points(of.difference), p_value(of.p), p_value(of.least_p)] if of else [points(None)] * 3

    test = comparison.test
    rows, notes = [["task", FIRST, SECOND, "points", "p", "p at best"]], [""]
    for task in comparison.tasks:
        sides = {FIRST: task.first.rates, SECOND: task.second.rates}
        rows.append([task.task, *(fraction(rates.passed, rates.planned) for rates in sides.values()), *tested(task)])
        missing = {label: rates.planned - rates.scored for label, rates in sides.items()}
        notes.append(joined(f"{label}: {n} unscored" for label, n in missing.items() if n > 0))
    rows.append(["all", *(fraction(rates.passed, rates.planned) for rates in comparison.both), *tested(test)])
    notes.append(f"points and p: {count(test.tasks, 'task')}" if test and test.tasks < len(comparison.tasks) else "")
    return [*labelled_lines(above, width), "", *table(rows, notes, width), "", *labelled_lines(below, width)]


def verdict_sentence(comparison: Comparison, first: str = FIRST, second: str = SECOND) -> str:
    """Draw the one conclusion, from the one overall test.

    Args:
        comparison: of two campaigns.
        first: what the sentence calls the first.
        second: what it calls the second.
    """
    test = comparison.test
    if test is None:
        return "Nothing can be said: no task has scored trials in both campaigns."
    # what both sides scored over the tasks that the test is about
    used = [task for task in comparison.tasks if task.p is not None]
    one, two = (Rates.sum(side) for side in zip(*((task.first.rates, task.second.rates) for task in used), strict=True))
    distinct = sum(task.first.distinct.n for task in used), sum(task.second.distinct.n for task in used)
    is_plain = distinct == (one.scored, two.scored)
    once = "" if is_plain else f" (identical trials count once: {distinct[1]} and {distinct[0]})"
    where = f"on the {count(len(used), 'task')} with scored trials in both"
    scored = f"{second} passed {score(two.passed, two.scored)} and {first} {score(one.passed, one.scored)}"
    scores = f"{scored} of the scored trials {where}{once}"
    # with these numbers no result could have been significant, so its p would say nothing about the campaigns
    if not is_significant(test.least_p):
        return f"Too few trials to show anything: {scores}. Even if all passed against none, {p_is(test.least_p)}."
    moved = f"That is {points(test.difference)} points, 95% interval {interval(test.interval, points)}."
    chance = (
        f"{p_is(test.p)}: if both were equally good, chance alone would make a difference at least this large in "
        f"{odds(test.p)} comparisons."
    )
    if test.significant:
        word = "worse" if test.difference < 0 else "better"
        names = ", ".join(one.name for one in comparison.conditions if one.name not in OUTSIDE)
        also = f" They also differ in {names}: the test cannot say which of these is the reason." if names else ""
        return f"{second} is {word} than {first} on these tasks: {scores}. {moved} {chance}{also}"
    caution = "This does not prove them equal: any difference within the interval remains possible."
    return f"No difference is shown: {scores}. {moved} {chance} {caution}"


def task_sentence(task: TaskComparison) -> str:
    """Say what one task shows by itself; empty where both sides have the same rate or one has none."""
    if task.p is None or task.least_p is None or not task.difference:
        return ""
    first, second = task.first.distinct, task.second.distinct
    meaning = "rarely chance if looked at alone" if is_significant(task.p) else "could be chance"
    runs = count(first.n, "run") if first.n == second.n else f"{first.n} and {count(second.n, 'run')}"
    if first.repeated or second.repeated:
        runs = f"{first.n} and {second.n} distinct runs"
    said = f"{task.task}: {_share(task.first)} against {_share(task.second)}: {p_is(task.p)}, {meaning}"
    least = task.least_p
    reach = f"p could be below {TINY:g}" if least < TINY else f"p cannot be below {p_value(least)}"
    return f"{said}; with {runs} {reach}"


def looks_sentence(comparison: Comparison) -> str:
    """Say which p a task needs since many are looked at, and which tasks have it."""
    looks = sum(task.p is not None for task in comparison.tasks)
    if not looks:
        return "no task has scored trials in both campaigns"
    found = [
        task.task for task in comparison.tasks if task.corrected_p is not None and is_significant(task.corrected_p)
    ]
    # Holm's first step is the only one that can be said beforehand; the later ones depend on what was found
    asks = f"{count(looks, 'task')} tested one by one: to count, one needs p = {threshold(ALPHA / looks)} or less"
    met = f"met by {', '.join(found)}" if found else "none has it"
    return f"{asks} ({ALPHA:g} shared among {looks}, by Holm's method); {met}"


def _share(figures: Figures) -> str:
    """`3/3`, and what is left of it when identical trials count once."""
    rates, distinct = figures.rates, figures.distinct
    shown = fraction(rates.passed, rates.scored)
    return shown if distinct.n == rates.scored else f"{shown} ({distinct.n} distinct)"
