"""selfcheck calls a checker weak that may change its mind: always, and only such a one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pytest_agentcore.agent.actor import run_solution
from pytest_agentcore.agent.session import Limit
from pytest_agentcore.checks.ask import Said, ask
from pytest_agentcore.checks.witness import Recording, Witness
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.runner import Job, run_attempt
from pytest_agentcore.sandbox.process import PlainProcess
from pytest_agentcore.session.collect import Collected, collect
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.tools.toolbox import builtin_tools
from pytest_agentcore.trial.result import TrialKey

TASK = """
import dataclasses, datetime, glob, itertools, os, random, re, secrets, tempfile, time, uuid
from pathlib import Path
from time import time as now
from random import random as draw
from pytest_agentcore import Instance, task

TURNS = itertools.count()
HERE = Path(__file__).parent / 'data'

@dataclasses.dataclass(frozen=True)
class Point:
    x: int

@task(prompt="Write 2.", files={"data.txt": "1\\n"}, artifacts=["out.txt"], protected=["data.txt"])
def test_two(trial):
    n = trial.int("out.txt")
BODY

@test_two.oracle
def right(agent):
    agent.fs_write("out.txt", "2")

"""

WAVERING = {
    "random": "random.random() < 2",
    "random by its own name": "draw() < 2",
    "randint": "random.randint(1, 3) < 4",
    "random, most of the time": "random.random() < 0.999",
    "an unseeded generator": "random.Random().random() < 2",
    "a system generator": "random.SystemRandom().random() < 2",
    "time": "time.time() > 0",
    "time by another name": "now() % 2 < 3",
    "monotonic": "time.monotonic() >= 0",
    "now": "datetime.datetime.now().second < 61",
    "today": "datetime.date.today().year > 2000",
    "strftime": "time.strftime('%Y') > '2000'",
    "urandom": "os.urandom(1) >= b''",
    "secrets": "secrets.randbelow(9) < 9",
    "uuid4": "uuid.uuid4().int >= 0",
    "uuid1": "uuid.uuid1().int >= 0",
    "hash": "hash('text') != 1",
    "id": "id(trial) > 0",
    "the first of a set": "next(iter({'right', 'wrong'})) == 'right'",
    "the last of a set": "[*set(['right', 'wrong'])][-1] == 'right'",
    "a popped one": "{word for word in ('right', 'wrong')}.pop() == 'right'",
    "a joined set": "''.join({'a', 'b'} | {'c'}).startswith('a')",
    "the first changed path": "next(iter(trial.changed() | {'a.txt'})) == 'a.txt'",
    "listdir": "os.listdir(HERE)[0].startswith('a_')",
    "iterdir": "next(path.name for path in HERE.iterdir()) == 'a_1.dat'",
    "glob": "glob.glob('*.dat', root_dir=HERE)[0] == 'a_1.dat'",
    "scandir": "[entry.name for entry in os.scandir(HERE)][0] == 'a_1.dat'",
    "a memory": "next(TURNS) % 2 == 0",
    "the seconds of a call": "trial.calls[0].seconds < 60",
    "the process": "os.getpid() > 0",
    "date in the shell": "trial.shell('date +%s').exit_code == 0",
    "chance in the shell": "trial.shell('test $RANDOM').exit_code < 9",
    "chance in the sandbox": "trial.shell('python3 -c \"import random; print(random.random())\"').exit_code == 0",
}


STEADY = [
    "assert n == 2 and random.Random(5).random() < 2, 'wrong'",
    "random.seed(5); assert n == 2 and random.random() < 2, 'wrong'",
    "assert n == 2 and sorted({'b', 'a'}) == ['a', 'b'] and len({*'ab'} & {*'bc'}) == 1, 'wrong'",
    "assert {n} <= {2, 4} and isinstance({1}, set) and {Point(1)} == {Point(1)}, 'wrong'",
    "assert n == 2 and sorted(os.listdir(HERE))[0] < 'z' and min(trial.changed()) == 'out.txt', 'wrong'",
    "with tempfile.TemporaryDirectory() as folder: assert n == 2 and Path(folder).is_dir(), 'wrong'",
    "time.sleep(0); assert n == 2 and datetime.date(2024, 5, 1).year == 2024 and re.search('a', 'a'), 'wrong'",
    "assert n == 2 and trial.shell('cat data.txt').output == '1\\n' and print('seen') is None, 'wrong'",
]


HELPER = """
import time

def late():
    return time.time() < 0
"""
HELPED = "from helper import late; assert n == 2 and not late(), 'wrong'"


@pytest.fixture(scope="module")
def doubts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What speaks against each checker's verdict on the oracle, by its body."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "helper.py").write_text(HELPER)
    for name in ("a_1.dat", "z_2.dat"):
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data" / name).write_text("")
    bodies = [*(f"assert n == 2 and {source}, 'wrong'" for source in WAVERING.values()), *STEADY, HELPED]
    for number, body in enumerate(bodies):
        (folder / f"test_{number}.py").write_text(TASK.replace("BODY", f"    {body}"))

    def ask_all(found: Collected) -> dict[str, list[str]]:
        assert found.errors == ()
        return {task.id: [*ask_again(suite, task)] for suite, task in found.tasks}

    def ask_again(suite: Suite, task: Task) -> Iterator[str]:
        recording = Recording(PlainProcess())
        tools = {tool.spec.name: tool for tool in builtin_tools()}
        key = TrialKey("selfcheck", task.id, 1)
        job = Job(key=key, task=task, suite=suite, sandbox=recording, tools=tools, limit=Limit())
        with closing(
            run_attempt(job, lambda _, session: run_solution(task.oracles[0], {}, session), lambda _: None)
        ) as finished:
            said = ask(task, finished.trial).said
            assert said is not Said.broken
            yield from witness.doubts(finished, said.value, recording)

    with closing(Witness()) as witness:
        by_number = collect([str(folder)], ask_all)
    return {body: by_number[str(number)] for number, body in enumerate(bodies)}


@pytest.mark.parametrize("how", WAVERING)
def test_a_checker_that_may_change_its_mind_is_doubted(doubts: dict[str, list[str]], how: str) -> None:
    assert doubts[f"assert n == 2 and {WAVERING[how]}, 'wrong'"] != []


@pytest.mark.parametrize("body", STEADY)
def test_a_steady_checker_is_not(doubts: dict[str, list[str]], body: str) -> None:
    assert doubts[body] == []


def test_the_line_that_consults_a_source_is_named(doubts: dict[str, list[str]]) -> None:
    (told,) = doubts[HELPED]
    assert told.startswith("consults time.time() (line 5: return time.time() < 0)")


def test_selfcheck_calls_it_weak_and_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_two.py").write_text(TASK.replace("BODY", "    assert n == 2 and random.random() < 2, 'wrong'"))
    assert main(["selfcheck", str(tmp_path), "--sandbox", "process"]) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "consults" in line]
    assert len(told) == 1
    assert told[0].endswith("the same workspace must always get the same verdict")


def test_a_checker_that_ends_the_process_is_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = "'asked_again' not in ' '.join(sys.orig_argv) or os._exit(0)"
    (tmp_path / "test_two.py").write_text(TASK.replace("BODY", f"    import sys; assert n == 2 and ({ends}), 'wrong'"))
    assert main(["selfcheck", str(tmp_path), "--sandbox", "process"]) == 1
    assert "the checker cannot be asked again: the process that asked it has ended" in capsys.readouterr().out
