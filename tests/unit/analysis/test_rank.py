"""Who is ranked against whom, by what, and what a spreadsheet gets."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from results import LOST, PASSED, WRONG, manifest, result
from small_packs import pack

from pytest_agentcore.analysis.rank import leaderboard, published_scores
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.leaderboard import leaderboard_csv, leaderboard_markdown
from pytest_agentcore.trial.result import Prices


def campaign(path: Path, passed: int, of: int = 10, **changes: object) -> Campaign:
    trials = [result("a", run, **(PASSED if run <= passed else WRONG)) for run in range(1, of + 1)]
    return pack(path, trials, **{"model": path.name, **changes})


def _order(campaigns: list[Campaign]) -> list[list[tuple[int, str]]]:
    board = leaderboard(campaigns)
    return [[(s.rank, s.manifest.model) for s in ranking.standings] for ranking in board.rankings]


def test_the_best_come_first_and_equal_scores_share_a_rank(tmp_path: Path) -> None:
    models = {"low": 2, "top": 9, "also": 5, "mid": 5}
    assert _order([campaign(tmp_path / name, n) for name, n in models.items()]) == [
        [(1, "top"), (2, "also"), (2, "mid"), (4, "low")]
    ]


def test_of_equal_scores_the_cheaper_stands_first(tmp_path: Path) -> None:
    dear = campaign(tmp_path / "a-dear", 5, prices=Prices(reply=10.0))
    unknown = campaign(tmp_path / "b-unknown", 5, prices=None)
    free = campaign(tmp_path / "c-free", 5)
    assert _order([unknown, dear, free]) == [[(1, "c-free"), (1, "a-dear"), (1, "b-unknown")]]


@pytest.mark.parametrize("limit", ["turns", "reply_tokens", "seconds"])
def test_other_limits_are_another_table_headed_by_them(tmp_path: Path, limit: str) -> None:
    """A model that was given three turns has not lost to one that was given fifteen."""
    usual = manifest().budget
    board = leaderboard(
        [
            campaign(tmp_path / "short", 2, budget={**usual, limit: 3}),
            campaign(tmp_path / "long", 9),
            campaign(tmp_path / "longer", 8),
        ]
    )
    ranked = {tuple(standing.manifest.model for standing in ranking.standings) for ranking in board.rankings}
    assert ranked == {("short",), ("long", "longer")}
    heads = [line for line in leaderboard_markdown(board) if line.startswith("## ")]
    assert len({*heads}) == 2
    assert any("15 turns, 4096 tokens a reply, 3600 s a trial" in head for head in heads)
    said = {"turns": " 3 turns,", "reply_tokens": " 3 tokens a reply", "seconds": " 3 s a trial"}[limit]
    assert sum(said in head for head in heads) == 1
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(board))))
    assert len({row["ranking"] for row in rows}) == 2
    assert {row["turns"] for row in rows} == ({"15", "3"} if limit == "turns" else {"15"})


def test_what_weakens_a_place_is_noted(tmp_path: Path) -> None:
    planned = [("a", run) for run in range(1, 6)]
    done = [result("a", run) for run in range(1, 6)]
    board = leaderboard(
        [
            pack(tmp_path / "whole", done, model="whole"),
            pack(tmp_path / "killed", done[:3], planned=planned, model="killed"),
            pack(tmp_path / "lost", [*done[:4], result("a", 5, **LOST)], model="lost"),
            pack(tmp_path / "open", done, model="open", sandbox={"name": "process"}, harness="0.0.9"),
        ]
    )
    (ranking,) = board.rankings
    assert {standing.manifest.model: list(standing.notes("0.1.0")) for standing in ranking.standings} == {
        "whole": [],
        "killed": ["incomplete: 3 of 5 planned trials ran"],
        "lost": ["incomplete: 4 of 5 planned trials scored"],
        "open": ["sandbox process", "harness 0.0.9"],
    }
    text = "\n".join(leaderboard_markdown(board))
    assert "| killed | incomplete: 3 of 5 planned trials ran |" in text
    assert "| open | sandbox process |" in text
    assert "| whole |  |" in text
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(leaderboard_csv(board)))}
    assert (rows["killed"]["recorded"], rows["killed"]["planned"], rows["open"]["sandbox"]) == ("3", "5", "process")


def test_only_like_is_ranked_with_like(tmp_path: Path) -> None:
    other = manifest().suite
    made = [
        campaign(tmp_path / "native", 1),
        campaign(tmp_path / "lenient", 9, policy="lenient"),
        campaign(tmp_path / "loaded", 5, context_load=4000),
        pack(tmp_path / "fewer", [result("b", 1)], model="fewer"),
        campaign(tmp_path / "elsewhere", 5, suite=type(other)(**{**_fields(other), "digest": "c" * 64})),
    ]
    assert sorted(_order(made)) == sorted(
        [[(1, "native")], [(1, "lenient")], [(1, "loaded")], [(1, "fewer")], [(1, "elsewhere")]]
    )


def _fields(value: object) -> dict[str, str]:
    return {name: getattr(value, name) for name in ("name", "version", "title", "digest", "system_prompt")}


def test_selections_agents_and_empty_plans_are_left_out_and_named(tmp_path: Path) -> None:
    board = leaderboard(
        [
            campaign(tmp_path / "picked", 10, selection=Selection(asked=("wrong_answer",), of="x")),
            campaign(tmp_path / "oracle", 10),
            pack(tmp_path / "empty", []),
            campaign(tmp_path / "real", 3),
        ]
    )
    assert [[s.manifest.model for s in ranking.standings] for ranking in board.rankings] == [["real"]]
    assert {name: why.partition(":")[0] for name, why in board.left_out} == {
        "picked": "a selection",
        "oracle": "an agent without a model",
        "empty": "nothing was planned",
    }
    text = "\n".join(leaderboard_markdown(board))
    assert "Left out (an agent without a model): oracle." in text


def test_published_scores_are_shipped_whole() -> None:
    scores = published_scores()
    assert len(scores) == 21
    assert [score.rank for score in scores[:7]] == [1, 2, 3, 3, 3, 3, 7]
    assert (scores[-1].passed, scores[-1].per_pass) == (0, None)
