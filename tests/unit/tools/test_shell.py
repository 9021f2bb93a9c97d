"""`shell` and `sql_query`."""

from __future__ import annotations

from pathlib import Path

import pytest
from confined import BOTH, Cell, make_cell, sandbox_of

from pytest_agentcore.tasks.task import Instance, database
from pytest_agentcore.trial.result import CallOutcome

SHOP = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL, note BLOB);
INSERT INTO orders VALUES (1, 'Ada', 12.5, NULL), (2, 'Bo' || char(10) || 'Li', 3, x'00ff'), (3, NULL, NULL, '');
CREATE VIEW big AS SELECT * FROM orders WHERE total > 10;
"""


@pytest.fixture
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    instance = Instance({"data/shop.db": database(SHOP), "empty.db": b""})
    return make_cell(sandbox_of(request.param), tmp_path / "trial", instance)


@BOTH
@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("true", "exit code 0"),
        ("echo out; echo err >&2; exit 3", "out\nerr\nexit code 3"),
        ("printf 'no newline'", "no newline\nexit code 0"),
        ("printf '\\377'", "\ufffd\nexit code 0"),
        ("ls data | cat -n; false", "     1\tshop.db\nexit code 1"),
    ],
)
def test_a_command_gives_output_and_exit_code(cell: Cell, command: str, result: str) -> None:
    done = cell.call("shell", command=command)
    assert (done.outcome, done.result) == (CallOutcome.ok, result)


@BOTH
def test_output_that_was_dropped_is_counted(cell: Cell) -> None:
    result = cell.shell("head -c 2000000 /dev/zero | tr '\\0' x")
    assert "[951424 more bytes of output were dropped]\nexit code 0" in result


@BOTH
@pytest.mark.parametrize("command", ["a\0b", "x" * 200_000])
def test_commands_that_no_program_can_take_are_refused(cell: Cell, command: str) -> None:
    assert cell.call("shell", command=command).outcome is CallOutcome.refused


@BOTH
@pytest.mark.parametrize(
    ("query", "table"),
    [
        (
            "SELECT id, customer FROM orders",
            "id | customer\n---+---------\n1  | Ada\n2  | Bo\\nLi\n3  | NULL\n(3 rows)",
        ),
        (
            "SELECT total, note FROM orders WHERE id < 3",
            "total | note\n------+--------\n12.5  | NULL\n3.0   | x'00ff'\n(2 rows)",
        ),
        ("SELECT count(*) AS n FROM big", "n\n-\n1\n(1 row)"),
        ("SELECT id FROM orders WHERE 0", "id\n--\n(0 rows)"),
        ("WITH t AS (SELECT 7 AS x) SELECT x FROM t;", "x\n-\n7\n(1 row)"),
        ("SELECT name FROM pragma_table_info('orders') LIMIT 1", "name\n----\nid\n(1 row)"),
        ("PRAGMA table_info(big)", None),
        ("EXPLAIN QUERY PLAN SELECT * FROM orders", None),
        ("SELECT upper(customer), round(total), date('2024-01-31', '+1 month') FROM orders", None),
        ("SELECT name FROM sqlite_master", None),
    ],
)
def test_rows_come_as_a_table(cell: Cell, query: str, table: str | None) -> None:
    done = cell.call("sql_query", database="data/shop.db", query=query)
    assert done.outcome is CallOutcome.ok, done.result
    assert table is None or done.result == table


@BOTH
@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("data/shop.db", "SELECT * FROM missing", "SQLite: no such table: missing"),
        ("data/shop.db", "SELEC 1", 'SQLite: near "SELEC": syntax error'),
        ("data/shop.db", "DELETE FROM orders", "only reading is allowed: SELECT, WITH, EXPLAIN and PRAGMA table_info"),
        ("empty.db", "SELECT 1", "empty.db is not a SQLite database"),
        ("none.db", "SELECT 1", "none.db: there is no such file"),
        ("data", "SELECT 1", "data is a folder, not a regular file"),
    ],
)
def test_what_goes_wrong_is_a_sentence(cell: Cell, path: str, query: str, said: str) -> None:
    done = cell.call("sql_query", database=path, query=query)
    assert (done.outcome, done.result) == (CallOutcome.refused, said)


@BOTH
def test_a_long_cell_is_cut_and_says_how_long_it_is(cell: Cell) -> None:
    done = cell.call("sql_query", database="data/shop.db", query="SELECT printf('%.*c', 3000, 'x') AS long")
    assert "x... (3000 characters)" in done.result
