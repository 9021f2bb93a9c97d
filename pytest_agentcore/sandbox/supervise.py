"""Watch one running process to its end: collect output, keep time, memory, disk and number of processes bounded."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_agentcore.sandbox.base import Completed, Limits, Workspace
from pytest_agentcore.sandbox.tree import Kind, walk
from pytest_agentcore.sandbox.workspace import mend

FIRST_LOOK = 0.03
"""Seconds. Most commands are over by then and are never measured."""
LONGEST_PAUSE = 0.1
"""Seconds between two looks; pauses grow to it, and a look that is costly is paid for by a longer pause."""
SHARE = 0.1
"""Part of the wall clock that measuring may take."""
OVERFULL = 4
"""How many times the limit on disk is counted when the command found more than the limit."""
BLOCK = 65536
PIPE_BLOCKS = 64
"""More than a pipe holds, whatever size a process gave it."""


class Running:
    """A started process, the tree below it and how to end it. Each sandbox has its own kind."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def pids(self, most: int) -> list[int]:
        """The processes that count; where there are more than `most`, not all of them."""
        raise NotImplementedError

    def end(self) -> None:
        """Kill the whole tree and return when it is gone; harmless when it already is."""
        raise NotImplementedError


@dataclass(slots=True)
class Output:
    """Combined output: the first `limit` bytes, and a count of the rest."""

    limit: int
    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, block: bytes) -> None:
        """Keep what still fits."""
        room = self.limit - len(self.kept)
        self.kept += block[:room]
        self.dropped += max(0, len(block) - room)


def supervise(running: Running, workspace: Workspace, limits: Limits) -> Completed:
    """Follow the process to its end or to a limit. Its stdout must be a pipe that stderr shares.

    Every process of the tree is gone on return, whichever way it ends.
    """
    started = time.monotonic()
    output = Output(limits.output_bytes)
    try:
        try:
            killed_for = _follow(running, output, started, _Meter(running, workspace, limits))
        finally:
            running.end()
            code = running.process.wait()
        _drain(running.process, output)
    finally:
        _close(running.process)
    mend(workspace)
    if not killed_for and disk((workspace.root, workspace.tmp), limits.disk_bytes) > limits.disk_bytes:
        killed_for = "disk_bytes"
    return Completed(
        exit_code=None if killed_for else _shell_code(code),
        output=bytes(output.kept),
        dropped_bytes=output.dropped,
        killed_for=killed_for,
        seconds=time.monotonic() - started,
    )


def _follow(running: Running, output: Output, started: float, meter: _Meter) -> str:
    """The limit that was passed, or nothing when the process ended by itself."""
    pipe = _pipe(running.process)
    os.set_blocking(pipe, False)
    exited = os.pidfd_open(running.process.pid)
    try:
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        poller.register(exited, select.POLLIN)
        deadline = started + meter.limits.wall_seconds
        while True:
            now = time.monotonic()
            if now >= deadline:
                return "wall_seconds"
            if now >= meter.next_look and (exceeded := meter.look()):
                return exceeded
            until = min(deadline, meter.next_look) - now
            for fd, _ in poller.poll(max(0, until) * 1000 + 1):
                if fd == exited:
                    return ""
                if not _read_some(pipe, output):
                    poller.unregister(pipe)
    finally:
        os.close(exited)


class _Meter:
    """Looks at the tree from time to time."""

    def __init__(self, running: Running, workspace: Workspace, limits: Limits) -> None:
        self.limits = limits
        self.next_look = time.monotonic() + FIRST_LOOK
        self._running, self._folders = running, (workspace.root, workspace.tmp)
        self._pause = FIRST_LOOK
        self._disk_cap = 0
        """Set by the first look."""

    def look(self) -> str:
        """The limit that the tree exceeds now, or nothing."""
        began = time.monotonic()
        exceeded = self._exceeded(self._running.pids(self.limits.processes))
        took = time.monotonic() - began
        self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
        self.next_look = began + took + max(self._pause, took / SHARE)
        return exceeded

    def _exceeded(self, pids: Sequence[int]) -> str:
        limits = self.limits
        if len(pids) > limits.processes:
            return "processes"
        if memory(pids, limits.memory_bytes) > limits.memory_bytes:
            return "memory_bytes"
        return "disk_bytes" if self._disk_grows_beyond(nameless(pids)) else ""

    def _disk_grows_beyond(self, hidden: int) -> bool:
        """A command that finds the disk overfull may still delete; what it may not is add."""
        limit = self.limits.disk_bytes
        if not self._disk_cap:
            self._disk_cap = max(limit, disk(self._folders, limit * OVERFULL))
        return hidden + disk(self._folders, self._disk_cap) > self._disk_cap


