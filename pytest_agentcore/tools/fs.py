"""`fs_read` and `fs_write`: files of the workspace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pytest_agentcore.errors import ToolError
from pytest_agentcore.sandbox.base import MIB
from pytest_agentcore.sandbox.tree import DIRECTORY, Kind, kind_of
from pytest_agentcore.tools.base import ToolContext, ToolSpec
from pytest_agentcore.tools.inside import Place, open_file, place
from pytest_agentcore.tools.results import RESULT_CHARACTERS, clip, decode, harmless

READ_BYTES = 64 * MIB
"""The largest file that is looked at; the sandbox lets no process write a larger one."""
BINARY_PROBE = 8192
"""A NUL among the first so many bytes means that a file is no text."""


class FsRead:
    """Reads a text file, whole or by lines, or lists a folder."""

    spec = ToolSpec(
        name="fs_read",
        description="Read a text file of the workspace, or list a folder. Long files are clipped in the middle; "
        "read a part of one with `offset` and `lines`.",
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File or folder, relative to the workspace."},
                "offset": {"type": "integer", "minimum": 1, "description": "First line to read, counted from 1."},
                "lines": {"type": "integer", "minimum": 1, "description": "How many lines to read."},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
        see_more="read a part with `offset` and `lines`",
    )

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        with place(context, arguments["path"]) as where:
            if where.kind() is Kind.folder:
                return _listing(where)
            text = _read_text(context, where)
        offset, lines = arguments.get("offset", 1), arguments.get("lines")
        if offset == 1 and lines is None:
            return text or f"({where.path} is empty)"
        return _page(where.path, text, offset, lines, self.spec.see_more)


class FsWrite:
    """Writes a whole file."""

    spec = ToolSpec(
        name="fs_write",
        description="Write a text file of the workspace: creates it and its folders, or replaces its whole content.",
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File, relative to the workspace."},
                "content": {"type": "string", "description": "The whole new content."},
            },
            "required": ["path", "content"],
            "additionalProperties": False,
        },
    )

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        # Lone surrogates are valid in JSON and have no UTF-8; they become `?` as everywhere else in Python.
        content = arguments["content"].encode("utf-8", errors="replace")
        if len(content) > READ_BYTES:
            raise ToolError(f"{len(content)} bytes are more than a file may have ({READ_BYTES})")
        with place(context, arguments["path"], create=True) as where:
            if where.name == ".":
                raise ToolError("the path names the workspace itself, not a file in it")
            with os.fdopen(open_file(context, where, os.O_WRONLY | os.O_CREAT), "wb") as file:
                file.truncate(0)
                file.write(content)
        return f"wrote {len(content)} bytes to {where.path}"


def _read_text(context: ToolContext, where: Place) -> str:
    with os.fdopen(open_file(context, where), "rb") as file:
        content = file.read(READ_BYTES + 1)
    if len(content) > READ_BYTES:
        raise ToolError(f"{where.path} has more than {READ_BYTES} bytes")
    if b"\0" in content[:BINARY_PROBE]:
        raise ToolError(f"{where.path} is a binary file of {len(content)} bytes, not text")
    return decode(content)


def _page(path: str, text: str, offset: int, count: int | None, see_more: str) -> str:
    """Clipped here, where the numbers of the file's lines are known."""
    lines = text.split("\n")
    total = len(lines) - (lines[-1] == "")
    if offset > total:
        raise ToolError(f"{path} has {total} lines; there is no line {offset}")
    last = total if count is None else min(total, offset + count - 1)
    footer = f"\n[lines {offset} to {last} of {total}]"
    shown = harmless("\n".join(lines[offset - 1 : last]))
    return clip(shown, RESULT_CHARACTERS - len(footer), see_more, begins=offset, of=total) + footer


def _listing(where: Place) -> str:
    fd = os.open(where.name, DIRECTORY, dir_fd=where.folder_fd)
    try:
        with os.scandir(fd) as entries:
            lines = sorted(_listed(entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
    finally:
        os.close(fd)
    return "\n".join(lines) or f"({where.path} is an empty folder)"


def _listed(name: str, status: os.stat_result) -> str:
    kind = kind_of(status.st_mode)
    if kind is Kind.folder:
        return f"{name}/"
    return f"{name}  {status.st_size} bytes" if kind is Kind.file else f"{name}  ({kind})"
