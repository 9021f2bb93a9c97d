"""Columns of campaigns, tasks, trials, turns and calls: declared once for DataFrames and for `agentcore --json`.

docs/results-in-python.md lists them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, NamedTuple

from pytest_agentcore.pack.figures import Figures
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import CallRecord, TrialResult, dollars
from pytest_agentcore.untrusted import encodable


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
    """A column of a table."""

    name: str
    dtype: str
    path: str
    """Where a row has the value: names of attributes or keys."""
    meaning: str
    """For the docs."""


TEXT, COUNT, NUMBER, TRUTH, MOMENT = "string", "Int64", "Float64", "boolean", "datetime64[ns, UTC]"
"""All of them know a missing value: an unscored trial has no verdict, an unknown price no cost."""

_IDENTITY = (
    Column("campaign", TEXT, "campaign.folder.id", "id: the folder's name"),
    Column("suite", TEXT, "campaign.manifest.suite.name", "the suite's name"),
    Column("suite_version", TEXT, "campaign.manifest.suite.version", "its version"),
    Column("suite_digest", TEXT, "campaign.manifest.judged_by", "sha256 of the suite whose checkers judged"),
    Column("model", TEXT, "campaign.manifest.model", "the model's slug"),
    Column("quant", TEXT, "campaign.manifest.backend.quant", "its quantization, if known"),
    Column("policy", TEXT, "campaign.manifest.policy", "native, lenient or constrained"),
)

_INTERVAL = "95% interval of the effective rate"
_SAME, _OTHER = f"{_INTERVAL}, for the same tasks again", f"{_INTERVAL}, for other tasks like these"

_COUNTED = (
    Column("planned", COUNT, "rates.planned", "trials of the plan"),
    Column("recorded", COUNT, "rates.recorded", "trials with a result"),
    Column("scored", COUNT, "rates.scored", "trials with a verdict"),
    Column("passed", COUNT, "rates.passed", "trials that passed"),
    Column("raw_rate", NUMBER, "rates.raw", "passed / planned"),
    Column("effective_rate", NUMBER, "rates.effective", "passed / scored"),
    Column("distinct", COUNT, "distinct.n", "scored trials, equal ones counted once"),
)
_TOKENS = (
    Column("prompt_tokens", COUNT, "prompt_tokens", "tokens in, cached ones included"),
    Column("cached_tokens", COUNT, "cached_tokens", "of them not evaluated again"),
    Column("reply_tokens", COUNT, "reply_tokens", "tokens out, reasoning included"),
)


def _below(path: str, columns: Iterable[Column]) -> Iterator[Column]:
    """Columns of a value that lies somewhere in the row."""
    return (column._replace(path=f"{path}.{column.path}") for column in columns)


TASKS = (
    *_IDENTITY,
    Column("task", TEXT, "figures.task", "the task's id"),
    *_below("figures", _COUNTED),
    Column("low", NUMBER, "figures.wilson.low", _INTERVAL),
    Column("high", NUMBER, "figures.wilson.high", _INTERVAL),
    Column("p50_seconds", NUMBER, "figures.effort.seconds.p50", "median wall clock of a scored trial"),
    Column("tokens_per_second", NUMBER, "figures.effort.tokens_per_second", "tokens out per model second"),
    Column("cost", NUMBER, "figures.effort.cost", "US dollars; missing if prices are unknown"),
)

_SAMPLED = "missing if not asked for"
_EFFORT = "campaign.figures.overall.effort"

CAMPAIGNS = (
    *_IDENTITY,
    Column("context", COUNT, "campaign.manifest.backend.context", "tokens of context"),
    Column("device", TEXT, "campaign.manifest.backend.device", "where the model ran"),
    Column("temperature", NUMBER, "campaign.manifest.sampling.temperature", _SAMPLED),
    Column("top_p", NUMBER, "campaign.manifest.sampling.top_p", _SAMPLED),
    Column("top_k", COUNT, "campaign.manifest.sampling.top_k", _SAMPLED),
    Column("min_p", NUMBER, "campaign.manifest.sampling.min_p", _SAMPLED),
    Column("seed", COUNT, "campaign.manifest.seed", "base of all seeds"),
    Column("runs", COUNT, "campaign.manifest.runs", "trials per task"),
    Column("context_load", COUNT, "campaign.manifest.context_load", "tokens of earlier conversation before each task"),
    Column("parallel", COUNT, "campaign.manifest.parallel", "most trials at once"),
    Column("rows", COUNT, "campaign.manifest.rows", "conversations that an in-process model decodes together"),
    Column("group", TEXT, "campaign.manifest.group", "folder of its group, or empty"),
    Column("state", TEXT, "campaign.state", "complete, incomplete, running or interrupted"),
    Column("started", MOMENT, "campaign.manifest.started", "UTC"),
    Column("finished", MOMENT, "campaign.manifest.finished", "UTC; missing while it runs and after a kill"),
    *_below("campaign.figures.overall", _COUNTED),
    Column("low", NUMBER, "campaign.figures.same_tasks.low", _SAME),
    Column("high", NUMBER, "campaign.figures.same_tasks.high", _SAME),
    Column("other_low", NUMBER, "campaign.figures.other_tasks.low", _OTHER),
    Column("other_high", NUMBER, "campaign.figures.other_tasks.high", _OTHER),
    Column("seconds", NUMBER, f"{_EFFORT}.total_seconds", "wall clock of all trials"),
    Column("model_seconds", NUMBER, f"{_EFFORT}.model_seconds", "of them in the model"),
    Column("tool_seconds", NUMBER, f"{_EFFORT}.tool_seconds", "of them in tools"),
    *_below(_EFFORT, _TOKENS),
    Column("tokens_per_second", NUMBER, f"{_EFFORT}.tokens_per_second", "tokens out per model second"),
    Column("cost", NUMBER, f"{_EFFORT}.cost", "US dollars; missing if prices are unknown"),
    Column("cost_per_pass", NUMBER, f"{_EFFORT}.cost_per_pass", "cost / passed"),
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
    Column("started", MOMENT, "result.started", "UTC, of the last attempt"),
    Column("outcome", TEXT, "result.outcome", "passed, a failure mode, or interrupted"),
    Column("attribution", TEXT, "result.attribution", "what the cause speaks about: model, harness or environment"),
    Column("cost", NUMBER, "cost", "US dollars; missing if prices are unknown"),
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
    Column("content", TEXT, "reply.content", "what the model wrote besides calls"),
    Column("reasoning", TEXT, "reply.reasoning", "what it thought"),
    Column("calls", COUNT, "reply.tool_calls", "calls read"),
    Column("problems", COUNT, "reply.problems", "calls that could not be read"),
    Column("repairs", COUNT, "reply.repairs", "near misses accepted"),
    Column("finish", TEXT, "reply.finish", "why the reply ended"),
    Column("resembles", TEXT, "reply.resembles", "what an unrecognised call looks like, if there is one"),
    *_below("reply.usage", _TOKENS),
    Column("seconds", NUMBER, "reply.seconds", "from request to reply"),
)

CALLS = (
    *_TRIAL,
    Column("turn", COUNT, "call.turn", "from 1"),
    Column("index", COUNT, "call.index", "within the turn, from 0"),
    Column("name", TEXT, "call.name", "the tool"),
    Column("arguments", TEXT, "call.arguments", "JSON"),
    Column("outcome", TEXT, "call.outcome", "ok, refused, fault, invalid or unknown"),
    Column("result", TEXT, "call.result", "what the model read"),
    Column("seconds", NUMBER, "call.seconds", "in the tool"),
)


def as_facts(columns: Iterable[Column], row: Row) -> dict[str, object]:
    """Give the cells of a row by their columns, in types that JSON has."""
    return {column.name: cell(column, row) for column in columns}


def campaign_cells(campaign: Campaign) -> dict[str, object]:
    """Give the cells of a campaign by their columns."""
    return as_facts(CAMPAIGNS, Row(campaign))


def cell(column: Column, row: Row) -> object:
    """Give the value of a row in a column; None where it is missing."""
    value: Any = reduce(_step, column.path.split("."), row)
    if value is None or column.dtype not in (TEXT, COUNT):
        return value
    if column.dtype == COUNT:
        return len(value) if isinstance(value, Sequence) else int(value)
    text = json.dumps(value) if isinstance(value, Mapping) else str(value)
    return encodable(text)  # Arrow and Parquet are UTF-8


def _step(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
