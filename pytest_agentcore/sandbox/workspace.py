"""The folders of a trial: made, frozen for the checker, archived, given back when a process broke them, removed.

They lie below one temporary folder per process, which goes with it; a later process removes what a killed one left.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import gzip
import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.base import MIB, Workspace
from pytest_agentcore.sandbox.tree import MAX_DEPTH, Entry, Kind, walk

FROZEN_BYTES = 256 * MIB
"""The most that a frozen copy, or an uncompressed archive, holds; the sandbox's cap on disk is the same."""
PREFIX = "agentcore-process-"
"""Begins the name of a process's temporary folder."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A copy of a workspace that its agent can no longer touch."""

    workspace: Workspace
    """Regular files and folders of the original; an empty `tmp`."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Why each name that is not in the copy was left out, by path: `a FIFO`, `a symbolic link` …"""
    digest: str = ""
    """`content_digest` of the copy as it was written; empty where it could not be."""


def create_workspace(folder: Path, files: Mapping[str, str | bytes] = {}) -> Workspace:
    """A fresh workspace below `folder` (created, readable by its owner only) that holds `files`, contents by path.

    Raises:
        FileExistsError: `folder` already holds a workspace.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    workspace = workspace_in(folder)
    workspace.root.mkdir(mode=0o755)
    workspace.tmp.mkdir(mode=0o700)
    write_files(workspace.root, files)
    return workspace


def workspace_in(folder: Path) -> Workspace:
    """The workspace of a trial's folder, whether it is there or could not be made."""
    return Workspace(root=folder / "workspace", tmp=folder / "tmp")


def require_locale(name: str) -> None:
    """Check that no other locale would have made more of a file's name, so that no trial's outcome rests on it.

    Raises:
        SandboxError: the name is text, and this process cannot tell it from bytes that are none.
    """
    if name.isascii() or sys.getfilesystemencoding() == "utf-8":
        return
    try:
        text = name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:  # it is no text in any locale
        return
    raise SandboxError(f"the file name {text!r} cannot be told in this locale; set PYTHONUTF8=1")


