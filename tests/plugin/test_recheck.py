"""`agentcore recheck`: today's checkers over the workspaces of a campaign that an earlier suite judged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny import COUNT, HELLO, Script, campaign, result_lines, say, write

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.validate import examine

BOT = {
    "task_01": [write("hello.txt", "HELLO"), say("done")],
    "task_02": [write("count.txt", "19"), say("done")],
}


@pytest.fixture
def pack(pytester: pytest.Pytester, suite: Path, script: Script) -> Path:
    """task_01: the greeting is in capitals, so it failed. task_02: 19 is right for run 1 alone."""
    pytester.runpytest(f"--model=scripted:{script(**BOT)}", "--runs=2", suite).assert_outcomes(passed=1, failed=3)
    return campaign(pytester)


def command(pack: Path, suite: Path, *words: str) -> int:
    return main(["recheck", str(pack), "--suite", str(suite), *words])


def test_the_same_suite_says_the_same(pack: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pack, suite) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].endswith(", as it was")
    assert said[2:] == [
        "4 trials: 0 up, 0 down, 0 judged otherwise, 4 the same, 0 not judged again",
        "passed: 1 → 1",
    ]


@pytest.fixture
def changed(suite: Path) -> Path:
    """task_01 takes capitals now, task_02 wants what nobody wrote."""
    (suite / "test_task_01_hello.py").write_text(HELLO.replace('.line("hello.txt")', '.line("hello.txt").lower()'))
    (suite / "test_task_02_count.py").write_text(COUNT.replace('== trial.facts["lines"]', "== -1"))
    return suite


def test_changes_are_told_and_nothing_is_written(pack: Path, changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()}

    assert command(pack, changed) == 0

    said = capsys.readouterr().out
    assert "the suite has changed since" in said
    assert "up        task_01_hello[bot-run1]: wrong_answer, checker_rejected → passed\n" in said
    assert "down      task_02_count[bot-run1]: passed → wrong_answer, checker_rejected (" in said
    assert "4 trials: 2 up, 1 down, 0 judged otherwise, 1 the same, 0 not judged again\npassed: 1 → 2\n" in said
    assert {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("words", [(), ("--record",)])
def test_another_version_of_the_suite_judges_nothing(
    pack: Path, suite: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    (suite / "suite.toml").write_text('version = "1.1"\ntitle = "tiny (1.1)"\n')
    before = {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()}

    assert command(pack, suite, *words) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"agentcore: error: {pack.name} ran tiny with digest ")
    assert f"and {suite} is tiny (1.1) with digest " in line
    assert line.endswith("so nothing is judged again; --suite names a folder of version 0")
    assert {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()} == before
    assert main(["validate", str(pack)]) == main(["show", str(pack)]) == main(["report", str(pack)]) == 0


def test_recording_puts_new_lines_behind_the_old(pack: Path, changed: Path) -> None:
    old = result_lines(pack)

    assert command(pack, changed, "--record") == 0

    assert result_lines(pack)[:4] == old
    assert len(result_lines(pack)) == 7
    again = read_campaign(pack)
    passed = {(result.task, result.run): result.passed for result in again.results}
    assert passed == {
        ("task_01_hello", 1): True,
        ("task_01_hello", 2): True,
        ("task_02_count", 1): False,
        ("task_02_count", 2): False,
    }
    (note,) = again.manifest.rechecked
    assert (note.up, note.down, note.otherwise) == (2, 1, 0)
    assert note.suite != again.manifest.suite.digest
    assert examine(again.folder).problems == []
    assert again.manifest.finished is not None


def test_what_cannot_be_judged_again_says_why(pack: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (line["attempt"] for line in result_lines(pack) if line["task"] == "task_01_hello")
    (pack / "data" / "workspaces" / f"{first}.tar.gz").unlink()
    (pack / "data" / "transcripts" / f"{second}.jsonl").unlink()
    (suite / "test_task_02_count.py").write_text(COUNT.replace("randint(3, 90)", "randint(100, 190)"))

    assert command(pack, suite) == 0

    said = capsys.readouterr().out
    assert f"skipped   task_01_hello[bot-run1]: data/workspaces/{first}.tar.gz: is missing" in said
    assert f"skipped   task_01_hello[bot-run2]: data/transcripts/{second}.jsonl: is missing" in said
    assert said.count("the task gives other files today") == 2
    assert "4 not judged again" in said


def test_what_was_edited_is_not_judged_and_nothing_is_recorded(
    pack: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace under another trial's name, and a manifest that says another temperature."""
    archives = pack / "data" / "workspaces"
    hello, swapped = (
        {line["task"]: line["attempt"] for line in result_lines(pack)}[f"task_0{n}"] for n in ("1_hello", "2_count")
    )
    shutil.copyfile(archives / f"{hello}.tar.gz", archives / f"{swapped}.tar.gz")
    manifest = pack / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"temperature": ', '"temperature": 1'))
    before = {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()}

    assert command(pack, changed, "--record") == 2
    assert "manifest.json: line " in (said := capsys.readouterr().err)
    assert "and 1 more, see agentcore validate: nothing is recorded in a campaign that was changed" in said
    assert command(pack, changed) == 0

    said = capsys.readouterr().out
    assert "CAUTION   manifest.json: line " in said
    assert f"data/workspaces/{swapped}.tar.gz: was changed after it was written" in said
    assert "1 not judged again" in said
    assert {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()} == before


