"""Campaigns as pandas DataFrames: what `pytest_agentcore.read` returns.

docs/results-in-python.md lists the columns, which are declared here once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, NamedTuple

import pandas

from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.analysis.compare import compare as compare_campaigns
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.figures import CampaignFigures, Figures
from pytest_agentcore.pack.folder import RESULTS_FOLDER
from pytest_agentcore.pack.read import Campaign, list_campaigns, read_campaign
from pytest_agentcore.pack.transcript import read_transcript, turns
from pytest_agentcore.trial.fold import Event, read_attempt
from pytest_agentcore.trial.result import CallRecord, TrialResult, dollars


class Results:
    """Campaigns as DataFrames, each made when it is first asked for.

    `campaigns`, `tasks` and `trials` come from manifests and result lines; `turns` and `calls` read every transcript.
    """

    def __init__(self, campaigns: Sequence[Campaign]) -> None:
        self._read = campaigns

    @cached_property
    def campaigns(self) -> pandas.DataFrame:
        """A row per campaign, the oldest first."""
        return _frame(CAMPAIGNS, [Row(campaign) for campaign in self._read])

    @cached_property
    def trials(self) -> pandas.DataFrame:
        """A row per recorded trial, by campaign, task and run."""
        return _frame(TRIALS, self._trials)

    @cached_property
    def tasks(self) -> pandas.DataFrame:
        """A row per campaign and task, planned tasks without a result too."""
        return _frame(
            TASKS, [Row(campaign, figures=each) for campaign in self._read for each in campaign.figures.tasks]
        )

    @cached_property
    def turns(self) -> pandas.DataFrame:
        """A row per reply of each trial's last attempt."""
        told = ((row, turns(events)) for row, events in self._transcripts)
        return _frame(TURNS, [replace(row, reply=turn.reply) for row, found in told for turn in found])

    @cached_property
    def calls(self) -> pandas.DataFrame:
        """A row per call of each trial's last attempt, also of calls that did not run."""
        told = ((row, read_attempt(events)) for row, events in self._transcripts if events)
        return _frame(CALLS, [replace(row, call=call) for row, attempt in told for call in attempt.calls])

    def transcript(self, attempt: str) -> list[dict[str, Any]]:
        """The events of a trial's last attempt, by its UUID; docs/data-pack.md describes them.

        Raises:
            UsageError: no trial of these campaigns ended with that attempt.
        """
        places = {row.attempt: row.campaign.folder for row in self._trials}
        if attempt not in places:
            raise UsageError(f"no trial of these campaigns ended with attempt {attempt!r}; see trials.attempt")
        return read_transcript(places[attempt].transcript(attempt))

    def __getitem__(self, campaign: str) -> Campaign:
        """One campaign, by its id: manifest, results and figures.

        Raises:
            KeyError: there is none of that id.
        """
        return {each.folder.id: each for each in self._read}[campaign]

    def to_parquet(self, folder: Path | str) -> None:
        """Write campaigns, tasks, trials, turns and calls as `NAME.parquet` each into a folder.

        Raises:
            ImportError: pyarrow is not installed.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name in ("campaigns", "tasks", "trials", "turns", "calls"):
            frame: pandas.DataFrame = getattr(self, name)
            frame.to_parquet(Path(folder) / f"{name}.parquet", index=False)

    @cached_property
    def _trials(self) -> list[Row]:
        return [Row(campaign, result=result) for campaign in self._read for result in campaign.results]

    @property
    def _transcripts(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        """One after the other: all of them at once would not fit for thousands of trials."""
        return ((row, read_transcript(row.campaign.folder.transcript(row.attempt))) for row in self._trials)


def read(place: Path | str | None = None) -> Results:
    """Read the campaigns of a results folder, or one campaign.

    Selections (`--agentcore-rerun`, `--lf`) are left out of a folder's campaigns: their rates are no pass rates.

    Args:
        place: a results folder, or a campaign's folder or id; by default `agentcore-results` in the working folder.

    Raises:
        UsageError: there is none, or a file of it cannot be read; names the file and the line.
    """
    path = Path(place or RESULTS_FOLDER)
    if not path.is_dir() or (path / "manifest.json").is_file():
        return Results([read_campaign(place)])
    found, damaged = list_campaigns(path)
    for sentence in damaged.values():
        raise UsageError(sentence)
    if not found:
        raise UsageError(f"no campaign in {path}: name a results folder or a campaign's own")
    return Results([read_campaign(folder.path) for folder, _ in found])


def figures(campaign: Campaign | Path | str) -> CampaignFigures:
    """All numbers of a campaign, per task and overall, as tables and reports show them.

    Args:
        campaign: as `Results` holds it, or its folder or id.

    Raises:
        UsageError: there is no such campaign, or a file of it cannot be read.
    """
    return _campaign(campaign).figures


def compare(first: Campaign | Path | str, second: Campaign | Path | str, *, force: bool = False) -> Comparison:
    """Compare two campaigns as `agentcore compare` does; `first` is the baseline.

    Args:
        first: as `Results` holds it, or its folder or id; so is `second`.
        force: compare them although their suites differ.

    Raises:
        UsageError: they cannot be compared, or one of them cannot be read; says why.
    """
    return compare_campaigns(_campaign(first), _campaign(second), force=force)


def _campaign(given: Campaign | Path | str) -> Campaign:
    return given if isinstance(given, Campaign) else read_campaign(given)


@dataclass(frozen=True, slots=True)
class Row:
    """The values that one row of a DataFrame is about."""

    campaign: Campaign
    figures: Figures | None = None
    result: TrialResult | None = None
    reply: Event | None = None
    call: CallRecord | None = None

    @property
    def attempt(self) -> str:
        """UUID of the trial's last attempt."""
        assert self.result
        return self.result.attempt

    @property
    def cost(self) -> float | None:
        """US dollars of the trial; None where prices are not known."""
        prices = self.campaign.manifest.prices
        return None if prices is None or self.result is None else dollars(self.result, prices)


