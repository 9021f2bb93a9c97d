"""A suite's digest is over what its tasks are, and over nothing else that lies in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_agentcore.tasks.contents import contents, declares_task
from pytest_agentcore.tasks.suite import AUDIT, Suite, find_suite

TASK = """
from pathlib import Path

from common import expected
from pytest_agentcore import task

HERE = Path(__file__).parent

@task(prompt="Read README.md and do it.", files="task_01", artifacts=("out.txt",))
def test_it(trial):
    cases = [(HERE / "cases" / f"case_{n}.json").read_text() for n in range(3)]
    assert trial.text("out.txt") == expected((HERE / "table.csv").read_text(), cases)
"""
CONFTEST = """
import helper_of_tools
import somebody_elses

LIMIT = 5

class Tool:
    limit = LIMIT

def pytest_agentcore_tools():
    return [Tool(), helper_of_tools.more()]

def pytest_agentcore_trial_finished(result, config):
    print(result, somebody_elses)
"""
FILES: Mapping[str, str] = {
    "test_task_01.py": TASK,
    "common.py": "from lib.deep import expected\n",
    "lib/__init__.py": "",
    "lib/deep.py": "from . import sibling\nfrom .. import above\n",
    "lib/sibling.py": "import json\n",
    "lib/unused.py": "",
    "table.csv": "1,2\n",
    "cases/case_1.json": "{}",
    "files/task_01/README.md": "Do it.\n",
    "files/task_01/.hidden/x": "x",
    "conftest.py": CONFTEST,
    "helper_of_tools.py": "def more(): ...\n",
    "somebody_elses.py": "",
    "system.txt": "Work.\n",
    "suite.toml": 'version = "1"\n',
}
COUNTS = sorted(FILES.keys() - {"lib/unused.py", "somebody_elses.py"})


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    home = tmp_path / "mine"
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return home


def test_it_is_the_tasks_and_what_they_use(suite: Path) -> None:
    assert sorted(contents(suite)) == COUNTS


@pytest.mark.parametrize("name", COUNTS)
def test_a_change_of_any_of_it_is_another_suite(suite: Path, name: str) -> None:
    before, file = Suite.load(suite).digest, suite / name
    file.write_text(file.read_text().replace("LIMIT = 5", "LIMIT = 6") + ("" if name == "conftest.py" else "# more\n"))
    assert Suite.load(suite).digest != before


BESIDE = (
    *("README.md", "NOTES", "LICENSE", "CHANGELOG.rst", "Makefile", "requirements.txt", "predictions.md", ".gitignore"),
    *(".test_task_01.py.swp", "test_task_01.py~", ".#test_task_01.py", "#test_task_01.py#", "._common.py", ".DS_Store"),
    *("__pycache__/a.pyc", "x.pyc", ".git/HEAD", ".idea/w.xml", "env/pyvenv.cfg", ".coverage", "gate.xml", "Thumbs.db"),
    *("files/README.md", "files/task_01/.a.txt.swp", "files/task_01/a.txt~", "files/task_01/__pycache__/a.pyc"),
    *("lib/unused.py", "somebody_elses.py", "more/conftest.py", "lib/notes.txt", "pytest.ini"),
)


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_the_tasks_is_none_of_it(suite: Path, name: str) -> None:
    before = Suite.load(suite).digest
    (suite / name).parent.mkdir(exist_ok=True)
    (suite / name).write_text("anything but Python (")
    assert Suite.load(suite).digest == before


def test_ordinary_tests_and_hooks_of_a_conftest_are_none_of_it(suite: Path) -> None:
    before = Suite.load(suite).digest
    (suite / "test_own.py").write_text("import lib.unused\ndef test_own(): pass\n")
    (suite / "conftest.py").write_text(f"{CONFTEST}\ndef pytest_terminal_summary(): print('done')\n")
    assert Suite.load(suite).digest == before
    (suite / "conftest.py").write_text(f"{CONFTEST}\n@pytest.fixture(autouse=True)\ndef always(): ...\n")
    assert Suite.load(suite).digest != before


def test_a_task_may_be_declared_by_a_local_module(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("from pytest_agentcore import task\n")
    (tmp_path / "test_x.py").write_text("from ours import our_task\n")
    (tmp_path / "test_y.py").write_text("import os\n")
    assert [declares_task(tmp_path / name) for name in ("test_x.py", "test_y.py")] == [True, False]


def test_a_module_above_the_suite_counts_where_it_can_be_imported(tmp_path: Path) -> None:
    home = tmp_path / "evals"
    home.mkdir()
    (home / "test_x.py").write_text("from pytest_agentcore import task\nimport shared\n")
    (tmp_path / "shared.py").touch()
    assert sorted(contents(home)) == ["test_x.py"]
    (tmp_path / "conftest.py").touch()
    assert sorted(contents(home)) == ["../shared.py", "test_x.py"]


def test_a_module_that_cannot_be_read_counts_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("from pytest_agentcore import task\ndef (\n")
    assert sorted(contents(tmp_path)) == ["test_x.py"]


def test_all_that_lies_in_the_shipped_suite_counts() -> None:
    home = find_suite("agentic-core-v1")
    there = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert contents(home).keys() == {name for name in there if "__pycache__" not in name} - {AUDIT}
