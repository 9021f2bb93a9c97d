"""A campaign as an evaluation log of Inspect: a sample per trial, with its messages, its events and its score.

https://inspect.aisi.org.uk/eval-logs.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_agentcore.exports.base import Format, Told
from pytest_agentcore.exports.conversation import Message, conversation, rates, trial_facts
from pytest_agentcore.pack.figures import Effort
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.trial.fold import Event, read_attempt
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallOutcome, TrialResult, Usage, dollars
from pytest_agentcore.untrusted import encodable

SCORER = "checker"

_STOPS = {"length": "max_tokens", "context": "model_length"}
"""Inspect's words for why generating stopped; it has none for a loop, a deadline or a cancelled request."""

_TOLD = ("finish", "problems", "repairs", "resembles", "outcome")
"""Facts of a reply or a call that go into the message's metadata, where there is something to tell."""

_LIMITS = {StopReason.turn_limit: ("turn", "turns"), StopReason.time_limit: ("time", "seconds")}
"""Inspect's words for a limit, and the part of a trial's budget that has its value."""


def files(campaign: Campaign, _told: Told) -> Mapping[str, Callable[[Path], None]]:
    """One log."""

    def write(path: Path) -> None:
        from inspect_ai.log import EvalLog, EvalSample, write_eval_log  # noqa: PLC0415 - an extra that loads for seconds

        made = EvalLog.model_validate(encodable(log(campaign)))
        # one at a time, so that not all transcripts are held twice
        made.samples = [EvalSample.model_validate(encodable(each)) for each in samples(campaign)]
        write_eval_log(made, path, format="eval")

    return {f"{campaign.folder.id}.eval": write}


def log(campaign: Campaign) -> dict[str, Any]:
    """Everything but the samples: the experiment, its results, its times and tokens."""
    manifest, figures = campaign.manifest, campaign.figures
    counts, asked = figures.overall.rates, ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")
    score = {
        "name": SCORER,
        "scorer": SCORER,
        "scored_samples": counts.scored,
        "unscored_samples": counts.planned - counts.scored,
        "metrics": {name: {"name": name, "value": value} for name, value in _metrics(campaign).items()},
    }
    return {
        # trials lost to infrastructure are errors of an evaluation that went through; others are still to be run
        "status": "cancelled" if figures.outcomes["interrupted"] or figures.outcomes["not_run"] else "success",
        "eval": {
            "eval_id": campaign.folder.id,
            "run_id": manifest.session or campaign.folder.id,
            "created": manifest.started,
            "task": manifest.suite.name,
            "task_id": manifest.suite.digest,
            "task_version": manifest.suite.version,
            "task_display_name": manifest.suite.title,
            "dataset": {
                "name": manifest.suite.name,
                "samples": len(manifest.tasks),
                "sample_ids": list(manifest.tasks),
                "shuffled": False,
            },
            "sandbox": {"type": manifest.sandbox["name"]},
            "model": manifest.model,
            "model_base_url": manifest.backend.get("endpoint"),
            "model_generate_config": {
                "max_tokens": manifest.budget["reply_tokens"],
                **{name: manifest.sampling.get(name) for name in asked},
            },
            "config": {
                "epochs": manifest.runs,
                "fail_on_error": False,
                "turn_limit": manifest.budget["turns"],
                "time_limit": int(manifest.budget["seconds"]),
                "max_samples": manifest.parallel,
            },
            "packages": {"pytest-agentcore": manifest.harness, **manifest.packages},
            "scorers": [{"name": SCORER}],
            "metadata": {**manifest.to_json(), "judged_by": manifest.judged_by, "rates": rates(campaign)},
        },
        "results": {"total_samples": counts.planned, "completed_samples": counts.scored, "scores": [score]},
        "stats": {
            "started_at": manifest.started,
            "completed_at": manifest.finished or "",
            "model_usage": {manifest.model: _usage(figures.overall.effort, figures.overall.effort.cost)},
        },
    }


def _metrics(campaign: Campaign) -> dict[str, float]:
    """The rates and the ends of their intervals, as far as they are defined; those of a selection are none."""
    figures, counts = campaign.figures, campaign.figures.overall.rates
    named = {"accuracy": counts.effective, "raw_rate": counts.raw}
    for question, interval in (("same_tasks", figures.same_tasks), ("other_tasks", figures.other_tasks)):
        if interval:
            named |= {f"{question}_low": interval.low, f"{question}_high": interval.high}
    return {name: value for name, value in named.items() if value is not None and campaign.manifest.counts}


