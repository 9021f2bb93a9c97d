"""Leaving the database through `sql_query`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from confined import BOTH, Cell, make_cell, sandbox_of

from pytest_agentcore.tasks.task import Instance, database
from pytest_agentcore.trial.result import CallOutcome

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
JOINED = """
    WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a LIMIT 100000)
    SELECT count(*) FROM a x, a y, a z WHERE x.n * y.n * z.n = -1
"""

STATEMENTS = {
    "attach a database": "ATTACH 'other.db' AS other",
    "attach creates": "ATTACH 'new.db' AS new",
    "attach by uri": "ATTACH 'file:other.db?mode=rwc' AS other",
    "vacuum into": "VACUUM INTO 'copy.db'",
    "vacuum": "VACUUM",
    "load_extension": "SELECT load_extension('/workspace/evil.so')",
    "load_extension, disguised": "SELECT \"load_extension\"('x')",
    "update": "UPDATE people SET name = 'x'",
    "insert": "INSERT INTO people VALUES (3, 'x')",
    "delete": "DELETE FROM people",
    "drop": "DROP TABLE people",
    "create": "CREATE TABLE t (x)",
    "temporary": "CREATE TEMP TABLE t (x)",
    "temporary trigger": "CREATE TEMP TRIGGER t AFTER INSERT ON people BEGIN SELECT 1; END",
    "change in a comment": "/* SELECT */ DELETE FROM people",
    "change under WITH": "WITH x AS (SELECT 1) DELETE FROM people",
    "second statement": "SELECT 1; DELETE FROM people",
    "transaction": "BEGIN EXCLUSIVE",
    "writable schema": "PRAGMA writable_schema = ON",
    "journal": "PRAGMA journal_mode = WAL",
    "temporary store": "PRAGMA temp_store_directory = '/tmp'",
    "where the file lies": "PRAGMA database_list",
    "where the file lies, as a table": "SELECT * FROM pragma_database_list",
    "change the schema's table": "UPDATE sqlite_master SET sql = ''",
    "change the schema's table by insert": "INSERT INTO sqlite_master VALUES ('table', 't', 't', 0, '')",
    "analyze": "ANALYZE",
    "reindex": "REINDEX",
    "virtual table": "CREATE VIRTUAL TABLE t USING fts5(x)",
    "huge value": "SELECT randomblob(2000000000)",
    "not SQL": "\x00",
    "empty": "",
}


@pytest.fixture
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    people = database(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1,'a'),(2,'b');"
    )
    instance = Instance({"people.db": people, "other.db": people})
    return make_cell(sandbox_of(request.param), tmp_path / "trial", instance)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@BOTH
@pytest.mark.parametrize("statement", STATEMENTS)
def test_only_reading_is_done(cell: Cell, statement: str) -> None:
    before = content(cell.root)
    done = cell.call("sql_query", database="people.db", query=STATEMENTS[statement])
    assert content(cell.root) == before
    assert done.outcome is CallOutcome.refused or done.result == "(0 rows)"
    assert len(done.result) < 200


@BOTH
@pytest.mark.parametrize(
    "query",
    [
        ENDLESS,
        "SELECT count(*) FROM (" + ENDLESS.replace("count(*)", "n") + ")",
        JOINED,
    ],
)
def test_an_endless_query_is_stopped(cell: Cell, query: str) -> None:
    done = cell.call("sql_query", seconds_left=0.5, database="people.db", query=query)
    assert done.outcome is CallOutcome.refused
    assert "longer than" in done.result


@BOTH
def test_endless_rows_are_cut(cell: Cell) -> None:
    done = cell.call("sql_query", database="people.db", query=ENDLESS.replace("count(*)", "n"))
    assert done.outcome is CallOutcome.ok
    assert done.result.endswith("(the first 200 rows; there are more: use WHERE, LIMIT and OFFSET)")


@BOTH
@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.db", "link.db", "file:people.db", "people.db?mode=rwc", "none.db", "."]
)
def test_only_database_files_of_the_workspace_are_opened(cell: Cell, tmp_path: Path, path: str) -> None:
    secret = tmp_path / "secret.db"
    with sqlite3.connect(secret) as connection:
        connection.execute("CREATE TABLE hidden (x)")
    connection.close()
    (cell.root / "link.db").symlink_to(secret)
    before = content(cell.root)
    done = cell.call("sql_query", database=path, query="SELECT name FROM sqlite_master")
    assert done.outcome is CallOutcome.refused
    assert "hidden" not in done.result
    assert content(cell.root) == before


@BOTH
def test_modules_of_the_workspace_are_not_loaded_by_the_reader(cell: Cell) -> None:
    for name in ("sqlite3", "json", "sitecustomize", "urllib"):
        (cell.root / f"{name}.py").write_text("raise SystemExit('hijacked')")
    done = cell.call("sql_query", database="people.db", query="SELECT name FROM people")
    assert done.result == "name\n----\na\nb\n(2 rows)"


@BOTH
def test_a_damaged_database_is_a_sentence(cell: Cell) -> None:
    good = (cell.root / "people.db").read_bytes()
    (cell.root / "people.db").write_bytes(good[:100] + bytes(len(good) - 100))
    done = cell.call("sql_query", database="people.db", query="SELECT * FROM people")
    assert done.outcome is CallOutcome.refused
    assert done.result.startswith("SQLite: ")
