"""Where the campaign stands among those of its results folder."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agentcore.reports.leaderboard import Standing
from pytest_agentcore.reports.markdown.blocks import OBSERVED, heading, paragraph, table
from pytest_agentcore.reports.numbers import count, dollars, fraction, interval, latency, percent
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.sources import COST, INTERVALS, LATENCY, PASS_RATES
from pytest_agentcore.untrusted import for_markdown, markdown_code

LISTED = 30
"""Places that are listed, the campaign's own always."""


def place(report: Report) -> Iterator[str]:
    """Nothing where there is nobody to stand among."""
    ranking = report.ranking
    if ranking is None or len(ranking.standings) < 2:  # noqa: PLR2004 - one is no ranking
        return
    me = report.campaign.manifest.campaign
    shown = [s for n, s in enumerate(ranking.standings) if n < LISTED or s.manifest.campaign == me]
    yield from heading("Where it sits on the leaderboard", OBSERVED)
    yield from paragraph(
        "Campaigns of the same results folder, planned with the same tasks under the same policy and limits, when",
        "this was written. The numbers of each stand in its own folder.",
    )
    header = (
        *("Rank", "Model", "Score", "95% interval, same tasks", "Effective"),
        *("Cost", "Avg latency", "Campaign", "Notes"),
    )
    harness = report.campaign.manifest.harness
    rows = [_row(standing, harness, here=standing.manifest.campaign == me) for standing in shown]
    yield from table(header, rows, *(f"../<campaign>/{file}" for file in (PASS_RATES, INTERVALS, COST, LATENCY)))
    if len(shown) < len(ranking.standings):
        yield from paragraph(f"{count(len(ranking.standings) - len(shown), 'more campaign')}: `agentcore leaderboard`.")


def _row(standing: Standing, harness: str, *, here: bool) -> tuple[str, ...]:
    rates, effort = standing.figures.overall.rates, standing.figures.overall.effort
    model = for_markdown(standing.manifest.model)
    return (
        str(standing.rank),
        f"**{model}**" if here else model,
        f"{fraction(rates.passed, rates.planned)} ({percent(rates.raw)})",
        interval(standing.figures.same_tasks),
        f"{fraction(rates.passed, rates.scored)} ({percent(rates.effective)})",
        dollars(effort.cost.total),
        latency(effort.seconds.mean) + (" (overlapped)" if standing.overlapped else ""),
        markdown_code(standing.manifest.campaign),
        for_markdown("; ".join(standing.notes(harness))),
    )
