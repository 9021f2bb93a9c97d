"""The leaderboard as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_agentcore.analysis.rank import HEADING, Leaderboard, PublishedScore, Standing, Terms
from pytest_agentcore.format import UNDEFINED, count, dollars, fraction, interval, latency, percent
from pytest_agentcore.pack.csv import to_micro_dollars, to_milliseconds, to_ratio
from pytest_agentcore.untrusted import for_csv, for_markdown

Cell = str | int | float | None

HEADER = (
    *("Rank", "Model", "Score", "95% interval", "Effective", "Cost", "Cost per pass", "Tier", "Seconds"),
    *("Policy", "Harness", "Suite", "Campaign", "Notes"),
)

NOTES = (
    "Score is passed of planned trials. Effective is passed of scored ones, and the interval is for that rate on the "
    "same tasks again. Seconds are the mean of a trial and depend on the machine. Equal scores share a rank."
)

COLUMNS = (
    *("ranking", "rank", "model", "passed", "planned", "scored", "raw_rate", "effective_rate"),
    *("interval_low", "interval_high", "cost_usd", "cost_per_pass_usd", "tier", "mean_seconds", "overlapped"),
    *("policy", "context_load", "harness", "suite", "suite_version", "suite_digest", "campaign"),
    *("recorded", "turns", "reply_tokens", "trial_seconds", "sandbox"),
)
"""Of the CSV; `ranking` says which lines are ranked against each other. New ones come last."""


def leaderboard_markdown(board: Leaderboard, published: Sequence[PublishedScore] = ()) -> Iterator[str]:
    """Line by line: a table per ranking, what is in none, and published scores apart from all."""
    yield "# Leaderboard"
    yield ""
    for ranking, title in zip(board.rankings, _titles(board), strict=True):
        yield f"## {for_markdown(title)}"
        yield ""
        yield from _table(HEADER, [_cells(standing) for standing in ranking.standings])
        yield ""
    yield NOTES if board.rankings else "No campaign to rank."
    if any(standing.overlapped for ranking in board.rankings for standing in ranking.standings):
        yield "Seconds with a star: trials ran at the same time."
    for why in dict.fromkeys(left.why for left in board.left_out):
        names = [for_markdown(left.campaign) for left in board.left_out if left.why == why]
        yield ""
        yield f"Left out ({why}): {', '.join(names)}."
    if published:
        yield ""
        yield from _published(published)


def leaderboard_csv(board: Leaderboard, published: Iterable[PublishedScore] = ()) -> str:
    """One line per campaign, published scores under a `ranking` of their own; undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    titled = zip(board.rankings, _titles(board), strict=True)
    rows = [_row(title, standing) for ranking, title in titled for standing in ranking.standings]
    for row in (*rows, *map(_published_row, published)):
        cells = [row.get(column) for column in COLUMNS]
        writer.writerow([for_csv(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def _titles(board: Leaderboard) -> list[str]:
    """One per ranking, no two alike."""
    plain = [_title(ranking.terms) for ranking in board.rankings]
    return [
        f"{title}, {_apart(ranking.terms)}" if plain.count(title) > 1 else title
        for title, ranking in zip(plain, board.rankings, strict=True)
    ]


def _title(terms: Terms) -> str:
    load = f", {terms.context_load} tokens of earlier conversation" if terms.context_load else ""
    limits = f"{terms.turns:g} turns, {terms.reply_tokens:g} tokens a reply, {terms.seconds:g} s a trial"
    return f"{terms.suite}, policy {terms.policy}{load}, {count(len(terms.tasks), 'task')}, {limits}"


def _apart(terms: Terms) -> str:
    return f"digest {terms.digest[:8]}: {', '.join(terms.tasks)}"


def _cells(standing: Standing) -> list[str]:
    manifest, rates, effort = standing.manifest, standing.figures.overall.rates, standing.figures.overall.effort
    return [
        str(standing.rank),
        for_markdown(manifest.model),
        f"{fraction(rates.passed, rates.planned)} ({percent(rates.raw)})",
        interval(standing.figures.same_tasks),
        f"{fraction(rates.passed, rates.scored)} ({percent(rates.effective)})",
        dollars(effort.cost.total),
        dollars(effort.cost.per_pass),
        for_markdown(standing.tier or UNDEFINED),
        latency(effort.seconds.mean) + ("\\*" if standing.overlapped else ""),
        for_markdown(manifest.policy),
        for_markdown(manifest.harness),
        for_markdown(f"{manifest.suite.version} ({manifest.judged_by[:8]})"),
        for_markdown(manifest.campaign),
        for_markdown("; ".join(standing.notes())),
    ]


def _row(title: str, standing: Standing) -> Mapping[str, Cell]:
    manifest, figures = standing.manifest, standing.figures
    rates, effort, found = figures.overall.rates, figures.overall.effort, figures.same_tasks
    return {
        "ranking": title,
        "rank": standing.rank,
        "model": manifest.model,
        "passed": rates.passed,
        "planned": rates.planned,
        "scored": rates.scored,
        "raw_rate": to_ratio(rates.raw),
        "effective_rate": to_ratio(rates.effective),
        "interval_low": to_ratio(found.low if found else None),
        "interval_high": to_ratio(found.high if found else None),
        "cost_usd": to_micro_dollars(effort.cost.total),
        "cost_per_pass_usd": to_micro_dollars(effort.cost.per_pass),
        "tier": standing.tier,
        "mean_seconds": to_milliseconds(effort.seconds.mean),
        "overlapped": "true" if standing.overlapped else "false",
        "policy": manifest.policy,
        "context_load": manifest.context_load,
        "harness": manifest.harness,
        "suite": manifest.suite.title,
        "suite_version": manifest.suite.version,
        "suite_digest": manifest.judged_by,
        "campaign": manifest.campaign,
        "recorded": rates.recorded,
        "turns": manifest.budget.get("turns"),
        "reply_tokens": manifest.budget.get("reply_tokens"),
        "trial_seconds": manifest.budget.get("seconds"),
        "sandbox": str(manifest.sandbox.get("name") or ""),
    }


def _published(scores: Sequence[PublishedScore]) -> Iterator[str]:
    yield f"## {HEADING}"
    yield ""
    rows = [
        [
            str(score.rank),
            for_markdown(score.model),
            f"{fraction(score.passed, score.planned)} ({percent(score.passed / score.planned)})",
            dollars(score.dollars),
            dollars(score.per_pass),
            for_markdown(score.tier),
        ]
        for score in scores
    ]
    yield from _table(("Rank", "Model", "Score", "Cost", "Cost per pass", "Tier"), rows)


def _published_row(score: PublishedScore) -> Mapping[str, Cell]:
    return {
        "ranking": HEADING,
        "rank": score.rank,
        "model": score.model,
        "passed": score.passed,
        "planned": score.planned,
        "raw_rate": to_ratio(score.passed / score.planned),
        "cost_usd": to_micro_dollars(score.dollars),
        "cost_per_pass_usd": to_micro_dollars(score.per_pass),
        "tier": score.tier,
    }


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(cells)} |"
