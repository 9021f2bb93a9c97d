"""Trials as trajectories in ATIF, the format of Harbor: a JSON file per trial.

https://www.harborframework.com/docs/agents/trajectory-format
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_agentcore.exports.base import Format, Told
from pytest_agentcore.exports.conversation import Message, campaign_facts, conversation, trial_facts
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import Prices, TrialResult, dollars
from pytest_agentcore.untrusted import encodable


def files(campaign: Campaign, _told: Told) -> Mapping[str, Callable[[Path], None]]:
    """A trajectory for each recorded trial."""
    about = campaign_facts(campaign)
    return {f"{one.task}-run{one.run}.json": partial(_write, campaign, one, about) for one in campaign.results}


def _write(campaign: Campaign, result: TrialResult, about: Mapping[str, Any], path: Path) -> None:
    from harbor.models.trajectories import Trajectory  # noqa: PLC0415 - an extra

    events = read_transcript(campaign.folder.transcript(result.attempt))
    made = Trajectory.model_validate(encodable(trajectory(campaign, result, events, about)))
    path.write_text(json.dumps(made.to_json_dict(), indent=2, allow_nan=False) + "\n", encoding="ascii")


def trajectory(
    campaign: Campaign, result: TrialResult, events: Sequence[Event], about: Mapping[str, Any]
) -> dict[str, Any]:
    """One trial's last attempt, with the facts of its campaign."""
    manifest = campaign.manifest
    told = events[0]["tools"] if events else ()
    functions = [{name: tool[name] for name in ("name", "description", "parameters")} for tool in told]
    # the format wants a step, also of a trial whose transcript is gone
    messages = conversation(events) or [Message(role="system", content=manifest.suite.system_prompt)]
    steps = _steps(messages, result, manifest.prices)
    return {
        "schema_version": "ATIF-v1.7",  # the first that has everything that is written here
        "session_id": result.attempt,
        "trajectory_id": result.attempt,
        "agent": {
            "name": "pytest-agentcore",
            "version": manifest.harness,
            "model_name": manifest.model,
            "tool_definitions": [{"type": "function", "function": function} for function in functions],
        },
        "steps": [{"step_id": number, **step} for number, step in enumerate(steps, 1)],
        "final_metrics": {
            **_tokens("total_", result),
            "total_cost_usd": dollars(result, manifest.prices) if manifest.prices else None,
            "total_steps": len(steps),
        },
        "extra": {"trial": trial_facts(result, events), "campaign": about},
    }


def _steps(messages: Sequence[Message], result: TrialResult, prices: Prices | None) -> list[dict[str, Any]]:
    """A step per message; a result is part of the step that called."""
    steps: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            more = {name: message.event[name] for name in ("outcome", "seconds") if message.event}
            observed = {"source_call_id": message.answers, "content": message.content, "extra": more or None}
            steps[-1].setdefault("observation", {"results": []})["results"].append(observed)
            continue
        is_agent = message.role == "assistant"
        step = {"source": "agent" if is_agent else message.role, "message": message.content}
        steps.append(
            {
                **step,
                "is_copied_context": message.is_load or None,
                **(_said(message, result, prices) if is_agent else {}),
            }
        )
    return steps


def _said(message: Message, result: TrialResult, prices: Prices | None) -> dict[str, Any]:
    """The fields that only a step of the agent may have."""
    calls = [
        {"tool_call_id": call["id"], "function_name": call["name"], "arguments": call["arguments"]}
        for call in message.calls
    ]
    if not message.event:
        return {"tool_calls": calls or None, "llm_call_count": None if message.is_load else 0}
    one = replace(result, **message.event["usage"], seconds=0.0)
    # an hour's price is paid for the trial's time, of which no single reply is known to have had a share
    paid = dollars(one, prices) if prices and not prices.hour else None
    more = ("turn", "seconds", "finish", "problems", "repairs", "resembles")
    return {
        "tool_calls": calls or None,
        "llm_call_count": 1,
        "reasoning_content": message.reasoning or None,
        "metrics": {**_tokens("", one), "cost_usd": paid},
        "extra": {name: message.event[name] for name in more},
    }


def _tokens(prefix: str, of: TrialResult) -> dict[str, int]:
    counted = {"prompt": of.prompt_tokens, "cached": of.cached_tokens, "completion": of.reply_tokens}
    return {f"{prefix}{kind}_tokens": number for kind, number in counted.items()}


FORMAT = Format(
    package="harbor",
    python=(3, 12),
    files=files,
    opened_with='for file in {out}/*.json; do python -m harbor.utils.trajectory_validator "$file"; done',
)
