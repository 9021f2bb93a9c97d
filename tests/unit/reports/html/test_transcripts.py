"""Transcripts in the page: packed, cut where they are long, left out where there is no room."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import pytest
from packs import write_pack
from results import manifest, reply_event, result, start_event, tool_event

from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.html.transcripts import CUT_BYTES, WHOLE_BYTES, embed, pack, page_data
from pytest_agentcore.reports.report import Report, build_report


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def test_a_transcript_is_packed_as_it_is(report: Report) -> None:
    path = report.campaign.folder.transcript(report.campaign.results[0].attempt)
    packed = pack(path)

    assert unpacked(packed) == path.read_bytes()
    assert re.fullmatch("[A-Za-z0-9+/=]+", packed)


def test_a_missing_and_an_empty_transcript_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()

    assert pack(tmp_path / "missing.jsonl") == ""
    assert pack(tmp_path / "empty.jsonl") == ""


@pytest.mark.parametrize("turns", [1, 60])
def test_a_large_transcript_keeps_both_ends_of_its_texts(tmp_path: Path, turns: int) -> None:
    trial, path = result(turns=turns), tmp_path / "large.jsonl"
    long = "first " + "x" * 150_000 + " last"
    events = [start_event(trial)]
    for turn in range(1, turns + 1):
        events += [reply_event(turn, {"command": long}, content=long), tool_event(turn, 0, {"command": long}, long)]
    path.write_bytes(b"".join(map(to_line, events)))
    assert path.stat().st_size > WHOLE_BYTES

    packed = pack(path)

    lines = unpacked(packed)
    assert len(lines) <= CUT_BYTES
    kept = [json.loads(line) for line in lines.splitlines()]
    assert kept[0] == events[0]
    argument = kept[1]["tool_calls"][0]["arguments"]["command"]
    assert argument["head"].startswith("first x")
    assert argument["tail"].endswith("x last")
    assert len(argument["head"]) + argument["left_out"] + len(argument["tail"]) == len(long)


def test_failed_trials_come_first_when_the_page_is_full(report: Report) -> None:
    _, embedded = embed(report, limit=1500)

    outcomes = {one.outcome for one in report.campaign.results if one.attempt in embedded}
    assert embedded
    assert "passed" not in outcomes
    assert len(embedded) < len(report.campaign.results)


def test_replaced_attempts_are_in_the_page_the_oldest_first(tmp_path: Path) -> None:
    trial = result("task_01_x", 1, attempts=3)
    pack_folder = write_pack(tmp_path / "campaign", manifest([("task_01_x", 1)]), [trial])
    pack_folder.attempts.mkdir()
    for attempt, minute in (("b" * 8, 1), ("a" * 8, 2)):
        event = {**start_event(trial), "attempt": attempt, "started": f"2026-06-10T07:0{minute}:00+00:00"}
        (pack_folder.attempts / f"{attempt}.jsonl").write_bytes(to_line(event))
    (pack_folder.attempts / "torn.jsonl").write_bytes(b'{"event":"sta')
    report = build_report(read_campaign(pack_folder.path))

    transcripts, embedded = embed(report, 10**6)
    data = page_data(report, embedded, "title")
    (row,) = (dict(zip(data["columns"], values, strict=True)) for values in data["rows"])

    assert row["earlier"] == ["b" * 8, "a" * 8]
    assert {*row["earlier"], trial.attempt} <= {attempt for attempt, _ in transcripts}
