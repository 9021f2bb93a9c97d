"""The tables that need transcripts or a baseline."""

from __future__ import annotations

from pathlib import Path

from small_packs import campaign

from pytest_agentcore.reports.csv import comparison
from pytest_agentcore.reports.report import build_report


def test_the_row_over_all_tasks_counts_those_that_both_planned(tmp_path: Path) -> None:
    baseline, now = campaign(tmp_path / "baseline", a=1, b=3), campaign(tmp_path / "now", a=2, c=3)
    rows = list(comparison(build_report(now, baseline)))
    counts = ("task", "baseline_passed", "baseline_scored", "passed", "scored")
    assert [[row[name] for name in counts] for row in rows] == [["a", 1, 3, 2, 3], ["*", 1, 3, 2, 3]]
