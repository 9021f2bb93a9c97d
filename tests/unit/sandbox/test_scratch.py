"""Folders of a process, and what becomes of those of a process that was killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pytest_agentcore.sandbox.workspace import PREFIX, scratch, sweep

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


@pytest.fixture(autouse=True)
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


def test_a_process_that_ends_takes_its_folder_along() -> None:
    process, folder = start()
    process.communicate()
    assert not folder.parent.exists()


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
