"""Workspaces: created, walked, frozen, packed, removed, whatever an agent left in them."""

from __future__ import annotations

import errno
import gzip
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from pytest_agentcore.sandbox.archive import pack, unpack
from pytest_agentcore.sandbox.base import Workspace
from pytest_agentcore.sandbox.supervise import disk
from pytest_agentcore.sandbox.tree import MAX_DEPTH, Kind, walk
from pytest_agentcore.sandbox.workspace import create_workspace, freeze, remove_workspace

FILES: dict[str, str | bytes] = {"a.txt": "a", "src/deep/b.py": "b = 1\n", "raw.bin": b"\0\xff"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create_workspace(tmp_path / "trial", FILES)


@pytest.fixture
def hostile(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Every kind of name that is no file, and a hard link to a file outside."""
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    root = workspace.root
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "twin").hardlink_to(outside)
    (root / "twice").hardlink_to(root / "a.txt")
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return workspace


def content(root: Path) -> dict[str, bytes]:
    return {entry.path: (root / entry.path).read_bytes() for entry in walk(root) if entry.kind is Kind.file}


def as_bytes(files: dict[str, str | bytes]) -> dict[str, bytes]:
    return {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}


SKIPPED = {
    "link": "a symbolic link",
    "loop": "a symbolic link",
    "pipe": "a FIFO",
    "socket": "a socket",
    "twin": "a hard link to a file outside the workspace",
    "up": "a symbolic link",
}


def test_a_workspace_holds_the_instance_and_an_empty_tmp(workspace: Workspace) -> None:
    assert content(workspace.root) == as_bytes(FILES)
    assert list(workspace.tmp.iterdir()) == []
    assert workspace.root.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_workspace_in_the_same_folder_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(FileExistsError):
        create_workspace(workspace.root.parent)


def test_a_frozen_copy_has_the_regular_files_and_names_the_rest(hostile: Workspace, tmp_path: Path) -> None:
    frozen = freeze(hostile, tmp_path / "frozen")
    assert content(frozen.workspace.root) == {**as_bytes(FILES), "twice": b"a"}
    assert frozen.skipped == SKIPPED


def test_a_frozen_copy_does_not_change_with_the_original(workspace: Workspace, tmp_path: Path) -> None:
    frozen = freeze(workspace, tmp_path / "frozen").workspace
    (workspace.root / "a.txt").write_text("changed")
    assert (frozen.root / "a.txt").read_text() == "a"


def test_a_frozen_copy_is_bounded(workspace: Workspace, tmp_path: Path) -> None:
    with (workspace.root / "huge").open("wb") as file:
        file.truncate(10**12)
    frozen = freeze(workspace, tmp_path / "frozen", max_bytes=1000)
    assert frozen.skipped == {"huge": "beyond what a frozen copy may hold"}
    assert content(frozen.workspace.root) == as_bytes(FILES)


def test_executable_files_stay_so_and_other_bits_go(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root / "a.txt").chmod(0o4777)
    (workspace.root / "raw.bin").chmod(0o600)
    root = freeze(workspace, tmp_path / "frozen").workspace.root
    assert (root / "a.txt").stat().st_mode & 0o7777 == 0o755
    assert (root / "raw.bin").stat().st_mode & 0o7777 == 0o644


def test_a_host_that_does_not_take_the_copy_is_an_error_and_no_missing_file(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(OSError, match="No space left on device"):
        freeze(workspace, tmp_path / "frozen")


def test_a_path_that_is_too_long_for_the_copy_is_named(workspace: Workspace, tmp_path: Path) -> None:
    bury(workspace.root, 20)
    frozen = freeze(workspace, tmp_path.joinpath(*["f" * 200] * 12))
    assert set(frozen.skipped.values()) == {"File name too long"}
    assert content(frozen.workspace.root) == as_bytes(FILES)


def bury(root: Path, depth: int) -> None:
    """Folders in folders, deeper than a path can say."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 100, dir_fd=fd)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def test_folders_nested_too_deeply_are_named_and_can_be_removed(workspace: Workspace, tmp_path: Path) -> None:
    bury(workspace.root, MAX_DEPTH + 40)
    kinds = [entry.kind for entry in walk(workspace.root)]
    assert kinds.count(Kind.too_deep) == 1
    frozen = freeze(workspace, tmp_path / "frozen")
    assert content(frozen.workspace.root) == as_bytes(FILES)
    assert "nested too deeply" in frozen.skipped.values()
    assert disk([workspace.root], 10**12) > 10**12
    remove_workspace(workspace)
    assert not workspace.root.exists()


def test_names_that_are_no_text_survive(workspace: Workspace, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe name\n")
    (workspace.root / name).write_text("x")
    frozen = freeze(workspace, tmp_path / "frozen").workspace
    pack(frozen.root, tmp_path / "w.tar.gz")
    unpack(tmp_path / "w.tar.gz", tmp_path / "restored")
    assert (tmp_path / "restored" / name).read_text() == "x"


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


def test_the_count_of_disk_ends_at_its_cap(workspace: Workspace) -> None:
    for number in range(50):
        (workspace.root / str(number)).write_bytes(bytes(4096))
    assert disk([workspace.root, workspace.tmp], 10**9) > 50 * 4096
    assert disk([workspace.root], 10_000) < 50 * 4096
