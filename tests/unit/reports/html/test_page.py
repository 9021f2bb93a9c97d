"""What report.html is made of: packed transcripts, charts, data and the content policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from packs import many, write_pack
from results import HOSTILE, manifest, reply_event, result, start_event, tool_event

from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.build import build_report
from pytest_agentcore.reports.html.charts import bin_width, charts, draw, whole_ticks
from pytest_agentcore.reports.html.page import page
from pytest_agentcore.reports.html.transcripts import CUT_BYTES, WHOLE_BYTES, Embedding, for_script, pack, page_data
from pytest_agentcore.reports.report import Report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Of twelve trials."""
    folder = write_pack(tmp_path / "campaign", *many(tasks=3, runs=4))
    return build_report(read_campaign(folder.path))


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def test_a_transcript_is_packed_as_it_is(report: Report) -> None:
    path = report.campaign.folder.transcript(report.results[0].attempt)
    packed = pack(path)

    assert packed is not None
    assert packed.attempt == path.stem
    assert unpacked(packed.text) == path.read_bytes()
    assert re.fullmatch("[A-Za-z0-9+/=]+", packed.text)


def test_a_missing_and_an_empty_transcript_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()

    assert pack(tmp_path / "missing.jsonl") is None
    assert pack(tmp_path / "empty.jsonl") is None


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

    assert packed is not None
    lines = unpacked(packed.text)
    assert len(lines) <= CUT_BYTES
    kept = [json.loads(line) for line in lines.splitlines()]
    assert kept[0] == events[0]
    argument = kept[1]["tool_calls"][0]["arguments"]["command"]
    assert argument["head"].startswith("first x")
    assert argument["tail"].endswith("x last")
    assert len(argument["head"]) + argument["left_out"] + len(argument["tail"]) == len(long)


def test_failed_trials_come_first_when_the_page_is_full(report: Report) -> None:
    embedding = Embedding(report, limit=1500)
    list(embedding.transcripts())

    outcomes = {one.outcome for one in report.results if one.attempt in embedding.state}
    assert embedding.state
    assert "passed" not in outcomes
    assert len(embedding.state) < len(report.results)


def test_what_is_left_out_is_counted_on_the_page(report: Report) -> None:
    text = "".join(page(report, with_charts=False, room=1500))

    assert re.search(r"The transcripts of \d+ of 12 trials are not in this page", text)


@pytest.mark.parametrize("text", [*HOSTILE, "</script><script>alert(1)</script>", "<!-- <script>", "&lt;"])
def test_data_never_ends_its_element_and_comes_back_exactly(text: str) -> None:
    written = for_script({text: [text]})

    assert not set("<>&") & set(written)
    assert json.loads(written) == {text: [text]}


def test_the_policy_admits_the_scripts_and_styles_that_are_there(report: Report) -> None:
    text = "".join(page(report, with_charts=False))

    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[0].replace("&#39;", "'")
    for element in ("script", "style"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"\s(style|on\w+)=", text.partition("<script>")[0].partition("</style>")[2])


def test_every_chart_is_drawn_without_style_script_or_fixed_ink(report: Report) -> None:
    for chart in charts(report.figures, report.results, parallel=1):
        svg = draw(chart.spec)

        assert svg.startswith("<svg")
        assert not re.search(r"<(script|style|image|a)\b|\sstyle=|\son\w+=|href=", svg)
        assert set(re.findall(r'(?:fill|stroke)="(#[^"]+|black|white)"', svg)) <= {"#000"}, chart.title


def test_times_of_trials_that_overlapped_are_marked(tmp_path: Path) -> None:
    facts = replace(manifest([("task_01_x", 1)]), parallel=4)
    folder = write_pack(tmp_path / "campaign", facts, [result("task_01_x", 1)])
    text = "".join(page(build_report(read_campaign(folder.path)), with_charts=False))

    for name in ("median time", "mean time", "Time of a trial"):
        assert f"{name} (4 at once)" in text


def test_names_in_charts_are_escaped(tmp_path: Path) -> None:
    name = "task_01_<b>&\"'</text><script>"
    folder = write_pack(tmp_path / "campaign", manifest([(name, 1)]), [result(name, 1)])
    text = "".join(page(build_report(read_campaign(folder.path))))

    assert "<b>" not in text
    assert text.count("<script") == 3


def test_a_campaign_without_a_single_result_has_a_page(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "campaign", manifest([("task_01_x", 1)]), [])
    text = "".join(page(build_report(read_campaign(folder.path))))

    assert "0 of 0 scored trials passed" in text
    assert "undefined: no trial is scored" in text
    assert text.count("<svg") == 5


def test_without_the_library_a_sentence_stands_in_place_of_charts(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    text = "".join(page(report))

    assert "vl-convert-python is not installed (pip install vl-convert-python)" in text
    assert "Mean " in text


def test_a_page_without_charts_says_how_to_get_them(report: Report) -> None:
    assert "`agentcore report CAMPAIGN` draws them" in "".join(page(report, with_charts=False))


@pytest.mark.parametrize(
    ("most", "whole", "width"),
    [
        (0.0, False, 1.0),
        (15.0, True, 1.0),
        (40.0, True, 5.0),
        (415.0, False, 50.0),
        (0.03, False, 0.002),
        (1.0, True, 1.0),
    ],
)
def test_bins_are_round_and_few(most: float, width: float, whole: bool) -> None:
    assert bin_width(most, whole=whole) == pytest.approx(width)


@pytest.mark.parametrize(("most", "ticks"), [(0, [0]), (1, [0, 1]), (6, [0, 1, 2, 3, 4, 5, 6]), (16, [0, 5, 10, 15])])
def test_counts_have_whole_ticks(most: int, ticks: list[int]) -> None:
    assert whole_ticks(most) == ticks


def test_replaced_attempts_are_in_the_page_the_oldest_first(tmp_path: Path) -> None:
    trial = result("task_01_x", 1, attempts=3)
    pack_folder = write_pack(tmp_path / "campaign", manifest([("task_01_x", 1)]), [trial])
    pack_folder.attempts.mkdir()
    for attempt, minute in (("b" * 8, 1), ("a" * 8, 2)):
        event = {**start_event(trial), "attempt": attempt, "started": f"2026-06-10T07:0{minute}:00+00:00"}
        (pack_folder.attempts / f"{attempt}.jsonl").write_bytes(to_line(event))
    (pack_folder.attempts / "torn.jsonl").write_bytes(b'{"event":"sta')
    report = build_report(read_campaign(pack_folder.path))
    embedding = Embedding(report, 10**6)

    packed = [one.attempt for one in embedding.transcripts()]
    data = page_data(report, embedding.state, "title")
    (row,) = (dict(zip(data["columns"], values, strict=True)) for values in data["rows"])

    assert row["earlier"] == ["b" * 8, "a" * 8]
    assert {*row["earlier"], trial.attempt} <= set(packed)
