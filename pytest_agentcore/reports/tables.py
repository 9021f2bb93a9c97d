"""The tables that several renderings share: heads and rows of cells in words, which each renderer escapes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from pytest_agentcore.analysis.compare import Comparison, TaskComparison
from pytest_agentcore.analysis.predicted import PredictionScore
from pytest_agentcore.analysis.rank import Ranking, Standing
from pytest_agentcore.format import (
    UNDEFINED,
    average,
    bytes_of,
    dollars,
    fraction,
    interval,
    latency,
    p_value,
    points,
    score,
)
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.stats.chance import PairedTest
from pytest_agentcore.stats.counting import Rates
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_markdown, markdown_code


class Table(NamedTuple):
    """Heads, and rows with a cell below each."""

    heads: Sequence[str]
    rows: list[list[str]]
    own: int | None = None
    """The row that is about the campaign of the report itself, where others are about other campaigns."""


T = TypeVar("T")
Columns = Mapping[str, Callable[[T], str]]
"""The head of each column, and what its cell says of an item."""


def table_of(columns: Columns[T], items: Iterable[T]) -> Table:
    """Make a table with a row per item."""
    return Table(tuple(columns), [[cell(item) for cell in columns.values()] for item in items])


def pipes(table: Table, code: Sequence[str] = ()) -> str:
    """Write a Markdown table; the cells below the heads of `code` are code spans."""
    lines = [list(table.heads), ["---"] * len(table.heads)]
    for number, row in enumerate(table.rows):
        cells = []
        for head, cell in zip(table.heads, row, strict=True):
            # a sum of money is not escaped: a lone dollar sign begins no formula
            is_money = cell.startswith("$") and cell[1:].replace(".", "").isdigit()
            cells.append(markdown_code(cell) if head in code else cell if is_money else for_markdown(cell))
        if number == table.own:
            cells[1] = f"**{cells[1]}**"
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


STANDING: Columns[Standing] = {
    "Rank": lambda s: str(s.rank),
    "Model": lambda s: s.manifest.model,
    "Quant": lambda s: s.fact("quant") or UNDEFINED,
    "Score": lambda s: score(s.rates.passed, s.rates.planned),
    "95% interval": lambda s: interval(s.campaign.figures.same_tasks),
    "Effective": lambda s: score(s.rates.passed, s.rates.scored),
    "Cost": lambda s: dollars(s.effort.cost),
    "Cost per pass": lambda s: dollars(s.effort.cost_per_pass),
    "Tokens/s": lambda s: average(s.effort.tokens_per_second),
    "Seconds": lambda s: latency(s.effort.seconds.mean) + ("*" if s.overlapped else ""),
    "Memory": lambda s: UNDEFINED if s.memory is None else bytes_of(s.memory),
    "Device": lambda s: s.fact("device") or s.tier or UNDEFINED,
    "Campaign": lambda s: s.manifest.campaign,
    "Notes": lambda s: "; ".join(s.notes()),
}
"""A place among campaigns."""

PLACE = ("Rank", "Model", "Score", "95% interval", "Effective", "Cost", "Seconds", "Campaign", "Notes")
"""The columns that the report of one campaign has."""


MOST_PLACES = 30
"""Campaigns of a ranking that a report lists, its own always."""


def places(ranking: Ranking | None, me: Manifest) -> Table | None:
    """Show a campaign among the others of its results folder; None where there is no other."""
    if ranking is None or len(ranking.standings) < 2:  # noqa: PLR2004 - one is no ranking
        return None
    columns = {head: STANDING[head] for head in PLACE} | {"Notes": lambda s: "; ".join(s.notes(me.harness))}
    shown = [s for n, s in enumerate(ranking.standings) if n < MOST_PLACES or s.manifest.campaign == me.campaign]
    own = next(n for n, s in enumerate(shown) if s.manifest.campaign == me.campaign)
    return table_of(columns, shown)._replace(own=own)


def comparison_table(found: Comparison) -> Table:
    """Show each task of both campaigns, and all of them together in the last row."""
    compared: list[tuple[str, tuple[Rates, Rates], TaskComparison | PairedTest | None]]
    compared = [(task.task, (task.first.rates, task.second.rates), task) for task in found.tasks]
    rows = []
    for name, sides, of in [*compared, ("all tasks of both", found.both, found.test)]:
        shown = [points(of.difference), interval(of.interval, points), p_value(of.p), p_value(of.least_p)] if of else []
        rows.append([name, *(fraction(rates.passed, rates.scored) for rates in sides), *(shown or [UNDEFINED] * 4)])
    heads = ("Points", "95% interval", "p", "Smallest possible p")
    return Table(("Task", "A: baseline", "B: this campaign", *heads), rows)


HIT = {True: "hit", False: "miss", None: "not scored"}


def predictions_table(found: PredictionScore) -> Table:
    """Show each predicted item beside what happened."""
    rows = [[item.item, item.predicted, item.observed, HIT[item.hit], item.why] for item in found.items]
    return Table(("Item", "Predicted", "Observed", "Score", "Rule"), rows)


LISTED_RUNS = 10
"""Runs that failed alike and are listed one by one; of more only the number is said."""


def failure_notes(results: Sequence[TrialResult], planned: int) -> str:
    """Say which runs of a task did not pass and why: `run 2, 3: checker_rejected; 1 not run`."""
    runs: dict[str, list[int]] = {}
    for result in results:
        if not result.passed:
            limit = f" ({result.stop_reason})" if result.cause is Cause.budget_exhausted else ""
            runs.setdefault(f"{result.cause or result.outcome}{limit}", []).append(result.run)
    notes = [
        f"run {', '.join(map(str, found))}: {why}" if len(found) <= LISTED_RUNS else f"{len(found)} runs: {why}"
        for why, found in runs.items()
    ]
    if planned > len(results):
        notes.append(f"{planned - len(results)} not run")
    return "; ".join(notes)
