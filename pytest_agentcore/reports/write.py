"""Writes the files of a report: the renderings and the tables that come with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.csv import name_of, to_milliseconds, to_ratio, write_verification
from pytest_agentcore.pack.digests import Seals, TextDigest, sealing
from pytest_agentcore.pack.figures import EVERY
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.reports.build import build_report
from pytest_agentcore.reports.html.page import page
from pytest_agentcore.reports.markdown import markdown
from pytest_agentcore.reports.report import Report
from pytest_agentcore.stats import Rates
from pytest_agentcore.stats.intervals import Interval
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_csv, for_xml

Cell = str | int | float | None
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One CSV below verification/."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Report], Iterator[Row]]
    always: bool = True
    """Else only where it has rows."""

    def to_csv(self, report: Report) -> bytes:
        r"""UTF-8, comma, `\n`, a header line; undefined is empty, as in the other tables."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows(report):
            cells = [row[column] for column in self.columns]
            writer.writerow([for_csv(cell) if isinstance(cell, str) else cell for cell in cells])
        return text.getvalue().encode("utf-8")


def intervals(report: Report) -> Iterator[Row]:
    """How far off a pass rate may be, per task and for each question about all of them."""
    figures = report.figures
    for task in figures.tasks:
        yield _interval(task.task, "this_task", task.wilson, task.distinct.passed, task.distinct.n)
    whole = figures.overall.distinct
    yield _interval(EVERY, "same_tasks", figures.same_tasks, whole.passed, whole.n)
    yield _interval(EVERY, "other_tasks", figures.other_tasks, whole.passed, whole.n)


def repeats(report: Report) -> Iterator[Row]:
    """pass@k and pass^k."""
    for figures in (*report.figures.tasks, report.figures.overall):
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
    """A row per hit, and one without a trial for each detector: how many trials it looked at."""
    for detected in report.detected:
        yield _EMPTY | {
            "detector": detected.name,
            "task": EVERY,
            "hits": len(detected.hits),
            "trials": detected.trials,
            "examined": detected.examined,
            "applicable": detected.applicable,
        }
        for found in detected.hits:
            yield _EMPTY | {
                "detector": detected.name,
                "task": found.result.task,
                "run": found.result.run,
                "outcome": found.result.outcome,
                "turn": found.hit.turn,
                "last_turn": found.hit.last_turn,
                "address": found.address,
                "note": found.hit.note,
            }


def comparison(report: Report) -> Iterator[Row]:
    """Nothing without a baseline."""
    found = report.comparison
    if found is None:
        return
    for task in found.tasks:
        yield _compared(found, task.task, task.first.rates, task.second.rates) | {
            "difference": to_ratio(task.difference),
            **_ends(task.interval),
            "p": task.p,
            "least_p": task.least_p,
            "corrected_p": task.corrected_p,
        }
    whole, test = found.first.figures.overall.rates, found.test
    yield _compared(found, EVERY, whole, found.second.figures.overall.rates) | {
        "difference": to_ratio(test.difference) if test else None,
        **_ends(test.interval if test else None),
        "p": test.p if test else None,
        "least_p": test.least_p if test else None,
        "corrected_p": None,
    }


def predictions(report: Report) -> Iterator[Row]:
    """A row per item; nothing where none were filed."""
    for item in report.predictions.items:
        yield {
            "item": item.item,
            "predicted": item.predicted,
            "observed": item.observed,
            "hit": None if item.hit is None else str(item.hit).lower(),
            "why": item.why,
        }


