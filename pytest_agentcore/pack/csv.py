"""The tables below verification/: which there are, their rows, and how a table becomes a file and is read again.

Every number in them comes from the campaign's figures; here they are only rounded and laid out. Every table names the
policy in each row, the row of task `*` is over all tasks, and undefined cells are None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from operator import attrgetter
from typing import Generic, TypeVar

from pytest_agentcore.pack.digests import Seals, put
from pytest_agentcore.pack.figures import EVERY, Figures
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.stats.counting import ratio
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_csv

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    r"""A table as it stands in a file: comma, `\n`, a header line; `true` and `false`; undefined is empty."""
    import pandas  # noqa: PLC0415 - slow to import, and nobody needs it before a session ends

    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    # Without a type of its own no column is converted: an integer beside an empty cell stays one.
    text: str = pandas.DataFrame(cells, columns=list(columns), dtype=object).to_csv(index=False, lineterminator="\n")
    return text


def _cell(value: Cell) -> Cell:
    if isinstance(value, bool):
        return "true" if value else "false"
    return for_csv(value) if isinstance(value, str) else value


def _round(digits: int, value: float | None) -> float | None:
    return None if value is None else round(value, digits)


to_milliseconds = partial(_round, 3)
"""Milliseconds are kept."""
to_ratio = partial(_round, 4)
"""Rates and averages of counts."""
to_micro_dollars = partial(_round, 6)
"""A millionth of a dollar is kept: one token of a cheap model."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """One CSV, made of a campaign or of what is computed from one."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[T], Iterator[Row]]

    @property
    def file(self) -> str:
        """Its name inside the pack."""
        return f"verification/{self.name}.csv"

    def content(self, of: T) -> bytes:
        """Write the table as it stands in its file."""
        return csv_text(self.columns, self.rows(of)).encode("utf-8")


def write_tables(campaign: Campaign, folder: CampaignFolder, seals: Seals | None = None) -> None:
    """Write every table anew; each file is replaced whole, so a reader at any moment sees a consistent one."""
    put(folder, {table.file: table.content(campaign) for table in TABLES}, seals)


def _trials(campaign: Campaign) -> Iterator[Row]:
    for result in campaign.results:
        yield {name: getattr(result, name) for name in _FIELDS} | {
            **{name: to_milliseconds(getattr(result, name)) for name in ("seconds", "model_seconds", "tool_seconds")},
            "outcome": result.outcome,
            "attribution": result.attribution,
            "transcript": address_of(result),
            "workspace": f"data/workspaces/{result.attempt}.tar.gz",
        }


def _failure_modes(campaign: Campaign) -> Iterator[Row]:
    """All outcomes are present, and below each are its causes."""
    planned = campaign.figures.overall.rates.planned
    for outcome, trials in campaign.figures.outcomes.items():
        causes = [(cause, n) for (of, cause), n in campaign.figures.causes.items() if of == outcome]
        for cause, n in [(None, trials), *causes]:
            yield {
                "policy": campaign.manifest.policy,
                "outcome": outcome,
                "cause": cause.value if cause else EVERY,
                "attribution": cause.attribution.value if cause else None,
                "trials": n,
                "share_of_planned": to_ratio(ratio(n, planned)),
            }


Column = Callable[[Figures], Cell]


def _per_task(name: str, columns: Mapping[str, Column], *last: str) -> Table[Campaign]:
    """A table with a row for each task and one for all of them; its `last` columns are fields of the manifest."""

    def rows(campaign: Campaign) -> Iterator[Row]:
        same = {field: getattr(campaign.manifest, field) for field in ("policy", *last)}
        for group in campaign.figures.groups:
            yield {"task": group.task, **same, **{column: cell(group) for column, cell in columns.items()}}

    return Table(name, ("task", "policy", *columns, *last), rows)


_RATES: Mapping[str, Column] = {
    **{name: attrgetter(f"rates.{name}") for name in ("planned", "recorded", "scored", "passed")},
    "raw_rate": lambda group: to_ratio(group.rates.raw),
    "effective_rate": lambda group: to_ratio(group.rates.effective),
    "distinct": lambda group: group.distinct.n,
}
_LATENCY: Mapping[str, Column] = {
    "over": lambda group: group.effort.basis,
    "trials": lambda group: group.effort.seconds.n,
    "mean_seconds": lambda group: to_milliseconds(group.effort.seconds.mean),
    "p50_seconds": lambda group: to_milliseconds(group.effort.seconds.p50),
    "p95_seconds": lambda group: to_milliseconds(group.effort.seconds.p95),
    "min_seconds": lambda group: to_milliseconds(group.effort.seconds.least),
    "max_seconds": lambda group: to_milliseconds(group.effort.seconds.most),
    "mean_model_seconds": lambda group: to_milliseconds(group.effort.mean_model_seconds),
    "mean_tool_seconds": lambda group: to_milliseconds(group.effort.mean_tool_seconds),
    "ended_by_time_limit": lambda group: group.effort.timed_out,
}
_CALLS: Mapping[str, Column] = {
    "over": lambda group: group.effort.basis,
    "trials": lambda group: group.effort.tool_calls.n,
    "tool_calls": lambda group: group.effort.tool_calls.total,
    "mean_tool_calls": lambda group: to_ratio(group.effort.tool_calls.mean),
    "p50_tool_calls": lambda group: to_ratio(group.effort.tool_calls.p50),
    "max_tool_calls": lambda group: group.effort.tool_calls.most,
    "mean_turns": lambda group: to_ratio(group.effort.turns.mean),
    "max_turns": lambda group: group.effort.turns.most,
    "problems": lambda group: group.effort.problems,
    "repairs": lambda group: group.effort.repairs,
}
_COST: Mapping[str, Column] = {
    "trials": lambda group: group.rates.recorded,
    "passed": lambda group: group.rates.passed,
    **{name: attrgetter(f"effort.{name}") for name in ("prompt_tokens", "cached_tokens", "reply_tokens")},
    "seconds": lambda group: to_milliseconds(group.effort.total_seconds),
    "model_seconds": lambda group: to_milliseconds(group.effort.model_seconds),
    "tool_seconds": lambda group: to_milliseconds(group.effort.tool_seconds),
    "cost_usd": lambda group: to_micro_dollars(group.effort.cost),
    "cost_per_trial_usd": lambda group: to_micro_dollars(group.effort.cost_per_trial),
    "cost_per_pass_usd": lambda group: to_micro_dollars(group.effort.cost_per_pass),
    "tokens_per_second": lambda group: to_ratio(group.effort.tokens_per_second),
}
_FIELDS = tuple(field.name for field in fields(TrialResult))

TABLES = (
    Table("trials", (*_FIELDS, "outcome", "attribution", "transcript", "workspace"), _trials),
    _per_task("pass_rate_by_task", _RATES),
    Table(
        "failure_mode_histogram",
        ("policy", "outcome", "cause", "attribution", "trials", "share_of_planned"),
        _failure_modes,
    ),
    _per_task("latency_distribution", _LATENCY, "parallel"),
    _per_task("tool_calls_by_task", _CALLS),
    _per_task("cost_breakdown", _COST),
)
"""In the order of the docs; columns stay where they are, new ones come last."""