class Column(NamedTuple):
    """A column of a DataFrame."""

    name: str
    dtype: str
    path: str
    """Where a row has the value: names of attributes or keys."""
    meaning: str
    """For the docs."""


TEXT, COUNT, NUMBER, TRUTH, MOMENT = "string", "Int64", "Float64", "boolean", "datetime64[ns, UTC]"
"""All of them know a missing value: an unscored trial has no verdict, an unknown price no cost."""

_IDENTITY = (
    Column("campaign", TEXT, "campaign.folder.id", "the campaign's id: the name of its folder"),
    Column("suite", TEXT, "campaign.manifest.suite.name", "the suite's name"),
    Column("suite_version", TEXT, "campaign.manifest.suite.version", "its version"),
    Column("suite_digest", TEXT, "campaign.manifest.judged_by", "sha256 of the suite whose checkers gave the verdicts"),
    Column("model", TEXT, "campaign.manifest.model", "the model's slug"),
    Column("quant", TEXT, "campaign.manifest.backend.quant", "its quantization, where it is known"),
    Column("policy", TEXT, "campaign.manifest.policy", "how calls were read: native, lenient or constrained"),
)

TASKS = (
    *_IDENTITY,
    Column("task", TEXT, "figures.task", "the task's id"),
    Column("planned", COUNT, "figures.rates.planned", "trials of the plan"),
    Column("recorded", COUNT, "figures.rates.recorded", "trials with a result, whatever it says"),
    Column("scored", COUNT, "figures.rates.scored", "trials with a verdict"),
    Column("passed", COUNT, "figures.rates.passed", "trials that passed"),
    Column("raw_rate", NUMBER, "figures.rates.raw", "passed / planned"),
    Column("effective_rate", NUMBER, "figures.rates.effective", "passed / scored"),
    Column("distinct", COUNT, "figures.distinct.n", "scored trials, identical ones counted once"),
    Column("low", NUMBER, "figures.wilson.low", "lower end of the 95% interval of the effective rate"),
    Column("high", NUMBER, "figures.wilson.high", "upper end"),
    Column("p50_seconds", NUMBER, "figures.effort.seconds.p50", "median wall clock of a scored trial"),
    Column(
        "tokens_per_second", NUMBER, "figures.effort.tokens_per_second", "tokens out per second of the model's time"
    ),
    Column("cost", NUMBER, "figures.effort.cost", "US dollars; missing where prices are not known"),
)

