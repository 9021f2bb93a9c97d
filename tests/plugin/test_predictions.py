"""Predictions from the form to the score: found, dated by git, copied into the pack, scored item by item."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tiny import Script, campaign, say, write

from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.pack.validate import validator

FRONT = """+++
schema = 1
model = "{model}"
suite = "{suite}"
runs = 2
[score]
point = 0.5
range = [0.8, 1.0]
[tasks]
task_01_hello = 2
task_02_count = [1, 2]
[failure_modes]
wrong_answer = [1, 3]
[cost]
total = 0.0
+++

Counting is hard.
"""


def git(*words: str) -> None:
    """In the working folder, by nobody in particular."""
    subprocess.run(
        [
            "git",
            "-c",
            "user.name=nobody",
            "-c",
            "user.email=nobody@example.org",
            "-c",
            "init.defaultBranch=main",
            *words,
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def bot(script: Script) -> Path:
    """Greets and does not count."""
    return script(
        task_01_hello=[write("hello.txt", "hello"), say("done")], task_02_count=[write("x", "y"), say("done")]
    )


@pytest.fixture
def expected(pytester: pytest.Pytester) -> Path:
    """Predictions about the scripted model, where pytest looks for them."""
    file = pytester.path / "predictions.md"
    file.write_text(FRONT.format(model="bot", suite="tiny"))
    return file


def filed(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    validator("manifest").validate(manifest)
    return dict(manifest["predictions"])


def scored(folder: Path) -> dict[str, tuple[str, str]]:
    """What was observed of each item, and whether it was a hit."""
    with (folder / "verification" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return {row["item"]: (row["observed"], row["hit"]) for row in csv.DictReader(file)}


def test_committed_before_the_first_trial(pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path) -> None:
    git("init")
    git("add", "predictions.md")
    git("commit", "-m", "Expect little")
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "2", suite)

    pack = campaign(pytester)
    facts = filed(pack)
    assert (facts["file"], facts["committed"], facts["note"]) == ("predictions.md", True, "")
    assert len(facts["commit"]) == 40
    assert facts["digest"] == hashlib.sha256(expected.read_bytes()).hexdigest()
    assert (pack / "predictions.md").read_bytes() == expected.read_bytes()

    scores = scored(pack)
    assert scores.pop("score.point")[1] == "true"
    assert scores == {
        "score.range": ("50.0%", "false"),
        "tasks.task_01_hello": ("2", "true"),
        "tasks.task_02_count": ("0", "false"),
        "failure_modes.wrong_answer": ("2", "true"),
        "cost.total": ("$0.00", "true"),
    }
    text = (pack / "report.md").read_text(encoding="utf-8")
    assert f"committed before the first trial: commit {facts['commit'][:12]}" in text
    assert "4/6 scored items were hits." in text


def test_what_git_does_not_hold_is_not_called_committed(
    pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path
) -> None:
    notes: list[tuple[Any, ...]] = []
    for words in ((), ("init",), ("add", "predictions.md"), ("commit", "-m", "Expect little")):
        if words:
            git(*words)
        if "commit" in words:
            expected.write_text(expected.read_text() + "On second thoughts.\n")
        pytester.runpytest("--model", f"scripted:{bot}", "--runs", "1", "--results", f"r{len(notes)}", suite)
        facts = filed(campaign(pytester, f"r{len(notes)}"))
        notes.append((facts["committed"], facts["note"], facts["commit"]))

    assert notes == [
        (None, "it is in no git repository, or git is not there", ""),
        (False, "it is in no commit", ""),
        (False, "it is in no commit", ""),
        (False, "it was changed after its last commit", ""),
    ]


def test_runs_that_were_not_predicted_are_not_scored(
    pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path
) -> None:
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "1", suite)

    scores = scored(campaign(pytester))
    assert len(scores) == 6
    assert {hit for _, hit in scores.values()} == {""}
    assert "No item could be scored." in (campaign(pytester) / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("-k", "task_01"), ("--deselect", "tiny/test_task_02_count.py")])
def test_of_a_part_of_the_suite_only_its_tasks_are_scored(
    pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path, words: tuple[str, ...]
) -> None:
    """What was predicted over all tasks and of the whole campaign is not what such a campaign shows."""
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "2", suite, *words)

    pack = campaign(pytester)
    assert {item: hit for item, (_, hit) in scored(pack).items() if hit} == {"tasks.task_01_hello": "true"}
    text = (pack / "report.md").read_text(encoding="utf-8")
    assert "1/1 scored items were hits." in text
    assert text.count("predicted for the whole suite with 2 runs; the campaign ran something else") == 4


def test_trials_that_did_not_end_leave_the_whole_unscored(
    pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path
) -> None:
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "2", suite)
    pack = campaign(pytester)
    lines = (pack / "data" / "results.jsonl").read_bytes().splitlines(keepends=True)
    (pack / "data" / "results.jsonl").write_bytes(b"".join(lines[:-1]))

    assert cli.main(["report", str(pack)]) == 0

    assert {item for item, (_, hit) in scored(pack).items() if hit} <= {"tasks.task_01_hello", "tasks.task_02_count"}
    assert "with 2 runs; 1 of 4 trials did not end" in (pack / "report.md").read_text(encoding="utf-8")


def test_a_campaign_that_does_not_say_what_was_asked_for_is_not_taken_for_the_whole(
    pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path
) -> None:
    """Merged shards keep what was filed, and say nothing of the suite that they are shards of."""
    for word in ("task_01", "task_02"):
        pytester.runpytest("--model", f"scripted:{bot}", "--runs", "2", "--results", word, "-k", word, suite)
    parts = [str(campaign(pytester, word)) for word in ("task_01", "task_02")]
    whole = pytester.path / "whole"

    assert cli.main(["merge", *parts, "-o", str(whole)]) == 0
    assert cli.main(["report", str(whole)]) == 0

    assert {item: hit for item, (_, hit) in scored(whole).items() if hit} == {
        "tasks.task_01_hello": "true",
        "tasks.task_02_count": "false",
    }
    assert "the manifest does not say whether that was run" in (whole / "report.md").read_text(encoding="utf-8")
    assert cli.main(["validate", str(whole)]) == 0


def test_predictions_about_another_model_are_left_alone_unless_asked_for(
    pytester: pytest.Pytester, suite: Path, expected: Path
) -> None:
    pytester.runpytest("--model", "oracle", "--runs", "1", suite).assert_outcomes(passed=2)
    assert json.loads((campaign(pytester) / "manifest.json").read_bytes())["predictions"] is None
    assert "No predictions were filed" in (campaign(pytester) / "report.md").read_text()

    asked = pytester.runpytest("--model", "oracle", f"--agentcore-predictions={expected}", suite)
    assert asked.ret == pytest.ExitCode.USAGE_ERROR
    asked.stderr.fnmatch_lines(["*is about bot on tiny, and no campaign of this run is*"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("task_02_count", "task_03_dance"), "tasks.task_03_dance: tiny has no such task"),
        (("point = 0.5", "point = 5"), "score.point: must be a number from 0 to 1, not 5"),
    ],
)
def test_what_cannot_be_used_is_said_before_the_first_trial(
    pytester: pytest.Pytester, suite: Path, expected: Path, change: tuple[str, str], said: str
) -> None:
    expected.write_text(expected.read_text().replace(*change).replace('"bot"', '"oracle"'))

    result = pytester.runpytest("--model", "oracle", suite)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_somebody_else_s_predictions_md_is_left_alone(pytester: pytest.Pytester, suite: Path) -> None:
    (pytester.path / "predictions.md").write_text("# The weather\n")

    pytester.runpytest("--model", "oracle", "--runs", "1", suite).assert_outcomes(passed=2)


def test_a_file_that_was_changed_in_the_pack_is_not_scored(
    pytester: pytest.Pytester, suite: Path, bot: Path, expected: Path
) -> None:
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "2", suite)
    pack = campaign(pytester)
    (pack / "predictions.md").write_text(expected.read_text().replace("[0.8, 1.0]", "[0.0, 1.0]"))

    assert cli.main(["report", str(pack)]) == 0

    assert "missing or not the file that was filed" in (pack / "report.md").read_text()
    assert not (pack / "verification" / "predictions.csv").exists()


def test_the_form_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "expected.md"

    assert cli.main(["predict", "smollm2-135m", "-o", str(file)]) == 0
    assert file.read_text().count("# task_") == 10
    assert 'model = "smollm2-135m"' in file.read_text()

    assert cli.main(["predict", "smollm2-135m", "-o", str(file)]) == cli.USAGE_ERROR
    assert "is there already" in capsys.readouterr().err
