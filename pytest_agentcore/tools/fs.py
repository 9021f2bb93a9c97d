"""`fs_read` and `fs_write`: files of the workspace, read and written by the harness's own process.

No sandbox helps here, and an agent's process may have put anything into the workspace. So a path is walked folder by
folder through descriptors, no symlink is followed, and only regular files are opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pytest_agentcore.errors import SandboxError, ToolError
from pytest_agentcore.sandbox.base import MIB
from pytest_agentcore.sandbox.tree import DIRECTORY, Kind, kind_of
from pytest_agentcore.sandbox.workspace import linked_outside, require_locale
from pytest_agentcore.tools.base import ToolContext, ToolSpec, object_schema
from pytest_agentcore.tools.text import RESULT_CHARACTERS, clip, harmless

SEEN_AS = "/workspace"
READ_BYTES = 64 * MIB
"""The largest file that is looked at; the sandbox lets no process write a larger one."""
BINARY_PROBE = 8192
"""A NUL among the first so many bytes means that a file is no text."""
_THE_AGENTS_DOING = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENOENT),
        *(errno.ENXIO, errno.EINVAL, errno.EILSEQ, errno.ETXTBSY),
    }
)
"""Failures that a path or its permissions cause. Others (a full or read-only disk) are not the model's business."""


class FsRead:
    """Reads a text file, whole or by lines, or lists a folder."""

    spec = ToolSpec(
        name="fs_read",
        description="Read a text file of the workspace, or list a folder. Long files are clipped in the middle; "
        "read a part of one with `offset` and `lines`.",
        parameters=object_schema(
            ["path"],
            path={"type": "string", "description": "File or folder, relative to the workspace."},
            offset={"type": "integer", "minimum": 1, "description": "First line to read, counted from 1."},
            lines={"type": "integer", "minimum": 1, "description": "How many lines to read."},
        ),
        see_more="read a part with `offset` and `lines`",
    )

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        with place(context, arguments["path"]) as where:
            if where.kind() is Kind.folder:
                fd = os.open(where.name, DIRECTORY, dir_fd=where.folder_fd)
                try:
                    with os.scandir(fd) as entries:
                        statuses = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
                finally:
                    os.close(fd)
                listed = []
                for name, status in statuses.items():
                    require_locale(name)
                    kind = kind_of(status.st_mode)
                    size = f"{status.st_size} bytes" if kind is Kind.file else f"({kind})"
                    listed.append(f"{name}/" if kind is Kind.folder else f"{name}  {size}")
                return "\n".join(sorted(listed)) or f"({where.path} is an empty folder)"
            with os.fdopen(open_file(context, where), "rb") as file:
                content = file.read(READ_BYTES + 1)
        if len(content) > READ_BYTES:
            raise ToolError(f"{where.path} has more than {READ_BYTES} bytes")
        if b"\0" in content[:BINARY_PROBE]:
            raise ToolError(f"{where.path} is a binary file of {len(content)} bytes, not text")
        text = content.decode(errors="replace")
        offset, lines = arguments.get("offset", 1), arguments.get("lines")
        if offset == 1 and lines is None:
            return text or f"({where.path} is empty)"
        # Clipped here, where the numbers of the file's lines are known.
        found = text.split("\n")
        total = len(found) - (found[-1] == "")
        if offset > total:
            raise ToolError(f"{where.path} has {total} lines; there is no line {offset}")
        last = total if lines is None else min(total, offset + lines - 1)
        footer = f"\n[lines {offset} to {last} of {total}]"
        shown, room = harmless("\n".join(found[offset - 1 : last])), RESULT_CHARACTERS - len(footer)
        return clip(shown, room, self.spec.see_more, begins=offset, of=total) + footer


