"""Puts report.html together.

Text from models goes two ways only: through jinja2's escaping, or as JSON without `<`, `>` and `&` that the script
shows as text nodes. The content policy admits the page's one script and one style sheet by their digests and nothing
else: no network, no image, no frame, no inline handler.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pytest_agentcore import format as numbers
from pytest_agentcore.analysis.compare import Comparison, TaskComparison
from pytest_agentcore.analysis.compare_text import FIRST, SECOND, looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.analysis.predicted import PredictionScore
from pytest_agentcore.analysis.rank import Ranking
from pytest_agentcore.format import (
    count,
    dollars,
    fraction,
    interval,
    latency,
    p_value,
    percent,
    points,
    points_interval,
)
from pytest_agentcore.pack.figures import CampaignFigures
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.reports.html.charts import LEFT_OUT, MISSING, Chart, can_draw, charts, compared, drawing
from pytest_agentcore.reports.html.overview import SIGNS, map_lines, questions, runs_of, tables, tiles
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES, Embedding, for_script, page_data
from pytest_agentcore.reports.report import Detected, Report
from pytest_agentcore.trial.result import TrialResult

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


HEADS = ("task", f"{FIRST}: baseline", f"{SECOND}: this campaign", "points", "95% interval", "p", "least p possible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """What the section shows."""

    baseline: str
    """The campaign's id."""
    verdict: str
    """The one conclusion."""
    sides: Sequence[tuple[str, str]]
    """Name and score of each."""
    differing: Sequence[tuple[str, str, str]]
    """What differs besides the outcome: name, there, here."""
    notes: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Cells under `HEADS`, the last row over all tasks."""


def versus(found: Comparison) -> Versus:
    """Verdict, scores, tasks, and what differs besides the outcome."""
    name = found.first.folder.id
    caution = [] if found.same_suite else ["The suites differ: tasks of one name need not be the same task."]
    return Versus(
        baseline=name,
        verdict=verdict_sentence(found),
        sides=[
            (f"{FIRST}, the baseline {name}", _score(found.first.figures)),
            (f"{SECOND}, this campaign", _score(found.second.figures)),
        ],
        differing=[(condition.name, condition.first, condition.second) for condition in found.conditions],
        notes=[*caution, *filter(None, map(task_sentence, found.tasks)), f"{looks_sentence(found)}."],
        rows=[*map(_row, found.tasks), _last_row(found)],
    )


def _score(figures: CampaignFigures) -> str:
    rates = figures.overall.rates
    effective = f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)}"
    return f"{effective} of scored trials, same tasks again {interval(figures.same_tasks)}"


def _row(task: TaskComparison) -> list[str]:
    return [
        task.task,
        *(fraction(rates.passed, rates.scored) for rates in (task.first.rates, task.second.rates)),
        points(task.difference),
        points_interval(task.interval),
        p_value(task.p),
        p_value(task.least_p),
    ]


def _last_row(found: Comparison) -> list[str]:
    sides = [[getattr(task, side).rates for task in found.tasks] for side in ("first", "second")]
    test = found.test
    return [
        "all tasks of both",
        *(fraction(sum(rates.passed for rates in side), sum(rates.scored for rates in side)) for side in sides),
        points(test.difference if test else None),
        points_interval(test.interval if test else None),
        p_value(test.p if test else None),
        p_value(test.least_p if test else None),
    ]


FEW_RUNS = 8
"""Up to so many the map is narrow enough for charts beside it."""


def page(report: Report, *, with_charts: bool = True, room: int = PAGE_BYTES) -> Iterator[str]:
    """The page in pieces.

    Args:
        report: what it shows.
        with_charts: False leaves them out, and half a second with them; where their numbers are is said in words.
        room: bytes for all packed transcripts.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a tenth of a second to load

    environment = Environment(
        autoescape=True,
        loader=PackageLoader("pytest_agentcore.reports.html", "assets"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": numbers.percent,
        "interval": numbers.interval,
        "count": numbers.count,
        "when": _when,
    }
    shown, versus_chart = _charts(report)
    no_charts = _no_charts(wanted=with_charts)
    drawable = () if no_charts else (*shown, *([versus_chart] if versus_chart else ()))
    with drawing([chart.spec for chart in drawable]) as drawn:
        environment.filters["drawn"] = lambda chart: drawn(chart.spec)
        values = _values(report, room) | {"charts": shown, "no_charts": no_charts, "versus_chart": versus_chart}
        yield from environment.get_template("page.html.jinja").generate(values)


def _charts(report: Report) -> tuple[list[Chart], Chart | None]:
    """Of the campaign, and of it beside the baseline."""
    shown = charts(report.figures, report.results, report.campaign.manifest.parallel)
    return list(shown), compared(report.comparison) if report.comparison else None


def _values(report: Report, room: int) -> dict[str, Any]:
    """What the template shows. Only what is named `trusted` is markup: made here, or escaped by those who made it."""
    manifest, figures, results = report.campaign.manifest, report.figures, report.results
    title = f"{manifest.model} on {manifest.suite.title}"
    embedding = Embedding(report, room)
    transcripts = list(embedding.transcripts())
    left = sum(result.attempt not in embedding.state for result in results)
    style, script = _resource("page.css"), _resource("page.js")
    runs = runs_of(manifest, results)
    return {
        "title": title,
        "policy": content_policy(style=style, script=script),
        "trusted": {"style": style, "script": script, "data": for_script(page_data(report, embedding.state, title))},
        "transcripts": transcripts,
        "left_out": _left_out(left, len(results)) if left else "",
        "manifest": manifest,
        "figures": figures,
        "signs": SIGNS,
        "questions": questions(figures),
        "tiles": list(tiles(figures, manifest.parallel)),
        "warnings": report.warnings,
        "runs": runs,
        "beside": len(runs) <= FEW_RUNS,
        "map": list(map_lines(figures, manifest, results)),
        "versus": report.comparison and versus(report.comparison),
        "versus_heads": HEADS,
        "tables": list(tables(figures, manifest.parallel)),
        "sections": list(sections(report)),
        "facts": report.facts,
    }


def content_policy(*, style: str, script: str) -> str:
    """The value of `Content-Security-Policy` (CSP Level 3) that admits exactly these two inline elements."""
    sources = [f"script-src '{_digest(script)}'", f"style-src '{_digest(style)}'"]
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _no_charts(*, wanted: bool) -> str:
    """Why there are no drawings; empty where there are."""
    if not wanted:
        return LEFT_OUT
    return "" if can_draw() else MISSING


def _left_out(n: int, of: int) -> str:
    return (
        f"The transcripts of {n} of {of} trials are not in this page, which would be too large with them; "
        "those of failed trials come first."
    )


def _when(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")


def _resource(name: str) -> str:
    return (files("pytest_agentcore.reports.html") / "assets" / name).read_text(encoding="utf-8")
