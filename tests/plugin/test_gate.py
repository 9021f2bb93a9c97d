"""--min-pass-rate: when the exit code is 0, and what is said when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Script, say, write

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
    result.stdout.fnmatch_lines([f"pass-rate gate: {'NOT reached' if sentences else 'reached'}"])
    result.stdout.fnmatch_lines([f"  {sentence}" for sentence in sentences])


def test_it_says_what_its_answer_is_worth(pytester: pytest.Pytester, suite: Path, half: str) -> None:
    """task_01 repeats itself word for word, so its two trials are one; 1 of 2 by binomial(2, 0.9): 0.19."""
    result = pytester.runpytest(f"--model={half}", "--runs=2", "--tb=no", "--min-pass-rate=0.9", suite)
    result.stdout.fnmatch_lines(
        [
            "pass-rate gate: NOT reached",
            "  half: noise alone decides so with a chance of at most 19.0%: *is 0.9 passes 1 or fewer of 2 *",
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
def test_unscored_trials_shut_the_gate(
    pytester: pytest.Pytester, suite: Path, script: Script, line: dict[str, object], *, word: str, why: str
) -> None:
    bot = script(task_01=[line], task_02=[say("no idea")])
    words = ("--runs=1", "--tb=no", "--min-pass-rate=0", word)
    result = pytester.runpytest(f"--model=scripted:{bot}", *words, suite)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["pass-rate gate: NOT reached", f"  bot: 1 of 2 planned trials not scored (1 {why})"])


def test_nothing_scored_shuts_the_gate(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(**{"*": [{"error": "unreachable"}]})
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--tb=no", "--min-pass-rate=0", suite)
    assert result.ret == FAILED
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
    result.stdout.fnmatch_lines(["pass-rate gate: reached*"])


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
    assert plain.ret == FAILED
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
    again.stdout.fnmatch_lines(["gate: not asked", sentence])


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
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["  --min-pass-rate: 'task_05' is no task of this run; it has none"])


@pytest.mark.parametrize("word", LOOKING)
def test_a_run_that_only_looks_asks_no_gate(pytester: pytest.Pytester, suite: Path, word: str) -> None:
    result = pytester.runpytest("--model=null", "--min-pass-rate=1", word, suite)
    assert result.ret == OK
    result.stdout.no_fnmatch_line("*gate: *")
