"""--min-pass-rate: when the exit code is 0, and what is said when it is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny import HELLO, Script, campaign, say, write

from pytest_agentcore.analysis.gate import UNDECIDED
from pytest_agentcore.cli.__main__ import main

OK, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def half(script: Script) -> str:
    """Passes task 01 in every run, task 02 in none."""
    return f"scripted:{script('half', task_01=[write('hello.txt', 'hello'), say('done')], task_02=[say('no idea')])}"


@pytest.mark.parametrize(
    ("rates", "sentences"),
    [
        (["0.5"], []),
        (["50%", "1/2", "task_01=1"], []),
        (["0.51"], ["half: 2/4 = 50.0% of the scored trials passed, 0.51 is asked for"]),
        (["0.5", "task_02=0.25"], ["half, task_02_count: 0/2 = 0.0% of the scored*, 0.25 is asked for"]),
        (["task_01_hello=1.0", "task_02=0"], []),
    ],
    ids=lambda value: "+".join(value)[:30] or "reached",
)
def test_every_rate_must_be_reached(
    pytester: pytest.Pytester, suite: Path, half: str, rates: list[str], sentences: list[str]
) -> None:
    words = [f"--min-pass-rate={rate}" for rate in rates]
    result = pytester.runpytest(f"--model={half}", "--runs=2", "--tb=no", *words, suite)
    result.assert_outcomes(passed=2, failed=2)
    assert result.ret == (FAILED if sentences else OK)
    word = "NOT reached · exit code 1" if sentences else "reached · exit code 0"
    result.stdout.fnmatch_lines([*(f"  {sentence}" for sentence in sentences), f"pass-rate gate: {word}: *"])


def test_it_says_what_its_answer_is_worth(pytester: pytest.Pytester, suite: Path, half: str) -> None:
    """task_01 repeats itself word for word, so its two trials are one; 1 of 2 by binomial(2, 0.9): 0.19."""
    result = pytester.runpytest(f"--model={half}", "--runs=2", "--tb=no", "--min-pass-rate=0.9", suite)
    result.stdout.fnmatch_lines(
        [
            "  half: by luck alone, *rate of 0.9 passes 1 or fewer of 2 distinct trials at most 19.0% of the time",
            "pass-rate gate: NOT reached · *",
        ]
    )


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_rate_for_no_task_is_said_before_the_first_trial(
    pytester: pytest.Pytester, suite: Path, half: str, words: tuple[str, ...]
) -> None:
    result = pytester.runpytest(f"--model={half}", "--min-pass-rate=task_3=0.5", suite, *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    sentence = "--min-pass-rate: 'task_3' is no task of this run; there are task_01_hello, task_02_count"
    result.stderr.fnmatch_lines([f"*{sentence}"])
    assert not list(pytester.path.glob("agentcore-results/*"))


def test_without_a_rate_the_exit_code_is_pytests(pytester: pytest.Pytester, suite: Path, half: str) -> None:
    result = pytester.runpytest(f"--model={half}", "--runs=1", "--tb=no", suite)
    assert result.ret == FAILED
    result.stdout.no_fnmatch_line("pass-rate gate*")


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_every_model_must_reach_it(pytester: pytest.Pytester, suite: Path, half: str, words: tuple[str, ...]) -> None:
    models = ("--model=oracle", f"--model={half}", "--runs=1", "--tb=no")
    result = pytester.runpytest(*models, "--min-pass-rate=0.5", *words, suite)
    result.assert_outcomes(passed=3, failed=1)
    assert result.ret == OK
    result = pytester.runpytest(*models, "--min-pass-rate=0.75", suite)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["  half: 1/2 = 50.0% *"])
    result.stdout.no_fnmatch_line("  oracle: *is asked for")


@pytest.mark.parametrize(
    ("line", "word", "why"),
    [({"error": "unreachable"}, "--runs=1", "infrastructure_error"), (say("no idea"), "-x", "not_run")],
    ids=["infrastructure", "not run"],
)
def test_unscored_trials_leave_the_gate_undecided(
    pytester: pytest.Pytester, suite: Path, script: Script, line: dict[str, object], *, word: str, why: str
) -> None:
    bot = script(task_01=[line], task_02=[say("no idea")])
    words = ("--runs=1", "--tb=no", "--min-pass-rate=0", word)
    result = pytester.runpytest(f"--model=scripted:{bot}", *words, suite)
    assert result.ret == UNDECIDED
    result.stdout.fnmatch_lines(
        [f"  bot: 1 of 2 planned trials not scored (1 {why})", "pass-rate gate: undecided · exit code 75: *"]
    )


def test_nothing_scored_leaves_the_gate_undecided(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(**{"*": [{"error": "unreachable"}]})
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--tb=no", "--min-pass-rate=0", suite)
    assert result.ret == UNDECIDED
    result.stdout.fnmatch_lines(["  bot: none of 2 trials was scored, 0 is asked for"])


OTHERS = {
    "a failing test": "def test_other(): assert False\n",
    "an error in a fixture": "import pytest\n@pytest.fixture\ndef f(): 1 / 0\ndef test_other(f): pass\n",
    "an error in a teardown": "import pytest\n@pytest.fixture\ndef f():\n yield\n 1 / 0\ndef test_other(f): pass\n",
}


@pytest.mark.parametrize("other", OTHERS)
def test_only_trials_are_forgiven(pytester: pytest.Pytester, suite: Path, half: str, other: str) -> None:
    (suite / "test_other.py").write_text(OTHERS[other])
    result = pytester.runpytest(f"--model={half}", "--runs=1", "--tb=no", "--min-pass-rate=0.5", suite)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["pass-rate gate: reached · exit code 1: a test that is no trial failed*"])


def test_a_collection_error_stands(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "test_other.py").write_text("import nowhere_at_all\n")
    words = ("--model=oracle", "--runs=1", "--min-pass-rate=0.5", suite)
    assert pytester.runpytest(*words).ret == pytest.ExitCode.INTERRUPTED
    assert pytester.runpytest(*words, "--continue-on-collection-errors").ret == FAILED


@pytest.mark.parametrize(
    ("hook", "code"),
    [
        ("def pytest_runtest_setup(item): raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED),
        ("def pytest_runtest_logreport(report): 1 / 0", pytest.ExitCode.INTERNAL_ERROR),
        ("import pytest\ndef pytest_runtest_setup(item): pytest.exit('enough', 7)", 7),
    ],
    ids=["interrupted", "internal error", "exit"],
)
def test_other_exit_codes_stand(pytester: pytest.Pytester, suite: Path, hook: str, code: int) -> None:
    pytester.makeconftest(hook)
    words = ("--model=oracle", "--runs=1", "--min-pass-rate=0", suite)
    assert pytester.runpytest_inprocess(*words, no_reraise_ctrlc=True).ret == code


def test_no_trial_at_all(pytester: pytest.Pytester, suite: Path) -> None:
    words = ("--model=oracle", "--min-pass-rate=0", "-k", "nothing_of_the_kind", suite)
    assert pytester.runpytest(*words).ret == pytest.ExitCode.NO_TESTS_COLLECTED
    (suite / "test_plain.py").write_text("def test_plain(): pass\n")
    plain = pytester.runpytest("--model=oracle", "--min-pass-rate=0", "-k", "test_plain", suite)
    assert plain.ret == UNDECIDED
    plain.stdout.fnmatch_lines(["  no trial was planned, so no pass rate was reached"])


LOOKING = ("--co", "--setup-plan", "--setup-only")


@pytest.mark.parametrize(
    "word", ["--min-pass-rate=0.9", "--agentcore-min-pass-rate=0.9", "--agentcore-baseline=earlier"]
)
def test_a_gate_without_a_model_is_refused(pytester: pytest.Pytester, suite: Path, word: str) -> None:
    result = pytester.runpytest(word, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    name = word.partition("=")[0].removeprefix("--agentcore-").removeprefix("--")
    result.stderr.fnmatch_lines(
        [f"*--agentcore-{name}: no model is given, so nothing would be gated; add --agentcore-model*"]
    )
    assert pytester.runpytest(word, "--help").ret == OK


def test_a_gate_of_the_ini_file_waits_for_a_model(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeini("[pytest]\nagentcore_min_pass_rate = 0.9\nagentcore_baseline = earlier\n")
    result = pytester.runpytest(suite)
    result.assert_outcomes(skipped=2)
    assert result.ret == OK


@pytest.mark.parametrize("rate", ["0", "0.9", "task_05=0.9"])
def test_a_selection_is_not_gated_and_says_so(pytester: pytest.Pytester, suite: Path, half: str, rate: str) -> None:
    words = (f"--model={half}", "--runs=1", "--tb=no", suite)
    pytester.runpytest(*words).assert_outcomes(passed=1, failed=1)
    again = pytester.runpytest("--lf", f"--min-pass-rate={rate}", *words)
    again.assert_outcomes(failed=1)
    assert again.ret == FAILED
    sentence = "  a selection by --lf counts nowhere and is not gated; the exit code is pytest's own"
    again.stdout.fnmatch_lines([sentence, "gate: not asked · exit code 1: pytest's own"])


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_baseline_of_the_ini_file_stands_in_nobodys_way_but_a_tasks(
    pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]
) -> None:
    pytester.makeini("[pytest]\nagentcore_model = oracle\nagentcore_runs = 1\nagentcore_baseline = nowhere\n")
    own = pytester.mkdir("own") / "test_own.py"
    own.write_text("def test_own(): pass\n")
    alone = pytester.runpytest(own, *words)
    alone.assert_outcomes(passed=1)
    assert alone.ret == OK
    tasks = pytester.runpytest(suite, *words)
    assert tasks.ret == pytest.ExitCode.USAGE_ERROR
    tasks.stderr.fnmatch_lines(["ERROR: *no campaign*nowhere*"])
    assert not list(pytester.path.glob("agentcore-results/*"))


@pytest.mark.parametrize("rate", ["0.9", "task_05=0"])
def test_a_gate_of_the_ini_file_asks_nothing_of_a_run_without_tasks(pytester: pytest.Pytester, rate: str) -> None:
    pytester.makepyfile("def test_own(): pass")
    pytester.makeini(f"[pytest]\nagentcore_model = oracle\nagentcore_min_pass_rate = {rate}\n")
    result = pytester.runpytest("test_a_gate_of_the_ini_file_asks_nothing_of_a_run_without_tasks.py")
    result.assert_outcomes(passed=1)
    assert result.ret == OK
    result.stdout.no_fnmatch_line("*gate*reached*")


def test_a_typed_rate_for_a_task_of_a_run_without_tasks(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "test_plain.py").write_text("def test_plain(): pass\n")
    result = pytester.runpytest("--model=oracle", "--min-pass-rate=task_05=0", "-k", "test_plain", suite)
    assert result.ret == UNDECIDED
    result.stdout.fnmatch_lines(["  --min-pass-rate: 'task_05' is no task of this run; there is none"])


@pytest.mark.parametrize("word", LOOKING)
def test_a_run_that_only_looks_asks_no_gate(pytester: pytest.Pytester, suite: Path, word: str) -> None:
    result = pytester.runpytest("--model=null", "--min-pass-rate=1", word, suite)
    assert result.ret == OK
    result.stdout.no_fnmatch_line("*gate: *")


CONSOLES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "quiet": ("-q",),
    "quieter": ("-qq",),
    "verbose": ("-vv", "-rA"),
    "workers": ("-n", "2"),
    "colour": ("--color=yes",),
    "no summary": ("--no-header", "--no-summary", "--tb=no"),
    "no reporter": ("-p", "no:terminal"),
    "no capture": ("-s",),
    "junit": ("--junitxml=j.xml", "--durations=3"),
    "talkers": ("-p", "talkers"),
}


@pytest.mark.parametrize("rate", ["0.5", "0.75"])
@pytest.mark.parametrize("console", CONSOLES)
def test_a_gate_speaks_last(pytester: pytest.Pytester, suite: Path, half: str, *, console: str, rate: str) -> None:
    """Behind pytest's counts, and behind what other plugins say at the end of a session."""
    pytester.makepyfile(
        talkers="""
        import pytest
        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line("a summary of theirs")
        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session):
            print("their session is over")
        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            config.pluginmanager.get_plugin("terminalreporter").write_line("unconfigured by them")
        """
    )
    pytester.syspathinsert()
    words = (f"--model={half}", "--runs=1", f"--min-pass-rate={rate}", *CONSOLES[console])
    result = pytester.runpytest(*words, suite)
    assert result.ret == (OK if rate == "0.5" else FAILED)
    last = result.outlines[-1].replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[32m", "")
    said = {
        "0.5": "pass-rate gate: reached · exit code 0: the model did what was asked",
        "0.75": "pass-rate gate: NOT reached · exit code 1: the model did not do what was asked",
    }
    assert last.replace("\x1b[31m", "") == said[rate]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--min-pass-rate=0.5",), 0),
        (("--min-pass-rate=50%", "--min-pass-rate=task_02=0.5"), 1),
        (("--min-pass-rate=0.9",), 1),
        (("--baseline=campaigns/first",), 0),
        (("--baseline=campaigns/first", "--min-pass-rate=1"), 1),
    ],
)
def test_the_command_says_of_a_campaign_what_pytest_says_of_its_run(
    pytester: pytest.Pytester, suite: Path, half: str, capsys: pytest.CaptureFixture[str], *, words: Any, code: int
) -> None:
    run = (f"--model={half}", "--runs=2", "--tb=no", "--results=campaigns", suite)
    pytester.runpytest(*run)
    campaign(pytester, "campaigns").rename(pytester.path / "campaigns" / "first")
    given = [word.replace("--baseline", "--agentcore-baseline") for word in words]
    gated = pytester.runpytest(*run, f"--agentcore-resume={pytester.path / 'campaigns' / 'first'}", *given)
    capsys.readouterr()
    assert main(["gate", "first", "--results=campaigns", *words]) == gated.ret == code
    said = capsys.readouterr().out.splitlines()
    assert gated.outlines[-len(said) :] == said
    assert said[-1].endswith("the model did what was asked" if code == 0 else "the model did not do what was asked")


