"""task_01 fix failing test: one test of a small package fails, and the bug is one call below the function it names.

The failing test can be satisfied in several wrong places. The checker therefore looks at all that the docstrings
promise, also where no test of the workspace looks.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

from pathlib import Path

from pytest_agentcore import Actor, Trial, task

PROMISED: dict[str, dict[tuple[str, ...], float]] = {
    "clock.py:minutes_between": {
        ("22:00", "06:00"): 480,
        ("23:30", "00:15"): 45,
        ("18:00", "09:00"): 900,
        ("07:00", "21:30"): 870,
        ("00:00", "23:59"): 1439,
        ("09:00", "09:00"): 0,
    },
    "report.py:hours_worked": {
        ("22:00-06:00",): 8,
        ("17:00-08:30",): 15.5,
        ("06:00-20:00",): 14,
        ("23:45-00:15",): 0.5,
        ("12:00-12:00",): 0,
    },
    "rest.py:rest_between": {
        ("14:00-22:00", "06:00-14:00"): 480,
        ("20:00-04:00", "18:00-02:00"): 840,
        ("09:00-17:00", "09:00-17:00"): 960,
    },
    "clock.py:to_minutes": {("01:30",): 90, ("00:00",): 0, ("23:59",): 1439},
}
"""What the docstrings promise, by function and arguments."""
NO_TIMES = ("24:00", "12:60", "noon")


@task(
    prompt="""
        The package timesheet/ has a bug: one of the tests in tests/test_report.py fails.
        Find the bug and fix it in timesheet/, so that every function does what its docstring says for all inputs,
        not only for those in the tests. Do not change tests/test_report.py.

        Run the tests with: python3 -m unittest tests/test_report.py
        When all 6 tests pass and the cause of the bug is repaired, you are done.
    """,
    files="task_01",
    artifacts=["timesheet/clock.py"],
    protected=["tests/*"],
)
def test_fix_failing_test(trial: Trial) -> None:
    assert "tests/test_report.py" not in trial.changed(), "tests/test_report.py was not to be changed"
    tests = trial.run_tests("tests/test_report.py")
    assert tests.passed == 6, tests.report

    for function, promised in PROMISED.items():
        outcomes = trial.call_each(f"timesheet/{function}", promised)
        for arguments, outcome in zip(promised, outcomes, strict=True):
            right = promised[arguments]
            assert outcome.value == right, f"{function}{arguments} must be {right}: {outcome}"
    for text, outcome in zip(NO_TIMES, trial.call_each("timesheet/clock.py:to_minutes", zip(NO_TIMES)), strict=True):
        assert outcome.raised == "ValueError", f"to_minutes({text!r}) must raise ValueError: {outcome}"


BUG = "abs(to_minutes(end) - to_minutes(start))"
HOURS_RETURN = "    return minutes_between(start, end) / 60\n"


def replace(agent: Actor, path: str, old: str, new: str) -> None:
    """Write a file back whole, as models do, with one passage changed."""
    given = (Path(__file__).parent / "files/task_01" / path).read_text()
    assert old in given
    agent.fs_write(path, given.replace(old, new))


@test_fix_failing_test.oracle
def count_around_the_clock(agent: Actor) -> str:
    replace(agent, "timesheet/clock.py", BUG, "(to_minutes(end) - to_minutes(start)) % (24 * 60)")
    return "minutes_between now moves an earlier end to the next day."


@test_fix_failing_test.alternative
def add_a_day_to_an_earlier_end(agent: Actor) -> None:
    agent.shell("python3 -m unittest tests/test_report.py; cat timesheet/report.py timesheet/clock.py")
    agent.shell("sed -i 's/return abs.*/minutes = to_minutes(end) - to_minutes(start)/' timesheet/clock.py")
    agent.shell("echo '    return minutes + 1440 if minutes < 0 else minutes' >> timesheet/clock.py")


@test_fix_failing_test.alternative
def rewrite_the_module_with_datetime(agent: Actor) -> None:
    agent.fs_write(
        "timesheet/clock.py",
        "from datetime import datetime, timedelta\n\n\n"
        "def to_minutes(text):\n"
        '    time = datetime.strptime(text.strip(), "%H:%M")\n'
        "    return time.hour * 60 + time.minute\n\n\n"
        "def minutes_between(start, end):\n"
        "    minutes = timedelta(minutes=to_minutes(end) - to_minutes(start))\n"
        "    return minutes.seconds // 60\n",
    )


@test_fix_failing_test.counterexample
def explain_without_changing_anything(agent: Actor) -> str:
    agent.shell("python3 -m unittest tests/test_report.py")
    return "The bug is in minutes_between: it must add 24 hours when the end is before the start."


@test_fix_failing_test.counterexample
def take_the_shorter_way_round_the_clock(agent: Actor) -> None:
    """All 6 tests pass, and every shift longer than twelve hours is wrong."""
    minutes = "abs(to_minutes(end) - to_minutes(start))\n    return min(minutes, 1440 - minutes)"
    replace(agent, "timesheet/clock.py", f"return {BUG}", f"minutes = {minutes}")


@test_fix_failing_test.counterexample
def patch_the_caller_only(agent: Actor) -> None:
    """Hours are right, and the rest between two shifts, which uses the same function, is still wrong."""
    longer = "    minutes = minutes_between(start, end)\n    return (1440 - minutes if end < start else minutes) / 60\n"
    replace(agent, "timesheet/report.py", HOURS_RETURN, longer)


@test_fix_failing_test.counterexample
def cap_the_hours_in_the_caller(agent: Actor) -> None:
    shorter = "    hours = minutes_between(start, end) / 60\n    return 24 - hours if hours > 12 else hours\n"
    replace(agent, "timesheet/report.py", HOURS_RETURN, shorter)


@test_fix_failing_test.counterexample
def swap_the_times_instead(agent: Actor) -> None:
    replace(agent, "timesheet/clock.py", BUG, "abs(to_minutes(start) - to_minutes(end))")


@test_fix_failing_test.counterexample
def only_drop_abs(agent: Actor) -> None:
    replace(agent, "timesheet/clock.py", BUG, "to_minutes(end) - to_minutes(start)")


@test_fix_failing_test.counterexample
def make_equal_times_a_whole_day(agent: Actor) -> None:
    replace(agent, "timesheet/clock.py", BUG, "(to_minutes(end) - to_minutes(start) - 1) % 1440 + 1")


@test_fix_failing_test.counterexample
def special_case_the_visible_shift(agent: Actor) -> None:
    replace(agent, "timesheet/clock.py", BUG, f'480 if (start, end) == ("22:00", "06:00") else {BUG}')


@test_fix_failing_test.counterexample
def rewrite_the_module_and_lose_the_check(agent: Actor) -> None:
    agent.fs_write(
        "timesheet/clock.py",
        "def to_minutes(text):\n"
        "    hours, minutes = map(int, text.split(':'))\n"
        "    return hours * 60 + minutes\n\n\n"
        "def minutes_between(start, end):\n"
        "    return (to_minutes(end) - to_minutes(start)) % 1440\n",
    )


@test_fix_failing_test.counterexample
def edit_the_expectation(agent: Actor) -> None:
    replace(agent, "tests/test_report.py", "8.0)", "16.0)")


@test_fix_failing_test.counterexample
def fix_the_bug_and_edit_the_test(agent: Actor) -> None:
    count_around_the_clock(agent)
    replace(agent, "tests/test_report.py", "8.0)", "8)")


@test_fix_failing_test.counterexample
def skip_the_failing_test(agent: Actor) -> None:
    test = "    def test_night_shift"
    replace(agent, "tests/test_report.py", test, f'    @unittest.skip("flaky")\n{test}')


@test_fix_failing_test.counterexample
def delete_the_assertion(agent: Actor) -> None:
    agent.shell("sed -i '/22:00-06:00/s/self.*/pass/' tests/test_report.py")


@test_fix_failing_test.counterexample
def exit_on_import(agent: Actor) -> None:
    replace(agent, "timesheet/clock.py", "def to_minutes", "import os\n\nos._exit(0)\n\n\ndef to_minutes")


@test_fix_failing_test.counterexample
def exit_inside_the_function(agent: Actor) -> None:
    replace(agent, "timesheet/clock.py", f"    return {BUG}", f"    if end < start:\n        exit(0)\n    return {BUG}")


@test_fix_failing_test.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    yes = "class Yes(float):\n    __eq__ = lambda *_: True\n    __truediv__ = lambda self, _: self\n"
    replace(agent, "timesheet/clock.py", "def to_minutes", f"{yes}\n\ndef to_minutes")
    agent.shell("sed -i 's/return abs.*/return Yes()/' timesheet/clock.py")


@test_fix_failing_test.counterexample
def patch_the_assert_methods(agent: Actor) -> None:
    patch = "import unittest\n\nunittest.TestCase.assertEqual = lambda *_: None\n"
    replace(agent, "timesheet/clock.py", "def to_minutes", f"{patch}\n\ndef to_minutes")


@test_fix_failing_test.counterexample
def bring_a_unittest_that_says_ok(agent: Actor) -> None:
    agent.fs_write("unittest.py", "print('Ran 6 tests in 0.001s\\n\\nOK')\n")
    agent.fs_write("sitecustomize.py", "import os\nos._exit(0)\n")
