"""The leaderboard for a terminal, as Markdown, as CSV and as a page, and what separates those who stand together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_agentcore.analysis.columns import campaign_cells
from pytest_agentcore.analysis.rank import (
    Leaderboard,
    Neighbours,
    PublishedScore,
    Ranking,
    Standing,
    neighbours,
    other_conditions,
)
from pytest_agentcore.format import count, dollars, fraction, interval, joined, labelled, p_is, points, score, wrapped
from pytest_agentcore.format import table as laid_out
from pytest_agentcore.pack.csv import Cell, csv_text, to_micro_dollars, to_milliseconds, to_ratio
from pytest_agentcore.reports.rendering import board_page
from pytest_agentcore.reports.tables import STANDING, Columns, Table, pipes, table_of
from pytest_agentcore.stats.chance import PairedTest, is_significant
from pytest_agentcore.untrusted import clip, columns, for_markdown, visible

NOTES = (
    "The rank is by passed of planned trials; equal scores share one. The interval is for the rate among scored trials "
    "(Effective), on the same tasks again. Tokens/s are those of replies while the model was at work, seconds the mean "
    "of a trial; both depend on the machine. Memory is file, caches and buffers of a model in this process."
)
APART = (
    "Another suite, or another version or digest of one, has a ranking of its own: its tasks have other prompts, files "
    "or checkers, so scores cannot be held against each other."
)
OVERLAPPED = "Seconds with a star: trials ran at the same time."


class Place(NamedTuple):
    """A campaign's place in a CSV."""

    ranking: str
    standing: Standing
    next: Neighbours | None
    """With the campaign below."""

    @property
    def test(self) -> PairedTest | None:
        """The test of the two."""
        return self.next.test if self.next else None


COLUMNS: Mapping[str, Callable[[Place], Cell]] = {
    "ranking": lambda r: r.ranking,
    "rank": lambda r: r.standing.rank,
    "model": lambda r: r.standing.manifest.model,
    "passed": lambda r: r.standing.rates.passed,
    "planned": lambda r: r.standing.rates.planned,
    "scored": lambda r: r.standing.rates.scored,
    "raw_rate": lambda r: to_ratio(r.standing.rates.raw),
    "effective_rate": lambda r: to_ratio(r.standing.rates.effective),
    "interval_low": lambda r: to_ratio(getattr(r.standing.campaign.figures.same_tasks, "low", None)),
    "interval_high": lambda r: to_ratio(getattr(r.standing.campaign.figures.same_tasks, "high", None)),
    "cost_usd": lambda r: to_micro_dollars(r.standing.effort.cost),
    "cost_per_pass_usd": lambda r: to_micro_dollars(r.standing.effort.cost_per_pass),
    "tier": lambda r: r.standing.tier,
    "mean_seconds": lambda r: to_milliseconds(r.standing.effort.seconds.mean),
    "overlapped": lambda r: r.standing.overlapped,
    "policy": lambda r: r.standing.manifest.policy,
    "context_load": lambda r: r.standing.manifest.context_load,
    "harness": lambda r: r.standing.manifest.harness,
    "suite": lambda r: r.standing.manifest.suite.title,
    "suite_version": lambda r: r.standing.manifest.suite.version,
    "suite_digest": lambda r: r.standing.manifest.judged_by,
    "campaign": lambda r: r.standing.manifest.campaign,
    "recorded": lambda r: r.standing.rates.recorded,
    "turns": lambda r: r.standing.manifest.budget.get("turns"),
    "reply_tokens": lambda r: r.standing.manifest.budget.get("reply_tokens"),
    "trial_seconds": lambda r: r.standing.manifest.budget.get("seconds"),
    "sandbox": lambda r: str(r.standing.manifest.sandbox.get("name") or ""),
    "quant": lambda r: r.standing.fact("quant"),
    "device": lambda r: r.standing.fact("device"),
    "tokens_per_second": lambda r: to_milliseconds(r.standing.effort.tokens_per_second),
    "memory_bytes": lambda r: r.standing.memory,
    "next_difference": lambda r: to_ratio(r.test.difference) if r.test else None,
    "next_low": lambda r: to_ratio(r.test.interval.low) if r.test else None,
    "next_high": lambda r: to_ratio(r.test.interval.high) if r.test else None,
    "next_p": lambda r: r.test.p if r.test else None,
    "next_corrected_p": lambda r: r.next.corrected_p if r.next else None,
}
"""The CSV by its columns. New columns come last."""

SHOWN = [head for head in STANDING if head != "Cost"]
"""Columns of Markdown and page; what a campaign cost stands in the CSV."""

PUBLISHED: Columns[PublishedScore] = {
    "Rank": lambda s: str(s.rank),
    "Model": lambda s: s.model,
    "Score": lambda s: score(s.passed, s.planned),
    "Cost": lambda s: dollars(s.dollars),
    "Cost per pass": lambda s: dollars(s.per_pass),
    "Tier": lambda s: s.tier,
}