def write_files(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Create each file below `root`, text as UTF-8."""
    for path, content in files.items():
        require_locale(path)
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def freeze(workspace: Workspace, folder: Path, *, max_bytes: int = FROZEN_BYTES) -> Frozen:
    """Copy the workspace's regular files into a fresh workspace below `folder`.

    Symlinks, FIFOs, sockets, devices, hard links to files outside, unreadable names and whatever comes after
    `max_bytes` are skipped and named. Nothing is followed and nothing blocks.

    Raises:
        OSError: the host does not take the copy, a full disk for example.
    """
    copy, skipped, whole = create_workspace(folder), dict[str, str](), hashlib.sha256()
    for entry, file in copyable(workspace.root, max_bytes, skipped):
        target = copy.root / entry.path
        try:
            if file is None:
                target.mkdir()
                whole.update(_line_of(entry, ""))
                continue
            left = entry.stat.st_size  # not to the end: a file that still grows would outgrow the bound
            content = hashlib.sha256()
            with target.open("xb") as written:
                while left and (block := file.read(min(left, MIB))):
                    written.write(block)
                    content.update(block)
                    left -= len(block)
                os.fchmod(written.fileno(), executable_or_not(entry))
            whole.update(_line_of(entry, content.hexdigest()))
        except OSError as error:
            # Only the path's length is the agent's doing. A full disk must not look like a file that is not there.
            if error.errno != errno.ENAMETOOLONG:
                raise
            skipped[entry.path] = str(error.strerror)
    return Frozen(copy, skipped, whole.hexdigest())


def content_digest(root: Path) -> str:
    """sha256 over what is below `root`: paths, which are folders, contents, and which may be executed.

    Raises:
        OSError: it cannot be read.
    """
    whole = hashlib.sha256()
    for entry in walk(root):
        content = ""
        if entry.kind is Kind.file:
            with os.fdopen(entry.open(), "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(_line_of(entry, content))
    return whole.hexdigest()


def _line_of(entry: Entry, content: str) -> bytes:
    mode = executable_or_not(entry) if entry.kind is Kind.file else 0
    return f"{entry.kind} {mode:o} {content} {entry.path}\0".encode(errors="surrogateescape")


def copyable(root: Path, room: int, skipped: dict[str, str]) -> Iterator[tuple[Entry, BinaryIO | None]]:
    """Yield what may be copied from below `root`: folders, and `room` bytes of regular files, each one opened.

    What is left out goes to `skipped`: why, by path.
    """
    outside = linked_outside(root)
    for entry in walk(root):
        require_locale(entry.path)
        if entry.kind is Kind.folder:
            yield entry, None
        elif entry.kind is not Kind.file:
            skipped[entry.path] = str(entry.kind)
        elif _identity(entry) in outside:
            skipped[entry.path] = "a hard link to a file outside the workspace"
        elif entry.stat.st_size > room:
            skipped[entry.path] = "beyond what a frozen copy may hold"
        else:
            try:
                file = os.fdopen(entry.open(), "rb")
            except OSError as error:
                skipped[entry.path] = error.strerror or str(error)
                continue
            with file:
                yield entry, file
            room -= entry.stat.st_size


def linked_outside(root: Path) -> frozenset[tuple[int, int]]:
    """Device and inode of the files below `root` that also have a name elsewhere."""
    shared = [entry for entry in walk(root) if entry.kind is Kind.file and entry.stat.st_nlink > 1]
    names = Counter(map(_identity, shared))
    return frozenset(_identity(entry) for entry in shared if names[_identity(entry)] < entry.stat.st_nlink)


def _identity(entry: Entry) -> tuple[int, int]:
    return entry.stat.st_dev, entry.stat.st_ino


def executable_or_not(entry: Entry) -> int:
    """The only two modes that a copy of a file has."""
    return 0o755 if entry.stat.st_mode & stat.S_IXUSR else 0o644


def pack(root: Path, archive: Path, *, max_bytes: int = FROZEN_BYTES) -> dict[str, str]:
    """Write the regular files and folders below `root` to `archive`, a `.tar.gz`: whole and on the disk, or not at all.

    Owners, times and all but the executable bit are left out, so equal content gives equal bytes.

    Returns:
        Why each name that is not in the archive was left out, by path.
    """
    unfinished, skipped = archive.with_name(f".{archive.name}.part"), dict[str, str]()
    with unfinished.open("wb") as written:
        with (
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=written, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for entry, file in copyable(root, max_bytes, skipped):
                member = tarfile.TarInfo(entry.path)
                if file is None:
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(member)
                else:
                    content = file.read(entry.stat.st_size)
                    member.size, member.mode = len(content), executable_or_not(entry)
                    tar.addfile(member, io.BytesIO(content))
        written.flush()
        os.fsync(written.fileno())
    unfinished.replace(archive)
    return skipped


def unpack(archive: Path, folder: Path, *, max_bytes: int = FROZEN_BYTES) -> None:
    """Restore an archive that `pack` wrote into `folder`, which is created and must be empty.

    Raises:
        ValueError: an archive that `pack` did not write: other kinds of entries, paths that leave `folder`,
            more than `max_bytes`.
        OSError: not readable, no archive at all, or `folder` cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = max_bytes
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
                raise ValueError(f"{archive}: {member.name!r} is no file or folder inside the archive")
            room -= member.size
            if room < 0:
                raise ValueError(f"{archive}: more than {max_bytes} bytes")
            source = tar.extractfile(member)
            if source is None:
                (folder / path).mkdir()
                continue
            with source, (folder / path).open("xb") as file:
                shutil.copyfileobj(source, file)
            (folder / path).chmod(member.mode & 0o755)


ROOT_UIDS = range(60_100, 64_100)
"""The command's user id when root runs it: one per workspace, for the kernel counts processes by user, and trials run
side by side. Two workspaces that meet in one by chance are counted together."""


def user_of(workspace: Workspace) -> int:
    """The user id of all commands over a workspace, since it owns the files: one of its own when root runs them."""
    if os.geteuid() != 0:
        return os.geteuid()
    return ROOT_UIDS[zlib.crc32(os.fsencode(workspace.root)) % len(ROOT_UIDS)]


def accounts(user: int, group: int) -> dict[str, str]:
    """Contents of /etc/passwd and /etc/group, so that `ls -l` says the same whatever the numbers are."""
    ids = (("root", 0, 0), ("nobody", 65534, 65534), ("agent", user, group))
    passwd = "".join(f"{name}:x:{uid}:{gid}::/tmp:/bin/sh\n" for name, uid, gid in ids)
    return {"passwd": passwd, "group": "".join(f"{name}:x:{gid}:\n" for name, _, gid in ids)}


def hand_over(workspace: Workspace, uid: int) -> None:
    """Make the sandbox's user the owner of both folders; a no-op once it is.

    Raises:
        SandboxError: this process may not.
    """
    try:
        for folder in (workspace.root, workspace.tmp):
            if folder.stat().st_uid == uid or os.geteuid() != 0:
                continue
            for entry in walk(folder):
                os.chown(entry.name, uid, uid, dir_fd=entry.folder_fd, follow_symlinks=False)
            # The folder comes last: it is what says that all below it is done.
            os.chown(folder, uid, uid, follow_symlinks=False)
    except OSError as error:  # root of a container may lack this right of root's
        raise SandboxError(f"the workspace cannot be given to the sandbox's user: {error}") from error


def require(workspace: Workspace) -> None:
    """Check before a run that both folders are there and take something.

    Raises:
        SandboxError: one does not, which is never the agent's doing: `mend` gives back what a command closed.
    """
    for folder in (workspace.root, workspace.tmp):
        if not folder.is_dir():
            raise SandboxError(f"there is no folder {folder} to run in")
        if not os.access(folder, os.W_OK):
            raise SandboxError(f"the folder {folder} cannot be written")
        disk = os.statvfs(folder)
        if disk.f_blocks and not disk.f_bfree:  # some file systems do not tell
            raise SandboxError(f"the disk of {folder} is full")


def mend(workspace: Workspace) -> None:
    """Give back both folders themselves when a process deleted, replaced or closed them.

    Otherwise deleting the workspace would look like a failure of the harness, and the trial would not be scored.
    """
    for folder in (workspace.root, workspace.tmp):
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            mode = 0
        if mode and not stat.S_ISDIR(mode):
            folder.unlink()
        if not stat.S_ISDIR(mode):
            folder.mkdir(mode=0o755)
        elif mode & stat.S_IRWXU != stat.S_IRWXU:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def remove_workspace(workspace: Workspace) -> None:
    """Delete both folders, those that the agent made unreadable included."""
    clear(workspace.root)
    clear(workspace.tmp)


def clear(path: Path) -> None:
    """Remove whatever is at `path`, folders that an agent has closed included; a link is not followed."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    path.chmod(0o700)
    # Level by level, for a folder that has been opened may hold closed ones.
    for _ in range(MAX_DEPTH):
        closed = [entry.path for entry in walk(path) if entry.kind is Kind.unreadable]
        for each in closed:
            (path / each).chmod(0o700)
        if not closed:
            break
    shutil.rmtree(path, ignore_errors=True)


def scratch(purpose: str) -> tempfile.TemporaryDirectory[str]:
    """A fresh folder for its owner only, removed at the end of a `with` block, whatever lies in it."""
    home = _home(tempfile.gettempdir())
    if not home.is_dir():  # somebody cleaned up by hand
        _home.cache_clear()
        home = _home(tempfile.gettempdir())
    return tempfile.TemporaryDirectory(prefix=f"{purpose}-", dir=home, ignore_cleanup_errors=True)


def sweep() -> None:
    """Remove the temporary folders of this user's processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and (lock := _lock(folder)) is not None:
                try:
                    clear(folder)
                finally:
                    os.close(lock)


@cache
def _home(temporary: str) -> Path:
    """This process's own folder below `temporary`, locked for as long as the process lives."""
    while True:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary))
        lock = _lock(home)  # never closed: the kernel gives it up with the process, however that ends
        # Between its making and its lock another process may have swept it away.
        if lock is not None and home.is_dir():
            atexit.register(shutil.rmtree, home, ignore_errors=True)
            return home


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock on a folder; None where another process has it, or has removed it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
