"""The leaderboard as Markdown, as CSV, and on the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from results import GAVE_UP, LOST, PASSED, WRONG, manifest, result
from small_packs import pack

from pytest_agentcore.analysis.rank import leaderboard
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.leaderboard import COLUMNS, leaderboard_csv, leaderboard_markdown
from pytest_agentcore.trial.result import Prices
from pytest_agentcore.untrusted import for_csv


def campaign(path: Path, passed: int, of: int = 10, **changes: object) -> Campaign:
    trials = [result("a", run, **(PASSED if run <= passed else WRONG)) for run in range(1, of + 1)]
    return pack(path, trials, **{"model": path.name, **changes})


def _fields(value: object) -> dict[str, str]:
    return {name: getattr(value, name) for name in ("name", "version", "title", "digest", "system_prompt")}


def test_rankings_that_only_differ_in_what_the_tasks_are_have_titles_of_their_own(tmp_path: Path) -> None:
    """In a CSV nothing but the title says who is ranked against whom."""
    other = manifest().suite
    made = [
        pack(tmp_path / "a", [result("a", 1)]),
        pack(tmp_path / "b", [result("b", 1)]),
        pack(tmp_path / "c", [result("b", 1)], suite=type(other)(**{**_fields(other), "digest": "c" * 64})),
    ]
    rows = csv.DictReader(io.StringIO(leaderboard_csv(leaderboard(made))))
    assert len({row["ranking"] for row in rows}) == 3


def test_versions_of_a_suite_are_ranked_apart_and_it_is_said_why(tmp_path: Path) -> None:
    old = manifest().suite
    new = replace(old, version="1.1", title="agentic-core-v1 (open rebuild 1.1)", digest="cd" * 32)
    first = [campaign(tmp_path / "a", 3), campaign(tmp_path / "b", 9)]
    second = campaign(tmp_path / "c", 6, suite=new)

    lines = list(leaderboard_markdown(leaderboard([*first, second])))

    titles = [line for line in lines if line.startswith("## ")]
    assert ["1.0" in title for title in titles] == [True, False]
    assert [line.split(" | ")[1] for line in lines if line.startswith("| 1 |")] == ["b", "c"]
    assert "or another version or digest of one, has a ranking of its own" in lines[-1]
    assert "has a ranking of its own" not in "\n".join(leaderboard_markdown(leaderboard(first)))


def test_every_column_of_the_issue(tmp_path: Path) -> None:
    trials = [result("a", 1), result("a", 2, **WRONG), result("b", 1, **LOST), result("b", 2, **GAVE_UP)]
    made = pack(
        tmp_path / "c",
        trials,
        planned=[("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3)],
        prices=Prices(prompt=100.0, cached=10.0, reply=1000.0),
        entry={"tier": "API"},
        parallel=4,
    )
    (row,) = csv.DictReader(io.StringIO(leaderboard_csv(leaderboard([made]))))
    assert tuple(row) == tuple(COLUMNS)
    assert (row["passed"], row["scored"], row["planned"]) == ("1", "3", "5")
    assert (row["raw_rate"], row["effective_rate"]) == ("0.2", "0.3333")
    assert float(row["interval_low"]) < 1 / 3 < float(row["interval_high"])
    cost = 4 * (100 * 100.0 + 900 * 10.0 + 200 * 1000.0) / 1e6
    assert (float(row["cost_usd"]), float(row["cost_per_pass_usd"])) == pytest.approx((cost, cost))
    assert (row["tier"], row["policy"], row["harness"], row["suite_version"]) == ("API", "native", "0.1.0", "1.0")
    assert (row["mean_seconds"], row["overlapped"]) == ("12.5", "true")
    (line,) = (line for line in leaderboard_markdown(leaderboard([made])) if line.startswith("| 1 |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:9] == ["1/5 (20.0%)", cells[3], "1/3 (33.3%)", "$0.88", "$0.88", "API", "12.5s\\*"]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "a|b", "<script>", "[x](http://y)"])
def test_names_are_inert_in_both_forms(tmp_path: Path, name: str) -> None:
    board = leaderboard([campaign(tmp_path / "c", 3, model=name, entry={"tier": name}, harness=name)])
    (row,) = csv.DictReader(io.StringIO(leaderboard_csv(board)))
    assert row["model"] == row["tier"] == row["harness"] == for_csv(name)
    assert not row["model"].startswith(("=", "@", "-"))
    (line,) = (line for line in leaderboard_markdown(board) if line.startswith("| 1 |"))
    assert line.replace("\\|", "").count("|") == 15
    assert "<script>" not in line
    assert "[x](" not in line


def test_published_scores_stand_apart_and_are_headed_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(tmp_path / "mine", 10)
    assert cli.main(["leaderboard", str(tmp_path), "--with-published"]) == 0
    ours, _, theirs = capsys.readouterr().out.partition(
        "## Published scores: other tasks under the same name, not compa"
    )
    assert "| 1 | mine |" in ours
    assert "Opus" not in ours
    assert "| 1 | Claude Opus 4.8 | 30/30 (100.0%) | $7.34 | $0.24 | API |" in theirs
    assert cli.main(["leaderboard", str(tmp_path)]) == 0
    assert "Published" not in capsys.readouterr().out

    assert cli.main(["leaderboard", str(tmp_path), "--with-published", "--format=csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["ranking"].partition(":")[0] for row in rows} == {
        "agentic-core-v1 (open rebuild 1.0), policy native, 1 task, 15 turns, 4096 tokens a reply, 3600 s a trial",
        "Published scores",
    }


def test_a_folder_and_a_campaign_in_it_count_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(tmp_path / "results" / "one", 1)
    campaign(tmp_path / "results" / "two", 2)
    words = [str(tmp_path / "results"), str(tmp_path / "results" / "one")]
    assert cli.main(["leaderboard", *words, "--format", "csv"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 2


@pytest.mark.parametrize(("place", "why"), [("empty", "neither a campaign nor a folder"), ("nowhere", "no campaign")])
def test_a_place_without_campaigns_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, why: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert cli.main(["leaderboard", str(tmp_path / place)]) == 2
    assert why in capsys.readouterr().err


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / "manifest.json").read_text())
    change(data)
    (folder / "manifest.json").write_text(json.dumps(data))


def _cut(folder: Path) -> None:
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes()[:100])


def _empty_line(folder: Path) -> None:
    (folder / "data" / "results.jsonl").write_text("{}\n")


def _wrong_number(folder: Path) -> None:
    path = folder / "data" / "results.jsonl"
    path.write_text(path.read_text().replace('"turns": 4', '"turns": "many"').replace('"turns":4', '"turns":"many"'))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (partial(_edit, change=lambda data: data.pop("policy")), "manifest.json: not a manifest of a campaign: "),
        (partial(_edit, change=lambda data: data.update(resumed=[{}])), "manifest.json: not a manifest of a campaign"),
        (partial(_edit, change=lambda data: data.update(budget=None)), "budget must be an object, not None"),
        (
            partial(_edit, change=lambda data: data["budget"].update(turns="x")),
            "budget must be a number, not",
        ),
        (partial(_edit, change=lambda data: data["suite"].update(title=5)), "title must be a text, not 5"),
        (_cut, "manifest.json: not a manifest of a campaign"),
        (_empty_line, "results.jsonl: line 1: "),
        (_wrong_number, "results.jsonl: line 1: turns must be a whole number, not 'many'"),
    ],
)
@pytest.mark.parametrize("form", ["markdown", "csv"])
def test_a_damaged_campaign_is_named_and_does_not_cost_the_others_their_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None], said: str, form: str
) -> None:
    for name in ("bad", "good"):
        campaign(tmp_path / name, 1)
    damage(tmp_path / "bad")

    assert cli.main(["leaderboard", str(tmp_path), "--format", form]) == 0

    shown = capsys.readouterr()
    assert "good" in shown.out
    assert "bad" not in shown.out
    assert shown.err.startswith(f"agentcore: left out, since it cannot be read: {tmp_path / 'bad'}/")
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_nothing_but_damaged_campaigns_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(tmp_path / "one", 1)
    campaign(tmp_path / "oracle", 1)
    _edit(tmp_path / "one", lambda data: data.pop("policy"))
    assert cli.main(["leaderboard", str(tmp_path)]) == 2
    assert "one/manifest.json: not a manifest of a campaign: `policy` is missing" in capsys.readouterr().err
