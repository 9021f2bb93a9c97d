"""A run on GitHub Actions: summary and annotations, and what a model writes is no command. Elsewhere nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiny import HELLO, Script, say, write

from pytest_agentcore.cli.__main__ import main

FORGED = ("::error::forged", "  ::add-mask::forged", "so ##[add-mask]forged", "%0A::error::forged")
PRINTS = HELLO.replace(
    'assert trial.line("hello.txt") == "hello"',
    'print(trial.text("hello.txt"))\n    assert trial.text("hello.txt") == "hello", trial.text("hello.txt")',
)
WAYS = [
    ("-q", "--junit-xml=j.xml"),
    ("-v", "--tb=long", "-rA"),
    ("-s",),
    ("--capture=tee-sys",),
    ("-n", "2"),
    ("-p", "no:terminal"),
]


@pytest.fixture
def forger(pytester: pytest.Pytester, script: Script) -> list[str]:
    """Words for a model that writes commands into files and replies, and a checker that prints them."""
    folder = pytester.mkdir("forged")
    (folder / "test_task_01_hello.py").write_text(PRINTS)
    bot = script("bot", task_01=[write("hello.txt", "\n".join(FORGED)), say("\n".join(FORGED))])
    return [f"--model=scripted:{bot}", "--runs=2", "--min-pass-rate=0.5", str(folder)]


@pytest.fixture
def job(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the step's summary."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    return pytester.path / "summary.md"


def commands(lines: list[str]) -> list[str]:
    """The commands that the runner carries out, as it finds them: not while they are stopped."""
    found, token = [], ""
    for line in lines:
        match = re.match(r"\s*::(\S+?)(?: .*?)?::(.*)", line) or re.search(r"##\[(\S+?)(?: .*?)?\](.*)", line)
        if token:
            token = "" if match and match[1] == token else token
        elif match and match[1] == "stop-commands":
            token = match[2]
        elif match and match[1] in ("error", "notice", "warning", "add-mask", "debug", "group"):
            found.append(line)
    assert not token
    return found


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_failures_are_marked_and_nothing_is_forged(
    pytester: pytest.Pytester, forger: list[str], job: Path, words: tuple[str, ...]
) -> None:
    result = pytester.runpytest(*forger, *words)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    gate, failure = commands(result.outlines + result.errlines)
    assert gate.startswith("::error title=pytest-agentcore::pass-rate gate: NOT reached: bot: 0/2 = 0.0%25 of the")
    assert failure.startswith(
        "::error title=pytest-agentcore,file=forged/test_task_01_hello.py,line=8::bot: task_01_hello"
    )
    assert "run 1, 2: wrong_answer (checker_rejected): " in failure
    assert result.outlines[-2:] == [gate, failure]
    text = job.read_text()
    assert "### pass-rate gate: NOT reached" in text
    assert "| bot | 0/2 | 0.0% | 0.0% to 79.3% | 0 | `agentcore-results/" in text
    assert "| bot | task_01_hello run 1, 2 | wrong_answer (checker_rejected) | `" in text


@pytest.mark.parametrize("words", [(), ("-s",)], ids=["captured", "-s"])
def test_elsewhere_nothing_of_it_is_written(
    pytester: pytest.Pytester, forger: list[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    result = pytester.runpytest(*forger, *words)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not (pytester.path / "summary.md").exists()
    assert "title=pytest-agentcore" not in str(result.stdout)
    assert "stop-commands" not in str(result.stdout)
    assert "\\u003a" not in str(result.stdout)


def test_an_open_gate_makes_notices_and_runs_that_run_nothing_say_nothing(
    pytester: pytest.Pytester, forger: list[str], job: Path
) -> None:
    open_gate = ["--min-pass-rate=0" if word.startswith("--min") else word for word in forger]
    result = pytester.runpytest(*open_gate)
    assert result.ret == pytest.ExitCode.OK
    (notice,) = commands(result.outlines)
    assert notice.startswith("::notice title=pytest-agentcore,file=forged/")
    job.unlink()
    for words in (["--collect-only"], ["--setup-plan"]):
        assert commands(pytester.runpytest(*forger, *words).outlines) == []
    assert commands(pytester.runpytest("--co", "-q").outlines) == []
    assert not job.exists()


def test_a_summary_that_cannot_be_written_is_a_sentence_and_no_failure(
    pytester: pytest.Pytester, forger: list[str], job: Path
) -> None:
    job.mkdir()
    result = pytester.runpytest(*forger)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["no step summary was written: */summary.md: Is a directory"])


def test_the_gate_command_tells_the_same_of_what_is_recorded(
    pytester: pytest.Pytester, forger: list[str], job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.runpytest(*forger)
    earlier = job.read_text()
    job.unlink()
    capsys.readouterr()
    assert main(["gate", "--min-pass-rate", "0.5"]) == 1
    gate, failure = commands(capsys.readouterr().out.splitlines())
    assert gate.startswith("::error title=pytest-agentcore::pass-rate gate: NOT reached")
    assert failure.startswith("::error title=pytest-agentcore::bot: task_01_hello run 1, 2")
    assert job.read_text() == earlier
