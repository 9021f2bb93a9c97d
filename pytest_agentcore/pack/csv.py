"""The verification tables: pure functions from manifest and results to rows.

Every table names the policy in each row. The row of task `*` is over all tasks. Undefined cells are None.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from pytest_agentcore.pack.digests import Seals, in_order, put
from pytest_agentcore.pack.figures import EVERY
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.stats import (
    Distribution,
    Rates,
    basis,
    by_task,
    cause_counts,
    distinct,
    mean,
    outcome_counts,
    ratio,
)
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialResult, dollars
from pytest_agentcore.untrusted import for_csv


def to_milliseconds(seconds: float | None) -> float | None:
    """Milliseconds are kept."""
    return None if seconds is None else round(seconds, 3)


def to_ratio(value: float | None) -> float | None:
    """Four decimals: rates and averages of counts."""
    return None if value is None else round(value, 4)


def to_micro_dollars(dollars: float | None) -> float | None:
    """A millionth of a dollar is kept: one token of a cheap model."""
    return None if dollars is None else round(dollars, 6)


Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Manifest, Sequence[TrialResult]], list[Row]]


def trials(_manifest: Manifest, results: Sequence[TrialResult]) -> list[Row]:
    """A row per trial: every field of its result."""
    return [{**{name: getattr(result, name) for name in (*_FIELDS, *_ADDED)}, **_derived(result)} for result in results]


def pass_rate_by_task(manifest: Manifest, results: Sequence[TrialResult]) -> list[Row]:
    """Passes, and what they are a part of."""
    return [
        {
            "task": group.task,
            "policy": manifest.policy,
            "planned": (rates := Rates.of(group.results, group.planned)).planned,
            "recorded": rates.recorded,
            "scored": rates.scored,
            "passed": rates.passed,
            "raw_rate": to_ratio(rates.raw),
            "effective_rate": to_ratio(rates.effective),
            "distinct": distinct(group.results),
        }
        for group in _groups(manifest, results)
    ]


def failure_mode_histogram(manifest: Manifest, results: Sequence[TrialResult]) -> list[Row]:
    """Trials per outcome, all outcomes present, and below each its causes."""
    rows: list[Row] = []
    causes = cause_counts(results)
    for outcome, n in outcome_counts(results, len(manifest.planned)).items():
        rows.append(_histogram_row(manifest, outcome, EVERY, "", n))
        rows += [
            _histogram_row(manifest, outcome, cause.value, cause.attribution.value, n)
            for (of, cause), n in causes.items()
            if of == outcome
        ]
    return rows


def latency_distribution(manifest: Manifest, results: Sequence[TrialResult]) -> list[Row]:
    """Seconds per trial."""
    rows: list[Row] = []
    for group in _groups(manifest, results):
        over, counted = basis(group.results)
        seconds = Distribution.of(result.seconds for result in counted)
        rows.append(
            {
                "task": group.task,
                "policy": manifest.policy,
                "over": over,
                "trials": seconds.n,
                "mean_seconds": to_milliseconds(seconds.mean),
                "p50_seconds": to_milliseconds(seconds.p50),
                "p95_seconds": to_milliseconds(seconds.p95),
                "min_seconds": to_milliseconds(seconds.least),
                "max_seconds": to_milliseconds(seconds.most),
                "mean_model_seconds": to_milliseconds(mean([result.model_seconds for result in counted])),
                "mean_tool_seconds": to_milliseconds(mean([result.tool_seconds for result in counted])),
                "ended_by_time_limit": sum(result.stop_reason is StopReason.time_limit for result in counted),
                "parallel": manifest.parallel,
            }
        )
    return rows


def tool_calls_by_task(manifest: Manifest, results: Sequence[TrialResult]) -> list[Row]:
    """Calls and turns per trial."""
    rows: list[Row] = []
    for group in _groups(manifest, results):
        over, counted = basis(group.results)
        calls = Distribution.of(result.tool_calls for result in counted)
        turns = Distribution.of(result.turns for result in counted)
        rows.append(
            {
                "task": group.task,
                "policy": manifest.policy,
                "over": over,
                "trials": calls.n,
                "tool_calls": sum(result.tool_calls for result in counted),
                "mean_tool_calls": to_ratio(calls.mean),
                "p50_tool_calls": to_ratio(calls.p50),
                "max_tool_calls": calls.most,
                "mean_turns": to_ratio(turns.mean),
                "max_turns": turns.most,
                "problems": sum(result.problems for result in counted),
                "repairs": sum(result.repairs for result in counted),
            }
        )
    return rows


def cost_breakdown(manifest: Manifest, results: Sequence[TrialResult]) -> list[Row]:
    """Tokens, seconds and money of every recorded trial, unscored ones included: they were paid for too."""
    rows: list[Row] = []
    for group in _groups(manifest, results):
        prices = manifest.prices
        total = sum(dollars(result, prices) for result in group.results) if prices else None
        passed = sum(result.passed is True for result in group.results)
        rows.append(
            {
                "task": group.task,
                "policy": manifest.policy,
                "trials": len(group.results),
                "passed": passed,
                "prompt_tokens": sum(result.prompt_tokens for result in group.results),
                "cached_tokens": sum(result.cached_tokens for result in group.results),
                "reply_tokens": sum(result.reply_tokens for result in group.results),
                "seconds": to_milliseconds(sum(result.seconds for result in group.results)),
                "model_seconds": to_milliseconds(sum(result.model_seconds for result in group.results)),
                "tool_seconds": to_milliseconds(sum(result.tool_seconds for result in group.results)),
                "cost_usd": to_micro_dollars(total),
                "cost_per_trial_usd": to_micro_dollars(None if total is None else ratio(total, len(group.results))),
                "cost_per_pass_usd": to_micro_dollars(None if total is None else ratio(total, passed)),
                "tokens_per_second": to_ratio(
                    ratio(
                        sum(result.reply_tokens for result in group.results),
                        sum(result.model_seconds for result in group.results),
                    )
                ),
            }
        )
    return rows


@dataclass(frozen=True, slots=True)
class _Group:
    task: str
    planned: int
    results: list[TrialResult]


def _groups(manifest: Manifest, results: Sequence[TrialResult]) -> list[_Group]:
    """Per task, then all together."""
    per_task = by_task(results, manifest.tasks)
    groups = [_Group(task, manifest.tasks.get(task, 0), found) for task, found in per_task.items()]
    return [*groups, _Group(EVERY, len(manifest.planned), list(results))]


def _derived(result: TrialResult) -> Row:
    return {
        "seconds": to_milliseconds(result.seconds),
        "model_seconds": to_milliseconds(result.model_seconds),
        "tool_seconds": to_milliseconds(result.tool_seconds),
        "outcome": result.outcome,
        "attribution": result.attribution,
        "transcript": address_of(result),
        "workspace": f"data/workspaces/{result.attempt}.tar.gz",
    }


def _histogram_row(manifest: Manifest, outcome: str, cause: str, attribution: str, n: int) -> Row:
    return {
        "policy": manifest.policy,
        "outcome": outcome,
        "cause": cause,
        "attribution": attribution or None,
        "trials": n,
        "share_of_planned": to_ratio(ratio(n, len(manifest.planned))),
    }


_ADDED = ("context_load",)
"""Fields that came later and stand behind the other columns."""
_FIELDS = tuple(field.name for field in fields(TrialResult) if field.name not in _ADDED)

TABLES = (
    Table("trials", (*_FIELDS, "outcome", "attribution", "transcript", "workspace", *_ADDED), trials),
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


def write_verification(
    folder: CampaignFolder, manifest: Manifest, results: Sequence[TrialResult], seals: Seals | None = None
) -> None:
    """Write every table anew; each file is replaced whole, so a reader at any moment sees a consistent one."""
    ordered = in_order(results)
    put(folder, {name_of(table.name): to_csv(table, manifest, ordered) for table in TABLES}, seals)


def name_of(table: str) -> str:
    """Of a table's file inside the pack."""
    return f"verification/{table}.csv"


def to_csv(table: Table, manifest: Manifest, results: Sequence[TrialResult]) -> bytes:
    r"""UTF-8, comma, `\n`, a header line; `true` and `false`; undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(row[column]) for column in table.columns] for row in table.rows(manifest, results))
    return text.getvalue().encode("utf-8")


def _cell(value: Cell) -> Cell:
    if isinstance(value, bool):
        return "true" if value else "false"
    return for_csv(value) if isinstance(value, str) else value