def test_the_command_leaves_undecided_what_lacks_a_score(
    pytester: pytest.Pytester, suite: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[{"error": "unreachable"}])
    pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--tb=no", "--agentcore-retries=0", suite)
    capsys.readouterr()
    assert main(["gate", str(campaign(pytester)), "--min-pass-rate=0.1"]) == UNDECIDED
    assert "pass-rate gate: undecided · exit code 75: not the model's fault" in capsys.readouterr().out
    assert main(["gate", str(campaign(pytester)), "--min-pass-rate=0.6"]) == UNDECIDED
    assert main(["gate", str(campaign(pytester)), "--min-pass-rate=task_02=0.6"]) == UNDECIDED


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "there is nothing to check"),
        (("--min-pass-rate=2",), "must lie between 0 and 1"),
        (("--min-pass-rate=task_9=1",), "is no task of this run"),
        (("--baseline=nowhere",), "no campaign 'nowhere'"),
    ],
)
def test_the_command_refuses_what_cannot_be_asked(
    pytester: pytest.Pytester, suite: Path, capsys: pytest.CaptureFixture[str], words: Any, sentence: str
) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", suite)
    capsys.readouterr()
    assert main(["gate", str(campaign(pytester)), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_the_command_gates_no_selection(
    pytester: pytest.Pytester, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.runpytest("--model=null", "--runs=1", suite)
    shutil.rmtree(campaign(pytester))
    pytester.runpytest("--lf", "--model=null", "--runs=1", suite)
    capsys.readouterr()
    assert main(["gate", str(campaign(pytester)), "--min-pass-rate=0"]) == 2
    assert "is a selection" in capsys.readouterr().err


ENDS: dict[str, tuple[dict[str, Any], tuple[str, ...], int]] = {
    "a model's failure": ({"task_02": [say("no")]}, (), 1),
    "an endpoint that is down": ({"task_02": [{"error": "unreachable"}]}, (), 75),
    "both": ({"task_01": [say("no")], "task_02": [{"error": "unreachable"}]}, (), 1),
    "a broken checker": ({}, ("raise ValueError(1)",), 75),
    "a broken checker and an own test": ({}, ("raise ValueError(1)", "own"), 1),
    "an endpoint that stays down": ({"*": [{"error": "unreachable"}]}, ("--agentcore-max-infra-errors=1",), 75),
}


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize("end", ENDS)
def test_without_a_gate_the_exit_code_tells_a_model_from_infrastructure(
    pytester: pytest.Pytester, suite: Path, script: Script, end: str, words: tuple[str, ...]
) -> None:
    replies, changes, code = ENDS[end]
    if "raise ValueError(1)" in changes:
        task = HELLO.replace('assert trial.line("hello.txt") == "hello"', "raise ValueError(1)")
        (suite / "test_task_01_hello.py").write_text(task)
    if "own" in changes:
        (suite / "test_own.py").write_text("def test_own(): assert False\n")
    done = {"*": [write("hello.txt", "hello"), say("done")]}
    only = () if "task_02" in replies or "*" in replies else ("--deselect", "tiny/test_task_02_count.py")
    bot, options = script(**(done | replies)), [word for word in changes if word.startswith("--")]
    command = (f"--model=scripted:{bot}", "--runs=1", "--tb=no", "--agentcore-retries=0", *options, *only, *words)
    result = pytester.runpytest(*command, "tiny")
    assert result.ret == code
    is_said = result.outlines[-1].startswith("exit code 75: not the model's fault: ")
    assert is_said is (code == UNDECIDED)


@pytest.mark.parametrize(("rate", "code"), [("0.5", UNDECIDED), ("0.6", FAILED)])
def test_a_rate_out_of_reach_is_missed_whatever_was_not_scored(
    pytester: pytest.Pytester, suite: Path, script: Script, rate: str, code: int
) -> None:
    bot = script(task_01=[say("no")], task_02=[{"error": "unreachable"}])
    words = (f"--model=scripted:{bot}", "--runs=1", "--tb=no", f"--min-pass-rate={rate}", suite)
    assert pytester.runpytest(*words).ret == code


@pytest.mark.parametrize("model", ["oracle", "null"])
@pytest.mark.parametrize("rate", ["1", "100%", "0"])
def test_a_rate_that_luck_cannot_reach_or_miss_says_nothing_of_it(
    pytester: pytest.Pytester, suite: Path, model: str, rate: str
) -> None:
    result = pytester.runpytest(f"--model={model}", "--runs=1", "--tb=no", f"--min-pass-rate={rate}", suite)
    result.stdout.no_fnmatch_line("*chance of at most*")


def test_an_interrupted_session_says_that_nothing_was_decided(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest("def pytest_runtest_setup(item): raise KeyboardInterrupt")
    words = ("--model=oracle", "--runs=1", "--min-pass-rate=0", suite)
    result = pytester.runpytest_inprocess(*words, no_reraise_ctrlc=True)
    said = "gate: not decided · exit code 2: the session was interrupted, or a module could not be collected"
    assert result.outlines[-1] == said


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_model_that_cannot_be_opened_is_a_usage_error_in_every_process(
    pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]
) -> None:
    pytester.makeconftest("def pytest_agentcore_backends(config): return {'echo': lambda entry, engine: 1 / 0}")
    options = ("--model=echo:x", "--runs=1", "--agentcore-preflight=off", "--sandbox=process", "--min-pass-rate=1")
    result = pytester.runpytest(*options, *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.outlines[-1] == "gate: not decided · exit code 4: what was asked for cannot be done"
