"""A suite's folder: what it declares, what its digest is over, and how it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.tasks.suite import SYSTEM_PROMPT, Suite, find_suite, overshadowed, suite_at, task_ids


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite of two modules, one of them further below."""
    made = tmp_path / "mine"
    for name in ("test_task_01_a.py", "more/test_task_02_b.py"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("from pytest_agentcore import task\n")
    return made


def test_what_is_not_declared_is_read_off_the_folder(folder: Path) -> None:
    plain = Suite.load(folder)
    assert (plain.name, plain.version, plain.title, plain.system_prompt) == ("mine", "0", "mine", SYSTEM_PROMPT.strip())
    (folder / "suite.toml").write_text('name = "ours"\nversion = "1.2"\ntitle = "Ours (1.2)"\n')
    (folder / "system.txt").write_text("Work.\n")
    declared = Suite.of(folder / "more" / "test_task_02_b.py")
    assert (declared.name, declared.version, declared.title) == ("ours", "1.2", "Ours (1.2)")
    assert declared.system_prompt == "Work."


def test_ids_are_those_of_modules_and_not_of_given_files(folder: Path) -> None:
    given = folder / "files" / "task_01" / "tests"
    given.mkdir(parents=True)
    (given / "test_price.py").touch()
    assert task_ids(folder) == ("task_01_a", "task_02_b")


def test_the_suite_of_several_paths_is_the_first_with_tasks(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "test_own.py").touch()
    assert suite_at([own, folder / "test_task_01_a.py"]).path == folder
    assert suite_at([folder / "more", folder]).path == folder
    assert suite_at([own]).path == own
    assert suite_at([tmp_path]).path == folder


def test_the_same_suite_is_meant_by_every_way_to_its_tasks(folder: Path, tmp_path: Path) -> None:
    """A folder above, one below, a file, a link: nothing but the folders' contents says which suite it is."""
    link = tmp_path / "link"
    link.symlink_to(folder)
    ways = [tmp_path, folder, folder / "more", folder / "more" / "..", folder / "more" / "test_task_02_b.py"]
    ways += [link, link / "test_task_01_a.py"]
    assert {(suite_at([way]).name, suite_at([way]).digest) for way in ways} == {("mine", Suite.load(folder).digest)}


def test_folders_of_tasks_are_one_suite_where_no_gap_is_between_them(folder: Path) -> None:
    apart = folder / "gap" / "apart"
    apart.mkdir(parents=True)
    (apart / "test_task_03_c.py").write_text("from pytest_agentcore import task\n")
    alone = Suite.load(folder).digest
    assert suite_at([apart]).path == apart
    assert task_ids(folder) == ("task_01_a", "task_02_b")
    (folder / "suite.toml").touch()
    assert suite_at([apart]).path == folder
    assert task_ids(folder) == ("task_01_a", "task_02_b", "task_03_c")
    assert Suite.load(folder).digest != alone


def test_a_name_is_a_shipped_suite_or_a_folder(folder: Path) -> None:
    assert find_suite("mine", folder.parent) == folder.resolve()
    assert (find_suite("agentic-core-v1") / "suite.toml").is_file()
    with pytest.raises(UsageError, match="did you mean 'agentic-core-v1'"):
        find_suite("agentic-core-v", folder.parent)
    (folder.parent / "agent_tasks").mkdir()
    with pytest.raises(UsageError, match="did you mean 'agent_tasks'"):
        find_suite("agent_task", folder.parent)
    with pytest.raises(UsageError, match="shipped suites: agentic-core-v1"):
        find_suite("nothing/like/it", folder.parent)


def test_a_folder_with_a_shipped_name_is_told_if_it_holds_something_else(folder: Path) -> None:
    assert overshadowed("mine", folder.parent) == ""
    folder.rename(folder.parent / "agentic-core-v1")
    assert "./agentic-core-v1 means the folder" in overshadowed("agentic-core-v1", folder.parent)