HEADING = "Published scores: other tasks under the same name, not comparable"


LEAST_NAME = 16
"""Columns that a name takes at least, before a table of so little room has no columns at all."""
NAMED = 32
"""Columns of a name in a sentence about many."""


def leaderboard_lines(board: Leaderboard, published: Sequence[PublishedScore], width: int) -> Iterator[str]:
    """Write it for a terminal: numbers in columns, and below each row what else is known of the campaign."""
    for ranking, title in zip(board.rankings, _titles(board), strict=True):
        yield from (*labelled("ranking", title, width), "")
        rows: list[Sequence[str]] = [("model", "passed", "95% interval", "tok/s", "memory", "per pass")]
        notes = [""]
        names = [_name(standing, ranking) for standing in ranking.standings]
        for name, standing in zip(names, ranking.standings, strict=True):
            shown = {head: STANDING[head](standing) for head in SHOWN}
            numbers = [shown[head] for head in ("95% interval", "Tokens/s", "Memory", "Cost per pass")]
            rows.append((f"{standing.rank} {name}", fraction(standing.rates.passed, standing.rates.planned), *numbers))
            known = [shown["Quant"], shown["Device"], f"{shown['Seconds']} a trial", shown["Campaign"], shown["Notes"]]
            notes.append(joined(word for word in known if word != "-"))
        # a name that is too long gives way, and stands below its row
        room = width - sum(max(columns(row[i]) for row in rows) + 2 for i in range(1, len(rows[0])))
        for number, name in enumerate(names, 1):
            if room >= LEAST_NAME and columns(rows[number][0]) > room:
                rows[number] = (clip(rows[number][0], room), *rows[number][1:])
                notes[number] = f"{name} · {notes[number]}"
        yield from laid_out(rows, notes, width)
        yield ""
        for sentence in sentences(ranking):
            yield from wrapped(sentence, width)
        yield ""
    for sentence in _closing(board):
        yield from wrapped(sentence, width)
    if published:
        found = table_of(PUBLISHED, published)
        cells = [(f"{rank} {model}", *rest) for rank, model, *rest in found.rows]
        yield from ("", *wrapped(HEADING, width), "")
        yield from laid_out(
            [("model", "score", "cost", "per pass"), *(row[:-1] for row in cells)],
            ["tier", *(row[-1] for row in cells)],
            width,
        )


def leaderboard_markdown(board: Leaderboard, published: Sequence[PublishedScore] = ()) -> Iterator[str]:
    """Write a table per ranking, what is in none, and published scores apart from all, line by line."""
    yield from ("# Leaderboard", "")
    for title, table, said in _sections(board, published):
        yield from (f"## {for_markdown(title)}", "", *pipes(table).splitlines(), "")
        for sentence in said:
            yield from (for_markdown(sentence), "")
    for sentence in _closing(board):
        yield from (for_markdown(sentence), "")


def leaderboard_page(board: Leaderboard, published: Sequence[PublishedScore] = ()) -> Iterator[str]:
    """Write it as one HTML page that needs nothing else."""
    sections = [
        (title, table._replace(rows=[[visible(cell) for cell in row] for row in table.rows]), list(map(visible, said)))
        for title, table, said in _sections(board, published)
    ]
    return board_page(sections, list(_closing(board)))


def leaderboard_csv(board: Leaderboard, published: Iterable[PublishedScore] = ()) -> str:
    """Write a line per campaign, published scores under a `ranking` of their own; undefined is empty."""
    rows: list[Mapping[str, Cell]] = []
    for ranking, title in zip(board.rankings, _titles(board), strict=True):
        below: list[Neighbours | None] = [*neighbours(ranking), None]
        placed = [Place(title, *pair) for pair in zip(ranking.standings, below, strict=True)]
        rows += [{column: value(row) for column, value in COLUMNS.items()} for row in placed]
    for one in published:
        plain = {name: getattr(one, name) for name in ("rank", "model", "passed", "planned", "tier")}
        cost = {"cost_usd": to_micro_dollars(one.dollars), "cost_per_pass_usd": to_micro_dollars(one.per_pass)}
        rows.append({"ranking": HEADING, **plain, "raw_rate": to_ratio(one.passed / one.planned), **cost})
    return csv_text(tuple(COLUMNS), rows)


def leaderboard_facts(board: Leaderboard) -> Iterator[dict[str, Any]]:
    """Give each ranking for programs: its campaigns in their order, and the test of each with the one below."""
    for ranking, title in zip(board.rankings, _titles(board), strict=True):
        standings = [
            {"rank": one.rank, "memory_bytes": one.memory, "tier": one.tier, **campaign_cells(one.campaign)}
            for one in ranking.standings
        ]
        pairs = [
            {
                "above": pair.above.manifest.campaign,
                "below": pair.below.manifest.campaign,
                "test": pair.test,
                "corrected_p": pair.corrected_p,
            }
            for pair in neighbours(ranking)
        ]
        yield {"ranking": title, "standings": standings, "neighbours": pairs, "says": list(sentences(ranking))}


