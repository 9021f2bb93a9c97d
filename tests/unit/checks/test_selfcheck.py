"""`agentcore selfcheck` over small suites: a strong checker passes, every weakness is named."""

from __future__ import annotations

import textwrap
import weakref
from pathlib import Path

import pytest

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks import selfcheck
from pytest_agentcore.checks.ask import Opinion, ask
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.tasks.task import Task

STRONG = '''
import pytest
from pytest_agentcore import Instance, task

@task(
    prompt="Write the sum to out.json.",
    files={"data.txt": "1\\n1\\n"},
    artifacts=["out.json"],
)
def test_sum(trial):
    found = trial.json("out.json", {"n": int})
    assert found["n"] == 2, f"n is {found['n']}, not 2"

@test_sum.oracle
def right(agent):
    agent.fs_write("out.json", '{"n": 2}')

@test_sum.alternative
def also_right(agent):
    agent.shell("""echo '{"n":2}' > out.json""")

@test_sum.counterexample
def wrong(agent):
    agent.fs_write("out.json", '{"n": 11}')
'''


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """An empty suite folder."""
    folder = tmp_path / "suite"
    folder.mkdir()
    return folder


def write(suite: Path, source: str, name: str = "test_task_01_sum.py") -> Path:
    (suite / name).write_text(textwrap.dedent(source))
    return suite / name


def run(*arguments: object) -> int:
    return main(["selfcheck", *map(str, arguments), "--sandbox", "process"])


SAID = "1 instance, 1 alternative, 1 counterexample, 10 spoilt artifacts"


def test_a_strong_checker_passes(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write(suite, STRONG)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "sandbox process",
        f"task_01_sum  ok    {SAID}, strength 100.0% (5 of 5 mutants)",
        "1 task, none weak",
    ]


