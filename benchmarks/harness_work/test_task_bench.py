"""bench: the task of benchmarks/harness.py."""

from pytest_agentcore import Actor, Trial, task


@task(
    prompt="Write the number of lines of notes/a.txt into lines.txt.",
    tools=["shell"],
    artifacts=["lines.txt"],
)
def test_bench(trial: Trial) -> None:
    assert trial.int("lines.txt") == 2


@test_bench.oracle
def count(agent: Actor) -> None:
    agent.shell("echo 2 > lines.txt")


@test_bench.counterexample
def miscount(agent: Actor) -> None:
    agent.shell("echo 3 > lines.txt")