class FsWrite:
    """Writes a whole file."""

    spec = ToolSpec(
        name="fs_write",
        description="Write a text file of the workspace: creates it and its folders, or replaces its whole content.",
        parameters=object_schema(
            ["path", "content"],
            path={"type": "string", "description": "File, relative to the workspace."},
            content={"type": "string", "description": "The whole new content."},
        ),
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
                file.truncate(0)  # not O_TRUNC: before it was opened nobody knew that it is a file of the workspace
                file.write(content)
        return f"wrote {len(content)} bytes to {where.path}"


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open folder of the workspace."""

    folder_fd: int
    name: str
    """`.` is the folder itself."""
    path: str
    """Relative to the workspace, for sentences."""

    def kind(self) -> Kind | None:
        """None when nothing has this name."""
        try:
            return kind_of(os.stat(self.name, dir_fd=self.folder_fd, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return None


@contextlib.contextmanager
def place(context: ToolContext, path: str, *, create: bool = False) -> Iterator[Place]:
    """The place that `path` names; folders on the way are created if `create`.

    Raises:
        ToolError: the path leaves the workspace, passes through something that is no folder, or a folder is missing;
            so does whatever fails in the `with` block for a reason that is the agent's doing.
        SandboxError: it fails for another.
    """
    parts = _parts(context, path)
    try:
        with contextlib.ExitStack() as stack:
            fd = os.open(context.workspace.root, DIRECTORY)
            stack.callback(os.close, fd)
            for index, part in enumerate(parts[:-1]):
                above, here = fd, "/".join(parts[: index + 1])
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=above)
                try:
                    fd = os.open(part, DIRECTORY, dir_fd=above)
                except FileNotFoundError:
                    raise ToolError(f"{here}: there is no such folder") from None
                except OSError as error:
                    if error.errno in (errno.ENOTDIR, errno.ELOOP):
                        kind = Place(above, part, here).kind()
                        raise ToolError(f"{here} is {kind}, not a folder of the workspace") from None
                    raise
                stack.callback(os.close, fd)
                if create:
                    _hand_over(fd, above)
            yield Place(fd, parts[-1] if parts else ".", "/".join(parts) or ".")
    except OSError as error:
        if error.errno in _THE_AGENTS_DOING:
            raise ToolError(f"{'/'.join(parts)}: {(error.strerror or str(error)).lower()}") from error
        raise SandboxError(f"the workspace cannot be used: {error}") from error


def _parts(context: ToolContext, path: str) -> list[str]:
    if "\0" in path:
        raise ToolError("a path cannot contain a NUL character")
    require_locale(path)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ToolError(f"{harmless(path)!r} cannot be the name of a file") from None
    relative = path
    for root in (SEEN_AS, context.sandbox.path(context.workspace, SEEN_AS)):
        if path == root or path.startswith(f"{root}/"):
            relative = path.removeprefix(root).lstrip("/")
    parts = PurePosixPath(relative).parts
    if relative.startswith("/") or ".." in parts:
        raise ToolError(f"{harmless(path)!r} is outside {SEEN_AS}; use a path below it, without `..`")
    return list(parts)


def open_file(context: ToolContext, where: Place, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file at `where`, which has no name outside the workspace.

    Raises:
        ToolError: there is none, or it is a link, a FIFO, a device ….
    """
    kind = where.kind()
    if kind is None and not flags & os.O_CREAT:
        raise ToolError(f"{where.path}: there is no such file")
    if kind not in (None, Kind.file):
        raise ToolError(f"{where.path} is {kind}, not a regular file")
    fd = os.open(where.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644, dir_fd=where.folder_fd)
    status = os.fstat(fd)  # of what was opened, which need not be what was looked at above
    identity = status.st_dev, status.st_ino
    linked = status.st_nlink > 1 and identity in linked_outside(context.workspace.root)
    if stat.S_ISREG(status.st_mode) and not linked:
        _hand_over(fd, where.folder_fd)
        return fd
    os.close(fd)
    raise ToolError(f"{where.path} is not a regular file of the workspace alone: it is linked to a file outside it")


def _hand_over(fd: int, folder_fd: int) -> None:
    """Give what root has created to the owner of its folder: the sandbox's user must be able to go on with it."""
    owner = os.fstat(folder_fd)
    if os.geteuid() == 0 and os.fstat(fd).st_uid != owner.st_uid:
        os.fchown(fd, owner.st_uid, owner.st_gid)
