"""Archives of workspaces: the same files give the same bytes, and nothing is restored that was not packed."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from pytest_agentcore.sandbox.archive import pack, unpack
from pytest_agentcore.sandbox.base import Workspace
from pytest_agentcore.sandbox.workspace import create_workspace
from sandbox.conftest import FILES, SKIPPED, as_bytes, content


def test_an_archive_restores_what_was_packed(hostile: Workspace, tmp_path: Path) -> None:
    (hostile.root / "empty").mkdir()
    assert pack(hostile.root, tmp_path / "w.tar.gz") == SKIPPED
    unpack(tmp_path / "w.tar.gz", tmp_path / "restored")
    assert content(tmp_path / "restored") == {**as_bytes(FILES), "twice": b"a"}
    assert (tmp_path / "restored" / "empty").is_dir()


def test_equal_files_give_equal_archives(tmp_path: Path) -> None:
    archives: list[bytes] = []
    for name in ("one", "two"):
        workspace = create_workspace(tmp_path / name, dict(reversed(FILES.items())) if name == "two" else FILES)
        os.utime(workspace.root / "a.txt", (1, 1 + len(archives)))
        pack(workspace.root, tmp_path / f"{name}.tar.gz")
        archives.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]


def test_packing_leaves_no_half_archive(workspace: Workspace, tmp_path: Path) -> None:
    pack(workspace.root, tmp_path / "w.tar.gz")
    assert [path.name for path in tmp_path.glob("*w.tar*")] == ["w.tar.gz"]
    assert list(tmp_path.glob(".*")) == []


def archive_with(path: Path, member: tarfile.TarInfo, data: bytes = b"") -> Path:
    with gzip.open(path, "wb") as compressed, tarfile.open(fileobj=compressed, mode="w") as tar:
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../out.txt", tarfile.REGTYPE),
        ("/tmp/out.txt", tarfile.REGTYPE),
        ("a/../../out.txt", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("pipe", tarfile.FIFOTYPE),
        ("device", tarfile.CHRTYPE),
    ],
)
def test_an_archive_of_somebody_else_cannot_write_outside(tmp_path: Path, name: str, kind: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "../out.txt"
    archive = archive_with(tmp_path / "evil.tar.gz", member)
    with pytest.raises(ValueError, match="no file or folder inside the archive"):
        unpack(archive, tmp_path / "restored")
    assert not (tmp_path / "out.txt").exists()
    assert list((tmp_path / "restored").iterdir()) == []


def test_an_archive_that_swells_is_refused(tmp_path: Path) -> None:
    archive = archive_with(tmp_path / "bomb.tar.gz", tarfile.TarInfo("zeros"), bytes(100_000))
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpack(archive, tmp_path / "restored", max_bytes=1000)
