"""Final workspaces as archives: `.tar.gz`, the same bytes for the same files."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pytest_agentcore.sandbox.base import MIB
from pytest_agentcore.sandbox.tree import Entry, Kind, walk
from pytest_agentcore.sandbox.workspace import linked_outside, why_left_out

PACKED_BYTES = 256 * MIB
"""Uncompressed, what an archive holds and what is unpacked at most."""


def pack(root: Path, archive: Path, *, max_bytes: int = PACKED_BYTES) -> dict[str, str]:
    """Write the regular files and folders below `root` to `archive`: whole and on the disk, or not at all.

    Owners, times and all but the executable bit are left out, so equal content gives equal bytes.

    Returns:
        Why each name that is not in the archive was left out, by path.
    """
    unfinished = archive.with_name(f".{archive.name}.part")
    with unfinished.open("wb") as file:
        skipped = _write(root, file, max_bytes)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(archive)
    return skipped


def unpack(archive: Path, folder: Path, *, max_bytes: int = PACKED_BYTES) -> None:
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
            _restore(tar, member, folder / path)


def _write(root: Path, file: BinaryIO, room: int) -> dict[str, str]:
    outside, skipped = linked_outside(root), {}
    with (
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in walk(root):
            if reason := why_left_out(entry, outside, room) or _add(tar, entry):
                skipped[entry.path] = reason
            elif entry.kind is Kind.file:
                room -= entry.stat.st_size
    return skipped


def _add(tar: tarfile.TarFile, entry: Entry) -> str | None:
    member = tarfile.TarInfo(entry.path)
    if entry.kind is Kind.folder:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(member)
        return None
    try:
        with os.fdopen(entry.open(), "rb") as file:
            content = file.read(entry.stat.st_size)
    except OSError as error:
        return error.strerror or str(error)
    member.size, member.mode = len(content), 0o755 if entry.stat.st_mode & stat.S_IXUSR else 0o644
    tar.addfile(member, io.BytesIO(content))
    return None


def _restore(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if member.isdir():
        target.mkdir()
        return
    source = tar.extractfile(member)
    if source is not None:
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file)
        target.chmod(member.mode & 0o755)
