"""Tasks are collected as a run collects them, and nothing else of a run happens."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tiny import COUNT, HELLO

from pytest_agentcore.checks.ask import ask
from pytest_agentcore.errors import UsageError
from pytest_agentcore.session.collect import Collected, collect

TOOLS = """
from pytest_agentcore.tools.base import ToolSpec

class Wave:
    spec = ToolSpec(name="wave", description="", parameters={"type": "object", "properties": {}})

    def __call__(self, context, arguments):
        return "done"

def pytest_agentcore_tools(config):
    return [Wave()]
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a suite of two tasks in a folder."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "test_task_01_hello.py").write_text(HELLO)
    (folder / "test_task_02_count.py").write_text(COUNT)
    monkeypatch.chdir(tmp_path)
    return folder


def ids(found: Collected) -> list[str]:
    assert found.errors == ()
    return [task.id for _, task in found.tasks]


ADDOPTS = {
    "a model": "--agentcore-model=null --agentcore-runs=1",
    "a gate": "--agentcore-min-pass-rate=0.5",
    "workers": "-n 2",
    "a selection": "-k nothing_of_the_kind -m slow --deselect tiny/test_task_01_hello.py",
    "last failed": "--lf --sw",
    "the first error": "-x",
    "files": "--junitxml=junit.xml",
    "words": "-vv -rA --durations=3 --color=yes -s",
    "another import mode": "--import-mode=importlib",
    "no plugin of ours": "-p no:agentcore",
    "only collection": "--collect-only",
}


@pytest.mark.parametrize("what", ADDOPTS)
def test_options_of_the_project_run_and_write_and_say_nothing(
    suite: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    Path("pytest.ini").write_text(f"[pytest]\naddopts = {ADDOPTS[what]}\nagentcore_model = oracle\nmarkers = slow\n")
    before = {path for path in Path().rglob("*") if "__pycache__" not in path.parts}

    assert collect(["tiny"], ids) == ["task_01_hello", "task_02_count"]

    assert capfd.readouterr() == ("", "")
    assert {path for path in Path().rglob("*") if "__pycache__" not in path.parts} == before


def test_patterns_and_plugins_of_the_project_hold(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (suite / "test_task_01_hello.py").rename(suite / "task_01_hello.py")
    (suite / "task_01_hello.py").write_text(HELLO.replace("artifacts", 'tools=("fs_write", "wave"), artifacts'))
    Path("waving.py").write_text(TOOLS)
    Path("pytest.ini").write_text("[pytest]\npython_files = task_*.py\naddopts = -p waving\npythonpath = .\n")
    monkeypatch.delitem(sys.modules, "waving", raising=False)

    assert collect(["tiny"], ids) == ["task_01_hello"]


def test_conftests_are_executed_once(suite: Path) -> None:
    below = suite / "below"
    below.mkdir()
    (suite / "test_task_02_count.py").rename(below / "test_task_02_count.py")
    for number, folder in enumerate((suite.parent, suite, below)):
        source = (
            TOOLS.replace("wave", f"wave_{number}") + "with open('executed', 'a') as f: f.write(__file__ + '\\n')\n"
        )
        (folder / "conftest.py").write_text(source)

    tools = collect(["tiny"], lambda found: [name for name in found.tools if name.startswith("wave")])

    assert tools == ["wave_0", "wave_1", "wave_2"]
    executed = Path("executed").read_text().splitlines()
    assert len(executed) == len(set(executed)) == 3


def test_a_checker_says_what_a_run_records_whoever_explains_comparisons(suite: Path) -> None:
    class Trial:
        def line(self, path: str) -> str:
            return "HELLO"

    (suite / "conftest.py").write_text(
        "def pytest_assertrepr_compare(op, left, right):\n    return [f'{left} is not {right}']\n"
    )

    def words(found: Collected) -> str:
        return ask(found.tasks[0][1], Trial()).words  # type: ignore[arg-type]

    assert collect(["tiny/test_task_01_hello.py"], words) == "assert 'HELLO' == 'hello'"


def test_warnings_are_errors_where_they_are_in_a_run(suite: Path) -> None:
    Path("pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    source = HELLO.replace("    assert", "    import warnings\n    warnings.warn('old')\n    assert")
    (suite / "test_task_01_hello.py").write_text(source)

    def words(found: Collected) -> str:
        return str(ask(found.tasks[0][1], None))  # type: ignore[arg-type]

    assert collect(["tiny"], words).startswith("broke the checker: UserWarning: old at line 8: warnings.warn")


def test_what_the_work_returns_and_raises_comes_out(suite: Path) -> None:
    class Oops(Exception):
        pass

    def raise_it(error: BaseException) -> None:
        raise error

    assert collect(["tiny"], lambda found: len(found.tasks)) == 2
    for error in (Oops(), UsageError("no"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as raised:
            collect(["tiny"], lambda _, error=error: raise_it(error))  # type: ignore[misc]
        assert raised.value is error


def test_a_second_session_reads_changed_files(suite: Path) -> None:
    def prompt(found: Collected) -> str:
        return found.tasks[0][1].prompt

    assert collect(["tiny"], prompt) == "Write the word hello into hello.txt."
    (suite / "test_task_01_hello.py").write_text(HELLO.replace("Write the word", "Put the word"))
    assert collect(["tiny"], prompt) == "Put the word hello into hello.txt."
    assert not any("test_task_01_hello" in name for name in sys.modules)
    assert str(suite) not in sys.path


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import nothing_of_that_name", "ImportError while loading conftest"),
        ("import pytest\npytest.exit('not today')", "not today"),
    ],
)
def test_a_conftest_that_cannot_be_used_is_a_usage_error(
    suite: Path, capfd: pytest.CaptureFixture[str], source: str, says: str
) -> None:
    (suite / "conftest.py").write_text(source)
    with pytest.raises(UsageError) as raised:
        collect(["tiny"], ids)
    assert says in capfd.readouterr().err + str(raised.value)


@pytest.mark.parametrize(("place", "says"), [("notes.txt", "is no Python module"), ("empty", "no test_*.py in it")])
def test_a_place_without_a_module_is_a_usage_error(suite: Path, place: str, says: str) -> None:
    Path("notes.txt").touch()
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=re.escape(f"{place}: {says}")):
        collect(["tiny", place], ids)


def test_a_conftest_further_below_spoils_its_folder_only(suite: Path) -> None:
    below = suite / "below"
    below.mkdir()
    (below / "conftest.py").write_text("import nothing_of_that_name")
    (suite / "test_task_02_count.py").rename(below / "test_task_02_count.py")

    tasks, errors = collect(["tiny"], lambda found: (found.tasks, found.errors))

    assert [task.id for _, task in tasks] == ["task_01_hello"]
    assert len(errors) == 1
    assert "No module named 'nothing_of_that_name'" in errors[0]


def test_one_id_twice_is_said_however_modules_are_imported(suite: Path) -> None:
    below = suite / "below"
    below.mkdir()
    (below / "test_task_02_count.py").write_text(COUNT)
    first, second = below / "test_task_02_count.py", suite / "test_task_02_count.py"
    sentence = f"{second}: id: 'task_02_count' is also the id of {first}; rename one of the modules"
    for mode in ("prepend", "importlib"):
        Path("pytest.ini").write_text(f"[pytest]\naddopts = --import-mode={mode}\n")
        assert collect(["tiny"], lambda found: found.errors) == (sentence,)
