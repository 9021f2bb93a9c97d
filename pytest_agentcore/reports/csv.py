"""The CSV tables that need more than results: transcripts, a baseline or predictions. The others are in `pack.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from pytest_agentcore.analysis.compare import TaskComparison
from pytest_agentcore.analysis.predicted import ScoredItem
from pytest_agentcore.pack.csv import Cell, Row, Table, to_ratio
from pytest_agentcore.pack.figures import EVERY
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.reports.report import Report
from pytest_agentcore.stats.chance import PairedTest
from pytest_agentcore.stats.counting import Rates
from pytest_agentcore.stats.intervals import Interval


def intervals(report: Report) -> Iterator[Row]:
    """Give the intervals of the pass rates: per task, and for each question about all tasks."""
    figures = report.campaign.figures
    whole = figures.overall.distinct
    found = [(task.task, "this_task", task.wilson, task.distinct) for task in figures.tasks]
    found += [(EVERY, "same_tasks", figures.same_tasks, whole), (EVERY, "other_tasks", figures.other_tasks, whole)]
    for task, question, interval, distinct in found:
        counted: Row = {"distinct": distinct.n, "distinct_passed": round(distinct.passed, 3)}
        yield {"task": task, "question": question, **_ends(interval), **counted}


def repeats(report: Report) -> Iterator[Row]:
    """Give pass@k and pass^k."""
    for figures in report.campaign.figures.groups:
        for found in figures.repeats:
            rates = {"pass_at_k": to_ratio(found.any_of), "pass_hat_k": to_ratio(found.all_of)}
            yield {"task": figures.task, "k": found.k, **rates, "tasks": found.tasks, "left_out": found.left_out}


def detectors(report: Report) -> Iterator[Row]:
    """Give a row per hit, and one without a trial for each detector: how many trials it looked at."""
    for detected in report.detected:
        name = {"detector": detected.detector.name}
        counts = {"trials": detected.trials, "examined": detected.examined, "applicable": detected.applicable}
        yield {**name, "task": EVERY, "hits": len(detected.hits), **counts}
        for result, hit in detected.hits:
            trial: Row = {"task": result.task, "run": result.run, "outcome": result.outcome}
            yield {**name, **trial, **asdict(hit), "address": address_of(result, hit.turn)}


def comparison(report: Report) -> Iterator[Row]:
    """Give a row per task of both campaigns and one for all; nothing without a baseline."""
    found = report.comparison
    if found is None:
        return
    sides: list[tuple[str, tuple[Rates, Rates], TaskComparison | PairedTest | None]]
    sides = [(task.task, (task.first.rates, task.second.rates), task) for task in found.tasks]
    for name, (first, second), tested in [*sides, (EVERY, found.both, found.test)]:
        row: dict[str, Cell] = {"task": name, "baseline": found.first.folder.id}
        row |= {"baseline_passed": first.passed, "baseline_scored": first.scored}
        row |= {"passed": second.passed, "scored": second.scored}
        if tested:
            row |= {"difference": to_ratio(tested.difference), **_ends(tested.interval)}
            row |= {"p": tested.p, "least_p": tested.least_p}
        if isinstance(tested, TaskComparison):
            row["corrected_p"] = tested.corrected_p
        yield row


def predictions(report: Report) -> Iterator[Row]:
    """Give a row per predicted item; nothing where none were filed."""
    return (item._asdict() for item in report.predictions.items)


def _ends(found: Interval | None) -> dict[str, Cell]:
    return {"low": to_ratio(found.low), "high": to_ratio(found.high)} if found else {}


REPORT_TABLES = (
    Table("intervals", ("task", "question", "low", "high", "distinct", "distinct_passed"), intervals),
    Table("repeats", ("task", "k", "pass_at_k", "pass_hat_k", "tasks", "left_out"), repeats),
    Table(
        "detectors",
        (
            *("detector", "task", "run", "outcome", "turn", "last_turn", "address", "note"),
            *("hits", "trials", "examined", "applicable"),
        ),
        detectors,
    ),
    Table(
        "comparison",
        (
            *("task", "baseline", "baseline_passed", "baseline_scored", "passed", "scored"),
            *("difference", "low", "high", "p", "least_p", "corrected_p"),
        ),
        comparison,
    ),
    Table("predictions", ScoredItem._fields, predictions),
)
"""In the order of the docs; columns stay where they are, new ones come last."""

ONLY_WITH_ROWS = ("comparison", "predictions")
"""Tables that are not written where they have nothing to say."""