@pytest.mark.sandbox
def test_it_passes_in_bubblewrap_too(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(suite, STRONG)
    assert main(["selfcheck", str(suite), "--sandbox", "bubblewrap"]) == 0
    assert capsys.readouterr().out.startswith("sandbox bubblewrap\ntask_01_sum  ok")


CHECK = 'found = trial.json("out.json", {"n": int})\n    assert found["n"] == 2, f"n is {found[\'n\']}, not 2"'
"""The strong checker's body."""

WEAK: dict[str, tuple[str, str, list[str]]] = {
    "accepts everything": (
        CHECK,
        "assert trial.run == 1",
        [
            "null: accepted; doing nothing must be rejected by an assertion",
            "artifact out.json replaced by missing: accepted; that must be rejected by an assertion",
            "artifact out.json replaced by a folder: accepted; that must be rejected by an assertion",
            "counterexample wrong: accepted; a wrong solution must be rejected by an assertion",
        ],
    ),
    "looks only whether the file is there": (
        CHECK,
        'assert trial.exists("out.json")',
        [
            "artifact out.json replaced by empty: accepted; that must be rejected by an assertion",
            "counterexample wrong: accepted; a wrong solution must be rejected by an assertion",
        ],
    ),
    "breaks on JSON of another type": (
        CHECK,
        'assert trial.json("out.json")["n"] == 2',
        [
            "artifact out.json replaced by JSON null: broke the checker: TypeError: 'NoneType' object is not subscript",
            "artifact out.json replaced by JSON of another type: broke the checker: TypeError: list indices",
        ],
    ),
    "skips": (
        CHECK,
        'pytest.skip("later")',
        ["oracle right: broke the checker: Skipped: later at line 11"],
    ),
    "rejects the oracle, without a word": (
        CHECK,
        'assert trial.text("out.json") == "2"',
        ["""oracle right: rejected: assert '{"n": 2}' == '2'; a right solution must be accepted"""],
    ),
    "rejects an alternative": (
        CHECK,
        'trial.json("out.json", {"n": int}); assert trial.text("out.json") == \'{"n": 2}\', "not as I would write it"',
        ["alternative also_right: rejected: not as I would write it; a right solution must be accepted"],
    ),
    "has no counterexample": (
        "@test_sum.counterexample",
        "",
        ["counterexample: none is declared; show a wrong solution that looks right"],
    ),
    "has no oracle": (
        "@test_sum.oracle",
        "",
        ["oracle: 0 are declared; exactly one shows that the task can be solved"],
    ),
    "has two oracles": (
        "@test_sum.alternative",
        "@test_sum.oracle",
        ["oracle: 2 are declared; exactly one shows that the task can be solved"],
    ),
    "has no artifacts": (
        'artifacts=["out.json"]',
        "artifacts=[]",
        ["artifacts: none is declared; name the files that a pass rests on"],
    ),
    "names an artifact that the oracle does not make": (
        'artifacts=["out.json"]',
        'artifacts=["other.json"]',
        ["artifact other.json: is no file of the oracle's final workspace"],
    ),
    "has an oracle that takes too many turns": (
        "def right(agent):",
        "def right(agent):\n    for _ in range(15): agent.fs_read('data.txt')",
        [
            "oracle right: rejected: out.json is missing; a right solution must be accepted",
            "oracle right: was ended by turn_limit (all 15 turns are used), not by its own answer",
        ],
    ),
    "has an oracle with a mistake": (
        "def right(agent):",
        "def right(agent):\n    agent.fs_wrote('out.json')",
        ["oracle right: its function raised AttributeError: this task has no tool 'fs_wrote' at line 16"],
    ),
    "draws by chance of its own": (
        'files={"data.txt": "1\\n1\\n"}',
        "files=lambda random: Instance({'a': __import__('uuid').uuid4().hex})",
        ["files: two draws of instance 1 differ; all chance must come from the given generator"],
    ),
    "varies and does not": (
        'files={"data.txt": "1\\n1\\n"}',
        "files=lambda random: Instance({'a': 'b'})",
        ["files: the first 2 instances are all the same; a folder or a dict says that more plainly"],
    ),
    "cannot make its files": (
        'files={"data.txt": "1\\n1\\n"}',
        "files=lambda random: Instance({'a': 1 / 0})",
        ["files: its function raised ZeroDivisionError: division by zero at line 7: files=lambda random"],
    ),
}


@pytest.mark.parametrize("how", WEAK)
def test_every_weakness_is_named(suite: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    old, new, problems = WEAK[how]
    assert old in STRONG
    assert run(write(suite, STRONG.replace(old, new))) == 1
    _sandbox, line, *said, summary = capsys.readouterr().out.splitlines()
    assert line.startswith("task_01_sum  weak")
    for problem in problems:
        assert any(text.startswith(f"    {problem}") for text in said), said
    assert summary == "1 task, 1 weak"


def test_a_right_solution_without_a_tool_call_is_named(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = """
        from pytest_agentcore import task

        @task(prompt="Say 2.", artifacts=["out"])
        def test_say(trial):
            assert trial.answer == "2", "say 2"

        @test_say.oracle
        def say_it(agent):
            return "2"

        @test_say.counterexample
        def say_three(agent):
            return "3"
    """
    assert run(write(suite, source)) == 1
    assert "oracle say_it: made no tool call, and without one nothing passes" in capsys.readouterr().out


def test_a_varying_task_names_the_instance(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = """
        from pytest_agentcore import Instance, task

        @task(
            prompt="Copy n.txt to out.txt.",
            files=lambda random: Instance({"n.txt": str(n := random.randrange(10**6))}, {"n": n}),
            artifacts=["out.txt"],
        )
        def test_copy(trial):
            assert trial.int("out.txt") == trial.facts["n"] or trial.run == 2, "another number"

        @test_copy.oracle
        def copy(agent):
            agent.shell("cp n.txt out.txt")

        @test_copy.counterexample
        def one(agent):
            agent.fs_write("out.txt", "1")
    """
    assert run(write(suite, source), "--instances", 2) == 1
    line, *problems = capsys.readouterr().out.splitlines()[1:-1]
    assert line.split("  ")[-1] == (
        "2 instances, 0 alternatives, 1 counterexample, 20 spoilt artifacts, strength 100.0% (6 of 6 mutants)"
    )
    rule = "a wrong solution must be rejected by an assertion"
    assert problems == [f"    counterexample one (instance 2): accepted; {rule}"]


def test_trials_of_an_instance_are_freed_before_the_next(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
        from pytest_agentcore import Instance, task

        @task(
            prompt="Copy n.txt to out.txt.",
            files=lambda random: Instance({"n.txt": str(n := random.randrange(10**6))}, {"n": n}),
            artifacts=["out.txt"],
        )
        def test_copy(trial):
            circle = [trial]
            circle.append(circle)
            assert trial.int("out.txt") == trial.facts["n"], "another number"

        @test_copy.oracle
        def copy(agent):
            agent.shell("cp n.txt out.txt")

        @test_copy.counterexample
        def one(agent):
            agent.fs_write("out.txt", "1")
    """
    asked: list[weakref.ref[Trial]] = []
    alive: list[int] = []

    def counted(task: Task, trial: Trial) -> Opinion:
        asked.append(weakref.ref(trial))
        alive.append(sum(one() is not None for one in asked))
        return ask(task, trial)

    monkeypatch.setattr(selfcheck, "ask", counted)
    assert run(write(suite, source), "--instances", 4) == 0
    assert len(asked) > 40
    assert max(alive) < len(asked) / 2  # all of them, if nobody collected garbage


@pytest.mark.parametrize("place", ["def right(agent):", "def test_sum(trial):"])
def test_an_interrupt_ends_it_wherever_it_comes(suite: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    source = STRONG.replace(place, f"{place}\n    raise KeyboardInterrupt")
    assert run(write(suite, source)) == 130
    assert capsys.readouterr().out == "sandbox process\n"


def test_pytest_fail_is_an_assertion(suite: Path) -> None:
    body = 'if trial.json("out.json", {"n": int})["n"] != 2:\n        pytest.fail("not 2")'
    assert run(write(suite, STRONG.replace(CHECK, body))) == 0


UNUSABLE: list[tuple[str, str, str]] = [
    ('prompt="Write', 'tools=["fs_raed"], prompt="Write', "tools: unknown tool 'fs_raed'; did you mean 'fs_read'?"),
    ('files={"data.txt": "1\\n1\\n"}', 'files="nowhere"', "files: no folder 'nowhere' in "),
    ('artifacts=["out.json"]', 'artifacts=["../out.json"]', "artifacts: '../out.json' must be relative"),
    (
        "artifacts=",
        "budget=5, artifacts=",
        "budget: must be a Budget(turns=…, reply_tokens=…, seconds=…), and is of type",
    ),
    (CHECK, "pass", "checker: test_sum has no body: it must assert something about `trial`"),
    ("test_sum(trial)", "test_sum(trial, other)", "checker: test_sum must take exactly one argument, `trial`"),
    ("test_sum", "sum_up", "checker: sum_up must be named test_…, or pytest does not collect it"),
    ("import pytest", "import nothing_of_that_name", "cannot be imported: ModuleNotFoundError: No module named 'noth"),
    ("import pytest", "def f(:", "cannot be imported: SyntaxError: "),
]


@pytest.mark.parametrize(("old", "new", "sentence"), UNUSABLE)
def test_a_wrong_declaration_is_one_line(
    suite: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, sentence: str
) -> None:
    assert old in STRONG
    file = write(suite, STRONG.replace(old, new))
    assert run(file) == 1
    line, _sandbox, summary = capsys.readouterr().out.splitlines()
    assert line.startswith(f"error: {file}: {sentence}")
    assert summary == "0 tasks, none weak, 1 module not usable"


def test_two_tasks_in_a_module(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(suite, STRONG + STRONG.replace("test_sum", "test_other"))
    assert run(file) == 1
    assert f"error: {file}: id: one module is one task, but it declares test_sum, test_other" in capsys.readouterr().out


def test_two_modules_with_one_id(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = suite / "other"
    other.mkdir()
    first, second = write(other, STRONG), write(suite, STRONG)
    assert run(suite) == 1
    line = f"error: {second}: id: 'task_01_sum' is also the id of {first}; rename one of the modules"
    assert capsys.readouterr().out.splitlines()[0] == line


def test_one_unusable_module_does_not_hide_the_others(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(suite, "import nothing_of_that_name", "test_task_00_broken.py")
    write(suite, STRONG)
    write(suite, "def test_ordinary():\n    assert True\n", "test_ordinary.py")
    assert run(suite) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 task, none weak, 1 module not usable"


def test_files_of_tasks_are_not_taken_for_tasks(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suite / "files" / "task_01" / "tests").mkdir(parents=True)
    (suite / "files" / "task_01" / "tests" / "test_price.py").write_text("raise SystemExit('collected')")
    write(suite, STRONG.replace('files={"data.txt": "1\\n1\\n"}', 'files="task_01"'))
    assert run(suite) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 task, none weak"


def test_tools_of_a_conftest(suite: Path) -> None:
    conftest = """
        from pytest_agentcore.tools.base import ToolSpec

        class Write:
            spec = ToolSpec(name="write_two", description="", parameters={"type": "object", "properties": {}})

            def __call__(self, context, arguments):
                (context.workspace.root / "out.json").write_text('{"n": 2}')
                return "done"

        def pytest_agentcore_tools(config):
            return [Write()]
    """
    write(suite, conftest, "conftest.py")
    source = STRONG.replace('prompt="Write', 'tools=["fs_write", "shell", "write_two"], prompt="Write')
    assert run(write(suite, source.replace('agent.fs_write("out.json", \'{"n": 2}\')', "agent.write_two()"))) == 0


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("agentic-core-v2", "no suite and no directory 'agentic-core-v2'; did you mean 'agentic-core-v1'?"),
        ("{suite}", "{suite}: no test_*.py in it; name a test_*.py, or a folder that has some"),
    ],
)
def test_a_place_without_tasks_is_a_usage_error(
    suite: Path, capsys: pytest.CaptureFixture[str], place: str, sentence: str
) -> None:
    assert run(place.format(suite=suite)) == 2
    assert capsys.readouterr().err == f"agentcore: error: {sentence.format(suite=suite)}\n"


def test_a_file_without_a_task_is_an_error(suite: Path) -> None:
    assert run(write(suite, "def test_ordinary():\n    assert True\n")) == 1


@pytest.mark.parametrize("arguments", ["", "selfcheck --instances 0", "selfcheck --sandbox none", "nothing"])
def test_a_wrong_command_line(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: agentcore")
