"""Cells of the tables that renderings share."""

from __future__ import annotations

from pathlib import Path

from results import GAVE_UP, PASSED, WRONG, result
from small_packs import pack

from pytest_agentcore.analysis.rank import leaderboard
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.tables import LISTED_RUNS, MOST_PLACES, Table, failure_notes, pipes, places


def campaign(path: Path, passed: int) -> Campaign:
    trials = [result("a", run, **(PASSED if run <= passed else WRONG)) for run in range(1, 5)]
    return pack(path, trials, model=path.name)


def test_runs_that_failed_alike_are_listed_together_and_many_are_counted() -> None:
    few = [result("a", 1, **WRONG), result("a", 2), result("a", 3, **WRONG), result("a", 4, **GAVE_UP)]
    many = [result("a", run, **WRONG) for run in range(1, LISTED_RUNS + 2)]

    assert failure_notes(few, 6) == "run 1, 3: checker_rejected; run 4: budget_exhausted (turn_limit); 2 not run"
    assert failure_notes(many, len(many)) == f"{LISTED_RUNS + 1} runs: checker_rejected"
    assert failure_notes([result("a", 1)], 1) == ""


def test_a_campaign_is_shown_among_the_others_however_low_it_stands(tmp_path: Path) -> None:
    rivals = [campaign(tmp_path / f"rival-{n:02}", 4) for n in range(MOST_PLACES + 2)]
    mine = campaign(tmp_path / "mine", 1)
    (ranking,) = leaderboard([mine, *rivals]).rankings

    found = places(ranking, mine.manifest)

    assert found is not None
    assert len(found.rows) == MOST_PLACES + 1
    assert found.own is not None
    assert found.rows[found.own][:3] == [str(MOST_PLACES + 3), "mine", "1/4 (25.0%)"]
    assert places(leaderboard([mine]).rankings[0], mine.manifest) is None


def test_a_table_in_markdown_marks_its_own_row_and_keeps_sums_of_money_plain() -> None:
    table = Table(("Rank", "Model", "Cost"), [["1", "a|b", "$0.50"], ["2", "c_d", "-"]], own=1)

    assert pipes(table, code=["Rank"]).splitlines() == [
        "| Rank | Model | Cost |",
        "| --- | --- | --- |",
        "| `1` | a\\|b | $0.50 |",
        "| `2` | **c_d** | - |",
    ]
