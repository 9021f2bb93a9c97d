"""`agentcore audit`: every attacker finds the hole that is planted for it, and what is found is told and recorded."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_agentcore.checks.attackers import KINDS, library, library_digest
from pytest_agentcore.checks.audit import Attack, Outcome, audit
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.session.collect import Collected, collect
from pytest_agentcore.tasks.suite import Suite

from .holes import write_suite

STRONG = """
from pytest_agentcore import task

@task(prompt="Write the sum of the lines to out.txt.", files={"data.txt": "70\\n7\\n"}, artifacts=["out.txt"])
def test_sum(trial):
    assert trial.int("out.txt") == 77, "not the sum"

@test_sum.oracle
def right(agent):
    agent.fs_write("out.txt", "77")
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attack]:
    """The outcome of each attacker at the task that has a hole for it."""
    folder = tmp_path_factory.mktemp("holes")
    write_suite(folder)
    sandbox = open_sandbox(may_fall_back=True)
    by_name = {each.name: each for each in library()}

    def attack(collected: Collected) -> dict[str, Attack]:
        assert collected.errors == ()
        tasks = {task.id: (suite, task) for suite, task in collected.tasks}

        def one(name: str) -> Attack:
            (outcome,) = audit([tasks[name]], sandbox=sandbox, tools=collected.tools, attackers=[by_name[name]])
            return outcome

        with ThreadPoolExecutor(4) as pool:
            names = sorted(tasks.keys() & by_name.keys())
            return dict(zip(names, pool.map(one, names), strict=True))

    return collect([str(folder)], attack)


@pytest.mark.parametrize("attacker", [each.name for each in library()])
def test_each_attacker_finds_the_hole_that_is_planted_for_it(found: dict[str, Attack], attacker: str) -> None:
    assert found[attacker].outcome is Outcome.passed, found[attacker]


def test_the_library_knows_every_class_and_says_what_each_attacker_tries(capsys: pytest.CaptureFixture[str]) -> None:
    assert {each.kind for each in library()} == set(KINDS)
    assert main(["audit", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [each.name for each in library()]
    assert all(line.endswith(".") for line in lines)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of one strong task."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "test_task_01_sum.py").write_text(STRONG)
    return folder


def run(*arguments: object) -> int:
    return main(["audit", *map(str, arguments)])


@pytest.mark.sandbox
def test_a_strong_suite_is_recorded_and_what_changes_it_makes_the_record_void(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Suite.load(suite).audit is None
    assert run(suite, "--sandbox", "bubblewrap", "--record") == 0
    attackers = len(library())
    assert capsys.readouterr().out.splitlines()[-1] == f"{attackers} attackers at 1 task: 0 of {attackers} passed"
    facts = Suite.load(suite).audit
    assert facts is not None
    assert facts["attackers"] == library_digest()
    assert (facts["attacks"], facts["passed"], facts["voided"]) == (attackers, 0, 0)
    assert facts == json.loads((suite / "audit.json").read_bytes())
    (suite / "test_task_01_sum.py").write_text(f"{STRONG}\n\nWHATEVER = 1\n")
    assert Suite.load(suite).audit is None


def test_an_attack_that_passes_is_told_with_what_it_did_and_proves(
    suite: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "empty_files", "constant")
    (suite / "test_task_01_sum.py").write_text(
        STRONG.replace('trial.int("out.txt") == 77', 'trial.int("out.txt") == 0')
    )
    assert run(suite) == 1
    _sandbox, *lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "   1  task_01_sum",
        f"{1:>25}",
        f"no work (2){1:>14}",
        "task_01_sum: constant passed. Writes the same number whatever was asked.",
        "    It did: fs_write(out.txt, 0)",
        "    It proves: a file without the work in it is accepted.",
        "2 attackers at 1 task: 1 of 2 passed",
    ]


def test_an_attack_that_leaves_no_verdict_is_a_finding_too(
    suite: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "all_words")
    breaks = 'len(trial.text("out.txt").split()) < 9 or 1 // 0'
    (suite / "test_task_01_sum.py").write_text(STRONG.replace('trial.int("out.txt") == 77', breaks))
    assert run(suite) == 1
    *_, told, _did, words, summary = capsys.readouterr().out.splitlines()
    assert told.startswith("task_01_sum: all_words voided its trial. Writes every word")
    assert words.startswith("    Without a verdict: broke the checker: ZeroDivisionError")
    assert summary == "1 attacker at 1 task: 0 of 1 passed, 1 voided their trials"


def test_an_outcome_for_a_part_of_a_suite_is_not_recorded(
    suite: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "constant")
    (suite / "test_task_02_sum.py").write_text(STRONG)
    assert run(suite / "test_task_02_sum.py", "--record") == 2
    assert "--record: name one whole suite" in capsys.readouterr().err
    assert not (suite / "audit.json").exists()


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave the named attackers in the library."""
    kept = tuple(each for each in library() if each.name in names)
    monkeypatch.setattr("pytest_agentcore.checks.audit.library", lambda: kept)