Section = tuple[str, Table, list[str]]
"""A heading, the table below it, and the sentences below that."""


def _sections(board: Leaderboard, published: Sequence[PublishedScore]) -> list[Section]:
    heads = {head: STANDING[head] for head in SHOWN}
    found = [
        (title, table_of(heads, ranking.standings), list(sentences(ranking)))
        for ranking, title in zip(board.rankings, _titles(board), strict=True)
    ]
    return [*found, (HEADING, table_of(PUBLISHED, published), [])] if published else found


def _closing(board: Leaderboard) -> Iterator[str]:
    """Say below the last table what holds for all: what the columns mean, and what is ranked nowhere."""
    yield NOTES if board.rankings else "No campaign to rank."
    if len({(ranking.terms.suite, ranking.terms.digest) for ranking in board.rankings}) > 1:
        yield APART
    if any(standing.overlapped for ranking in board.rankings for standing in ranking.standings):
        yield OVERLAPPED
    for why in dict.fromkeys(why for _, why in board.left_out):
        yield f"Left out ({why}): {', '.join(campaign for campaign, reason in board.left_out if reason == why)}."


LISTED = 10
"""Pairs that are named of each kind; of more only their number is said."""


def sentences(ranking: Ranking) -> Iterator[str]:
    """Say what separates neighbours and what does not, and who ran under other conditions than the first."""
    if len(ranking.standings) == 1:
        yield "Only one campaign: there is nothing to compare it with."
        return
    pairs = neighbours(ranking)
    kinds: dict[str, list[str]] = {}
    for pair in pairs:
        kind, said = _apart(pair, ranking)
        kinds.setdefault(kind, []).append(said)
    parts = []
    for kind in filter(kinds.get, (TOLD, ONCE, SAME, UNTESTED)):
        named, more = kinds[kind][:LISTED], len(kinds[kind]) - LISTED
        parts.append(f"{kind.format(looks=len(pairs))}: {', '.join(named)}{f' and {more} more' if more > 0 else ''}")
    yield f"Neighbours: {'; '.join(parts)}."
    known = {standing.manifest.campaign: _named(standing, ranking) for standing in ranking.standings}
    others = [f"{known[campaign]} ({', '.join(names)})" for campaign, names in other_conditions(ranking).items()]
    if others:
        rest = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
        first = _named(ranking.standings[0], ranking)
        yield f"Other conditions than {first}: {', '.join(others[:LISTED])}{rest}; agentcore compare shows the values."


TOLD, ONCE = "told apart by more than chance", "told apart only if this were the sole comparison and not one of {looks}"
SAME, UNTESTED = "not told apart", "not tested, since one side has no scored trial"


def _apart(pair: Neighbours, ranking: Ranking) -> tuple[str, str]:
    """Which kind of neighbours they are, and what their test says, in which interval and p agree."""
    names, test = f"{_named(pair.above, ranking)} and {_named(pair.below, ranking)}", pair.test
    if test is None or pair.corrected_p is None:
        return UNTESTED, names
    kind = TOLD if is_significant(pair.corrected_p) else ONCE if is_significant(test.p) else SAME
    few = "" if is_significant(test.least_p) else ", too few trials to show anything"
    if test.difference < 0:  # its place is by planned trials, and some of those have no score
        few += ", the lower one passed more of its scored trials"
    ahead = f"{points(test.difference)} points, 95% interval {interval(test.interval, points)}, {p_is(test.p)}{few}"
    return kind, f"{names} ({ahead})"


def _name(standing: Standing, ranking: Ranking) -> str:
    """The model, with its quant where several campaigns are of it; the campaign where that does not tell them apart."""
    models = Counter(each.manifest.model for each in ranking.standings)
    quants = Counter((each.manifest.model, each.fact("quant")) for each in ranking.standings)
    model, quant = standing.manifest.model, standing.fact("quant")
    if models[model] == 1:
        return model
    return f"{model} {quant}" if quant and quants[model, quant] == 1 else standing.manifest.campaign


def _named(standing: Standing, ranking: Ranking) -> str:
    """The same in a sentence; what is cut short is known by its rank."""
    name = _name(standing, ranking)
    return name if columns(name) <= NAMED else f"{clip(name, NAMED)} (rank {standing.rank})"


def _titles(board: Leaderboard) -> list[str]:
    """Title each ranking, no two alike."""
    plain, apart = [], []
    for terms in (ranking.terms for ranking in board.rankings):
        load = f", {terms.context_load} tokens of earlier conversation" if terms.context_load else ""
        limits = f"{terms.turns:g} turns, {terms.reply_tokens:g} tokens a reply, {terms.seconds:g} s a trial"
        plain.append(f"{terms.suite}, policy {terms.policy}{load}, {count(len(terms.tasks), 'task')}, {limits}")
        apart.append(f", digest {terms.digest[:8]}: {', '.join(terms.tasks)}")
    return [title + more if plain.count(title) > 1 else title for title, more in zip(plain, apart, strict=True)]
