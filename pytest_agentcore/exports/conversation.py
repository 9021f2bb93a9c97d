"""A trial as messages between model and tools, and the facts that formats have no field for: all write these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.pack.figures import Figures
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import Turn, played
from pytest_agentcore.stats.intervals import Interval
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, as the model's next request had it."""

    role: str
    """`system`, `user`, `assistant` or `tool`."""
    content: str
    reasoning: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    """`id`, `name` and `arguments` of each call."""
    answers: str = ""
    """Of a tool's message: the id of its call."""
    turn: int = 0
    """0 before the first turn."""
    event: Event = field(default_factory=dict)
    """The `reply` or `tool_result` that it comes from; empty for all others."""
    is_load: bool = False
    """Whether it belongs to the earlier conversation that was put before the task."""


def conversation(events: Sequence[Event]) -> list[Message]:
    """All messages of an attempt; none where there are no events."""
    if not events:
        return []
    start, end = events[0], next((event for event in events if event["event"] == "end"), {})
    said = [Message(role="system", content=start["system"])]
    said += _load(start.get("load", {}).get("messages", ()))
    said.append(Message(role="user", content=start["prompt"]))
    for turn in played(events):
        said += _turn(turn)
    if "answer" in end:  # of an agent without a model, which leaves no reply
        said.append(Message(role="assistant", content=end["answer"], turn=said[-1].turn + 1))
    return said


def _load(messages: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
    """The earlier conversation, in which results stand in the order of the calls."""
    waiting: list[str] = []
    for message in messages:
        calls = tuple(message.get("tool_calls", ()))
        waiting += [call["id"] for call in calls]
        answers = waiting.pop(0) if message["role"] == "tool" else ""
        yield Message(role=message["role"], content=message["content"], calls=calls, answers=answers, is_load=True)


def _turn(turn: Turn) -> Iterator[Message]:
    """The reply, then results, then what the model was told about a reply that could not be read."""
    reply = turn.reply
    # as the loop does: the model sees a reply with problems again as it wrote it, and nothing of it ran
    asked = [] if reply["problems"] else reply["tool_calls"] or [result["call"] for result in turn.results]
    is_read = not reply["problems"] and (asked or reply["content"].strip() or reply["reasoning"].strip())
    # numbered anew: endpoints may give an id twice or none
    calls = tuple({**call, "id": f"call_{turn.number}_{index}"} for index, call in enumerate(asked, 1))
    yield Message(
        role="assistant",
        content=reply["content"] if is_read else reply["text"],
        reasoning=reply["reasoning"],
        calls=calls,
        turn=turn.number,
        event=reply if "digest" in reply else {},
    )
    for result in turn.results:
        answers = calls[result["index"]]["id"]
        yield Message(role="tool", content=result["text"], answers=answers, turn=turn.number, event=result)
    for text in turn.feedback:
        yield Message(role="user", content=text, turn=turn.number)


def trial_facts(result: TrialResult, events: Sequence[Event]) -> dict[str, Any]:
    """The trial's result line, and the requests that failed before or instead of a reply."""
    return {**result.to_json(), "failed_requests": [event for event in events if event["event"] == "request_failed"]}


LEFT_OUT = ("arguments", "entry", "machine", "merged", "packages", "planned", "requested", "resumed", "tools")
"""Long parts of a manifest, and those with paths that somebody typed."""


def campaign_facts(campaign: Campaign) -> dict[str, Any]:
    """The campaign's manifest without its long parts, and its rates."""
    said = {name: value for name, value in campaign.manifest.to_json().items() if name not in LEFT_OUT}
    said["suite"].pop("system_prompt")
    if said["preflight"]:
        said["preflight"] = {name: said["preflight"][name] for name in ("passed", "verdict")}
    return {**said, "judged_by": campaign.manifest.judged_by, "rates": rates(campaign)}


def rates(campaign: Campaign) -> dict[str, Any]:
    """Counts, rates and 95% intervals, by the names that tables have for them; null is undefined."""
    figures = campaign.figures
    return {
        **counts(figures.overall),
        "same_tasks": ends(figures.same_tasks),
        "other_tasks": ends(figures.other_tasks),
        "outcomes": dict(figures.outcomes),
        "causes": [[*key, trials] for key, trials in figures.causes.items()],
        "repeats": [
            {"k": each.k, "pass_at_k": each.any_of, "pass_hat_k": each.all_of} for each in figures.overall.repeats
        ],
        "tasks": {each.task: {**counts(each), "this_task": ends(each.wilson)} for each in figures.tasks},
    }


def counts(figures: Figures) -> dict[str, Any]:
    """How many trials a rate is of, and the rates."""
    of = figures.rates
    numbers = {"planned": of.planned, "recorded": of.recorded, "scored": of.scored, "passed": of.passed}
    return {**numbers, "raw_rate": of.raw, "effective_rate": of.effective, "distinct": figures.distinct.n}


def ends(interval: Interval | None) -> list[float] | None:
    """Both ends of an interval; None where it is undefined."""
    return [interval.low, interval.high] if interval else None
