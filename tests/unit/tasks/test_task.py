"""Values of a task: contents of folders and databases, and what an instance must be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pytest_agentcore import Instance, Trial, database, read_folder, task
from pytest_agentcore.tasks.task import Task


def test_a_folder_is_read_without_caches_wherever_it_lies(tmp_path: Path) -> None:
    folder = tmp_path / ".pytest_cache" / "task_01"
    for name in ("a.txt", "b/c.bin", "__pycache__/a.pyc", "b/.DS_Store", ".a.txt.swp", "b/a~", ".#a", "#a#"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())

    assert read_folder(folder) == {"a.txt": b"a.txt", "b/c.bin": b"b/c.bin"}


def test_a_database_is_built_and_the_same_on_every_machine(tmp_path: Path) -> None:
    made = database("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7);")
    file = tmp_path / "shop.db"
    file.write_bytes(made)
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT n FROM t").fetchall() == [(7,)]
    connection.close()
    assert made[96:100] == bytes(4)  # where SQLite writes its own version


def test_the_digest_is_over_files_facts_and_words_in_any_order() -> None:
    digest = Instance({"a": "x", "b": b"y"}, {"n": 1}).digest()
    assert Instance({"b": b"y", "a": b"x"}, {"n": 1}).digest() == digest
    assert Instance({"a": "x", "b": b"y"}, {"n": 2}).digest() != digest
    assert Instance({"a": "xb", "b": b"y"}, {"n": 1}).digest() != digest
    assert Instance({"a": "x", "b": b"y"}, {"n": 1}, {"w": "z"}).digest() != digest


def test_words_of_the_instance_stand_in_the_prompt_and_other_braces_stay() -> None:
    @task(prompt='Write {"n": {n}} for {who} and {nobody}.')
    def test_it(trial: Trial) -> None:
        assert trial.answer

    drawn = Instance({}, words={"n": "7", "who": "{n}"})
    assert test_it.agentcore.prompt_of(drawn) == 'Write {"n": 7} for {n} and {nobody}.'


def test_a_module_that_moved_with_its_compiled_code_is_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "files" / "given").mkdir(parents=True)
    (tmp_path / "files" / "given" / "a.txt").write_text("x")
    source = """
from pytest_agentcore import task

@task(prompt="Do it.", files="given")
def test_it(trial):
    assert trial.answer
"""
    module = tmp_path / "test_task_01_it.py"
    namespace = {"__name__": "test_task_01_it", "__file__": str(module)}
    exec(compile(source, "/nowhere/test_task_01_it.py", "exec"), namespace)
    moved: Task = namespace["test_it"].agentcore  # type: ignore[attr-defined]
    assert (moved.module, moved.id) == (module, "task_01_it")
    assert moved.instance("1", 1).files == {"a.txt": b"x"}