_SAMPLED = "sampling value; missing where none was asked for"
_RATES, _EFFORT = "campaign.figures.overall.rates", "campaign.figures.overall.effort"

CAMPAIGNS = (
    *_IDENTITY,
    Column("context", COUNT, "campaign.manifest.backend.context", "tokens of context"),
    Column("device", TEXT, "campaign.manifest.backend.device", "what computed"),
    Column("temperature", NUMBER, "campaign.manifest.sampling.temperature", _SAMPLED),
    Column("top_p", NUMBER, "campaign.manifest.sampling.top_p", _SAMPLED),
    Column("top_k", COUNT, "campaign.manifest.sampling.top_k", _SAMPLED),
    Column("min_p", NUMBER, "campaign.manifest.sampling.min_p", _SAMPLED),
    Column("seed", COUNT, "campaign.manifest.seed", "the seeds of all trials are derived from it"),
    Column("runs", COUNT, "campaign.manifest.runs", "trials of each task"),
    Column("context_load", COUNT, "campaign.manifest.context_load", "tokens of earlier conversation before each task"),
    Column("parallel", COUNT, "campaign.manifest.parallel", "trials at the same time at most"),
    Column("rows", COUNT, "campaign.manifest.rows", "conversations that a model in this process decodes together"),
    Column("group", TEXT, "campaign.manifest.group", "folder of its group; empty without one"),
    Column("started", MOMENT, "campaign.manifest.started", "UTC"),
    Column("finished", MOMENT, "campaign.manifest.finished", "UTC; missing while it runs, or when it was killed"),
    Column("planned", COUNT, f"{_RATES}.planned", "trials of the plan"),
    Column("recorded", COUNT, f"{_RATES}.recorded", "trials with a result, whatever it says"),
    Column("scored", COUNT, f"{_RATES}.scored", "trials with a verdict"),
    Column("passed", COUNT, f"{_RATES}.passed", "trials that passed"),
    Column("raw_rate", NUMBER, f"{_RATES}.raw", "passed / planned"),
    Column("effective_rate", NUMBER, f"{_RATES}.effective", "passed / scored"),
    Column("low", NUMBER, "campaign.figures.same_tasks.low", "lower end of its 95% interval, for the same tasks again"),
    Column("high", NUMBER, "campaign.figures.same_tasks.high", "upper end"),
    Column("other_low", NUMBER, "campaign.figures.other_tasks.low", "lower end, for other tasks like these"),
    Column("other_high", NUMBER, "campaign.figures.other_tasks.high", "upper end"),
    Column("seconds", NUMBER, f"{_EFFORT}.total_seconds", "wall clock of all trials"),
    Column("model_seconds", NUMBER, f"{_EFFORT}.model_seconds", "of them the model's"),
    Column("tool_seconds", NUMBER, f"{_EFFORT}.tool_seconds", "of them the tools'"),
    Column("prompt_tokens", COUNT, f"{_EFFORT}.prompt_tokens", "tokens that went in, cached ones included"),
    Column("cached_tokens", COUNT, f"{_EFFORT}.cached_tokens", "of them not evaluated again"),
    Column("reply_tokens", COUNT, f"{_EFFORT}.reply_tokens", "tokens that came out, reasoning included"),
    Column("tokens_per_second", NUMBER, f"{_EFFORT}.tokens_per_second", "tokens out per second of the model's time"),
    Column("cost", NUMBER, f"{_EFFORT}.cost", "US dollars of all recorded trials; missing where prices are not known"),
    Column("cost_per_pass", NUMBER, f"{_EFFORT}.cost_per_pass", "all that was paid, by the passes it bought"),
)

