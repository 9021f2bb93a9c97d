"""Going on after the call."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import confined
import pytest
from confined import BUBBLEWRAP, CONTAINER, EVERYWHERE, MOUNTED, NAMESPACE, PROCESS, TRIAL, Cell, sandbox_of

from pytest_agentcore.sandbox.workspace import freeze

WAYS = {
    "background": "sleep 300.{mark} &",
    "ignores hangup": "nohup sleep 300.{mark} >/dev/null 2>&1 &",
    "own session": "setsid sleep 300.{mark} >/dev/null 2>&1 </dev/null &",
    "double fork": "(setsid sh -c 'sleep 300.{mark} & sleep 300.{mark} &' >/dev/null 2>&1 &)",
    "without environment": "env -i setsid sleep 300.{mark} >/dev/null 2>&1 &",
    "daemon": "python3 -c \"\nimport os\nfor _ in 'ab':\n os.fork() and os._exit(0)\n os.setsid()\n"
    "os.execvp('sleep', ['sleep', '300.{mark}'])\" >/dev/null 2>&1",
    "renews itself": "sh -c 'trap \"\" TERM; while :; do sleep 300.{mark} & sleep 0.01; kill $!; done' &",
}


def carrying(mark: str) -> Iterator[str]:
    """Command lines of living processes in which `mark` stands."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:
            continue
        if mark.encode() in line:
            yield line.replace(b"\0", b" ").decode(errors="replace")


@pytest.fixture
def mark() -> str:
    return str(uuid.uuid4().int % 10**12)


@EVERYWHERE
@pytest.mark.parametrize("way", WAYS)
def test_nothing_outlives_the_call(cell: Cell, way: str, mark: str) -> None:
    done = cell.run("sh", "-c", WAYS[way].format(mark=mark) + "\nsleep 0.1; echo end")
    assert done.output.endswith(b"end\n")
    assert list(carrying(mark)) == []


@EVERYWHERE
@pytest.mark.parametrize("way", WAYS)
def test_nothing_outlives_a_limit(cell: Cell, way: str, mark: str) -> None:
    done = cell.run("sh", "-c", WAYS[way].format(mark=mark) + "\nsleep 60", wall_seconds=0.4)
    assert done.killed_for == "wall_seconds"
    assert list(carrying(mark)) == []


@EVERYWHERE
def test_a_process_with_the_output_open_does_not_hold_the_call(cell: Cell, mark: str) -> None:
    done = cell.run("sh", "-c", f"sleep 300.{mark} & echo end", wall_seconds=30)
    assert (done.exit_code, done.output) == (0, b"end\n")
    assert list(carrying(mark)) == []


@pytest.mark.parametrize("cell", [PROCESS], indirect=True)
def test_killing_the_reaper_frees_nobody(cell: Cell, mark: str) -> None:
    cell.run("sh", "-c", f"kill -9 $PPID; setsid sleep 300.{mark} & setsid sleep 300.{mark} &")
    assert list(carrying(mark)) == []


@MOUNTED
def test_the_first_process_of_the_namespace_cannot_be_killed_from_inside(cell: Cell) -> None:
    assert cell.run("sh", "-c", "kill -9 1; kill -9 -1; echo end").exit_code in (0, 128 + 9)
    assert cell.shell("echo alive") == "alive\nexit code 0"


HARNESS = """
import sys
from pathlib import Path
from confined import cell_of
with cell_of(sys.argv[1], Path(sys.argv[2])) as cell:
    cell.shell("setsid sleep " + sys.argv[3] + " & sleep " + sys.argv[3])
"""


@pytest.mark.parametrize("kind", [BUBBLEWRAP, NAMESPACE, CONTAINER, TRIAL, PROCESS])
def test_nothing_outlives_a_harness_that_is_killed(kind: str, mark: str, tmp_path: Path) -> None:
    sandbox_of(kind)
    argv = [sys.executable, "-c", HARNESS, kind, str(tmp_path / "trial"), f"300.{mark}"]
    with subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(Path(confined.__file__).parent)}) as harness:
        # The harness's own command line carries the mark as well.
        wait_until(lambda: len([line for line in carrying(mark) if line.startswith("sleep")]) == 2)
        harness.kill()
    wait_until(lambda: not list(carrying(mark)))


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@EVERYWHERE
@pytest.mark.parametrize(
    "command",
    ["rm -rf $PWD", "rm -rf $PWD; ln -s /usr $PWD", "mv $PWD $TMPDIR/moved", "chmod 000 $PWD", "rm -rf $TMPDIR"],
)
def test_a_trial_cannot_get_rid_of_its_workspace(cell: Cell, command: str, tmp_path: Path) -> None:
    """A trial whose workspace is gone could not be scored; it is empty instead, or as it was."""
    cell.run("sh", "-c", command)
    assert cell.call("fs_write", path="a.txt", content="a").result == "wrote 1 bytes to a.txt"
    assert cell.shell("cat a.txt") == "a\nexit code 0"
    assert (freeze(cell.workspace, tmp_path / "frozen").workspace.root / "a.txt").read_text() == "a"


@EVERYWHERE
def test_a_late_writer_does_not_change_the_workspace(cell: Cell) -> None:
    cell.run("sh", "-c", "(sleep 0.2; echo late > late.txt) & :")
    time.sleep(0.4)
    assert list(cell.root.iterdir()) == []
