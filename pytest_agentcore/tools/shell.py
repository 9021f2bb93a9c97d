"""Tools that start a process in the sandbox: `shell`, a command line, and `sql_query`, read-only SQL over a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import ToolError
from pytest_agentcore.sandbox.base import MIB, Command, Completed, Limits
from pytest_agentcore.tools import sql_reader
from pytest_agentcore.tools.base import ToolContext, ToolSpec, object_schema
from pytest_agentcore.tools.fs import open_file, place

LEAST_SECONDS = 1.0
"""A process gets this much even when the trial's time is up in less."""
ARGUMENT_BYTES = 128 * 1024 - 1
"""Linux' limit on one argument of a program."""


class Shell:
    """Runs `sh -c` in the workspace."""

    spec = ToolSpec(
        name="shell",
        description="Run a command line with `sh -c` in the workspace. The result has the output (stdout and stderr) "
        "and the exit code. Nothing goes on running after the call; there is no network. `python3` is available.",
        parameters=object_schema(["command"], command={"type": "string", "description": "The command line."}),
        see_more="write the output to a file and read parts of it, or use head, tail and grep",
    )

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        command = arguments["command"]
        if "\0" in command:
            raise ToolError("a command cannot contain a NUL character")
        encoded = command.encode("utf-8", errors="replace")  # lone surrogates become `?`, as in `fs_write`
        if len(encoded) > ARGUMENT_BYTES:
            raise ToolError(f"the command is longer than {ARGUMENT_BYTES} bytes; write a file and run that")
        limits = Limits(wall_seconds=min(Limits().wall_seconds, max(LEAST_SECONDS, context.seconds_left)))
        run = Command(argv=["sh", "-c", encoded.decode()], limits=limits)
        completed = context.sandbox.run(context.workspace, run)
        text = completed.output.decode(errors="replace")
        if text and not text.endswith("\n"):
            text += "\n"
        if completed.dropped_bytes:
            text += f"[{completed.dropped_bytes} more bytes of output were dropped]\n"
        if completed.killed_for:
            raise ToolError(f"{text}{killed_sentence(completed, limits)}")
        return f"{text}exit code {completed.exit_code}"


def killed_sentence(completed: Completed, limits: Limits) -> str:
    """Why a process tree was ended, for a model."""
    reason = {
        "wall_seconds": f"it ran longer than {limits.wall_seconds:.0f} seconds",
        "memory_bytes": f"it used more than {limits.memory_bytes // MIB} MiB of memory",
        "disk_bytes": f"the workspace and /tmp held more than {limits.disk_bytes // MIB} MiB; delete something",
        "processes": f"it started more than {limits.processes} processes",
    }
    return f"killed: {reason[completed.killed_for]}"


MAGIC = b"SQLite format 3\0"
"""https://www.sqlite.org/fileformat.html, section 1.3"""
QUERY_SECONDS = 5.0
GRACE = 2.0
"""Seconds for starting the reader. SQLite does not look at the clock within one call of a function."""
LIMITS = Limits(cpu_seconds=15, memory_bytes=256 * MIB, output_bytes=4 * MIB)
MOST_ROWS = 200
MOST_BYTES = 200_000
"""The size of all cells together; one more cell may pass it."""
ONLY_READING = "only reading is allowed: SELECT, WITH, EXPLAIN and PRAGMA table_info"
SENTENCES = {
    "not authorized": ONLY_READING,
    "authorization denied": ONLY_READING,
    "interrupted": f"the query ran longer than {QUERY_SECONDS:.0f} seconds and was stopped",
}


class SqlQuery:
    """Runs one statement that reads."""

    spec = ToolSpec(
        name="sql_query",
        description="Run one read-only SQL statement (SELECT) against a SQLite database file of the workspace.",
        parameters=object_schema(
            ["database", "query"],
            database={"type": "string", "description": "The database file, relative to the workspace."},
            query={"type": "string", "description": "One SELECT statement."},
        ),
        see_more="select fewer columns or use WHERE, LIMIT and OFFSET",
    )

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        with place(context, arguments["database"]) as where, os.fdopen(open_file(context, where), "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ToolError(f"{where.path} is not a SQLite database")
        seconds = min(QUERY_SECONDS, max(LEAST_SECONDS, context.seconds_left))
        order = {
            "database": where.path,
            "query": arguments["query"],
            "rows": MOST_ROWS,
            "bytes": MOST_BYTES,
            "seconds": seconds,
        }
        # Nothing of the package shows in the sandbox, so the reader goes there as text.
        script = Path(sql_reader.__file__).read_text(encoding="utf-8")
        limits = replace(LIMITS, wall_seconds=seconds + GRACE)
        command = Command(argv=["python3", "-I", "-S", "-c", script], stdin=json.dumps(order).encode(), limits=limits)
        completed = context.sandbox.run(context.workspace, command)
        if completed.killed_for:
            raise ToolError(killed_sentence(completed, limits))
        try:
            said: Mapping[str, Any] = json.loads(completed.output)
        except ValueError:  # the file is the agent's, so a reader that crashed over it is the agent's error
            raise ToolError(f"the query failed: {completed.output.decode(errors='replace')[-300:].strip()}") from None
        if "error" in said:
            raise ToolError(SENTENCES.get(said["error"], f"SQLite: {said['error']}"))
        columns, rows = said["columns"], said["rows"]
        count = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
        if said["more"]:
            count = f"(the first {len(rows)} rows; there are more: use WHERE, LIMIT and OFFSET)"
        if not columns:
            return count
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (columns, *rows))
        head, *lines = (" | ".join(row).rstrip() for row in padded)
        return "\n".join([head, "-+-".join("-" * width for width in widths), *lines, count])
