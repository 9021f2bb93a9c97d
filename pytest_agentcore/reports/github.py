"""A summary on the page of a job on GitHub Actions, and annotations of what failed in it.

Limits and parsing are those of the runner (https://github.com/actions/runner, `FileCommandManager.cs`,
`ExecutionContext.cs`): a summary of 1 MiB for each step, or none is shown at all; ten annotations of a kind for each
step, of at most 4096 characters. `console.no_command` keeps others from writing commands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_agentcore.analysis.gate import GateVerdict
from pytest_agentcore.format import count, fraction, interval, percent
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.tables import Columns, pipes, table_of
from pytest_agentcore.trial.result import TrialKey, TrialResult
from pytest_agentcore.untrusted import clip, for_markdown, visible

SUMMARY_BYTES = 2**20
ANNOTATIONS = 10
MESSAGE = 1000
"""Characters of what a checker said that an annotation has, and a fifth of them a row of the summary."""

Place = tuple[Path, int]
"""A file, and a line in it counted from 1."""


class Trouble(NamedTuple):
    """Trials of one task that failed alike."""

    label: str
    """As the campaign is called."""
    results: list[TrialResult]

    @property
    def runs(self) -> str:
        """`run 1, 3`, or how many there are."""
        listed = ", ".join(str(result.run) for result in self.results)
        return f"run {listed}" if len(self.results) <= ANNOTATIONS else f"{len(self.results)} runs"

    @property
    def ended(self) -> str:
        """The outcome and its cause."""
        first = self.results[0]
        return f"{first.outcome} ({first.cause})" if first.cause else first.outcome


def troubles(campaigns: Mapping[str, Campaign]) -> list[Trouble]:
    """The trials that did not pass, those of a task that failed alike together; campaigns by what they are called."""
    found: dict[tuple[object, ...], Trouble] = {}
    for label, campaign in campaigns.items():
        for result in campaign.results:
            if not result.passed:
                alike = (label, result.task, result.outcome, result.cause)
                found.setdefault(alike, Trouble(label, [])).results.append(result)
    return list(found.values())


def write_summary(campaigns: Mapping[str, Campaign], verdicts: Sequence[GateVerdict], last: str) -> str:
    """Add a summary to the step's page; what stands in its way comes back as a sentence, empty where all is well.

    Args:
        campaigns: by what they are called.
        verdicts: of the gates, if any were asked.
        last: the line that says what the exit code means; empty where nothing was gated.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not (path and (campaigns or last)):
        return ""
    try:
        begun = os.path.getsize(path) if os.path.exists(path) else 0  # noqa: PTH110, PTH202 - no path need be valid
        text = summary(campaigns, verdicts, last, SUMMARY_BYTES - begun)
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            file.write(text)
    except (OSError, ValueError) as error:
        return f"no step summary was written: {path}: {getattr(error, 'strerror', None) or error}"
    return "" if text else "no step summary was written: the step's page is full, 1 MiB is all that it takes"


FAILED: Columns[Trouble] = {
    "Campaign": lambda t: t.label,
    "Task": lambda t: f"{t.results[0].task} {t.runs}",
    "Outcome": lambda t: t.ended,
    "What was wrong": lambda t: clip(" ".join(t.results[0].detail.split()), MESSAGE // 5),
}


def summary(campaigns: Mapping[str, Campaign], verdicts: Sequence[GateVerdict], last: str, room: int) -> str:
    """Write the summary in Markdown, in at most `room` bytes: rows of failures give way, and then all of it."""
    rates: Columns[tuple[str, Campaign]] = {
        "Campaign": lambda pair: pair[0],
        "Passed": lambda pair: fraction(pair[1].figures.overall.rates.passed, pair[1].figures.overall.rates.scored),
        "Rate": lambda pair: percent(pair[1].figures.overall.rates.effective),
        "95% interval": lambda pair: interval(pair[1].figures.same_tasks),
        "Not scored": lambda pair: str(len(pair[1].left)),
        "Folder": lambda pair: os.path.relpath(pair[1].folder.path),
    }
    failed = troubles(campaigns)
    sentences = [f"- {for_markdown(one)}" for verdict in verdicts for one in (*verdict.why_not, *verdict.notes)]
    table = pipes(table_of(rates, campaigns.items()), code=["Folder"]) if campaigns else ""
    rows = pipes(table_of(FAILED, failed), code=["What was wrong"]).splitlines() if failed else []
    lines = ["", f"### {for_markdown(last or 'pytest-agentcore')}", "", *sentences, "", table, "", *rows[:2]]
    left, kept = room - LAST_ROW - sum(map(_bytes, lines)), 0
    if left < 0:
        return ""
    for row in rows[2:]:
        left -= _bytes(row)
        if left < 0:
            break
        kept += 1
    lines += rows[2 : 2 + kept]
    if more := len(failed) - kept:
        lines += ["", f"{count(more, 'more row')} in the reports of the campaigns."]
    return "\n".join([*lines, ""])


def _bytes(line: str) -> int:
    return len(line.encode("utf-8", "backslashreplace")) + 1


LAST_ROW = 100
"""Bytes that are kept for the sentence about rows that found no room."""


def annotate(
    campaigns: Mapping[str, Campaign],
    verdicts: Sequence[GateVerdict],
    places: Mapping[TrialKey, Place],
    *,
    passed: bool,
) -> Iterator[str]:
    """Commands that mark failures at their checkers, and gates that are not open.

    Args:
        campaigns: by what they are called.
        verdicts: of the gates.
        places: where the checkers of failed trials are, by key with the label of the campaign.
        passed: whether the step passes all the same: then they are notices, else errors.
    """
    shut = [f"{verdict.title}: {'; '.join(verdict.why_not)}" for verdict in verdicts if not verdict.ok]
    kind, failed = "notice" if passed else "error", troubles(campaigns)
    room = ANNOTATIONS - len(shut)
    for one in shut[:ANNOTATIONS]:
        yield command(kind, visible(one))
    shown = failed if len(failed) <= room else failed[: max(room - 1, 0)]
    for trouble in shown:
        first = trouble.results[0]
        where = places.get(TrialKey(trouble.label, first.task, first.run))
        detail = clip(" ".join(first.detail.split()), MESSAGE)
        said = visible(f"{trouble.label}: {first.task} {trouble.runs}: {trouble.ended}")
        yield command(kind, f"{said}: {detail}" if detail else said, where)
    if len(shown) < len(failed) and room > 0:
        yield command(kind, f"{count(len(failed) - len(shown), 'more failure')}: the step's summary has them")


def command(kind: str, text: str, place: Place | None = None) -> str:
    """A workflow command; its file is named as the repository has it, and not at all where it lies elsewhere."""
    properties = {"title": "pytest-agentcore"}
    home = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    if place and place[0].resolve().is_relative_to(home):
        properties |= {"file": place[0].resolve().relative_to(home).as_posix(), "line": str(place[1])}
    said = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items())
    return f"::{kind} {said}::{_escape(text)}"


def _escape(text: str, more: str = "") -> str:
    """Percent first, or what stands for the others would be escaped again."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
