"""Read-only SQL over one SQLite file: the part of `sql_query` that runs inside the sandbox, as a script.

Reads a JSON object from standard input (`database`, `query`, `rows`, `bytes`, `seconds`) and writes one to standard
output: `columns`, `rows` (cells as text) and `more`, or `error`. It imports nothing of the package.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from urllib.parse import quote

READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
PRAGMAS = frozenset(
    {"foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo"}
)
"""Pragmas that only describe the schema."""
STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock."""
VALUE_BYTES = 1_000_000
SHOWN_CHARACTERS = 500
"""The most that is shown of one cell."""


def main(order: dict[str, object]) -> dict[str, object]:
    """The answer to one order; whatever SQLite objects to is an `error`."""
    uri = "file:" + quote(str(order["database"])) + "?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            # It reads and nothing else, and not for ever.
            deadline = time.monotonic() + float(str(order["seconds"]))
            connection.text_factory = lambda value: value.decode("utf-8", errors="replace")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.set_progress_handler(lambda: int(time.monotonic() > deadline), STEPS)
            connection.set_authorizer(permit)
            return answer(connection.execute(str(order["query"])), int(str(order["rows"])), int(str(order["bytes"])))
    except (sqlite3.Error, sqlite3.Warning, OverflowError, MemoryError, ValueError) as error:
        return {"error": str(error) or type(error).__name__}


def permit(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """SQLite asks this for every step of a statement while it compiles it."""
    allowed = (
        action in READING
        or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() != "load_extension")
        or (action == sqlite3.SQLITE_PRAGMA and str(first).lower() in PRAGMAS)
        # How `FROM pragma_table_info(...)` declares its columns; a real change there SQLite itself refuses.
        or (action == sqlite3.SQLITE_UPDATE and first == "sqlite_master")
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def answer(cursor: sqlite3.Cursor, most_rows: int, most_bytes: int) -> dict[str, object]:
    """Columns (none for a statement that gives no rows), the first rows, and whether there are more."""
    rows: list[list[str]] = []
    size, more = 0, False
    for row in cursor:
        more = len(rows) == most_rows or size > most_bytes
        if more:
            break
        rows.append([shown(value) for value in row])
        size += sum(len(cell) for cell in rows[-1])
    return {"columns": [column[0] for column in cursor.description or ()], "rows": rows, "more": more}


def shown(value: object) -> str:
    """One cell as text on one line."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value[: SHOWN_CHARACTERS // 2].hex()}'" + ("..." if len(value) > SHOWN_CHARACTERS // 2 else "")
    text = str(value).replace("\n", "\\n")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
