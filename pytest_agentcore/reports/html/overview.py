"""The static part of the page as plain values: tiles, map of tasks and runs, tables. Text is raw here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_agentcore import format as numbers
from pytest_agentcore.format import average, count, dollars, duration, fraction, latency, percent, thousands
from pytest_agentcore.pack.figures import CampaignFigures, Figures
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.stats import NOT_RUN
from pytest_agentcore.stats.intervals import Interval
from pytest_agentcore.trial.result import TrialResult

SIGNS: Mapping[str, str] = {
    "passed": "✓",
    "wrong_answer": "✗",
    "gave_up_mid_plan": "…",
    "infrastructure_error": "!",
    "interrupted": "‖",
    NOT_RUN: "·",
}
"""Beside the colour, for those who do not see it and for paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number of the headline."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of the two questions that an overall interval answers."""

    text: str
    method: str
    interval: Interval | None
    undefined: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One trial in the map."""

    attempt: str
    """UUID; empty where the trial did not run."""
    outcome: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLine:
    """One task in the map."""

    task: str
    passed: int
    scored: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A row per task, the last over all of them; the first cell of a row is the task."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def questions(figures: CampaignFigures) -> tuple[Question, Question]:
    """Both overall intervals, named by what they answer."""
    return (
        Question(
            text="The same tasks again",
            method="stratified by task",
            interval=figures.same_tasks,
            undefined="no trial is scored",
        ),
        Question(
            text="Other tasks like these",
            method="clustered by task, t",
            interval=figures.other_tasks,
            undefined="it needs two tasks with a scored trial",
        ),
    )


def tiles(figures: CampaignFigures, parallel: int) -> Iterator[Tile]:
    """Time, turns, tokens, money."""
    effort, distinct = figures.overall.effort, figures.overall.distinct
    median = numbers.overlapping("median time", parallel)
    yield Tile(label=median, value=latency(effort.seconds.p50), note=f"p95 {latency(effort.seconds.p95)}")
    yield Tile(label="mean turns", value=average(effort.turns.mean))
    yield Tile(label="mean tool calls", value=average(effort.tool_calls.mean))
    yield Tile(
        label="model's time", value=duration(effort.model_seconds), note=f"tools {duration(effort.tool_seconds)}"
    )
    cached, speed = thousands(effort.cached_tokens), average(effort.tokens_per_second)
    yield Tile(label="prompt tokens", value=thousands(effort.prompt_tokens), note=f"{cached} cached")
    yield Tile(label="reply tokens", value=thousands(effort.reply_tokens), note=f"{speed} per second")
    yield Tile(label="cost", value=dollars(effort.cost.total), note=f"per pass {dollars(effort.cost.per_pass)}")
    yield Tile(label="distinct trials", value=str(distinct.n), note="identical ones counted once")


def runs_of(manifest: Manifest, results: Sequence[TrialResult]) -> list[int]:
    """Every run index that was planned or recorded, rising."""
    return sorted({trial.run for trial in manifest.planned} | {result.run for result in results})


def map_lines(figures: CampaignFigures, manifest: Manifest, results: Sequence[TrialResult]) -> Iterator[MapLine]:
    """A line per task, a cell per planned or recorded trial."""
    recorded = {(result.task, result.run): result for result in results}
    planned = {(trial.task, trial.run) for trial in manifest.planned}
    runs = runs_of(manifest, results)
    for task in figures.tasks:
        keys = [(task.task, run) for run in runs if (task.task, run) in planned or (task.task, run) in recorded]
        cells = tuple(_cell(*key, recorded.get(key)) for key in keys)
        yield MapLine(task=task.task, passed=task.rates.passed, scored=task.rates.scored, cells=cells)


def _cell(task: str, run: int, result: TrialResult | None) -> Cell:
    if result is None:
        return Cell(attempt="", outcome=NOT_RUN, label=f"{task} run {run}: {NOT_RUN}")
    cause = f" ({result.cause})" if result.cause else ""
    label = f"{task} run {run}: {result.outcome}{cause}, {count(result.turns, 'turn')}, {latency(result.seconds)}"
    return Cell(attempt=result.attempt, outcome=result.outcome, label=label)


def tables(figures: CampaignFigures, parallel: int) -> Iterator[Table]:
    """Rates and effort by task."""
    every = (*figures.tasks, figures.overall)
    k = max((repeats.k for repeats in figures.overall.repeats), default=1)
    yield Table(
        title="Pass rates",
        heads=("task", "passed/scored", "planned", "distinct", "rate", "95% interval", f"pass@{k}", f"pass^{k}"),
        rows=(
            *((row.task, *_rates(row, row.wilson, k)) for row in figures.tasks),
            (figures.overall.task, *_rates(figures.overall, figures.same_tasks, k)),
        ),
    )
    yield Table(
        title="Time, turns, tokens, cost",
        heads=(
            *("task", numbers.overlapping("mean time", parallel), "p50", "p95", "turns", "calls", "model", "tools"),
            *("prompt tokens", "cached", "reply tokens", "tokens/s", "cost", "per run", "per pass"),
        ),
        rows=tuple((row.task, *_effort(row)) for row in every),
    )


def _rates(row: Figures, interval: Interval | None, k: int) -> Iterator[str]:
    rates = row.rates
    yield from (fraction(rates.passed, rates.scored), str(rates.planned), str(row.distinct.n))
    yield from (percent(rates.effective), numbers.interval(interval))
    repeated = next((repeats for repeats in row.repeats if repeats.k == k and not repeats.left_out), None)
    yield percent(repeated.any_of if repeated else None)
    yield percent(repeated.all_of if repeated else None)


def _effort(row: Figures) -> Iterator[str]:
    effort = row.effort
    yield from (latency(effort.seconds.mean), latency(effort.seconds.p50), latency(effort.seconds.p95))
    yield from (average(effort.turns.mean), average(effort.tool_calls.mean))
    yield from (duration(effort.model_seconds), duration(effort.tool_seconds))
    yield from (thousands(effort.prompt_tokens), thousands(effort.cached_tokens), thousands(effort.reply_tokens))
    yield average(effort.tokens_per_second)
    yield from (dollars(effort.cost.total), dollars(effort.cost.per_run), dollars(effort.cost.per_pass))
