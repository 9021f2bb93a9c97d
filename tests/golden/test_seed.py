"""The figures of the write-up that the project was founded on, from a records file of its trials (see its README)."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import comparison_lines
from pytest_agentcore.analysis.rank import published_scores
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.format import average, latency, percent
from pytest_agentcore.pack.csv import TABLES
from pytest_agentcore.pack.figures import CampaignFigures
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.reports.terminal import summary_lines

SEED = Path(__file__).parent / "seed"
SMALL, LARGE = "2026-06-10-gemma-4-12b-agentic-core-v1", "gemma-4-31b-agentic-core-v1"

TABLE = {
    "task_01": ("3/3", "14.6s", "5.0"),
    "task_02": ("3/3", "19.3s", "4.3"),
    "task_03": ("2/3", "10.5s", "2.3"),
    "task_04": ("3/3", "27.0s", "6.0"),
    "task_05": ("2/3", "76.5s", "6.0"),
    "task_06": ("3/3", "23.6s", "4.0"),
    "task_07": ("3/3", "11.9s", "4.0"),
    "task_08": ("3/3", "6.7s", "2.0"),
    "task_09": ("0/3", "0.9s", "0.3"),
    "task_10": ("0/3", "0.0s", "0.0"),
}
"""Result, average latency, average tool calls."""

SPLIT = {
    "task_01": ("3/3", "3/3"),
    "task_02": ("3/3", "1/3"),
    "task_03": ("2/3", "1/3"),
    "task_04": ("3/3", "3/3"),
    "task_05": ("2/3", "3/3"),
    "task_06": ("3/3", "3/3"),
    "task_07": ("3/3", "3/3"),
    "task_08": ("3/3", "3/3"),
    "task_09": ("0/3", "0/3"),
    "task_10": ("0/3", "3/3"),
}
"""12B and 31B."""


@pytest.fixture(scope="module")
def small() -> Campaign:
    return read_campaign(SEED / SMALL)


@pytest.fixture(scope="module")
def large() -> Campaign:
    return read_campaign(SEED / LARGE)


@pytest.fixture(scope="module")
def figures(small: Campaign) -> CampaignFigures:
    return small.figures


def test_raw_and_effective_rate(figures: CampaignFigures) -> None:
    rates = figures.overall.rates
    assert (rates.passed, rates.planned, percent(rates.raw)) == (22, 30, "73.3%")
    assert (rates.passed, rates.scored, percent(rates.effective)) == (22, 24, "91.7%")


def test_histogram(figures: CampaignFigures) -> None:
    modes = [figures.outcomes[mode] for mode in ("infrastructure_error", "wrong_answer", "gave_up_mid_plan")]
    assert modes == [6, 2, 0]


def test_table_per_task(small: Campaign, figures: CampaignFigures) -> None:
    shown = {
        task.task[:7]: (
            f"{task.rates.passed}/{task.rates.planned}",
            latency(task.effort.seconds.mean),
            average(task.effort.tool_calls.mean),
        )
        for task in figures.tasks
    }
    assert shown == TABLE
    terminal = "\n".join(summary_lines(small, small.folder.path, 120))
    for task, cells in TABLE.items():
        (line,) = (line for line in terminal.splitlines() if line.startswith(task))
        assert tuple(line.split()[1:4]) == cells


def test_table_of_both_models(small: Campaign, large: Campaign) -> None:
    lines = comparison_lines(compare(small, large), 120)
    rows = {line[:7]: tuple(line.split()[1:3]) for line in lines if line.startswith("task_")}
    assert rows == SPLIT
    (rest,) = (line for line in lines if line.startswith("task_09"))
    assert "A: 3 unscored" in rest
    assert "B:" not in rest


def test_the_leaked_run_keeps_its_mode_and_says_its_cause(small: Campaign) -> None:
    (leaked,) = (result for result in small.results if result.attempt.startswith("e71740e9"))
    assert (leaked.task[:7], leaked.run, leaked.outcome, leaked.seconds) == ("task_05", 3, "wrong_answer", 146.8)
    assert leaked.cause == "chat_template_leakage"


def test_not_noise_is_contradicted(small: Campaign, large: Campaign) -> None:
    """3/3 against 1/3 was called *not noise*."""
    found = compare(small, large)
    text = " ".join(" ".join(comparison_lines(found, 100)).split())
    sentence = "3/3 against 1/3: p = 0.40, could be chance; with 3 runs p cannot be below 0.10"
    assert f"task_02_refactor_duplicated_code: {sentence}" in text
    assert "verdict No difference is shown: B passed 20/24 (83.3%) and A 22/24 (91.7%) of the scored trials" in text
    assert not found.regression


def test_leaderboard_order_up_to_ties(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["leaderboard", str(SEED), "--format=csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["rank"], row["model"], row["passed"], row["cost_usd"]) for row in rows] == [
        ("1", "gemma-4-31b", "23", "0.0"),
        ("2", "gemma-4-12b", "22", "0.0"),
    ]
    order = [score.model for score in published_scores()]
    seed = ["Claude Opus 4.8", "Mistral Small 4", "GLM-4.7", "DeepSeek-V4-Flash", "Claude Sonnet 4.6", "Claude Fable 5"]
    seed += ["Gemma 4 31B IT (Q4_K_M)", "Gemma 4 12B IT (Q4_K_M)"]
    assert [model for model in order if model in seed] == seed


@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_the_records_are_sound_but_for_the_evidence_that_was_not_published(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.main(["validate", str(SEED / name)]) == 1
    *problems, summary = capsys.readouterr().out.splitlines()
    evidence = [line for line in problems if "is missing; line" in line]
    tables = {f"{name}: verification/{table.name}.csv: is missing" for table in TABLES}
    # Tables follow from the records, `agentcore report` writes them; digests come from whoever runs the trials.
    assert {*problems} - {*evidence} == tables | {f"{name}: data/digests.jsonl: is missing"}
    assert "30 results, 0 transcripts, 0 workspaces" in summary


def test_campaigns_of_other_versions_are_not_judged_by_the_shipped_suite(capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in SEED.rglob("*") if path.is_file()}

    assert cli.main(["recheck", str(SEED / SMALL)]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("so nothing is judged again; --suite names a folder of version published")
    assert {path: path.read_bytes() for path in SEED.rglob("*") if path.is_file()} == before
