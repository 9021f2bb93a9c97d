"""Workspaces: created, walked, frozen, removed, whatever an agent left in them; and the folders that they lie in."""

from __future__ import annotations

import errno
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from pytest_agentcore.sandbox.base import Workspace
from pytest_agentcore.sandbox.tree import MAX_DEPTH, Kind, walk
from pytest_agentcore.sandbox.watch import disk
from pytest_agentcore.sandbox.workspace import (
    PREFIX,
    _home,
    create_workspace,
    freeze,
    pack,
    remove_workspace,
    scratch,
    sweep,
    unpack,
)
from sandbox.conftest import FILES, SKIPPED, as_bytes, content


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


HOLDER = """
import sys
from pathlib import Path
from pytest_agentcore.sandbox.workspace import scratch
kept = scratch("trial")
folder = Path(kept.name)
(folder / "left.txt").write_text("by an agent")
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, in this process and below it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def start() -> tuple[subprocess.Popen[str], Path]:
    """Another process, and its folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_its_owners_and_goes_with_all_that_is_in_it(temporary: Path) -> None:
    with scratch("trial") as folder:
        path = Path(folder)
        assert (path.stat().st_mode & 0o777, path.parent.parent) == (0o700, temporary)
        (path / "closed").mkdir(mode=0)
    assert not path.exists()


def test_what_is_in_use_is_left_alone_and_what_a_kill_left_is_removed(temporary: Path) -> None:
    process, folder = start()
    with scratch("trial") as mine:
        sweep()
        assert (folder / "left.txt").exists()
        process.kill()
        process.communicate()
        sweep()
        assert not folder.parent.exists()
        assert Path(mine).exists()
    assert len(list(temporary.glob(f"{PREFIX}*"))) == 1


@pytest.mark.usefixtures("temporary")
def test_a_process_that_ends_takes_its_folder_along() -> None:
    process, folder = start()
    process.communicate()
    assert not folder.parent.exists()


@pytest.mark.usefixtures("temporary")
def test_a_folder_that_somebody_removed_is_made_again() -> None:
    with scratch("one") as first:
        pass
    shutil.rmtree(Path(first).parent)
    with scratch("two") as second:
        assert Path(second).is_dir()


def test_what_is_no_folder_of_ours_is_left_alone(temporary: Path) -> None:
    victim = temporary / "victim"
    victim.mkdir()
    (temporary / f"{PREFIX}link").symlink_to(victim)
    (temporary / f"{PREFIX}file").write_text("")
    sweep()
    assert sorted(path.name for path in temporary.iterdir() if not path.is_dir() or path == victim) == [
        f"{PREFIX}file",
        "victim",
    ]
    assert os.path.lexists(temporary / f"{PREFIX}link")


def test_a_folder_that_another_process_sweeps_before_its_lock_is_made_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, []

    def swept(prefix: str, dir: str) -> str:  # noqa: A002 - as it is called
        made.append(make(prefix=prefix, dir=dir))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    with monkeypatch.context() as patched:
        patched.setattr("pytest_agentcore.sandbox.workspace.tempfile.mkdtemp", swept)
        _home.cache_clear()
        home = _home(tempfile.gettempdir())
    assert home.is_dir()
    assert str(home) == made[-1]


# Archives: the same files give the same bytes, and nothing is restored that was not packed.


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
