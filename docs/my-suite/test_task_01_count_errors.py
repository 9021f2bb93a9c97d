"""task_01 count errors: how many lines of a log are errors."""

from pytest_agentcore import Actor, Trial, task

LOG = """\
09:00 INFO started
09:01 ERROR no route to ERROR host
09:02 WARN retry after ERROR
09:03 ERROR gave up
"""


@task(
    prompt="""
        app.log has one record per line: time, level, text. How many records have the level ERROR?
        Write the number to answer.txt: one line with one integer and nothing else.
    """,
    files={"app.log": LOG},
    artifacts=["answer.txt"],
    protected=["app.log"],
)
def test_count_errors(trial: Trial) -> None:
    assert trial.int("answer.txt") == 2, f"answer.txt says {trial.line('answer.txt')}; two records have the level ERROR"


@test_count_errors.oracle
def count_by_field(agent: Actor) -> str:
    count = agent.shell("awk '$2 == \"ERROR\"' app.log | wc -l").split()[0]
    agent.fs_write("answer.txt", f"{count}\n")
    return f"There are {count} errors."


@test_count_errors.alternative
def read_and_count(agent: Actor) -> None:
    lines = agent.fs_read("app.log").splitlines()
    agent.fs_write("answer.txt", str(sum(" ERROR " in line[:12] for line in lines)))


@test_count_errors.counterexample
def count_the_word(agent: Actor) -> None:
    agent.shell("grep -o ERROR app.log | wc -l > answer.txt")


@test_count_errors.counterexample
def write_a_sentence(agent: Actor) -> None:
    agent.fs_write("answer.txt", "There are 2 errors.\n")


@test_count_errors.counterexample
def only_say_it(agent: Actor) -> str:
    agent.fs_read("app.log")
    return "2"
