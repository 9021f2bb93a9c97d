"""The leaderboard as Markdown and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pytest_agentcore.analysis.rank import Leaderboard, PublishedScore, Standing
from pytest_agentcore.format import count, dollars, score
from pytest_agentcore.pack.csv import Cell, csv_text, to_micro_dollars, to_milliseconds, to_ratio
from pytest_agentcore.reports.tables import STANDING, Columns, pipes, table_of
from pytest_agentcore.untrusted import for_markdown

NOTES = (
    "Score is passed of planned trials. Effective is passed of scored ones, and the interval is for that rate on the "
    "same tasks again. Seconds are the mean of a trial and depend on the machine. Equal scores share a rank."
)
APART = (
    "Another suite, or another version or digest of one, has a ranking of its own: its tasks have other prompts, files "
    "or checkers, so scores cannot be held against each other."
)

COLUMNS: Mapping[str, Callable[[str, Standing], Cell]] = {
    "ranking": lambda title, _: title,
    "rank": lambda _, s: s.rank,
    "model": lambda _, s: s.manifest.model,
    "passed": lambda _, s: s.rates.passed,
    "planned": lambda _, s: s.rates.planned,
    "scored": lambda _, s: s.rates.scored,
    "raw_rate": lambda _, s: to_ratio(s.rates.raw),
    "effective_rate": lambda _, s: to_ratio(s.rates.effective),
    "interval_low": lambda _, s: to_ratio(getattr(s.campaign.figures.same_tasks, "low", None)),
    "interval_high": lambda _, s: to_ratio(getattr(s.campaign.figures.same_tasks, "high", None)),
    "cost_usd": lambda _, s: to_micro_dollars(s.effort.cost),
    "cost_per_pass_usd": lambda _, s: to_micro_dollars(s.effort.cost_per_pass),
    "tier": lambda _, s: s.tier,
    "mean_seconds": lambda _, s: to_milliseconds(s.effort.seconds.mean),
    "overlapped": lambda _, s: s.overlapped,
    "policy": lambda _, s: s.manifest.policy,
    "context_load": lambda _, s: s.manifest.context_load,
    "harness": lambda _, s: s.manifest.harness,
    "suite": lambda _, s: s.manifest.suite.title,
    "suite_version": lambda _, s: s.manifest.suite.version,
    "suite_digest": lambda _, s: s.manifest.judged_by,
    "campaign": lambda _, s: s.manifest.campaign,
    "recorded": lambda _, s: s.rates.recorded,
    "turns": lambda _, s: s.manifest.budget.get("turns"),
    "reply_tokens": lambda _, s: s.manifest.budget.get("reply_tokens"),
    "trial_seconds": lambda _, s: s.manifest.budget.get("seconds"),
    "sandbox": lambda _, s: str(s.manifest.sandbox.get("name") or ""),
}
"""The CSV by its columns, made from a ranking's title and a standing in it. New columns come last."""


PUBLISHED: Columns[PublishedScore] = {
    "Rank": lambda s: str(s.rank),
    "Model": lambda s: s.model,
    "Score": lambda s: score(s.passed, s.planned),
    "Cost": lambda s: dollars(s.dollars),
    "Cost per pass": lambda s: dollars(s.per_pass),
    "Tier": lambda s: s.tier,
}

HEADING = "Published scores: other tasks under the same name, not comparable"


def leaderboard_markdown(board: Leaderboard, published: Sequence[PublishedScore] = ()) -> Iterator[str]:
    """Write a table per ranking, what is in none, and published scores apart from all, line by line."""
    yield from ("# Leaderboard", "")
    for ranking, title in zip(board.rankings, _titles(board), strict=True):
        yield from (f"## {for_markdown(title)}", "")
        yield from (*pipes(table_of(STANDING, ranking.standings)).splitlines(), "")
    # below the last table only: the notes are the same for all
    yield NOTES if board.rankings else "No campaign to rank."
    if len({(ranking.terms.suite, ranking.terms.digest) for ranking in board.rankings}) > 1:
        yield APART
    if any(standing.overlapped for ranking in board.rankings for standing in ranking.standings):
        yield "Seconds with a star: trials ran at the same time."
    for why in dict.fromkeys(why for _, why in board.left_out):
        names = [for_markdown(campaign) for campaign, reason in board.left_out if reason == why]
        yield from ("", f"Left out ({why}): {', '.join(names)}.")
    if published:
        yield from ("", f"## {HEADING}", "", *pipes(table_of(PUBLISHED, published)).splitlines())


def leaderboard_csv(board: Leaderboard, published: Iterable[PublishedScore] = ()) -> str:
    """Write a line per campaign, published scores under a `ranking` of their own; undefined is empty."""
    rows = [
        {column: value(title, standing) for column, value in COLUMNS.items()}
        for ranking, title in zip(board.rankings, _titles(board), strict=True)
        for standing in ranking.standings
    ]
    for one in published:
        plain = {name: getattr(one, name) for name in ("rank", "model", "passed", "planned", "tier")}
        cost = {"cost_usd": to_micro_dollars(one.dollars), "cost_per_pass_usd": to_micro_dollars(one.per_pass)}
        rows.append({"ranking": HEADING, **plain, "raw_rate": to_ratio(one.passed / one.planned), **cost})
    return csv_text(tuple(COLUMNS), rows)


def _titles(board: Leaderboard) -> list[str]:
    """Title each ranking, no two alike."""
    plain, apart = [], []
    for terms in (ranking.terms for ranking in board.rankings):
        load = f", {terms.context_load} tokens of earlier conversation" if terms.context_load else ""
        limits = f"{terms.turns:g} turns, {terms.reply_tokens:g} tokens a reply, {terms.seconds:g} s a trial"
        plain.append(f"{terms.suite}, policy {terms.policy}{load}, {count(len(terms.tasks), 'task')}, {limits}")
        apart.append(f", digest {terms.digest[:8]}: {', '.join(terms.tasks)}")
    return [title + more if plain.count(title) > 1 else title for title, more in zip(plain, apart, strict=True)]
