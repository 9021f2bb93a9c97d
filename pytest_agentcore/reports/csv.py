"""The CSV tables that need more than results: transcripts, a baseline or predictions. The others are in `pack.csv`."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agentcore.analysis.compare import Comparison, TaskComparison
from pytest_agentcore.pack.csv import Cell, Row, Table, to_ratio
from pytest_agentcore.pack.figures import EVERY
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.reports.report import Report
from pytest_agentcore.stats.chance import PairedTest
from pytest_agentcore.stats.counting import Rates
from pytest_agentcore.stats.intervals import Interval


def intervals(report: Report) -> Iterator[Row]:
    """Give the intervals of the pass rates: per task, and for each question about all tasks."""
    figures = report.figures
    for task in figures.tasks:
        yield _interval(task.task, "this_task", task.wilson, task.distinct.passed, task.distinct.n)
    whole = figures.overall.distinct
    yield _interval(EVERY, "same_tasks", figures.same_tasks, whole.passed, whole.n)
    yield _interval(EVERY, "other_tasks", figures.other_tasks, whole.passed, whole.n)


def repeats(report: Report) -> Iterator[Row]:
    """Give pass@k and pass^k."""
    for figures in report.figures.groups:
        for found in figures.repeats:
            yield {
                "task": figures.task,
                "k": found.k,
                "pass_at_k": to_ratio(found.any_of),
                "pass_hat_k": to_ratio(found.all_of),
                "tasks": found.tasks,
                "left_out": found.left_out,
            }


def detectors(report: Report) -> Iterator[Row]:
    """Give a row per hit, and one without a trial for each detector: how many trials it looked at."""
    for detected in report.detected:
        yield {
            "detector": detected.detector.name,
            "task": EVERY,
            "hits": len(detected.hits),
            "trials": detected.trials,
            "examined": detected.examined,
            "applicable": detected.applicable,
        }
        for result, hit in detected.hits:
            yield {
                "detector": detected.detector.name,
                "task": result.task,
                "run": result.run,
                "outcome": result.outcome,
                "turn": hit.turn,
                "last_turn": hit.last_turn,
                "address": address_of(result, hit.turn),
                "note": hit.note,
            }


def comparison(report: Report) -> Iterator[Row]:
    """Give a row per task of both campaigns and one for all; nothing without a baseline."""
    found = report.comparison
    if found is None:
        return
    for task in found.tasks:
        row = _compared(found, task.task, task.first.rates, task.second.rates, task)
        yield row | {"corrected_p": task.corrected_p}
    yield _compared(found, EVERY, found.first.figures.overall.rates, found.second.figures.overall.rates, found.test)


def predictions(report: Report) -> Iterator[Row]:
    """Give a row per predicted item; nothing where none were filed."""
    for item in report.predictions.items:
        yield {
            "item": item.item,
            "predicted": item.predicted,
            "observed": item.observed,
            "hit": item.hit,
            "why": item.why,
        }


def _compared(
    found: Comparison, task: str, before: Rates, now: Rates, tested: TaskComparison | PairedTest | None
) -> dict[str, Cell]:
    return {
        "task": task,
        "baseline": found.first.folder.id,
        "baseline_passed": before.passed,
        "baseline_scored": before.scored,
        "passed": now.passed,
        "scored": now.scored,
        "difference": to_ratio(tested.difference if tested else None),
        **_ends(tested.interval if tested else None),
        "p": tested.p if tested else None,
        "least_p": tested.least_p if tested else None,
    }


def _ends(found: Interval | None) -> dict[str, Cell]:
    return {"low": to_ratio(found.low) if found else None, "high": to_ratio(found.high) if found else None}


def _interval(task: str, question: str, found: Interval | None, passed: float, n: int) -> Row:
    return {
        "task": task,
        "question": question,
        **_ends(found),
        "distinct": n,
        "distinct_passed": round(passed, 3),
    }


_DETECTOR_COLUMNS = (
    *("detector", "task", "run", "outcome", "turn", "last_turn", "address", "note"),
    *("hits", "trials", "examined", "applicable"),
)

REPORT_TABLES = (
    Table("intervals", ("task", "question", "low", "high", "distinct", "distinct_passed"), intervals),
    Table("repeats", ("task", "k", "pass_at_k", "pass_hat_k", "tasks", "left_out"), repeats),
    Table("detectors", _DETECTOR_COLUMNS, detectors),
    Table(
        "comparison",
        (
            *("task", "baseline", "baseline_passed", "baseline_scored", "passed", "scored"),
            *("difference", "low", "high", "p", "least_p", "corrected_p"),
        ),
        comparison,
    ),
    Table("predictions", ("item", "predicted", "observed", "hit", "why"), predictions),
)
"""In the order of the docs; columns stay where they are, new ones come last."""

ONLY_WITH_ROWS = ("comparison", "predictions")
"""Tables that are not written where they have nothing to say."""
