"""The tables below verification/: which there are, their rows, and how a table becomes a file and is read again.

Every number in them comes from the campaign's figures; here they are only rounded and laid out. Every table names the
policy in each row, the row of task `*` is over all tasks, and undefined cells are None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_agentcore.pack.digests import Seals, put
from pytest_agentcore.pack.figures import EVERY
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.stats.counting import ratio
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import for_csv

if TYPE_CHECKING:
    from pandas import DataFrame

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    r"""A table as it stands in a file: comma, `\n`, a header line; `true` and `false`; undefined is empty."""
    import pandas  # noqa: PLC0415 - slow to import, and nobody needs it before a session ends

    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    # Without a type of its own no column is converted: an integer beside an empty cell stays one.
    text: str = pandas.DataFrame(cells, columns=list(columns), dtype=object).to_csv(index=False, lineterminator="\n")
    return text


def read_csv(content: bytes) -> DataFrame:
    """A table as it stands in a file: every cell a text, an undefined one empty.

    Raises:
        ValueError: it is no table.
    """
    import pandas  # noqa: PLC0415 - as above

    return pandas.read_csv(BytesIO(content), dtype=str, keep_default_na=False, encoding_errors="replace")


def _cell(value: Cell) -> Cell:
    if isinstance(value, bool):
        return "true" if value else "false"
    return for_csv(value) if isinstance(value, str) else value


def to_milliseconds(seconds: float | None) -> float | None:
    """Milliseconds are kept."""
    return None if seconds is None else round(seconds, 3)


def to_ratio(value: float | None) -> float | None:
    """Four decimals: rates and averages of counts."""
    return None if value is None else round(value, 4)


def to_micro_dollars(dollars: float | None) -> float | None:
    """A millionth of a dollar is kept: one token of a cheap model."""
    return None if dollars is None else round(dollars, 6)


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


def trials(campaign: Campaign) -> Iterator[Row]:
    """A row per trial: every field of its result."""
    for result in campaign.results:
        yield {name: getattr(result, name) for name in _FIELDS} | {
            "seconds": to_milliseconds(result.seconds),
            "model_seconds": to_milliseconds(result.model_seconds),
            "tool_seconds": to_milliseconds(result.tool_seconds),
            "outcome": result.outcome,
            "attribution": result.attribution,
            "transcript": address_of(result),
            "workspace": f"data/workspaces/{result.attempt}.tar.gz",
        }


def pass_rate_by_task(campaign: Campaign) -> Iterator[Row]:
    """Passes, and what they are a part of."""
    for group in campaign.figures.groups:
        rates = group.rates
        yield {
            "task": group.task,
            "policy": campaign.manifest.policy,
            "planned": rates.planned,
            "recorded": rates.recorded,
            "scored": rates.scored,
            "passed": rates.passed,
            "raw_rate": to_ratio(rates.raw),
            "effective_rate": to_ratio(rates.effective),
            "distinct": group.distinct.n,
        }


def failure_mode_histogram(campaign: Campaign) -> Iterator[Row]:
    """Trials per outcome, all outcomes present, and below each its causes."""
    figures = campaign.figures

    def row(outcome: str, cause: str, attribution: str | None, trials: int) -> Row:
        share = to_ratio(ratio(trials, figures.overall.rates.planned))
        counted = {"outcome": outcome, "cause": cause, "attribution": attribution, "trials": trials}
        return {"policy": campaign.manifest.policy, **counted, "share_of_planned": share}

    for outcome, trials in figures.outcomes.items():
        yield row(outcome, EVERY, None, trials)
        for (of, cause), part in figures.causes.items():
            if of == outcome:
                yield row(outcome, cause.value, cause.attribution.value, part)


def latency_distribution(campaign: Campaign) -> Iterator[Row]:
    """Seconds per trial."""
    for group in campaign.figures.groups:
        effort, seconds = group.effort, group.effort.seconds
        yield {
            "task": group.task,
            "policy": campaign.manifest.policy,
            "over": effort.basis,
            "trials": seconds.n,
            "mean_seconds": to_milliseconds(seconds.mean),
            "p50_seconds": to_milliseconds(seconds.p50),
            "p95_seconds": to_milliseconds(seconds.p95),
            "min_seconds": to_milliseconds(seconds.least),
            "max_seconds": to_milliseconds(seconds.most),
            "mean_model_seconds": to_milliseconds(effort.mean_model_seconds),
            "mean_tool_seconds": to_milliseconds(effort.mean_tool_seconds),
            "ended_by_time_limit": effort.timed_out,
            "parallel": campaign.manifest.parallel,
        }


def tool_calls_by_task(campaign: Campaign) -> Iterator[Row]:
    """Calls and turns per trial."""
    for group in campaign.figures.groups:
        effort, calls, turns = group.effort, group.effort.tool_calls, group.effort.turns
        yield {
            "task": group.task,
            "policy": campaign.manifest.policy,
            "over": effort.basis,
            "trials": calls.n,
            "tool_calls": calls.total,
            "mean_tool_calls": to_ratio(calls.mean),
            "p50_tool_calls": to_ratio(calls.p50),
            "max_tool_calls": calls.most,
            "mean_turns": to_ratio(turns.mean),
            "max_turns": turns.most,
            "problems": effort.problems,
            "repairs": effort.repairs,
        }


def cost_breakdown(campaign: Campaign) -> Iterator[Row]:
    """Tokens, seconds and money of every recorded trial, unscored ones included: they were paid for too."""
    for group in campaign.figures.groups:
        rates, effort = group.rates, group.effort
        yield {
            "task": group.task,
            "policy": campaign.manifest.policy,
            "trials": rates.recorded,
            "passed": rates.passed,
            "prompt_tokens": effort.prompt_tokens,
            "cached_tokens": effort.cached_tokens,
            "reply_tokens": effort.reply_tokens,
            "seconds": to_milliseconds(effort.total_seconds),
            "model_seconds": to_milliseconds(effort.model_seconds),
            "tool_seconds": to_milliseconds(effort.tool_seconds),
            "cost_usd": to_micro_dollars(effort.cost.total),
            "cost_per_trial_usd": to_micro_dollars(effort.cost.per_run),
            "cost_per_pass_usd": to_micro_dollars(effort.cost.per_pass),
            "tokens_per_second": to_ratio(effort.tokens_per_second),
        }


_FIELDS = tuple(field.name for field in fields(TrialResult))

TABLES = (
    Table("trials", (*_FIELDS, "outcome", "attribution", "transcript", "workspace"), trials),
    Table(
        "pass_rate_by_task",
        ("task", "policy", "planned", "recorded", "scored", "passed", "raw_rate", "effective_rate", "distinct"),
        pass_rate_by_task,
    ),
    Table(
        "failure_mode_histogram",
        ("policy", "outcome", "cause", "attribution", "trials", "share_of_planned"),
        failure_mode_histogram,
    ),
    Table(
        "latency_distribution",
        (
            *("task", "policy", "over", "trials"),
            *("mean_seconds", "p50_seconds", "p95_seconds", "min_seconds", "max_seconds"),
            *("mean_model_seconds", "mean_tool_seconds", "ended_by_time_limit", "parallel"),
        ),
        latency_distribution,
    ),
    Table(
        "tool_calls_by_task",
        (
            *("task", "policy", "over", "trials"),
            *("tool_calls", "mean_tool_calls", "p50_tool_calls", "max_tool_calls"),
            *("mean_turns", "max_turns", "problems", "repairs"),
        ),
        tool_calls_by_task,
    ),
    Table(
        "cost_breakdown",
        (
            *("task", "policy", "trials", "passed", "prompt_tokens", "cached_tokens", "reply_tokens"),
            *("seconds", "model_seconds", "tool_seconds", "cost_usd", "cost_per_trial_usd", "cost_per_pass_usd"),
            "tokens_per_second",
        ),
        cost_breakdown,
    ),
)
"""In the order of the docs; columns stay where they are, new ones come last."""
