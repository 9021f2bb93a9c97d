"""What the terminal shows: header, letters and words, failed trials, the summary; and nothing a model could abuse."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from screen import written
from tiny import COUNT, HELLO, Script, say, write

import pytest_agentcore

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


LOOK = {"tool_calls": [{"name": "fs_read", "arguments": {"path": "."}}] * 3}
TALK = "a b c\n" * 40
ASSERT = 'assert trial.line("hello.txt") == "hello"'
MANY = HELLO.replace(ASSERT, 'assert trial.text("hello.txt").split() == ["x"] * 90')
FAILURES = {
    "a sentence": (HELLO, [LOOK, write("hello.txt", "hullo"), say(TALK)]),
    "a long comparison": (MANY, [LOOK, write("hello.txt", TALK), say(HOSTILE)]),
    "a broken checker": (HELLO.replace("trial.line", "trial.no_such_reader"), [LOOK, write("a", TALK), say(TALK)]),
    "an endpoint that is down": (HELLO, [LOOK, LOOK, {"error": "unreachable " + TALK}]),
    "a call that cannot be read": (HELLO, [LOOK, say('<tool_call>{"name": fs_write'), say(TALK)]),
}


@pytest.mark.parametrize("words", [(), ("-n", "2"), ("--color=yes",)], ids=["alone", "workers", "colour"])
def test_a_failure_takes_a_dozen_lines_and_equal_ones_are_said_once(
    pytester: pytest.Pytester, suite: Path, script: Script, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "1")  # where pytest itself shortens nothing
    monkeypatch.setenv("COLUMNS", "100")
    shutil.rmtree(suite)
    suite.mkdir()
    replies = {}
    for n, (task, script_of_it) in enumerate(FAILURES.values(), 1):
        (suite / f"test_task_0{n}_x.py").write_text(task)
        replies[f"task_0{n}"] = script_of_it
    pytester.makeconftest(
        """
        def pytest_terminal_summary(terminalreporter):
            print("counted", *(len(terminalreporter.stats.get(name, ())) for name in ("failed", "error")))
        """
    )
    options = ("--runs=3", "--agentcore-retries=0", "--agentcore-max-infra-errors=9", "-rN", *words)
    result = pytester.runpytest(f"--model=scripted:{script(**replies)}", *options, suite)
    result.assert_outcomes(failed=9, errors=6)
    result.stdout.fnmatch_lines(["counted 9 6"])
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in result.outlines]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\n".join(plain))
    starts = [
        n for n, line in enumerate(plain) if re.fullmatch(r"_+ (ERROR at setup of )?test_hello\[bot-run\d\] _+", line)
    ]
    ends = [next(n for n in range(start, len(plain)) if "/data/transcripts/" in plain[n]) for start in starts]
    assert len(starts) == len(FAILURES)
    for start, end in zip(starts, ends, strict=True):
        assert end - start + 1 <= 12
        assert sorted(re.findall(r"run\d", plain[start] + plain[end])) == ["run1", "run2", "run3"]
        assert sum(-(-len(line) // 100) for line in plain[start:end]) <= 11  # rows; an address stands whole


def test_failures_that_differ_are_told_apart_and_verbosity_shows_all(pytester: pytest.Pytester, suite: Path) -> None:
    bot = pytester.path / "bot.py"
    bot.write_text('def reply(request):\n    return "no" if request.trial.run < 3 else 3 * "no "\n')
    (suite / "test_task_01_hello.py").write_text(HELLO.replace(ASSERT, "assert not trial.answer, trial.answer"))
    words = (f"--model=scripted:{bot}", "--runs=3", "-rN", suite / "test_task_01_hello.py")
    short = pytester.runpytest(*words)
    heads = [line for line in short.outlines if re.match("_+ test_hello", line)]
    assert [re.findall(r"run\d", line) for line in heads] == [["run1"], ["run3"]]
    short.stdout.fnmatch_lines(["*.jsonl#turn=1  also run2"])
    for style in ("-v", "--tb=long", "--tb=native"):
        whole = pytester.runpytest(*words, style)
        assert len([line for line in whole.outlines if re.match("_+ test_hello", line)]) == 3
        whole.stdout.fnmatch_lines(["*- verdict -*", "*- last turns -*", "*- transcript -*"])


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_reasons_of_the_short_summary_begin_with_the_reason(
    pytester: pytest.Pytester, suite: Path, script: Script, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (suite / "test_task_02_count.py").write_text(COUNT.replace("trial.int", "trial.no_such_reader"))
    (suite / "test_task_03_down.py").write_text(HELLO)
    done = [write("hello.txt", "x"), write("count.txt", "x"), say("done")]
    bot = script(task_01=done, task_02=done, task_03=[{"error": "unreachable"}])
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", *words, suite)
    result.stdout.fnmatch_lines_random(
        [
            "WRONG_ANSWER *hello.py::test_hello?bot-run1? - assert 'x' == 'hello'* (checker_rejected)",
            "INFRASTRUCTURE_ERROR *count.py::* - the checker is broken: AttributeError: * (checker_broken)",
            "INFRASTRUCTURE_ERROR *down.py::* - scripted error: unreachable (backend_unreachable)",
        ]
    )


@pytest.mark.parametrize("words", [("-v",), ("-n", "2", "-v")], ids=" ".join)
def test_an_installed_suite_is_called_by_its_name(pytester: pytest.Pytester, words: tuple[str, ...]) -> None:
    """Wherever its package lies, here in a virtual environment below the rootdir."""
    package, site = Path(pytest_agentcore.__file__).parent, pytester.path / ".venv" / "lib" / "site-packages"
    for source, target in ((package, site / package.name), (package.parent / "suites", site / package.name / "suites")):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    only = ("-k", "task_03 or task_09", "--runs=1", "--model=null", "--sandbox=process", "--junitxml=j.xml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        first = pytester.runpytest_subprocess(*only, *words)
        again = pytester.runpytest_subprocess(*only, "--lf")
    first.assert_outcomes(failed=2)
    again.assert_outcomes(failed=2)
    for result in (first, again):
        named = [line for line in result.outlines if "test_task_0" in line and ".py" in line]
        assert named
        assert all("agentic-core-v1/test_task_0" in line for line in named)
    assert ".venv" not in again.stdout.str()
    assert 'classname="agentic-core-v1.test_task_03_investigate_log"' in (pytester.path / "j.xml").read_text()


LINK = re.compile(r"\x1b\]8;;(.*?)\x1b\\")


@pytest.mark.parametrize(
    ("terminal", "linked"),
    [({"TERM_PROGRAM": "WezTerm"}, True), ({"TERM_PROGRAM": "WezTerm", "NO_COLOR": "1"}, False), ({}, False)],
    ids=["known", "without colours", "unknown"],
)
def test_paths_are_links_where_the_terminal_takes_them(
    pytester: pytest.Pytester,
    suite: Path,
    mixed: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: dict[str, str],
    linked: bool,
) -> None:
    for name in ("TERM_PROGRAM", "VTE_VERSION", "WT_SESSION", "KONSOLE_VERSION", "DOMTERM", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in terminal.items():
        monkeypatch.setenv(name, value)
    results = "re\x1b]8;;http:evil\x1b\\sults \u00e9"
    words = [f"--model={mixed}", "--runs=1", "--agentcore-max-turns=4", f"--results={results}", str(suite)]
    said = written([sys.executable, "-m", "pytest", *words], pytester.path, columns=300, rows=50)
    targets = LINK.findall(said)
    assert "\x1b]8;;http" not in said
    assert bool(targets) is linked
    if linked:
        opened, closed = targets[::2], targets[1::2]
        assert closed == [""] * len(opened)
        assert all(re.fullmatch(r"file://[\w.-]*/[\w./%~-]+", target) for target in opened)
        kinds = ("tiny", "report.md", "report.html", ".jsonl")
        assert all(any(target.endswith(kind) for target in opened) for kind in kinds)
    plain = pytester.runpytest(*words, "--color=yes")
    assert "\x1b]8" not in plain.stdout.str()


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_other_plugins_find_what_pytest_would_have_put_there(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    """They read the crash, then take its traceback for granted; or they write the report down as xdist does."""
    pytester.makeconftest(
        """
        import copy, json
        def pytest_runtest_logreport(report):
            if report.failed and not hasattr(report, "seen"):
                crash, entries = report.longrepr.reprcrash, report.longrepr.reprtraceback.reprentries
                place = entries[-1].reprfileloc.lineno if len(entries) > 1 else crash.lineno
                data = json.dumps(copy.copy(report)._to_json(), default=str)
                print("read", crash.message, crash.path, place, len(report.longreprtext) > 40, crash.message in data)
        """
    )
    (suite / "test_task_02_count.py").write_text(COUNT.replace("trial.int", "trial.no_such_reader"))
    (suite / "test_task_03_down.py").write_text(HELLO)
    (suite / "test_task_04_idle.py").write_text(HELLO.replace(ASSERT, "assert trial.answer"))
    bot = script(
        task_01=[write("hello.txt", "x"), say("done")],
        task_02=[write("count.txt", "x"), say("done")],
        task_03=[{"error": "unreachable"}],
        task_04=[say("nothing done")],
    )
    command = (f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", "-s", *words)
    for _ in range(2):  # the second time what has a score is recorded, and its failure is a text
        result = pytester.runpytest(*command, suite)
        result.assert_outcomes(failed=2, errors=2)
        assert len([line for line in result.outlines if "read " in line and line.endswith("True True")]) == 4
