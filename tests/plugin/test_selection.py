"""Trials that are run again because of how they ended go to a campaign of their own, which counts nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Script, result_lines, say, write

from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import list_campaigns, read_campaign

BOT = {
    "task_01": [write("hello.txt", "hello"), say("done")],
    "task_02": [write("count.txt", "none"), say("done")],
}


@pytest.fixture
def command(pytester: pytest.Pytester, suite: Path, script: Script) -> tuple[str, ...]:
    """Makes a campaign of two passed and two failed trials, and is the command that did."""
    words = (f"--model=scripted:{script(**BOT)}", "--runs=2", str(suite))
    pytester.runpytest(*words).assert_outcomes(passed=2, failed=2)
    return words


def packs(pytester: pytest.Pytester) -> tuple[Path, Path]:
    """The campaign, and the selection from it."""
    first, second = sorted((pytester.path / "agentcore-results").iterdir())
    return first, second


def said(result: pytest.RunResult) -> str:
    """The output, whatever the width it was wrapped at."""
    return " ".join(" ".join(result.outlines).split())


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize("asked", ["wrong_answer", "checker_rejected"])
def test_trials_that_ended_so_run_again(
    pytester: pytest.Pytester, command: tuple[str, ...], asked: str, words: tuple[str, ...]
) -> None:
    scored = (next((pytester.path / "agentcore-results").iterdir()) / "data" / "results.jsonl").read_bytes()

    # one run is asked for, and run 2 is among the trials
    result = pytester.runpytest(command[0], command[2], "--runs=1", "--agentcore-rerun", asked, *words)

    result.assert_outcomes(failed=2, deselected=0 if words else 2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    first, second = packs(pytester)
    assert f"selection by --agentcore-rerun {asked} of {first.name}: for inspection, counted nowhere" in said(result)
    assert second.name == f"{first.name}-selection"
    assert (first / "data" / "results.jsonl").read_bytes() == scored
    made = read_campaign(second)
    assert made.manifest.selection == Selection(asked=("--agentcore-rerun", asked), of=first.name)
    assert [(result.task, result.run) for result in made.results] == [("task_02_count", 1), ("task_02_count", 2)]
    assert [folder.id for folder, _ in list_campaigns(pytester.path / "agentcore-results")[0]] == [first.name]


def test_last_failed_is_a_selection_too(pytester: pytest.Pytester, command: tuple[str, ...]) -> None:
    pytester.runpytest(*command, "--lf").assert_outcomes(failed=2)

    first, second = packs(pytester)
    assert read_campaign(second).manifest.selection == Selection(asked=("--lf",))
    assert len(result_lines(second)) == 2
    assert read_campaign(first).manifest.resumed == ()


def test_a_selection_is_neither_continued_nor_picked_from_nor_gated(
    pytester: pytest.Pytester, command: tuple[str, ...]
) -> None:
    rerun = (*command, "--agentcore-rerun=wrong_answer")
    pytester.runpytest(*rerun, "--maxfail=1").assert_outcomes(failed=1)
    first, second = packs(pytester)
    assert read_campaign(second).left

    result = pytester.runpytest(*rerun, "--min-pass-rate=0")

    result.assert_outcomes(failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"of {first.name}: for inspection" in said(result)
    assert len(list((pytester.path / "agentcore-results").iterdir())) == 3
    named = pytester.runpytest(*command, f"--agentcore-resume={second}")
    assert named.ret == pytest.ExitCode.USAGE_ERROR
    named.stderr.fnmatch_lines([f"*{second.name}: is a selection of trials to look at; such a campaign is not resumed"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["wrong_anser"], "*'wrong_anser': is neither a failure mode nor a cause; did you mean 'wrong_answer'?"),
        (["gave_up_mid_plan"], "*no trial of * ended so; its trials: 2 passed; 2 wrong_answer, checker_rejected"),
    ],
)
def test_what_cannot_be_picked_is_a_sentence(
    pytester: pytest.Pytester, command: tuple[str, ...], words: list[str], sentence: str
) -> None:
    result = pytester.runpytest(*command, *(f"--agentcore-rerun={word}" for word in words))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert len(list((pytester.path / "agentcore-results").iterdir())) == 1


def test_without_a_campaign_there_is_nothing_to_pick_from(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model=oracle", "--agentcore-rerun=wrong_answer", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no campaign of oracle over tiny in *agentcore-results to pick trials from"])
