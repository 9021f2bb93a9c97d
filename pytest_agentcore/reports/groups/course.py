"""What the transcripts of a campaign say about how its replies were written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.campaign.transcript import Event, read_transcript
from pytest_agentcore.models.dialects.resemblance import leaks_template
from pytest_agentcore.trial import TrialResult
from pytest_agentcore.verdict.modes import Resemblance

_RESULT = re.compile(r"</?tool_(?:response|result)\b|<\|?tool_response\|?>")
"""What chat templates put around the result of a call: a model that writes it makes results up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The replies of one trial."""

    result: TrialResult
    texts: tuple[str, ...]
    """What the model wrote, turn by turn."""
    calls: int
    """Calls that were read."""
    malformed: int
    """Calls that were begun and could not be read."""
    resembled: Mapping[Resemblance, int]
    """Replies without a call, by what they looked like."""
    leaked: int
    """Replies with text that only a chat template should write: its tokens, or its markers around a call's result."""
    loaded: int
    """Tokens of earlier conversation."""
    counted: str
    """How those were counted; empty without any."""


def courses(campaign: Campaign) -> list[Course]:
    """Of every scored trial, by task and run; one transcript is read at a time.

    Raises:
        UsageError: a transcript is damaged; names file and line.
    """
    return [_course(campaign, result) for result in campaign.results if result.scored]


def _course(campaign: Campaign, result: TrialResult) -> Course:
    events = read_transcript(campaign.folder.transcript(result.attempt))
    load = events[0].get("load", {}) if events else {}
    replies = [event for event in events if event["event"] == "reply"]
    resembled = Counter(Resemblance(reply["resembles"]) for reply in replies if reply["resembles"])
    return Course(
        result=result,
        texts=tuple(str(reply["text"]) for reply in replies),
        calls=sum(len(reply["tool_calls"]) for reply in replies),
        malformed=sum(len(reply["problems"]) for reply in replies),
        resembled=resembled,
        leaked=sum(_leaks(reply) for reply in replies),
        loaded=load.get("tokens", 0),
        counted=load.get("counted", ""),
    )


def _leaks(reply: Event) -> bool:
    """Calls that were read are not looked into: a file may hold anything."""
    content = str(reply["content"])
    return (
        reply["resembles"] == Resemblance.template_tokens
        or _RESULT.search(content) is not None
        or leaks_template(content)
    )