_DTYPES = {"int": COUNT, "float": NUMBER, "bool | None": TRUTH}
"""By the type of a field of the result line; the others are text."""

TRIALS = (
    *_IDENTITY,
    *(
        Column(field.name, _DTYPES.get(str(field.type), TEXT), f"result.{field.name}", "as in the result line")
        for field in fields(TrialResult)
        if field.name not in ("model", "policy", "started")
    ),
    Column("started", MOMENT, "result.started", "UTC"),
    Column("outcome", TEXT, "result.outcome", "passed, a failure mode, or interrupted"),
    Column("attribution", TEXT, "result.attribution", "whom the cause speaks about"),
    Column("cost", NUMBER, "cost", "US dollars; missing where prices are not known"),
)

_TRIAL = (
    Column("campaign", TEXT, "campaign.folder.id", "as in trials"),
    Column("task", TEXT, "result.task", "as in trials"),
    Column("run", COUNT, "result.run", "as in trials"),
    Column("attempt", TEXT, "result.attempt", "as in trials"),
)

TURNS = (
    *_TRIAL,
    Column("turn", COUNT, "reply.turn", "from 1"),
    Column("content", TEXT, "reply.content", "what the model said beside its calls"),
    Column("reasoning", TEXT, "reply.reasoning", "what it thought"),
    Column("calls", COUNT, "reply.tool_calls", "calls that could be read"),
    Column("problems", COUNT, "reply.problems", "what could not be read and was fed back"),
    Column("repairs", COUNT, "reply.repairs", "near misses that were accepted"),
    Column("finish", TEXT, "reply.finish", "why the reply ended"),
    Column("resembles", TEXT, "reply.resembles", "what a call that was not read looks like; missing without one"),
    Column("prompt_tokens", COUNT, "reply.usage.prompt_tokens", "tokens that went in, cached ones included"),
    Column("cached_tokens", COUNT, "reply.usage.cached_tokens", "of them not evaluated again"),
    Column("reply_tokens", COUNT, "reply.usage.reply_tokens", "tokens that came out, reasoning included"),
    Column("seconds", NUMBER, "reply.seconds", "until the reply was there"),
)

CALLS = (
    *_TRIAL,
    Column("turn", COUNT, "call.turn", "from 1"),
    Column("index", COUNT, "call.index", "within the turn, from 0"),
    Column("name", TEXT, "call.name", "the tool"),
    Column("arguments", TEXT, "call.arguments", "JSON"),
    Column("outcome", TEXT, "call.outcome", "ok, refused, fault, invalid or unknown"),
    Column("result", TEXT, "call.result", "the text that the model read"),
    Column("seconds", NUMBER, "call.seconds", "in the tool"),
)


def _frame(columns: Iterable[Column], rows: Sequence[Row]) -> pandas.DataFrame:
    return pandas.DataFrame(
        {column.name: pandas.Series([_cell(column, row) for row in rows], dtype=column.dtype) for column in columns}
    )


def _cell(column: Column, row: Row) -> object:
    value: Any = reduce(_step, column.path.split("."), row)
    if value is None or column.dtype not in (TEXT, COUNT):
        return value
    if column.dtype == COUNT:
        return len(value) if isinstance(value, Sequence) else int(value)
    text = json.dumps(value) if isinstance(value, Mapping) else str(value)
    # half of a surrogate pair, which a model may write, is no text for Arrow and Parquet
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _step(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