def _compared(found: Comparison, task: str, first: Rates, second: Rates) -> dict[str, Cell]:
    return {
        "task": task,
        "baseline": found.first.folder.id,
        "baseline_passed": first.passed,
        "baseline_scored": first.scored,
        "passed": second.passed,
        "scored": second.scored,
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
_EMPTY: dict[str, Cell] = dict.fromkeys(_DETECTOR_COLUMNS)

REPORT_TABLES = (
    ReportTable("intervals", ("task", "question", "low", "high", "distinct", "distinct_passed"), intervals),
    ReportTable("repeats", ("task", "k", "pass_at_k", "pass_hat_k", "tasks", "left_out"), repeats),
    ReportTable("detectors", _DETECTOR_COLUMNS, detectors),
    ReportTable(
        "comparison",
        (
            *("task", "baseline", "baseline_passed", "baseline_scored", "passed", "scored"),
            *("difference", "low", "high", "p", "least_p", "corrected_p"),
        ),
        comparison,
        always=False,
    ),
    ReportTable("predictions", ("item", "predicted", "observed", "hit", "why"), predictions, always=False),
)
"""In the order of the docs; columns stay where they are, new ones come last."""


Renderer = Callable[[Report], Iterable[str]]
"""Yields the text of a file in pieces, line ends included."""


def write_reports(
    campaign: Campaign, baseline: Campaign | None = None, out: Path | None = None, *, charts: bool = True
) -> list[Path]:
    """Write every rendering and every verification table anew; the paths of the renderings.

    Args:
        campaign: read from the disk.
        baseline: what it is compared with.
        out: the folder that receives them, by default the campaign's own.
        charts: False saves the half second that drawing them takes.

    Raises:
        UsageError: a transcript is damaged, or the folder cannot be written.
    """
    report = build_report(campaign, baseline)
    folder = CampaignFolder(out or campaign.folder.path)
    is_own = folder.path.resolve() == campaign.folder.path.resolve()
    try:
        folder.verification.mkdir(parents=True, exist_ok=True)
        with sealing(folder) if is_own else nullcontext() as seals:
            return _write_all(folder, report, seals, charts=charts)
    except OSError as error:
        raise UsageError(f"{folder.path}: a report cannot be written there: {error.strerror or error}") from error


def _write_all(folder: CampaignFolder, report: Report, seals: Seals | None, *, charts: bool) -> list[Path]:
    """Drafts first, then their digests, then each in its place."""
    campaign = report.campaign
    write_verification(folder, campaign.manifest, campaign.results, seals)
    drafts = {name_of(table.name): _draft(folder, table.name, _table(table, report)) for table in REPORT_TABLES}
    drafts |= {name: _draft(folder, name, renderer(report)) for name, renderer in _renderers(charts=charts)}
    if seals:
        seals.files({name: TextDigest.of_file(draft) if draft else None for name, draft in drafts.items()})
    for name, draft in drafts.items():
        if draft:
            draft.replace(folder.path / name)
        else:
            (folder.path / name).unlink(missing_ok=True)
    return [folder.path / name for name, _ in _renderers(charts=charts)]


def _table(table: ReportTable, report: Report) -> Iterable[str] | None:
    """None for a table that has nothing to say: that of an earlier report goes away."""
    if table.always or next(iter(table.rows(report)), None) is not None:
        return [table.to_csv(report).decode("utf-8")]
    return None


def _renderers(*, charts: bool) -> tuple[tuple[str, Renderer], ...]:
    """File name and renderer, in the order in which they are written."""
    return (("report.md", markdown), ("report.html", partial(page, with_charts=charts)))


def _draft(folder: CampaignFolder, name: str, pieces: Iterable[str] | None) -> Path | None:
    if pieces is None:
        return None
    draft = folder.path / f".{name}.draft"
    with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(pieces)
    return draft


def properties(result: TrialResult) -> list[tuple[str, str]]:
    """For `item.user_properties`, in a fixed order; what does not apply is an empty string."""
    values = {
        "model": result.model,
        "task": result.task,
        "run": result.run,
        "attempt": result.attempt,
        "outcome": result.outcome,
        "failure_mode": result.failure_mode,
        "cause": result.cause,
        "attribution": result.attribution,
        "stop_reason": result.stop_reason,
        "turns": result.turns,
        "tool_calls": result.tool_calls,
        "prompt_tokens": result.prompt_tokens,
        "cached_tokens": result.cached_tokens,
        "reply_tokens": result.reply_tokens,
        "seconds": to_milliseconds(result.seconds),
        "policy": result.policy,
        "sandbox": result.sandbox,
        "transcript": address_of(result, result.turns),
    }
    return [(name, for_xml("" if value is None else str(value))) for name, value in values.items()]