def _pipe(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return process.stdout.fileno()


def _read_some(pipe: int, output: Output) -> bool:
    """Whether the pipe is still open."""
    try:
        block = os.read(pipe, BLOCK)
    except BlockingIOError:
        return True
    output.add(block)
    return bool(block)


def _drain(process: subprocess.Popen[bytes], output: Output) -> None:
    """What the tree left in the pipe; bounded, for a process that got away could go on writing."""
    pipe = _pipe(process)
    for _ in range(PIPE_BLOCKS):
        try:
            block = os.read(pipe, BLOCK)
        except BlockingIOError:
            break
        if not block:
            break
        output.add(block)


def _close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()


def _shell_code(code: int) -> int:
    """A signal as shells number it: 128 and the signal."""
    return 128 - code if code < 0 else code


OPEN_FILES = 512
SPARE_PROCESSES = 64
"""The kernel's limit lies this far above `Limits.processes`: it holds between two looks of the watch, which ends the
tree, and it counts threads."""


def rlimits(limits: Limits) -> dict[str, int]:
    """Bytes, seconds or counts by name. `nproc` does not bind root; the watch counts the tree's processes too."""
    return {
        "nproc": limits.processes + SPARE_PROCESSES,
        "core": 0,
        "cpu": limits.cpu_seconds,
        "data": limits.memory_bytes,
        "fsize": limits.file_bytes,
        "nofile": OPEN_FILES,
    }


PAGE = os.sysconf("SC_PAGE_SIZE")
INODE = 4096
"""What every name counts on top of its blocks: a million empty files fill a disk too."""


def descendants(pid: int, most: int = 100_000) -> list[int]:
    """`pid` and the processes below it; those that end meanwhile may be missing, and beyond `most` nobody counts on."""
    found = [pid]
    for parent in found:
        found.extend(_children(parent))
        if len(found) > most:
            break
    return found


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - polled often, Path costs more
    except OSError:
        return []
    lines = (_read(f"/proc/{pid}/task/{thread}/children") for thread in threads)
    return [int(child) for line in lines for child in line.split()]


def memory(pids: Iterable[int], cap: int) -> int:
    """Bytes in memory of all `pids` together.

    Pages that several processes share count once for each until the sum passes `cap`; only then each process's
    proportional share is asked for, which costs a walk over its page tables.
    """
    pids = list(pids)
    resident = sum(_resident(pid) for pid in pids)
    return resident if resident <= cap else sum(_proportional(pid) for pid in pids)


def _resident(pid: int) -> int:
    numbers = _read(f"/proc/{pid}/statm").split()
    return int(numbers[1]) * PAGE if len(numbers) > 1 else 0


def _proportional(pid: int) -> int:
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(pid)


def disk(folders: Iterable[Path], cap: int) -> int:
    """Bytes that everything below `folders` occupies; the count ends as soon as it passes `cap`.

    A tree that is nested too deeply to be read counts as more than `cap`: nothing in it could be bounded. A folder that
    is gone counts nothing.
    """
    used = 0
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in walk(folder):
                used += INODE + entry.stat.st_blocks * 512
                if used > cap or entry.kind is Kind.too_deep:
                    return max(used, cap + 1)
    return used


def nameless(pids: Iterable[int]) -> int:
    """Bytes of open files that have no name any more: deleted ones and memory files, which no folder shows."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in pids:
        for status in _open_files(pid):
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def _open_files(pid: int) -> list[os.stat_result]:
    found = []
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found.append(link.stat())  # noqa: PERF401 - what was seen before an error counts
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - polled often, Path costs more
            return file.read()
    except OSError:
        return ""
