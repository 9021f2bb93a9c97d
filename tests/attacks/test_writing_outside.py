"""Writing outside the workspace, by each route."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confined import BOTH, EVERYWHERE, MOUNTED, PROCESS, Cell

from pytest_agentcore.trial.result import CallOutcome

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""linux/fcntl.h, linux/fs.h"""

Route = Callable[[Path, Path], str]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A host folder beside the workspace, open to everybody, with one file in it."""
    folder = tmp_path / "outside"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (folder / "kept.txt").write_text("kept")
    (folder / "kept.txt").chmod(0o666)
    return folder


def state(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def by_symlink(root: Path, outside: Path) -> str:
    (root / "link").symlink_to(outside / "kept.txt")
    return "link"


def by_dangling_symlink(root: Path, outside: Path) -> str:
    (root / "link").symlink_to(outside / "new.txt")
    return "link"


def by_folder_symlink(root: Path, outside: Path) -> str:
    (root / "folder").symlink_to(outside)
    return "folder/kept.txt"


def by_hard_link(root: Path, outside: Path) -> str:
    (root / "twin").hardlink_to(outside / "kept.txt")
    return "twin"


ROUTES: dict[str, Route] = {
    "absolute": lambda _root, outside: str(outside / "kept.txt"),
    "absolute below the workspace's name": lambda _root, _outside: "/workspace/../outside/kept.txt",
    "parent": lambda _root, _outside: "../../outside/kept.txt",
    "hidden parent": lambda _root, _outside: "a/../../../outside/kept.txt",
    "symlink": by_symlink,
    "dangling symlink": by_dangling_symlink,
    "symlink to a folder": by_folder_symlink,
    "hard link": by_hard_link,
    "proc": lambda _root, outside: f"/proc/self/root{outside}/kept.txt",
}


@BOTH
@pytest.mark.parametrize("route", ROUTES)
def test_the_file_tools_write_nothing_outside(cell: Cell, outside: Path, route: str) -> None:
    path = ROUTES[route](cell.root, outside)
    done = cell.call("fs_write", path=path, content="overwritten")
    assert done.outcome is CallOutcome.refused
    assert "\n" not in done.result
    assert state(outside) == {"kept.txt": "kept"}


@BOTH
@pytest.mark.parametrize("route", ROUTES)
def test_the_file_tools_read_nothing_outside(cell: Cell, outside: Path, route: str) -> None:
    done = cell.call("fs_read", path=ROUTES[route](cell.root, outside))
    assert done.outcome is CallOutcome.refused
    assert "kept\n" not in done.result


@MOUNTED
@pytest.mark.parametrize(
    "command",
    [
        "echo overwritten > {outside}/kept.txt",
        "echo overwritten > ../../outside/kept.txt",
        "ln -s {outside}/kept.txt link; echo overwritten > link",
        "ln -s {outside} folder; echo overwritten > folder/new.txt",
        "ln {outside}/kept.txt twin; echo overwritten > twin",
        "mkdir -p {outside}; cp /etc/passwd {outside}/new.txt",
        "cd /proc/self/root{outside} && echo overwritten > kept.txt",
    ],
)
def test_a_shell_redirection_does_not_reach_the_host(cell: Cell, outside: Path, command: str) -> None:
    cell.shell(command.format(outside=outside))
    assert state(outside) == {"kept.txt": "kept"}


@MOUNTED
@pytest.mark.parametrize(
    "folder", ["/", "/usr", "/usr/lib", "/usr/local/bin", "/etc", "/dev", "/opt", "/proc/sys/kernel"]
)
def test_the_system_is_read_only(cell: Cell, folder: str) -> None:
    assert cell.run("touch", f"{folder.rstrip('/')}/planted").exit_code == 1
    assert not Path(folder, "planted").exists()


@MOUNTED
def test_the_interpreter_cannot_be_replaced(cell: Cell) -> None:
    done = cell.python(
        "import os, sys; print(os.access(os.path.realpath(sys.executable), os.W_OK)); open(os.__file__, 'a')"
    )
    assert done.exit_code == 1
    assert b"False" in done.output


@EVERYWHERE
@pytest.mark.parametrize("tool", ["fs_read", "fs_write"])
def test_special_files_do_not_block_and_are_refused(cell: Cell, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(cell.root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(cell.root)
        listening.bind("socket")
        arguments: dict[str, Any] = {"content": "x"} if tool == "fs_write" else {}
        for name in ("pipe", "socket"):
            done = cell.call(tool, path=name, **arguments)
            assert done.outcome is CallOutcome.refused
            assert "not a regular file" in done.result


@EVERYWHERE
def test_a_folder_that_turns_into_a_symlink_is_not_followed(cell: Cell, outside: Path) -> None:
    """A writer swaps a folder for a link to the outside as fast as it can while the tool writes through it."""
    folder, link, ended = cell.root / "folder", cell.root / "link", threading.Event()
    folder.mkdir()
    link.symlink_to(outside)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2

    def swap() -> None:
        while not ended.is_set():
            assert exchange(AT_FDCWD, bytes(folder), AT_FDCWD, bytes(link), RENAME_EXCHANGE) == 0

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes: set[CallOutcome] = set()
    try:
        for i in range(30_000):
            outcomes.add(cell.call("fs_write", path=f"folder/{i}.txt", content="x").outcome)
            if i >= 300 and len(outcomes) > 1:  # which of them comes when is the scheduler's affair
                break
    finally:
        ended.set()
        swapping.join()
    assert state(outside) == {"kept.txt": "kept"}
    assert outcomes == {CallOutcome.ok, CallOutcome.refused}


@pytest.mark.parametrize("cell", [PROCESS], indirect=True)
def test_the_plain_processs_own_folders_cannot_be_used_against_it(cell: Cell, outside: Path) -> None:
    """They lie where the agent may write: links and pipes in their place are neither followed nor waited for."""
    shown = {"/checker/new.txt": outside / "kept.txt"}
    cell.run(
        "sh", "-c", f"rm -rf $HOME/.python/pyvenv.cfg; mkfifo $HOME/.python/pyvenv.cfg; ln -s {outside} $HOME/.mounts"
    )
    assert cell.run("cat", cell.sandbox.path(cell.workspace, "/checker/new.txt"), read_only=shown).output == b"kept"
    cell.run("sh", "-c", f"rm -rf $HOME/.python; ln -s {outside} $HOME/.python")
    assert b"No module named 'numpy'" in cell.python("import numpy").output
    assert state(outside) == {"kept.txt": "kept"}


@EVERYWHERE
def test_read_only_files_keep_their_content_on_the_host(cell: Cell, tmp_path: Path) -> None:
    """What a checker shows to code under test survives that code, in place or as a copy of it."""
    checker = tmp_path / "checker"
    checker.mkdir(mode=0o755)
    (checker / "expected.txt").write_text("42")
    seen = cell.sandbox.path(cell.workspace, "/checker/expected.txt")
    command = f"cat {seen}; echo 43 > {seen}; rm -f {seen}; chmod 777 {seen}; mv {seen} {seen}.old"
    done = cell.run("sh", "-c", command, read_only={"/checker": checker})
    assert done.output.startswith(b"42")
    assert state(checker) == {"expected.txt": "42"}
    again = cell.run("cat", seen, read_only={"/checker": checker})
    assert again.output == b"42"
