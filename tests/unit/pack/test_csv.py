"""The tables: their numbers, their cells, and that any reader gets them back."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pandas
import pytest
from results import GAVE_UP, HOSTILE, LOST, WRONG, manifest, result

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.trial.result import Prices, TrialResult

FINISHED = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
PLAN = [(task, run) for run in (1, 2, 3) for task in ("task_01", "task_02")]
RESULTS = [
    result("task_02", 1, seconds=10.0),
    result("task_01", 1, seconds=1.0),
    result("task_01", 2, seconds=3.0, **WRONG),
    result("task_02", 2, seconds=15.0, **GAVE_UP),
    result("task_01", 3, **LOST),
]


def test_pass_rates_per_task_and_overall(tmp_path: Path) -> None:
    one, two, every = _rows(_pack(tmp_path, RESULTS), "pass_rate_by_task")

    assert one == {
        "task": "task_01",
        "policy": "native",
        "planned": "3",
        "recorded": "3",
        "scored": "2",
        "passed": "1",
        "raw_rate": "0.3333",
        "effective_rate": "0.5",
        "distinct": "2",
    }
    assert (two["planned"], two["recorded"], two["scored"]) == ("3", "2", "2")
    assert (every["task"], every["planned"], every["passed"], every["scored"]) == ("*", "6", "2", "4")


def test_every_outcome_has_a_row_and_its_causes_below(tmp_path: Path) -> None:
    rows = _rows(_pack(tmp_path, RESULTS), "failure_mode_histogram")

    assert [(row["outcome"], row["cause"], row["trials"]) for row in rows] == [
        ("passed", "*", "2"),
        ("wrong_answer", "*", "1"),
        ("wrong_answer", "checker_rejected", "1"),
        ("gave_up_mid_plan", "*", "1"),
        ("gave_up_mid_plan", "budget_exhausted", "1"),
        ("infrastructure_error", "*", "1"),
        ("infrastructure_error", "backend_unreachable", "1"),
        ("interrupted", "*", "0"),
        ("not_run", "*", "1"),
    ]


def test_latency_is_that_of_scored_trials(tmp_path: Path) -> None:
    one, two, every = _rows(_pack(tmp_path, RESULTS), "latency_distribution")

    assert (one["over"], one["trials"], one["mean_seconds"], one["p95_seconds"]) == ("scored", "2", "2.0", "2.9")
    assert (two["min_seconds"], two["max_seconds"]) == ("10.0", "15.0")
    assert every["trials"] == "4"


def test_what_is_undefined_is_an_empty_cell(tmp_path: Path) -> None:
    folder = _pack(tmp_path, [])

    assert _rows(folder, "pass_rate_by_task")[0]["effective_rate"] == ""
    assert _rows(folder, "latency_distribution")[0]["mean_seconds"] == ""
    assert _rows(folder, "cost_breakdown")[0]["cost_per_pass_usd"] == ""


def test_costs_follow_from_tokens_and_prices(tmp_path: Path) -> None:
    """task_01: 3 trials of 100 new, 900 cached prompt tokens and 200 sampled; 1 passed."""
    folder = _pack(tmp_path, RESULTS, prices=Prices(prompt=1.0, cached=0.1, reply=10.0))

    row = _rows(folder, "cost_breakdown")[0]

    assert (row["prompt_tokens"], row["cached_tokens"], row["reply_tokens"]) == ("3000", "2700", "600")
    assert (row["cost_usd"], row["cost_per_trial_usd"], row["cost_per_pass_usd"]) == ("0.00657", "0.00219", "0.00657")


def test_a_machine_paid_by_the_hour_is_paid_for_the_seconds_of_the_trials(tmp_path: Path) -> None:
    row = _rows(_pack(tmp_path, RESULTS, prices=Prices(hour=3600.0)), "cost_breakdown")[0]

    assert float(row["cost_usd"]) == float(row["seconds"]) > 0


def test_unknown_prices_leave_costs_empty(tmp_path: Path) -> None:
    assert _rows(_pack(tmp_path, RESULTS, prices=None), "cost_breakdown")[0]["cost_usd"] == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_no_model_output_breaks_a_row_or_starts_a_formula(tmp_path: Path, text: str) -> None:
    folder = _pack(tmp_path, [result("task_01", 1, **WRONG | {"detail": text})])

    (row,) = _rows(folder, "trials")

    assert row["detail"].isprintable()
    assert not row["detail"].startswith(("=", "+", "-", "@"))
    assert row["transcript"] == f"data/transcripts/{result('task_01', 1).attempt}.jsonl"
    assert len((folder.verification / "trials.csv").read_bytes().split(b"\n")) == 3


def test_pandas_reads_the_same_numbers(tmp_path: Path) -> None:
    folder = _pack(tmp_path, RESULTS)

    trials = pandas.read_csv(folder.verification / "trials.csv")
    scored = trials[trials.passed.notna() & (trials.task == "task_02")]
    latency = pandas.read_csv(folder.verification / "latency_distribution.csv").set_index("task")

    assert latency.p95_seconds["task_02"] == pytest.approx(scored.seconds.quantile(0.95), abs=1e-3)
    assert trials.passed.sum() == 2


def test_the_same_results_in_another_order_give_the_same_tables(tmp_path: Path) -> None:
    packs = [_pack(tmp_path / str(n), results) for n, results in enumerate([RESULTS, RESULTS[::-1]])]

    first, second = ({p.name: p.read_bytes() for p in pack.verification.iterdir()} for pack in packs)

    assert first == second


def _pack(results_folder: Path, results: list[TrialResult], **changes: object) -> CampaignFolder:
    record = CampaignRecord.begin(results_folder, manifest(PLAN, **changes))
    for trial in results:
        record.add(trial)
    record.finish(exit_status=0, finished=FINISHED)
    return record.folder


def _rows(folder: CampaignFolder, table: str) -> list[dict[str, str]]:
    with (folder.verification / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
