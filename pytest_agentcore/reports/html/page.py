"""Puts report.html together: one file that shows a campaign without a network, down to every turn of every trial.

Text from models goes two ways only: through Jinja's escaping, or as JSON without `<`, `>` and `&` that the script
shows as text nodes. The content policy admits the page's one script and one style sheet by their digests and nothing
else: no network, no image, no frame, no inline handler.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pytest_agentcore.analysis.compare_text import looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.reports.html.charts import charts, compared
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES, SIGNS, Embedding, page_data
from pytest_agentcore.reports.rendering import html_environment, resource
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.tables import comparison_table, places, predictions_table
from pytest_agentcore.trial.result import TrialResult

SHOWN = 8
"""Lines of a list that are open; the others are folded."""

FEW_RUNS = 8
"""Up to so many the map is narrow enough for charts beside it."""


def page(report: Report, *, room: int = PAGE_BYTES) -> Iterator[str]:
    """Write the page in pieces.

    Args:
        report: what it shows.
        room: bytes for all packed transcripts.
    """
    campaign, figures = report.campaign, report.figures
    title = f"{campaign.manifest.model} on {campaign.manifest.suite.title}"
    embedding = Embedding(report, room)
    transcripts = list(embedding.transcripts())  # first of all: only then is it known which have room
    style, script = resource("page.css"), resource("page.js")
    runs = sorted({trial.run for trial in campaign.manifest.planned} | {result.run for result in report.results})
    repeated = figures.overall.repeats
    yield from (
        html_environment()
        .get_template("page.html.jinja")
        .generate(
            report=report,
            title=title,
            policy=content_policy(style=style, script=script),
            # the only markup that is not escaped: made here, or escaped by those who made it
            trusted={"style": style, "script": script, "data": for_script(page_data(report, embedding.state, title))},
            transcripts=transcripts,
            left_out=sum(result.attempt not in embedding.state for result in report.results),
            manifest=campaign.manifest,
            figures=figures,
            every=figures.groups,
            signs=SIGNS,
            runs=runs,
            beside=len(runs) <= FEW_RUNS,
            recorded={(result.task, result.run): result for result in report.results},
            planned={(trial.task, trial.run) for trial in campaign.manifest.planned},
            charts=list(charts(campaign)),
            most_runs=repeated[-1].k if repeated else 1,
            failures=report.failures,
            address=address,
            shown=SHOWN,
            comparison=report.comparison,
            comparison_chart=compared(report.comparison) if report.comparison else None,
            comparison_table=comparison_table,
            verdict_sentence=verdict_sentence,
            task_sentence=task_sentence,
            looks_sentence=looks_sentence,
            places=places(report.ranking, campaign.manifest),
            predictions=predictions_table(report.predictions),
        )
    )


def for_script(value: Any) -> str:
    r"""Write JSON for a `<script>` element: no `<`, `>` or `&` is left, so nothing in it ends the element.

    The rules are those of the HTML standard, "restrictions for contents of script elements".
    """
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def content_policy(*, style: str, script: str) -> str:
    """Write the `Content-Security-Policy` (CSP Level 3) that admits exactly these two inline elements."""
    sources = [f"script-src '{_digest(script)}'", f"style-src '{_digest(style)}'"]
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def address(result: TrialResult, turn: int) -> str:
    """Link to a turn within the page, as page.js reads it."""
    return f"#trial={result.attempt}" + (f"&turn={turn}" if turn else "")