def test_a_recheck_that_was_undone_by_hand_is_found(pack: Path, changed: Path) -> None:
    results, tables = pack / "data" / "results.jsonl", pack / "verification"
    old = results.read_bytes()
    before = {path: path.read_bytes() for path in tables.iterdir()}
    assert command(pack, changed, "--record") == 0
    new = results.read_bytes()
    assert examine(CampaignFolder(pack)).problems == []

    for undone in (old, new + old):
        results.write_bytes(undone)
        for path, content in before.items():
            path.write_bytes(content)
        assert {problem.file for problem in examine(CampaignFolder(pack)).problems} >= {"data/results.jsonl"}
        assert main(["report", str(pack)]) == 0
        assert main(["validate", str(pack)]) == 1


def test_a_report_says_that_verdicts_were_given_anew(
    pack: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(pack, changed, "--record") == 0
    capsys.readouterr()
    assert main(["show", str(pack)]) == 0

    caution = "verdicts were given anew by the checkers of another suite than the trials were run with"
    assert caution in " ".join(capsys.readouterr().out.split())
    for name in ("report.md", "report.html"):
        text = (pack / name).read_text()
        assert caution in text
        assert "1 time, last by a suite of digest" in text


def test_rechecked_parts_are_merged_with_all_their_lines(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    bot, parts = script(**BOT), []
    for run in (1, 2):
        pytester.runpytest(f"--model=scripted:{bot}", "--runs=2", f"-k=run{run}", f"--results=r{run}", suite)
        parts.append(campaign(pytester, f"r{run}"))
    (suite / "test_task_01_hello.py").write_text(HELLO.replace('.line("hello.txt")', '.line("hello.txt").lower()'))
    assert command(parts[0], suite, "--record") == 0
    whole = pytester.path / "whole"
    assert main(["merge", *map(str, parts), "-o", str(whole)]) == 2  # one was judged by another suite
    assert command(parts[1], suite, "--record") == 0

    assert main(["merge", *map(str, parts), "-o", str(whole)]) == 0

    assert main(["validate", str(whole)]) == 0
    made = read_campaign(whole)
    assert [note.up for note in made.manifest.rechecked] == [1, 1]
    assert sum(bool(result.passed) for result in made.results) == 3
    assert len(result_lines(whole)) == sum(len(result_lines(part)) for part in parts) == 6
    assert command(whole, suite) == 0


def test_a_broken_checker_is_not_the_model_s_fault(pack: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suite / "test_task_02_count.py").write_text(COUNT.replace('trial.facts["lines"]', 'trial.facts["line"]'))
    assert command(pack, suite) == 0
    said = capsys.readouterr().out
    assert "task_02_count[bot-run1]: passed → infrastructure_error, checker_broken (KeyError: 'line' at line " in said


def test_a_suite_that_is_not_shipped_must_be_named(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pack.parents[1] / "tiny").rename(pack.parents[1] / "moved")
    assert main(["recheck", str(pack)]) == 2
    assert "name the suite's folder with --suite" in capsys.readouterr().err


def test_a_suite_without_a_task_is_refused(
    pack: Path, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.mkdir("ordinary").joinpath("test_ordinary.py").write_text("def test_ordinary(): pass\n")
    assert command(pack, Path("ordinary")) == 2
    assert capsys.readouterr().err == "agentcore: error: ordinary: no task in it; --suite names another folder\n"
