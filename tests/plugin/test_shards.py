"""Parts of one plan: shards that are joined again, run indices, and what other plugins leave of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import result_lines

from pytest_agentcore.cli.__main__ import main

RUNS = 4
"""Of two tasks: eight trials, which three shards cannot share equally."""


def packs(pytester: pytest.Pytester, results: str = "agentcore-results") -> list[Path]:
    """Every campaign, by name."""
    return sorted((pytester.path / results).iterdir())


def manifest_of(pack: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((pack / "manifest.json").read_bytes())
    return manifest


def trials_of(pack: Path) -> list[tuple[str, int]]:
    return sorted((line["task"], line["run"]) for line in result_lines(pack))


def make_shards(pytester: pytest.Pytester, suite: Path, *words: str) -> None:
    for number in (1, 2, 3):
        result = pytester.runpytest("--model=oracle", f"--runs={RUNS}", f"--shard={number}/3", *words, suite)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines([f"plan *· shard {number}/3 ·*"])


@pytest.mark.parametrize("words", [(), ("-n", "2"), ("--agentcore-order=by-task",)], ids=["alone", "workers", "order"])
def test_all_shards_together_are_the_whole(
    pytester: pytest.Pytester, suite: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """One results folder takes them all, and none goes on with another."""
    make_shards(pytester, suite, *words)
    parts = packs(pytester)
    assert [part.name.rpartition("-")[2] for part in parts] == ["shard1of3", "shard2of3", "shard3of3"]
    assert [len(result_lines(part)) for part in parts] == [3, 3, 2]
    assert {manifest_of(part)["shard"]["number"] for part in parts} == {1, 2, 3}
    capsys.readouterr()

    assert main(["merge", *map(str, parts), "-o", str(pytester.path / "whole")]) == 0

    assert "8 results, 8 of 8 planned trials are scored\n" in capsys.readouterr().out
    every = [(task, run) for task in ("task_01_hello", "task_02_count") for run in range(1, RUNS + 1)]
    assert trials_of(pytester.path / "whole") == every
    assert manifest_of(pytester.path / "whole")["warnings"] == []
    assert main(["validate", str(pytester.path / "whole")]) == 0


def test_a_missing_shard_is_named_and_its_trials_stay_planned(
    pytester: pytest.Pytester, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_shards(pytester, suite)
    first, second, third = packs(pytester)
    part, whole = pytester.path / "part", pytester.path / "whole"

    assert main(["merge", str(first), str(third), "-o", str(part)]) == 0

    said = capsys.readouterr().out
    assert f"{part}: 5 results, 5 of 8 planned trials are scored\n{part}: merged without shard 2/3\n" in said
    (line,) = (line for line in said.splitlines() if line.startswith("without a score: "))
    named = line.removeprefix("without a score: ").split("; ")
    assert sorted(named) == [f"{task}:{run}" for task, run in trials_of(second)]
    assert manifest_of(part)["warnings"] == ["merged without shard 2/3"]
    assert main(["merge", str(part), str(second), "-o", str(whole)]) == 0
    assert len(result_lines(whole)) == len(manifest_of(whole)["planned"]) == 8
    assert manifest_of(whole)["warnings"] == []


@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["alone", "workers"])
def test_a_killed_shard_goes_on_by_itself(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    command = ("--model=oracle", f"--runs={RUNS}", suite)
    pytester.runpytest(*command, "--shard=1/2")
    pytester.runpytest(*command, "--shard=2/2")
    one, two = packs(pytester)
    for pack in (one, two):  # as a kill before the last result leaves it
        manifest = manifest_of(pack) | {"finished": None, "exit_status": None}
        (pack / "manifest.json").write_text(json.dumps(manifest))
        (pack / "data" / "digests.jsonl").unlink()

    result = pytester.runpytest(*command, "--shard=2/2", *words)

    result.stdout.fnmatch_lines([f"campaign   continues {two.name}*"])
    assert packs(pytester) == [one, two]
    assert (len(manifest_of(one)["planned"]), len(manifest_of(two)["planned"])) == (4, 4)


@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["alone", "workers"])
def test_a_shard_without_trials_is_refused(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    result = pytester.runpytest("--model=oracle", "--runs=1", "--shard=3/3", *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--shard 3/3: no trial is left for it; make fewer shards*"])
    assert not list(pytester.path.glob("agentcore-results/*"))


def test_tests_that_are_no_trials_run_in_every_shard(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "test_own.py").write_text("def test_own(): pass\n")
    result = pytester.runpytest("--model=oracle", "--runs=1", "--shard=2/2", suite)
    result.assert_outcomes(passed=2, deselected=1)


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_run_indices_are_meant_exactly(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    pytester.runpytest("--model=oracle", "--agentcore-run=1,10-11", "-k=hello", *words, suite).assert_outcomes(passed=3)
    (pack,) = packs(pytester)
    assert trials_of(pack) == [("task_01_hello", 1), ("task_01_hello", 10), ("task_01_hello", 11)]
    assert manifest_of(pack)["runs"] == 11


WRONG = {
    **{f"--shard={text}": "*--agentcore-shard * must be K/N*2/5*" for text in ("0/2", "3/2", "2", "a/b", "", "-1/2")},
    **{f"--agentcore-run={text}": "*--agentcore-run * must be run indices*" for text in ("0", "7-4", "1,,2", "x", "")},
    "--agentcore-run=4": "*--agentcore-run 4: there are 3 runs; --runs 4 asks for as many*",
}


@pytest.mark.parametrize("word", WRONG)
def test_what_is_no_part_is_refused_in_a_sentence(pytester: pytest.Pytester, suite: Path, word: str) -> None:
    result = pytester.runpytest("--model=oracle", "--runs=3", word, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([WRONG[word]])
    assert not (pytester.path / "agentcore-results").exists()


SPLIT = ("-p", "pytest_split.plugin", "--splits=2")


@pytest.mark.needs("pytest_split")
@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["alone", "workers"])
def test_groups_of_pytest_split_are_campaigns_of_their_own(
    pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]
) -> None:
    """An incomplete one is not continued by another group; where that is known too late, it is refused."""
    command = (f"--model={_absent(pytester)}", "--runs=2", "--agentcore-retries=0", *SPLIT, suite)
    pytester.runpytest(*command, "--group=1").assert_outcomes(errors=2, deselected=2)
    (first,) = packs(pytester)
    plan = manifest_of(first)["planned"]

    result = pytester.runpytest(*command, "--group=2", *words)

    assert manifest_of(first)["planned"] == plan
    if words:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*selects other trials than it plans*--results=DIR*"])
    else:
        assert [len(manifest_of(pack)["planned"]) for pack in packs(pytester)] == [2, 2]
        said = " ".join(" ".join(result.outlines).split())
        assert f"new: differs from {first.name} in trials that plugins selected" in said


DYING = """
import os

def pytest_collection(session):
    if hasattr(session.config, "workerinput"):  # not by the environment, which this test's own worker has too
        os._exit(1)
"""


@pytest.mark.parametrize("dies", ["first trial", "collection"])
def test_a_worker_that_dies_at_once_leaves_the_plan(pytester: pytest.Pytester, suite: Path, dies: str) -> None:
    bot = pytester.makepyfile(bot="import os\ndef reply(request):\n    os._exit(1)\n")
    if dies == "collection":
        (suite / "conftest.py").write_text(DYING)

    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "-n", "1", "--max-worker-restart=0", suite)

    assert result.ret != pytest.ExitCode.OK
    if dies == "collection":
        assert list(pytester.path.glob("agentcore-results/*")) == []
    else:
        (pack,) = packs(pytester)
        assert [trial["task"] for trial in manifest_of(pack)["planned"]] == ["task_01_hello", "task_02_count"]
        result.stdout.fnmatch_lines(["raw * 0/2 *"])


def _absent(pytester: pytest.Pytester) -> str:
    """A model of which no trial gets a score."""
    path = pytester.path / "absent.json"
    path.write_text(json.dumps({"replies": {"*": [{"error": "gone"}]}}))
    return f"scripted:{path}"
