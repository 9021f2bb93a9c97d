"""Final workspaces as archives: `.tar.gz`, the same bytes for the same files."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from pytest_agentcore.sandbox.base import MIB
from pytest_agentcore.sandbox.workspace import copyable, executable_or_not

PACKED_BYTES = 256 * MIB
"""Uncompressed, what an archive holds and what is unpacked at most."""


def pack(root: Path, archive: Path, *, max_bytes: int = PACKED_BYTES) -> dict[str, str]:
    """Write the regular files and folders below `root` to `archive`: whole and on the disk, or not at all.

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
            source = tar.extractfile(member)
            if source is None:
                (folder / path).mkdir()
                continue
            with source, (folder / path).open("xb") as file:
                shutil.copyfileobj(source, file)
            (folder / path).chmod(member.mode & 0o755)
