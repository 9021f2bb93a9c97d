"""Open names of the workspace on behalf of an agent, folder by folder, so that no link ever leads out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_agentcore.errors import ToolError
from pytest_agentcore.sandbox.tree import DIRECTORY, Kind, kind_of
from pytest_agentcore.sandbox.workspace import linked_outside
from pytest_agentcore.tools.base import ToolContext
from pytest_agentcore.tools.results import harmless

SEEN_AS = "/workspace"
_THE_AGENTS_DOING = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENOENT),
        *(errno.ENXIO, errno.EINVAL, errno.EILSEQ, errno.EROFS, errno.ETXTBSY),
    }
)
"""Failures that a path or its permissions cause. Others (a full disk of the host) are not the model's business."""


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
        ToolError: the path leaves the workspace, passes through something that is no folder, or a folder is missing.
    """
    parts = _parts(context, path)
    with _sentences("/".join(parts)), contextlib.ExitStack() as stack:
        fd = os.open(context.workspace.root, DIRECTORY)
        stack.callback(os.close, fd)
        for index, part in enumerate(parts[:-1]):
            fd = _enter(fd, part, "/".join(parts[: index + 1]), create=create)
            stack.callback(os.close, fd)
        yield Place(fd, parts[-1] if parts else ".", "/".join(parts) or ".")


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
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and not _is_linked_outside(context, status):
        own(fd, where.folder_fd)
        return fd
    os.close(fd)
    raise ToolError(f"{where.path} is not a regular file of the workspace alone: it is linked to a file outside it")


def own(fd: int, folder_fd: int) -> None:
    """Give what root has created to the owner of its folder: the sandbox's user must be able to go on with it."""
    owner = os.fstat(folder_fd)
    if os.geteuid() == 0 and os.fstat(fd).st_uid != owner.st_uid:
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _parts(context: ToolContext, path: str) -> list[str]:
    if "\0" in path:
        raise ToolError("a path cannot contain a NUL character")
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


def _enter(fd: int, part: str, path: str, *, create: bool) -> int:
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=fd)
    try:
        entered = os.open(part, DIRECTORY, dir_fd=fd)
    except FileNotFoundError:
        raise ToolError(f"{path}: there is no such folder") from None
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            kind = Place(fd, part, path).kind()
            raise ToolError(f"{path} is {kind}, not a folder of the workspace") from None
        raise
    if create:
        own(entered, fd)
    return entered


def _is_linked_outside(context: ToolContext, status: os.stat_result) -> bool:
    identity = status.st_dev, status.st_ino
    return status.st_nlink > 1 and identity in linked_outside(context.workspace.root)


@contextlib.contextmanager
def _sentences(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _THE_AGENTS_DOING:
            raise ToolError(f"{path}: {(error.strerror or str(error)).lower()}") from error
        raise
