"""The leaderboard as Markdown, as CSV, and on the command line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from results import GAVE_UP, HOSTILE, LOST, PASSED, WRONG, manifest, result
from small_packs import pack

from pytest_agentcore.analysis.rank import leaderboard, neighbours
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.leaderboard import (
    COLUMNS,
    leaderboard_csv,
    leaderboard_lines,
    leaderboard_markdown,
    leaderboard_page,
    sentences,
)
from pytest_agentcore.stats.chance import is_significant
from pytest_agentcore.trial.result import Prices
from pytest_agentcore.untrusted import columns, for_csv


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
    assert any("or another version or digest of one, has a ranking of its own" in line for line in lines)
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
    shown = ["Q4_K_M", "1/5 (20.0%)", cells[4], "1/3 (33.3%)", "$0.88", "16.7", "12.5s\\*", "-", "CPU"]
    assert cells[2:11] == shown


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "a|b", "<script>", "[x](http://y)"])
def test_names_are_inert_in_both_forms(tmp_path: Path, name: str) -> None:
    board = leaderboard([campaign(tmp_path / "c", 3, model=name, entry={"tier": name}, harness=name)])
    (row,) = csv.DictReader(io.StringIO(leaderboard_csv(board)))
    assert row["model"] == row["tier"] == row["harness"] == for_csv(name)
    assert not row["model"].startswith(("=", "@", "-"))
    (line,) = (line for line in leaderboard_markdown(board) if line.startswith("| 1 |"))
    assert line.replace("\\|", "").count("|") == 14
    assert "<script>" not in line
    assert "[x](" not in line


def test_published_scores_stand_apart_and_are_headed_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(tmp_path / "mine", 10)
    words = ["leaderboard", str(tmp_path), "--format=markdown"]
    assert cli.main([*words, "--with-published"]) == 0
    ours, _, theirs = capsys.readouterr().out.partition(
        "## Published scores: other tasks under the same name, not compa"
    )
    assert "| 1 | mine |" in ours
    assert "Opus" not in ours
    assert "| 1 | Claude Opus 4.8 | 30/30 (100.0%) | $7.34 | $0.24 | API |" in theirs
    assert cli.main(words) == 0
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
@pytest.mark.parametrize("form", ["text", "markdown", "csv", "html"])
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


def made(path: Path, passed: int, of: int = 30, quant: str = "Q4_K_M", **changes: object) -> Campaign:
    """A campaign of ten tasks in this process; no trial of it repeats another."""
    trials = [
        result(f"t{n // 3}", n % 3 + 1, replies_digest=f"{path.name}{n}", **(PASSED if n < passed else WRONG))
        for n in range(of)
    ]
    backend = {"name": "llama_cpp", "quant": quant, "device": "CUDA0 (NVIDIA L4)", "memory": {"foretold": 6 * 2**30}}
    return pack(path, trials, **{"model": path.name, "backend": backend, **changes})


def said(campaigns: list[Campaign]) -> str:
    """The sentences below the one ranking of these."""
    (ranking,) = leaderboard(campaigns).rankings
    return "\n".join(sentences(ranking))


def test_neighbours_are_told_apart_or_not_in_one_sentence(tmp_path: Path) -> None:
    lost = pack(tmp_path / "lost", [result(f"t{n // 3}", n % 3 + 1, **LOST) for n in range(30)], model="lost")
    first = said([made(tmp_path / "top", 29), made(tmp_path / "mid", 12), made(tmp_path / "near", 11), lost])
    told, same, untested = first.removesuffix(".").split("; ")
    assert told.startswith("Neighbours: told apart by more than chance: top and mid (+56.7 points, 95% interval +")
    assert told.endswith("p < 0.001)")
    assert same.startswith("not told apart: mid and near (+3.3 points, 95% interval -")
    assert "p = 1.00" in same
    assert untested == "not tested, since one side has no scored trial: near and lost"


def test_what_one_look_finds_may_not_count_among_many(tmp_path: Path) -> None:
    """Holm: the smallest p of nine pairs is multiplied by nine."""
    pair = [made(tmp_path / "b", 8, of=15), made(tmp_path / "a", 14, of=15)]
    assert "told apart by more than chance: a and b" in said(pair)
    many = [*pair, *(made(tmp_path / f"c{n}", 7, of=15) for n in range(8))]
    assert "; ".join(said(many).split("; ")[:1]).startswith(
        "Neighbours: told apart only if this were the sole comparison and not one of 9: a and b"
    )


@pytest.mark.parametrize("passed", [(2, 1), (4, 0), (30, 0), (30, 30), (17, 9), (16, 9), (15, 9), (14, 9), (20, 18)])
def test_interval_and_test_of_neighbours_agree(tmp_path: Path, passed: tuple[int, int]) -> None:
    board = leaderboard([made(tmp_path / "a", passed[0]), made(tmp_path / "b", passed[1])])
    (pair,) = neighbours(board.rankings[0])
    assert pair.test is not None
    assert is_significant(pair.test.p) == (pair.test.interval.low > 0)
    above, below = csv.DictReader(io.StringIO(leaderboard_csv(board)))
    assert (float(above["next_low"]) > 0) == (float(above["next_p"]) <= 0.05)
    assert float(above["next_low"]) <= float(above["next_difference"]) <= float(above["next_high"])
    assert float(above["next_p"]) == float(above["next_corrected_p"]) == pair.test.p
    assert {below[column] for column in COLUMNS if column.startswith("next_")} == {""}


def test_so_few_trials_can_show_nothing(tmp_path: Path) -> None:
    assert "too few trials to show anything" in said([made(tmp_path / "a", 2, of=2), made(tmp_path / "b", 0, of=2)])


def test_a_lower_place_may_have_the_better_rate_and_it_is_said(tmp_path: Path) -> None:
    """Places are by planned trials, tests by scored ones."""
    trials = [result(f"t{n // 3}", n % 3 + 1, replies_digest=f"{n}", **(LOST if n % 2 else PASSED)) for n in range(30)]
    lower = pack(tmp_path / "lower", trials, model="lower")
    assert re.search(
        r"upper and lower \(-\d+\.\d points, .*, the lower one passed more of its scored trials\)",
        said([made(tmp_path / "upper", 16), lower]),
    )


def test_one_campaign_has_no_neighbour(tmp_path: Path) -> None:
    assert said([made(tmp_path / "a", 2)]) == "Only one campaign: there is nothing to compare it with."


def test_campaigns_of_one_model_are_called_by_their_quant_or_their_own_name(tmp_path: Path) -> None:
    quants = [made(tmp_path / "x", 20, model="m"), made(tmp_path / "y", 10, quant="Q8_0", model="m")]
    assert "m Q4_K_M and m Q8_0 (" in said(quants)
    assert "x and z (" in said([quants[0], made(tmp_path / "z", 10, model="m")])


def test_other_conditions_than_the_first_ones_are_named(tmp_path: Path) -> None:
    warm = {**manifest().sampling, "temperature": 1.0}
    first, same = made(tmp_path / "first", 20), made(tmp_path / "same", 19, quant="Q8_0", seed=8)
    other = made(tmp_path / "other", 18, sampling=warm, harness="0.0.9")
    assert said([first, same, other]).endswith(
        "Other conditions than first: other (sampling temperature, harness); agentcore compare shows the values."
    )
    assert "Other conditions" not in said([first, same])


@pytest.mark.parametrize("width", [80, 60, 40, 30])
def test_a_terminals_lines_are_no_wider_than_it(tmp_path: Path, width: int) -> None:
    """Only a word that cannot be broken is: the name of a campaign or a model."""
    board = leaderboard(
        [
            made(tmp_path / "a-model-of-some-length", 30, prices=None),
            made(tmp_path / ("b" * 110), 20),
            made(tmp_path / "c", 20, entry={"tier": "API"}, backend={"name": "openai"}, prices=Prices(reply=1.0)),
        ]
    )
    lines = list(leaderboard_lines(board, (), width))
    assert [line for line in lines if columns(line) > width and " " in line.strip()] == []
    text = " ".join(" ".join(lines).split())
    for shown in ("30/30", "Q4_K_M", "CUDA0 (NVIDIA L4)", "16.7", "6.0 GiB", "$0.00030", "12.5s a trial", "b" * 110):
        assert shown in text


def test_two_long_names_that_begin_alike_are_told_by_their_rank(tmp_path: Path) -> None:
    pair = [made(tmp_path / ("b" * 100 + end), passed) for end, passed in (("x", 20), ("y", 10))]
    assert f"{'b' * 31}… (rank 1) and {'b' * 31}… (rank 2) (+33.3" in said(pair)


@pytest.mark.parametrize("name", [*HOSTILE[:-1], "<img src=x onerror=alert(1)>", "a\n::error::b"])
def test_every_form_takes_any_name(tmp_path: Path, name: str) -> None:
    pair = [
        made(tmp_path / "a", 20, model=name, entry={"tier": name}),
        made(tmp_path / "b", 10, quant=name, model=name),
    ]
    board = leaderboard(pair)
    for lines in (leaderboard_lines(board, (), 80), leaderboard_markdown(board)):
        assert all(line.isprintable() for line in lines)
    page = "".join(leaderboard_page(board))
    assert "<img" not in page
    assert "<script" not in page
    assert all(character.isprintable() or character == "\n" for character in page)


@pytest.mark.parametrize(
    ("file", "begins"),
    [("b.txt", "ranking "), ("b.md", "# Leaderboard"), ("b.CSV", "ranking,rank,"), ("b.html", "<!doctype html>")],
)
def test_a_file_has_the_form_that_its_name_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, begins: str
) -> None:
    made(tmp_path / "one", 1)
    assert cli.main(["leaderboard", str(tmp_path), "-o", str(tmp_path / file)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / file}\n"
    written = (tmp_path / file).read_text()
    assert written.startswith(begins)
    assert written.endswith("\n")
    form = {"b.txt": "text", "b.md": "markdown", "b.CSV": "csv", "b.html": "html"}[file]
    assert cli.main(["leaderboard", str(tmp_path), "--format", form]) == 0
    assert capsys.readouterr().out == written


@pytest.mark.parametrize(
    ("file", "says"), [("b.pdf", "must end in .txt, .md, .csv, .html"), ("no/b.md", "cannot be wr")]
)
def test_a_file_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, says: str
) -> None:
    made(tmp_path / "one", 1)
    assert cli.main(["leaderboard", str(tmp_path), "-o", str(tmp_path / file)]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
