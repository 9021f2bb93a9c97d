"""Sections of sentences, lines and tables that the page shows between the tasks and the trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.reports.leaderboard import Ranking
from pytest_agentcore.reports.numbers import count, dollars, fraction, interval, latency, percent
from pytest_agentcore.reports.predicted import PredictionScore
from pytest_agentcore.reports.report import Detected, Report
from pytest_agentcore.trial import TrialResult

SHOWN = 8
"""Lines of a block that are open; the others are folded."""

PLACES = 30
"""Of a ranking that are shown, the campaign's own always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a list, with a link before it where it speaks of a turn."""

    text: str
    href: str = ""
    link: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a section; what is empty is left out."""

    heading: str = ""
    sentences: Sequence[str] = ()
    lines: Sequence[Line] = ()
    more: Sequence[Line] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A card of the page."""

    id: str
    short: str
    """In the bar at the top."""
    title: str
    blocks: Sequence[Block]


def sections(report: Report) -> Iterator[Section]:
    """Failures, detectors, the leaderboard, predictions, what is not known."""
    if report.failures:
        yield Section(id="failures", short="Failures", title="Failures and their turns", blocks=list(_failures(report)))
    found = [_detector(one) for one in report.detected]
    yield Section(id="detectors", short="Detectors", title="Detectors", blocks=found)
    if report.ranking and len(report.ranking.standings) > 1:
        places = _places(report.ranking, report.campaign.manifest)
        yield Section(id="leaderboard", short="Leaderboard", title="Leaderboard of the results folder", blocks=[places])
    yield Section(id="predictions", short="Predictions", title="Predictions", blocks=[_predictions(report.predictions)])
    if report.unobserved:
        lines = [Line(text=statement.text, source=statement.file) for statement in report.unobserved]
        yield Section(id="unobserved", short="Not known", title="Not observed", blocks=[Block(lines=lines)])


def address(result: TrialResult, turn: int) -> str:
    """Within the page, as page.js reads it."""
    return f"#trial={result.attempt}" + (f"&turn={turn}" if turn else "")


def _failures(report: Report) -> Iterator[Block]:
    """By cause, the most frequent first."""
    for (outcome, cause), trials in report.figures.causes.items():
        found = [one for one in report.failures if one.result.cause == cause and one.result.outcome == outcome]
        lines = [
            Line(
                text=one.result.detail.partition("\n")[0][:200],
                href=address(one.result, one.turn),
                link=f"{one.result.task} run {one.result.run}, turn {one.turn}",
            )
            for one in found
        ]
        heading = f"{outcome}: {cause} ({count(trials, 'trial')}; speaks about the {cause.attribution})"
        yield Block(heading=heading, lines=lines[:SHOWN], more=lines[SHOWN:])


def _places(ranking: Ranking, me: Manifest) -> Block:
    """The campaigns of the same results folder that may be ranked against each other, this one always."""
    rows = []
    for number, standing in enumerate(ranking.standings):
        here = standing.manifest.campaign == me.campaign
        rates, effort = standing.figures.overall.rates, standing.figures.overall.effort
        if number < PLACES or here:
            rows.append(
                [
                    str(standing.rank),
                    f"{standing.manifest.model} (this campaign)" if here else standing.manifest.model,
                    f"{fraction(rates.passed, rates.planned)} ({percent(rates.raw)})",
                    interval(standing.figures.same_tasks),
                    f"{fraction(rates.passed, rates.scored)} ({percent(rates.effective)})",
                    dollars(effort.cost.total),
                    latency(effort.seconds.mean) + (" (overlapped)" if standing.overlapped else ""),
                    standing.manifest.campaign,
                    "; ".join(standing.notes(me.harness)),
                ]
            )
    heads = (
        *("rank", "model", "score", "95% interval, same tasks", "effective"),
        *("cost", "mean time", "campaign", "notes"),
    )
    told = (
        f"{count(len(ranking.standings), 'campaign')} of the same results folder, planned with the same tasks under "
        "the same policy and limits, when this was written."
    )
    return Block(sentences=[told], heads=heads, rows=rows)


def _predictions(score: PredictionScore) -> Block:
    words = {True: "hit", False: "miss", None: "cannot be told"}
    told = [f"{count(score.hits, 'hit')} of {score.scored} that the campaign can tell about."] if score.scored else []
    rows = [[item.item, item.predicted, item.observed, words[item.hit], item.why] for item in score.items]
    heads = ("item", "predicted", "observed", "score", "why")
    return Block(sentences=[*score.sentences, *told], heads=heads, rows=rows)


def _detector(one: Detected) -> Block:
    lines = [
        Line(
            text=found.hit.note,
            href=address(found.result, found.hit.turn),
            link=f"{found.result.task} run {found.result.run}, turn {found.hit.turn}",
        )
        for found in one.hits
    ]
    seen = f"{count(one.trials, 'trial')} of {one.applicable} with {one.needs} ({one.examined} examined)."
    return Block(heading=one.name, sentences=[one.meaning, seen], lines=lines[:SHOWN], more=lines[SHOWN:])
