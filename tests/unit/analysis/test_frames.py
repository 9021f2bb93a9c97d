"""Campaigns as DataFrames: rows, dtypes, what is missing, and texts that models can write."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest
from results import HOSTILE, INTERRUPTED, LOST, PASSED, WRONG, events_of, result
from small_packs import campaign, pack

from pytest_agentcore.analysis import columns, frames
from pytest_agentcore.analysis.frames import Results, read
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.trial.result import Prices

TRIALS = [
    result("a", 1, **PASSED),
    result("a", 2, **WRONG, tool_calls=2, turns=3),
    result("b", 1, **LOST),
    result("b", 2, **INTERRUPTED),
]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two campaigns, the first with transcripts."""
    first = pack(tmp_path / "first", TRIALS, model="first", prices=Prices(reply=10.0))
    first.folder.transcripts.mkdir()
    for trial in TRIALS:
        first.folder.transcript(trial.attempt).write_bytes(b"".join(map(to_line, events_of(trial))))
    campaign(tmp_path / "second", a=2, b=3)
    return read(tmp_path)


@pytest.mark.parametrize("name", ["campaigns", "tasks", "trials", "turns", "calls"])
def test_columns_and_dtypes_are_as_declared_also_without_a_row(name: str, results: Results) -> None:
    declared = {column.name: column.dtype for column in getattr(columns, name.upper())}
    for of in (results, Results([])):
        found: pandas.DataFrame = getattr(of, name)
        assert {column: str(dtype) for column, dtype in found.dtypes.items()} == declared
    assert len(getattr(results, name)) > 0


def test_a_row_is_a_recorded_trial(results: Results) -> None:
    mine = results.trials[results.trials["campaign"] == "first"]
    assert [*zip(mine["task"], mine["run"], mine["outcome"], strict=True)] == [
        ("a", 1, "passed"),
        ("a", 2, "wrong_answer"),
        ("b", 1, "infrastructure_error"),
        ("b", 2, "interrupted"),
    ]
    assert mine["passed"].tolist() == [True, False, pandas.NA, pandas.NA]
    assert mine["passed"].mean() == results["first"].figures.overall.rates.effective == 0.5
    assert mine["cost"].tolist() == [0.002] * 4
    assert mine["cause"].isna().tolist() == [True, False, False, False]
    assert mine["started"].dt.year.tolist() == [2026] * 4


def test_a_campaign_and_its_tasks_have_the_numbers_of_the_reports(results: Results) -> None:
    first = results.campaigns.set_index("campaign").to_dict("index")["first"]
    overall, interval = results["first"].figures.overall, results["first"].figures.same_tasks
    assert interval
    assert (first["planned"], first["scored"], first["passed"], first["effective_rate"]) == (4, 2, 1, 0.5)
    assert first["cost"] == overall.effort.cost == pytest.approx(0.008)
    assert (first["low"], first["high"]) == (interval.low, interval.high)
    assert (first["quant"], first["temperature"], first["top_k"]) == ("Q4_K_M", 0.7, 0)
    assert pandas.isna(first["finished"])
    rates = results.tasks.set_index(["campaign", "task"])["effective_rate"]
    assert [*rates.index] == [("first", "a"), ("first", "b"), ("second", "a"), ("second", "b")]
    assert rates.tolist() == [0.5, pandas.NA, pytest.approx(2 / 3), 1.0]


def test_turns_and_calls_are_those_of_the_transcripts(results: Results) -> None:
    turns = results.turns
    assert turns.groupby(["task", "run"]).size().to_dict() == {(t.task, t.run): t.turns for t in TRIALS}
    assert turns[turns["turn"] == 1]["calls"].tolist() == [trial.tool_calls for trial in TRIALS]
    assert turns["reply_tokens"].sum() == sum(trial.reply_tokens for trial in TRIALS)
    calls = results.calls
    assert calls.groupby("attempt").size().to_dict() == {t.attempt: t.tool_calls for t in TRIALS if t.tool_calls}
    assert calls["arguments"].iloc[0] == '{"command": "ls part_0"}'
    first = Results([results["first"]])
    assert first.transcript(TRIALS[0].attempt)[0]["event"] == "start"
    with pytest.raises(UsageError, match="no trial of these campaigns ended with attempt 'other'"):
        first.transcript("other")


def test_numbers_of_a_price_that_is_not_known_are_missing(tmp_path: Path) -> None:
    results = Results([pack(tmp_path / "one", TRIALS, prices=None)])
    assert results.trials["cost"].isna().all()
    assert results.campaigns["cost"].isna().all()


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_through(text: str, tmp_path: Path) -> None:
    """Nothing is taken away; what is no text for Arrow is spelled out."""
    results = Results([pack(tmp_path / "one", [result("a", 1, **{**WRONG, "detail": text})])])
    (detail,) = results.trials["detail"]
    assert detail == text.encode("utf-8", "backslashreplace").decode()


def test_parquet_has_the_same_rows(results: Results, tmp_path: Path) -> None:
    results.to_parquet(tmp_path / "parquet")
    found = pandas.read_parquet(tmp_path / "parquet" / "trials.parquet")
    assert found["attempt"].tolist() == results.trials["attempt"].tolist()
    assert found["passed"].isna().sum() == 2
    assert sorted(path.stem for path in (tmp_path / "parquet").iterdir()) == sorted(
        ("campaigns", "tasks", "trials", "turns", "calls")
    )


def test_a_place_may_be_a_folder_a_campaign_or_an_id(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(tmp_path / "second").campaigns["campaign"].tolist() == ["second"]
    (tmp_path / "agentcore-results").mkdir()
    (tmp_path / "first").rename(tmp_path / "agentcore-results" / "first")
    monkeypatch.chdir(tmp_path)
    assert read().campaigns["campaign"].tolist() == ["first"]
    assert read("first").trials["campaign"].unique().tolist() == ["first"]
    assert frames.figures("first").overall.rates.passed == 1
    assert frames.compare("first", "second").only_second == ()


def test_a_selection_is_left_out_of_a_folder_and_read_by_name(tmp_path: Path) -> None:
    campaign(tmp_path / "whole", a=3)
    pack(tmp_path / "picked", TRIALS, selection=Selection(asked=("--lf",)))
    assert read(tmp_path).campaigns["campaign"].tolist() == ["whole"]
    assert read(tmp_path / "picked").campaigns["campaign"].tolist() == ["picked"]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no campaign in"):
        read(tmp_path)
    with pytest.raises(UsageError, match="no campaign 'nothing'"):
        read("nothing")
    pack(tmp_path / "broken", TRIALS).folder.manifest.write_text("{")
    with pytest.raises(UsageError, match=r"manifest\.json"):
        read(tmp_path)
