"""Puts report.html together.

Text from models goes two ways only: through jinja2's escaping, or as JSON without `<`, `>` and `&` that the script
shows as text nodes. The content policy admits the page's one script and one style sheet by their digests and nothing
else: no network, no image, no frame, no inline handler.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from pytest_agentcore.reports import numbers
from pytest_agentcore.reports.html.charts import Chart, charts, compared
from pytest_agentcore.reports.html.drawing import LEFT_OUT, MISSING, can_draw, drawing
from pytest_agentcore.reports.html.overview import SIGNS, map_lines, questions, runs_of, tables, tiles
from pytest_agentcore.reports.html.sections import sections
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES
from pytest_agentcore.reports.html.trials import Embedding, for_script, page_data
from pytest_agentcore.reports.html.versus import HEADS, versus
from pytest_agentcore.reports.report import Report

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
        loader=PackageLoader("pytest_agentcore.reports.html", "page"),
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
    return (files("pytest_agentcore.reports.html") / "page" / name).read_text(encoding="utf-8")