def samples(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """A sample per recorded trial: the task is its id, the run its epoch."""
    for result in campaign.results:
        yield sample(campaign, result, read_transcript(campaign.folder.transcript(result.attempt)))


def sample(campaign: Campaign, result: TrialResult, transcript: Sequence[Event]) -> dict[str, Any]:
    """One trial's last attempt; its transcript may be empty."""
    manifest, said = campaign.manifest, conversation(transcript)
    messages = [_message(f"{result.attempt}/{number}", message, result) for number, message in enumerate(said)]
    events = list(_events(result, said, messages))
    why = f"{result.cause or result.outcome}{result.detail and ': '}{result.detail}"
    paid = dollars(result, manifest.prices) if manifest.prices else None
    outputs = [event["output"] for event in events if event["event"] == "model"]
    return {
        "id": result.task,
        "epoch": result.run,
        "uuid": result.attempt,
        "input": transcript[0]["prompt"] if transcript else "",
        "target": "",
        "sandbox": {"type": result.sandbox},
        "messages": messages,
        "output": outputs[-1] if outputs else {"model": manifest.model},
        "scores": {SCORER: _score(result, transcript)} if result.scored else None,
        "metadata": trial_facts(result, transcript),
        "events": events,
        "model_usage": {manifest.model: _usage(result, paid)},
        "started_at": result.started,
        "completed_at": _at(result, result.seconds),
        "total_time": result.seconds,
        "working_time": result.model_seconds + result.tool_seconds,
        "error": None if result.scored else {"message": why, "traceback": "", "traceback_ansi": ""},
        "limit": _limit(result, transcript),
        "turn_count": result.turns,
    }


def _message(own_id: str, message: Message, result: TrialResult) -> dict[str, Any]:
    said: dict[str, Any] = {"id": own_id, "role": message.role, "content": message.content}
    if message.role == "assistant":
        calls = [{"id": c["id"], "function": c["name"], "arguments": c["arguments"]} for c in message.calls]
        said |= {"model": result.model, "tool_calls": calls or None}
        if message.reasoning:
            texts = [{"type": "text", "text": message.content}] if message.content else []
            said["content"] = [{"type": "reasoning", "reasoning": message.reasoning}, *texts]
    elif message.role == "tool":
        said["tool_call_id"] = message.answers
        outcome = message.event.get("outcome", CallOutcome.ok)
        if outcome != CallOutcome.ok:
            kind = "parsing" if outcome == CallOutcome.invalid else "unknown"
            said["error"] = {"type": kind, "message": message.content}
    if not message.turn:
        return {**said, "source": "input"}
    told = {name: message.event[name] for name in _TOLD if message.event.get(name)}
    source = "generate" if message.role == "assistant" else None
    return {**said, "source": source, "metadata": {"turn": message.turn, **told}}


def _usage(counted: Usage | TrialResult | Effort, paid: float | None) -> dict[str, Any]:
    """Tokens in Inspect's way: what came from a cache is no input."""
    return {
        "input_tokens": counted.prompt_tokens - counted.cached_tokens,
        "input_tokens_cache_read": counted.cached_tokens,
        "output_tokens": counted.reply_tokens,
        "total_tokens": counted.prompt_tokens + counted.reply_tokens,
        "total_cost": paid,
    }


def _score(result: TrialResult, transcript: Sequence[Event]) -> dict[str, Any]:
    verdict = ("outcome", "failure_mode", "cause", "attribution", "stop_reason", "classification")
    said = result.to_json()
    return {
        "value": "C" if result.passed else "I",
        "answer": read_attempt(transcript).answer if transcript else None,
        "explanation": result.detail or None,
        "reason": said["cause"],
        "metadata": {name: said[name] for name in verdict},
    }


def _limit(result: TrialResult, transcript: Sequence[Event]) -> dict[str, Any] | None:
    if result.stop_reason not in _LIMITS or not transcript:
        return None
    kind, name = _LIMITS[result.stop_reason]
    return {"type": kind, "limit": transcript[0]["budget"][name]}


def _events(
    result: TrialResult, said: Sequence[Message], messages: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The replies and calls of the agent, in their order.

    A transcript has durations and no clock times: an event is put where the time of those before it ends.
    """
    clock = 0.0
    for number, (one, message) in enumerate(zip(said, messages, strict=True)):
        if not one.turn or one.role == "user":
            continue
        seconds = one.event.get("seconds", 0.0)
        times = {"timestamp": _at(result, clock), "working_start": clock, "working_time": seconds}
        clock += seconds
        event = {"uuid": message["id"], **times, "completed": _at(result, clock)}
        if one.role == "assistant":
            # also of an agent without a model: Inspect's data frames read messages from these events alone
            asked = {"input": list(messages[:number]), "tools": [], "tool_choice": "auto", "config": {}}
            yield {**event, "event": "model", "model": result.model, "output": _output(one, message, result), **asked}
        else:
            call = one.event["call"]
            named = {"id": one.answers, "function": call["name"], "arguments": call["arguments"]}
            gave = {"result": one.content, "error": message.get("error"), "message_id": message["id"]}
            yield {**event, "event": "tool", **named, **gave}


def _output(one: Message, message: Mapping[str, Any], result: TrialResult) -> dict[str, Any]:
    finish = one.event.get("finish", "stop")
    stop = ("tool_calls" if one.calls else "stop") if finish == "stop" else _STOPS.get(finish, "unknown")
    said = {"model": result.model, "choices": [{"message": message, "stop_reason": stop}]}
    if not one.event:
        return said
    return {**said, "time": one.event["seconds"], "usage": _usage(Usage(**one.event["usage"]), None)}


def _at(result: TrialResult, seconds: float) -> str:
    return (datetime.fromisoformat(result.started) + timedelta(seconds=seconds)).isoformat()


FORMAT = Format(
    package="inspect_ai",
    python=(3, 10),
    files=files,
    opened_with="inspect view --log-dir {out}",
)
