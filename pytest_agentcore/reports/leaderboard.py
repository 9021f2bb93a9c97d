"""The leaderboard as Markdown and as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_agentcore.analysis.rank import HEADING, Leaderboard, PublishedScore, Standing, Terms
from pytest_agentcore.format import count
from pytest_agentcore.pack.csv import Cell, csv_text, to_micro_dollars, to_milliseconds, to_ratio
from pytest_agentcore.reports.tables import PUBLISHED, STANDING, pipes, table_of
from pytest_agentcore.untrusted import for_markdown

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
    """Write a table per ranking, what is in none, and published scores apart from all, line by line."""
    yield from ("# Leaderboard", "")
    for ranking, title in zip(board.rankings, _titles(board), strict=True):
        yield from (f"## {for_markdown(title)}", "")
        yield from (*pipes(table_of(STANDING, ranking.standings)).splitlines(), "")
    yield NOTES if board.rankings else "No campaign to rank."
    if any(standing.overlapped for ranking in board.rankings for standing in ranking.standings):
        yield "Seconds with a star: trials ran at the same time."
    for why in dict.fromkeys(board.left_out.values()):
        names = [for_markdown(campaign) for campaign, reason in board.left_out.items() if reason == why]
        yield from ("", f"Left out ({why}): {', '.join(names)}.")
    if published:
        yield from ("", f"## {HEADING}", "", *pipes(table_of(PUBLISHED, published)).splitlines())


def leaderboard_csv(board: Leaderboard, published: Iterable[PublishedScore] = ()) -> str:
    """Write a line per campaign, published scores under a `ranking` of their own; undefined is empty."""
    titled = zip(board.rankings, _titles(board), strict=True)
    rows = [_row(title, standing) for ranking, title in titled for standing in ranking.standings]
    return csv_text(COLUMNS, [*rows, *map(_published_row, published)])


def _titles(board: Leaderboard) -> list[str]:
    """One per ranking, no two alike."""
    plain = [_title(ranking.terms) for ranking in board.rankings]
    titles = []
    for title, ranking in zip(plain, board.rankings, strict=True):
        apart = f", digest {ranking.terms.digest[:8]}: {', '.join(ranking.terms.tasks)}"
        titles.append(f"{title}{apart}" if plain.count(title) > 1 else title)
    return titles


def _title(terms: Terms) -> str:
    load = f", {terms.context_load} tokens of earlier conversation" if terms.context_load else ""
    limits = f"{terms.turns:g} turns, {terms.reply_tokens:g} tokens a reply, {terms.seconds:g} s a trial"
    return f"{terms.suite}, policy {terms.policy}{load}, {count(len(terms.tasks), 'task')}, {limits}"


def _row(title: str, standing: Standing) -> Mapping[str, Cell]:
    manifest, rates, effort = standing.manifest, standing.rates, standing.effort
    found = standing.campaign.figures.same_tasks
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
