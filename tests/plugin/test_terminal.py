"""What the terminal shows: header, letters and words, failed trials, the summary; and nothing a model could abuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiny import Script, say, write

HOSTILE = "HELLO \x1b[31mred\x1b]0;title\x07 \x00 \u202egnp.exe \x9b2J\r\ngone\x1b[2K"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def mixed(script: Script) -> str:
    """Passes task 01, gives up in task 02."""
    busy = {"tool_calls": [{"name": "fs_read", "arguments": {"path": "data.txt"}}], "repeat": 99}
    return f"scripted:{script(task_01=[write('hello.txt', 'hello'), say('done')], task_02=[busy])}"


def test_a_run_from_header_to_summary(pytester: pytest.Pytester, suite: Path, mixed: str) -> None:
    result = pytester.runpytest(f"--model={mixed}", "--runs=1", "--agentcore-max-turns=4", "-rA", suite)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "suite * tiny · digest ????????????",
            "model * bot · bot.json",
            "device * none",
            "policy * native · dialect hermes",
            "sandbox * python 3.*",
            "plan * 2 tasks, 1 run: 2 trials · interleaved · seed 0 · 4 turns*",
            "results * agentcore-results/????-??-??-bot-tiny",
            "tiny/test_task_01_hello.py . *",
            "tiny/test_task_02_count.py g *",
            "*_ test_count[[]bot-run1[]] _*",
            '>*assert trial.int("count.txt") == trial.facts?"lines"?',
            "E *AssertionError: count.txt is missing",
            "tiny/test_task_02_count.py:11: gave_up_mid_plan: budget_exhausted · ended by turn_limit · 4 turns · *",
            'turn 3 calls fs_read {"path": "data.txt"}',
            "       ok x x *",
            'turn 4 calls fs_read {"path": "data.txt"}',
            "agentcore-results/*/data/transcripts/*.jsonl#turn=4",
            "*= bot · policy native · sandbox * =*",
            "task (policy native)  passed  latency  calls  turns  notes",
            "task_01_hello * 1/1 * 1.0 * 2.0",
            "task_02_count * 0/1 * 4.0 * 4.0  run 1: budget_exhausted (turn_limit)",
            "raw * 1/2  50.0% of the planned trials passed",
            "effective * 1/2  50.0% of the scored trials passed (2/2 scored)",
            "distinct * 2 scored trials, 2 distinct",
            "failures * 0 wrong_answer · 1 gave_up_mid_plan · 0 infrastructure_error",
            "causes * 1 budget_exhausted",
            "files * agentcore-results/*",
            "PASSED tiny/test_task_01_hello.py::test_hello?bot-run1?",
            "GAVE_UP_MID_PLAN tiny/test_task_02_count.py::test_count?bot-run1?*",
            "*1 failed, 1 passed in *",
        ]
    )
    result.stdout.no_fnmatch_line("turn 1*")
    assert not re.search(r"pytest_agentcore/\w+/\w+\.py:\d+", result.stdout.str())
    cited = next(line for line in result.stdout.lines if "#turn=" in line)
    assert (pytester.path / cited.partition("#")[0]).is_file()


def test_verbose_words_and_quiet_letters(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=[say("no")], task_02=[{"error": "unreachable"}])
    words = (f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", "--tb=no")
    result = pytester.runpytest(*words, "-v", suite)
    result.stdout.fnmatch_lines(
        ["*test_hello?bot-run1? WRONG_ANSWER *", "*test_count?bot-run1? INFRASTRUCTURE_ERROR *"]
    )
    result.assert_outcomes(failed=1, errors=1)

    quiet = pytester.runpytest(*words, "-q", suite)
    quiet.stdout.fnmatch_lines(["wI *"])


@pytest.mark.parametrize("tb", ["auto", "long", "short", "line", "native", "no"])
def test_every_style_of_traceback_is_short_and_inert(
    pytester: pytest.Pytester, suite: Path, script: Script, tb: str
) -> None:
    """pytest's own comparison of two texts shows them as they are."""
    (suite / "test_task_01_hello.py").write_text(
        (suite / "test_task_01_hello.py")
        .read_text()
        .replace(
            'assert trial.line("hello.txt") == "hello"', 'print(got := trial.text("hello.txt")); assert got == "hello"'
        )
    )
    bot = script(task_01=[write("hello.txt", HOSTILE), say(HOSTILE)], task_02=[say(HOSTILE)])
    words = (f"--model=scripted:{bot}", "--runs=1", f"--tb={tb}", "-l", "-vv", "-rA", "--color=no")
    result = pytester.runpytest(*words, suite)
    shown = result.stdout.str()
    result.assert_outcomes(failed=2)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    if tb != "no":
        assert r"\x1b[31mred" in shown


def test_a_model_without_one_call_is_a_suspicion(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(**{"*": [say("I would gladly write that file.")]})
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=3", "--tb=no", suite)
    result.stdout.fnmatch_lines(
        [
            "distinct * 6 scored trials, 2 distinct",
            "SUSPECT*not one trial of bot made a tool call that could be run*",
        ]
    )


def test_stopping_at_the_first_failure_shows_the_rest_as_not_run(
    pytester: pytest.Pytester, suite: Path, mixed: str
) -> None:
    result = pytester.runpytest(f"--model={mixed}", "--runs=2", "-x", "--tb=no", suite)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "task_01_hello * 1/2 * 1 not run",
            "raw * 1/4 *",
            "effective * 1/2 * (2/4 scored)",
            "failures*2 not_run",
            "*stopping after 1 failures*",
        ]
    )


def test_last_failed_runs_the_failed_trials_again(pytester: pytest.Pytester, suite: Path, mixed: str) -> None:
    words = (f"--model={mixed}", "--runs=2", "--tb=no", suite)
    pytester.runpytest(*words).assert_outcomes(passed=2, failed=2)
    again = pytester.runpytest("--lf", "-v", *words)
    again.assert_outcomes(failed=2)
    again.stdout.fnmatch_lines(["*test_count?bot-run1? GAVE_UP_MID_PLAN *", "*test_count?bot-run2? GAVE_UP_MID_PLAN *"])
    assert len(list((pytester.path / "agentcore-results").iterdir())) == 2


def test_a_run_without_a_terminal_reporter(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("-p", "no:terminal", "--model=oracle", "--runs=1", suite)
    assert (result.ret, result.stdout.str()) == (pytest.ExitCode.OK, "")
