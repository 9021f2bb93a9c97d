"""Transcripts: one JSONL file per attempt, an event a line, every turn addressable.

Which events there are and what they hold: docs/data-pack.md and schemas/transcript.json.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import append, drop_torn_line, open_to_append, parse_line, read_lines, whole_lines
from pytest_agentcore.trial.fold import Attempt, Event, verdict_event
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult, Usage

TRANSCRIPT_SCHEMA = 1
"""Written into each start event; raised when an event changes its meaning."""


class TranscriptWriter:
    """Records the events of one attempt: call it with each. A line is with the operating system when the call returns.

    A killed process therefore loses nothing; only a machine that loses power may lose the last events. The verdict is
    the last event and closes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_to_append(path)

    def __call__(self, event: Event) -> None:
        if event.get("event") == "start":
            event = {"event": "start", "schema": TRANSCRIPT_SCHEMA, **event}
        append(self._file, event)
        if event.get("event") == "verdict":
            self.close()

    def close(self) -> None:
        """No event comes after this; may be called more than once."""
        self._file.close()


_NO_REPLY: Event = {
    "event": "reply",
    "finish": "stop",
    "resembles": None,
    "seconds": 0.0,
    "usage": asdict(Usage()),
    **dict.fromkeys(("text", "content", "reasoning"), ""),
    **dict.fromkeys(("tool_calls", "problems", "repairs"), ()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The events of one turn."""

    number: int
    """Counted from 1."""
    reply: Event
    results: tuple[Event, ...] = ()
    """`tool_result` events in the order of the calls."""
    feedback: tuple[str, ...] = ()
    """Messages to the model about calls that did not parse."""


def read_transcript(path: Path) -> list[dict[str, Any]]:
    """All events; a torn last line is left out, a missing file has none.

    Raises:
        UsageError: a line in the middle is damaged.
    """
    return list(read_lines(path))


def read_outline(path: Path) -> list[dict[str, Any]]:
    """All events, tool results without their texts: those are most of a transcript, and no detector reads them.

    Raises:
        UsageError: a line in the middle is damaged; what is wrong within a left-out text is not noticed.
    """
    events = []
    for number, line in enumerate(whole_lines(path), 1):
        event: dict[str, Any] = {}
        if line.startswith(b'{"event":"tool_result"'):
            with suppress(ValueError):  # cut off within the call, one of whose arguments is named like the text
                event = json.loads(line.partition(b',"text":')[0].decode("utf-8") + "}")
        events.append(event if "outcome" in event else parse_line(line, path, number))
    return events


def played(events: Iterable[Event]) -> list[Turn]:
    """Events by turn, in order; the replies of an agent without a model, which only acts, are empty."""
    replies: dict[int, Event] = {}
    results: defaultdict[int, list[Event]] = defaultdict(list)
    feedback: defaultdict[int, list[str]] = defaultdict(list)
    for event in events:
        match event:
            case {"event": "reply", "turn": int(turn)}:
                replies[turn] = event
            case {"event": "tool_result", "turn": int(turn)}:
                results[turn].append(event)
            case {"event": "feedback", "turn": int(turn), "text": str(text)}:
                feedback[turn].append(text)
    return [
        Turn(number=n, reply=replies.get(n, _NO_REPLY), results=tuple(results[n]), feedback=tuple(feedback[n]))
        for n in sorted({*replies, *results})
    ]


def turns(events: Iterable[Event]) -> list[Turn]:
    """The turns in which a model replied, in order."""
    return [turn for turn in played(events) if turn.reply is not _NO_REPLY]


def address_of(result: TrialResult, turn: int = 0) -> str:
    """The citation of a trial's last attempt, `data/transcripts/<uuid>.jsonl#turn=N`; turn 0 is the whole file."""
    return f"data/transcripts/{result.attempt}.jsonl" + (f"#turn={turn}" if turn else "")


def set_aside(folder: CampaignFolder, transcripts: Iterable[Path]) -> None:
    """Move transcripts of attempts that were replaced to the other attempts."""
    for path in transcripts:
        if path.is_file():
            folder.attempts.mkdir(exist_ok=True)
            path.replace(folder.attempts / path.name)


def judge_crashed(
    folder: CampaignFolder, attempt: Attempt, detail: str, cause: Cause = Cause.backend_crashed
) -> TrialResult:
    """Close the transcript of a process that died, and say what is known of its trial.

    Raises:
        RecordError: the disk does not take the verdict.
    """
    verdict, path = verdict_event(None, detail=detail, cause=cause), folder.transcript(attempt.id)
    drop_torn_line(path)
    with closing(TranscriptWriter(path)) as record:
        record(verdict)
    return replace(attempt, verdict=verdict).result()
