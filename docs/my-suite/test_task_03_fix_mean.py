"""task_03 fix mean: repair a function by its docstring, with a small diff."""

from pytest_agentcore import Actor, Trial, task

RIGHT = """\
def mean(values):
    \"\"\"The arithmetic mean. Missing values (None) do not count; without any value the mean is None.\"\"\"
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None
"""


@task(
    prompt="""
        tests/test_stats.py fails. Make mean() in stats.py do what its docstring says, in at most 6 changed lines
        (added and removed together). Do not change the tests.
    """,
    files="task_03",
    artifacts=["stats.py"],
    protected=["tests/*"],
)
def test_fix_mean(trial: Trial) -> None:
    tests = trial.run_tests("tests/test_stats.py")
    assert tests.passed == 2, tests.report

    inputs = trial.vary([([],), ([None, 4],), ([1, 2.5],)])
    trial.compare({"stats.py:mean": inputs}, reference={"stats.py": RIGHT})

    diff = trial.diff("stats.py")
    assert diff.changed_lines <= 6, f"{diff.changed_lines} changed lines:\n{diff.text}"


@test_fix_mean.oracle
def leave_out_what_is_missing(agent: Actor) -> None:
    agent.fs_write("stats.py", RIGHT)


@test_fix_mean.counterexample
def count_missing_as_zero(agent: Actor) -> None:
    agent.fs_write(
        "stats.py", RIGHT.replace("value for value in values if value is not None", "v or 0 for v in values")
    )


@test_fix_mean.counterexample
def end_the_process(agent: Actor) -> None:
    agent.fs_write("stats.py", "import os\nos._exit(0)\n")


@test_fix_mean.counterexample
def forget_the_empty_list(agent: Actor) -> None:
    agent.fs_write("stats.py", RIGHT.replace(" if values else None", ""))


@test_fix_mean.counterexample
def weaken_the_tests(agent: Actor) -> None:
    agent.fs_write("tests/test_stats.py", "import unittest\n")
