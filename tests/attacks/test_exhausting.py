"""Using up the machine: processes, memory, disk, output, time."""

from __future__ import annotations

import pytest
from confined import BUBBLEWRAP, CONTAINER, EVERYWHERE, MOUNTED, TRIAL, Cell

from pytest_agentcore.sandbox.base import MIB, Completed
from pytest_agentcore.sandbox.watch import disk
from pytest_agentcore.trial.result import CallOutcome

SHELL_BOMB = "f(){ f|f & };f; sleep 20"
SETSID_BOMB = "printf 'setsid sh $0 & setsid sh $0 & wait' > /tmp/b; sh /tmp/b"
BOUNDED_BOMB = "i=0; while [ $i -lt 300 ]; do sleep 20 & i=$((i+1)); done; wait"
"""For the plain process: as root nothing but the watch stops it there, and a test must be harmless if it fails."""
FILL_MEMORY = "x = bytearray({each}); import time; time.sleep(20)"


def ended_for_processes(done: Completed) -> bool:
    """By the watch, or before it looked, because the kernel's own limit left the shell without another process."""
    return done.killed_for == "processes" or b"Cannot fork" in done.output


@pytest.mark.parametrize("cell", [BUBBLEWRAP, CONTAINER, TRIAL], indirect=True)
@pytest.mark.parametrize("bomb", [SHELL_BOMB, SETSID_BOMB])
def test_a_fork_bomb_is_ended(cell: Cell, bomb: str) -> None:
    assert ended_for_processes(cell.run("sh", "-c", bomb, wall_seconds=20, processes=64))
    assert cell.shell("echo alive") == "alive\nexit code 0"


@EVERYWHERE
def test_too_many_processes_are_ended(cell: Cell) -> None:
    assert ended_for_processes(cell.run("sh", "-c", BOUNDED_BOMB, wall_seconds=20, processes=64))


@EVERYWHERE
def test_one_process_cannot_have_more_memory_than_the_tree(cell: Cell) -> None:
    done = cell.python(FILL_MEMORY.format(each=300 * MIB), memory_bytes=200 * MIB)
    assert b"MemoryError" in done.output


@EVERYWHERE
def test_many_processes_cannot_have_more_memory_together(cell: Cell) -> None:
    source = FILL_MEMORY.format(each=60 * MIB)
    command = f"for i in 1 2 3 4; do python3 -c '{source}' & done; wait"
    done = cell.run("sh", "-c", command, memory_bytes=150 * MIB, wall_seconds=20)
    assert done.killed_for == "memory_bytes"


@EVERYWHERE
def test_pages_shared_by_many_processes_count_once(cell: Cell) -> None:
    """Ten children of one process that holds 40 MiB are no fill."""
    source = """if True:
        import os, time
        x = bytes(40 << 20).replace(b"\\0", b"x")
        for _ in range(10):
            if os.fork() == 0:
                time.sleep(0.3)
                os._exit(0)
        for _ in range(10):
            os.wait()
        print("done")
    """
    assert cell.python(source, memory_bytes=150 * MIB).output == b"done\n"


@MOUNTED
@pytest.mark.parametrize(
    "hoard",
    [
        "import os; fd = os.memfd_create('x'); os.write(fd, bytes(1 << 20))",
        "import ctypes; c = ctypes.CDLL(None); assert c.shmget(0, 1 << 20, 0o1600) >= 0",
        "open('/fill', 'wb')",
        "open('/dev/fill', 'wb')",
        "open('/run/fill', 'wb')",
    ],
)
def test_memory_that_no_limit_counts_cannot_be_had(cell: Cell, hoard: str) -> None:
    assert cell.python(hoard).exit_code == 1


WAYS_TO_FILL = {
    "many files": "i=0; while :; do i=$((i+1)); echo x > f$i; done",
    "large files": "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; done",
    "tmp": 'i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > "$TMPDIR"/f$i; done',
    "folders": "while :; do mkdir d && cd d; done",
    "files without a name": (
        "python3 -c \"\nimport os, time\nfor i in range(40):\n f = open('x', 'wb', 0); os.unlink('x')\n"
        ' f.write(bytes(1000000)); globals()[str(i)] = f\ntime.sleep(20)"'
    ),
}


@EVERYWHERE
@pytest.mark.parametrize("way", WAYS_TO_FILL)
def test_the_disk_cannot_be_filled(cell: Cell, way: str) -> None:
    done = cell.run("sh", "-c", WAYS_TO_FILL[way], disk_bytes=4 * MIB, wall_seconds=30)
    assert done.killed_for == "disk_bytes"
    assert disk([cell.workspace.root, cell.workspace.tmp], 2000 * MIB) < 1000 * MIB or way == "folders"


@MOUNTED
def test_shared_memory_files_count_as_disk(cell: Cell) -> None:
    command = "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > /dev/shm/f$i; done"
    assert cell.run("sh", "-c", command, disk_bytes=4 * MIB, wall_seconds=30).killed_for == "disk_bytes"


@EVERYWHERE
def test_one_file_cannot_grow_beyond_its_limit(cell: Cell) -> None:
    cell.run("sh", "-c", "head -c 5000000 /dev/zero > big; truncate -s 1G sparse", file_bytes=MIB)
    assert (cell.root / "big").stat().st_size == MIB
    assert (cell.root / "sparse").stat().st_size == 0


@EVERYWHERE
def test_an_overfull_disk_can_be_emptied_again(cell: Cell) -> None:
    for number in range(8):
        (cell.root / f"f{number}").write_bytes(bytes(MIB))
    assert cell.run("true", disk_bytes=4 * MIB).killed_for == "disk_bytes"
    done = cell.run("sh", "-c", "sleep 0.2; rm f*; sleep 0.2; echo emptied", disk_bytes=4 * MIB)
    assert (done.killed_for, done.output) == ("", b"emptied\n")


@EVERYWHERE
def test_endless_output_is_dropped(cell: Cell) -> None:
    done = cell.run("yes", output_bytes=1000, wall_seconds=0.5)
    assert done.killed_for == "wall_seconds"
    assert done.output == b"y\n" * 500
    assert done.dropped_bytes > 10_000


@EVERYWHERE
@pytest.mark.parametrize("command", ["sleep 60", "trap '' TERM INT HUP; while :; do :; done", "kill -STOP $$"])
def test_wall_clock_ends_whatever_waits(cell: Cell, command: str) -> None:
    assert cell.run("sh", "-c", command, wall_seconds=0.3).killed_for == "wall_seconds"


@EVERYWHERE
def test_a_busy_process_ends_at_its_processor_time(cell: Cell) -> None:
    done = cell.run("sh", "-c", "while :; do :; done", cpu_seconds=1, wall_seconds=30)
    assert done.exit_code in (128 + 9, 128 + 24)


@EVERYWHERE
def test_a_model_reads_why_its_command_was_ended(cell: Cell) -> None:
    done = cell.call("shell", seconds_left=1, command="echo begun; sleep 60")
    assert done.outcome is CallOutcome.refused
    assert done.result == "begun\nkilled: it ran longer than 1 seconds"
