"""Transcripts as the page holds them: the file itself, deflated, in base64; list.js unpacks one when it is opened.

Ten thousand transcripts pass through here when a large campaign ends, so they are not parsed unless they must be cut.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.jsonl import read_lines, to_line
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.reports.report import Report
from pytest_agentcore.stats.counting import NOT_RUN
from pytest_agentcore.trial.result import TrialResult

SIGNS: Mapping[str, str] = {
    "passed": "✓",
    "wrong_answer": "✗",
    "gave_up_mid_plan": "…",
    "infrastructure_error": "!",
    "interrupted": "‖",
    NOT_RUN: "·",
}
"""Beside the colour of an outcome, for those who do not see it and for paper."""

WHOLE_BYTES = 256 * 2**10
"""A transcript of this size or less is taken as it is."""
ENDS = (8_000, 800, 80)
"""Characters kept of each end of a long text: the first of these that makes the transcript small enough."""
CUT_BYTES = 2 * 2**20
"""What small enough means for a transcript that was cut."""
PAGE_BYTES = 16 * 2**20
"""For all packed transcripts of a page. Browsers open such a page in a second, and mail still takes it."""
LEVEL = 3
"""Of deflate: twice as fast as the default, and a tenth larger."""


def pack(path: Path) -> str:
    """Deflate the lines of a transcript and write them in base64; empty where there is none or nothing in it.

    A large one has its long texts as `{"head", "left_out", "tail"}`, where `left_out` counts characters. The alphabet
    of base64 has nothing that HTML could take for markup.

    Raises:
        UsageError: a line in the middle of one that must be cut is damaged.
    """
    lines = path.read_bytes() if path.is_file() else b""
    if len(lines) > WHOLE_BYTES:
        events = read_transcript(path)
        for ends in ENDS:
            lines = b"".join(to_line(_shortened(event, ends)) for event in events)
            if len(lines) <= CUT_BYTES:
                break
    return packed(lines) if lines else ""


def packed(content: bytes) -> str:
    """Deflate and write in base64: nothing that HTML or JavaScript could take for anything but text is left."""
    return base64.b64encode(zlib.compress(content, LEVEL)).decode("ascii")


def pack_readable(path: Path) -> str:
    """Pack a transcript; empty also where it is damaged, which the other trials of a page do not suffer for."""
    try:
        return pack(path)
    except UsageError:
        return ""


def script(campaign: str, attempt: str, path: Path) -> str:
    """Write a transcript as the script that index.js loads when it is opened: a page from a disk may read no file."""
    return as_script(f"{campaign}/{attempt}", pack_readable(path))


def as_script(key: str, text: str) -> str:
    """Write a packed transcript as a script.

    Args:
        key: `<campaign>/<attempt>`, which is also the script's address below its folder, without `.js`.
        text: as `pack_readable` gave it.
    """
    return f"agentcoreTranscript({json.dumps(key)}, {json.dumps(text)});\n"


def _shortened(value: Any, ends: int) -> Any:
    if isinstance(value, str) and len(value) > 3 * ends:
        return {"head": value[:ends], "left_out": len(value) - 2 * ends, "tail": value[-ends:]}
    if isinstance(value, Mapping):
        return {key: _shortened(item, ends) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, ends) for item in value]
    return value


DETAIL = 600
"""Characters of a trial's detail that the list holds; all of it is in `data/results.jsonl`."""

COLUMNS: Mapping[str, Callable[[TrialResult], Any]] = {
    **{name: attrgetter(name) for name in ("attempt", "task", "run", "outcome", "cause")},
    "stop": attrgetter("stop_reason"),
    "detail": lambda result: result.detail[:DETAIL],
    "turns": attrgetter("turns"),
    "calls": attrgetter("tool_calls"),
    "problems": attrgetter("problems"),
    **{kind: attrgetter(f"{kind}_tokens") for kind in ("prompt", "cached", "reply")},
    "seconds": lambda result: round(result.seconds, 3),
    "modelSeconds": lambda result: round(result.model_seconds, 3),
    "toolSeconds": lambda result: round(result.tool_seconds, 3),
    **{name: attrgetter(name) for name in ("started", "seed")},
}
"""Values of a row by the names that page.js has for them; behind them come `earlier`, `hits` and `embedded`."""


def row(result: TrialResult) -> list[Any]:
    """Give the values of `COLUMNS`."""
    return [value(result) for value in COLUMNS.values()]


def embed(report: Report, limit: int) -> tuple[list[tuple[str, str]], Mapping[str, str]]:
    """Pack transcripts until the page is full: trials that did not pass first, then the others, then old attempts.

    Args:
        report: of the campaign.
        limit: bytes for all of them.

    Returns:
        Each packed transcript after its attempt; and by attempt `yes` or `missing`, or nothing where the page had no
        room.
    """
    folder, used = report.campaign.folder, 0
    found: list[tuple[str, str]] = []
    state: dict[str, str] = {}
    ordered = sorted(report.campaign.results, key=lambda result: bool(result.passed))
    # attempts that were replaced come last: they are evidence of the harness, and no result is made of them
    paths = [folder.transcript(result.attempt) for result in ordered]
    for path in [*paths, *sorted(folder.attempts.glob("*.jsonl"))]:
        if used >= limit:
            break
        text = pack(path)
        state[path.stem] = "yes" if text else "missing"
        if text:
            used += len(text)
            found.append((path.stem, text))
    return found, state


def page_data(report: Report, embedded: Mapping[str, str], title: str) -> dict[str, Any]:
    """Gather everything page.js works with, transcripts aside."""
    replaced: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for path in report.campaign.folder.attempts.glob("*.jsonl"):
        start = next(read_lines(path), None)
        if start and start.get("event") == "start":
            replaced.setdefault((start["task"], start["run"]), []).append((start["started"], path.stem))
    hits: dict[str, list[list[Any]]] = {}
    for found in report.detected:
        for result, hit in found.hits:
            hits.setdefault(result.attempt, []).append([found.detector.name, hit.turn, hit.note])
    return {
        "title": title,
        "signs": dict(SIGNS),
        "columns": [*COLUMNS, "earlier", "hits", "embedded"],
        "rows": [
            [
                *row(result),
                [attempt for _, attempt in sorted(replaced.get((result.task, result.run), []))],  # the oldest first
                hits.get(result.attempt, []),
                embedded.get(result.attempt, "no"),
            ]
            for result in report.campaign.results
        ],
    }
