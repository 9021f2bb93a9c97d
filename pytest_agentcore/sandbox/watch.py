"""Watch one running process tree to its end: collect output, keep time, memory, disk and number of processes bounded.

The kernel limits each process; what a tree uses together no unprivileged process can have limited, so it is measured.
Containers read this module too, with their own Python: it imports only such siblings as go there with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import resource
import select
import stat
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_agentcore.sandbox.base import Completed, Limits
from pytest_agentcore.sandbox.reaper import read, table
from pytest_agentcore.sandbox.tree import Kind, walk

FIRST_LOOK = 0.03
"""Seconds. Most commands are over by then and are never measured."""
LONGEST_PAUSE = 0.1
"""Seconds between two looks; pauses grow to it, and a look that is costly is paid for by a longer pause. Whether the
trial was cancelled is looked at no less often."""
CANCELLED = "cancelled"
"""Stands for the limit where none was passed, and somebody ended the trial."""
SHARE = 0.1
"""Part of the wall clock that measuring may take."""
OVERFULL = 4
"""A disk that is found overfull is counted up to so many times its limit."""
BLOCK = 65536
PIPE_BLOCKS = 64
"""More than a pipe holds, whatever size a process gave it."""
OPEN_FILES = 512
SPARE_PROCESSES = 64
"""The kernel's limit lies this far above `Limits.processes`: it holds between two looks of the watch, which ends the
tree, and it counts threads."""
TICK = 0.02
"""Seconds between two questions whether a process has ended, where the kernel does not say so by itself (macOS)."""
PAGE = os.sysconf("SC_PAGE_SIZE")
INODE = 4096
"""Bytes that every name counts on top of its blocks: a million empty files fill a disk too."""


def rlimits(limits: Limits) -> dict[int, int]:
    """The kernel's limits of each process, by `resource.RLIMIT_*`; the one on the number of processes binds no root."""
    return {
        resource.RLIMIT_NPROC: limits.processes + SPARE_PROCESSES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }


@dataclass
class Running:
    """A started process, the tree below it and how to end it. Each sandbox has its own kind."""

    process: subprocess.Popen[bytes]
    lifeline: int | None = field(default=None, kw_only=True)
    """A descriptor that says something only once the command is to end, or nobody waits for it any more."""

    def pids(self, most: int) -> list[int]:
        """The processes that count; where there are more than `most`, not all of them."""
        raise NotImplementedError

    def end(self) -> None:
        """Kill the whole tree and return when it is gone; harmless when it already is."""
        raise NotImplementedError


@contextlib.contextmanager
def readable(content: bytes) -> Iterator[int]:
    """A descriptor that reads `content` from its start and that nobody can write to."""
    if not content:
        with open(os.devnull, "rb", buffering=0) as nothing:  # noqa: PTH123 - as bare as can be: once per command
            yield nothing.fileno()
        return
    fd = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield fd
    finally:
        os.close(fd)


def follow(
    running: Running, folders: Sequence[Path], limits: Limits, cancel: threading.Event | None = None
) -> Completed:
    """Follow the process to its end or to a limit. Its stdout must be a pipe that stderr shares.

    Every process of the tree is gone on return, whichever way it ends.
    """
    pipe = running.process.stdout
    assert pipe is not None
    output = _Output(pipe.fileno(), limits.output_bytes)
    with pipe:
        try:
            killed_for = _wait(running, output, _Meter(running, folders, limits), cancel)
        finally:
            running.end()
            code = running.process.wait()
        # The rest is in the pipe now. Bounded, for a process that got away could go on writing.
        for _ in range(PIPE_BLOCKS):
            if not output.read():
                break
    shell_code = 128 - code if code < 0 else code  # a signal as shells number it
    return Completed(
        exit_code=None if killed_for else shell_code,
        output=bytes(output.kept),
        dropped_bytes=output.dropped,
        killed_for=killed_for,
    )


def _wait(running: Running, output: _Output, meter: _Meter, cancel: threading.Event | None) -> str:
    """Wait for the process's end while its output is read; returns the limit that was passed, if one was."""
    # The end of the output says nothing: a process may close it early, or leave it open to one that it started.
    exited = os.pidfd_open(running.process.pid) if hasattr(os, "pidfd_open") else None
    ends = {fd: said for fd, said in ((exited, ""), (running.lifeline, CANCELLED)) if fd is not None}
    poller, longest = select.poll(), LONGEST_PAUSE if exited is not None else TICK
    for fd in (output.pipe, *ends):
        poller.register(fd, select.POLLIN)
    deadline = time.monotonic() + meter.limits.wall_seconds
    try:
        while exited is not None or running.process.poll() is None:
            now = time.monotonic()
            if cancel and cancel.is_set():
                return CANCELLED
            if now >= deadline:
                return "wall_seconds"
            if now >= meter.next_look and (exceeded := meter.look()):
                return exceeded
            until = min(deadline, meter.next_look, now + longest) - now
            for fd, _ in poller.poll(max(0, until) * 1000 + 1):
                if fd in ends:
                    return ends[fd]
                if output.read() == b"":
                    poller.unregister(output.pipe)
        return ""
    finally:
        if exited is not None:
            os.close(exited)


class _Output:
    """The first `limit` bytes that the tree writes, and a count of the rest."""

    def __init__(self, pipe: int, limit: int) -> None:
        os.set_blocking(pipe, False)
        self.pipe, self._limit = pipe, limit
        self.kept, self.dropped = bytearray(), 0

    def read(self) -> bytes | None:
        """Take one block: empty at the end, None when none is there (the tree itself may have read it)."""
        try:
            block = os.read(self.pipe, BLOCK)
        except BlockingIOError:
            return None
        room = self._limit - len(self.kept)
        self.kept += block[:room]
        self.dropped += max(0, len(block) - room)
        return block


class _Meter:
    """Looks at the tree from time to time."""

    def __init__(self, running: Running, folders: Sequence[Path], limits: Limits) -> None:
        self.limits = limits
        self.next_look = time.monotonic() + FIRST_LOOK
        self._running, self._folders = running, folders
        self._pause = FIRST_LOOK
        self._disk_cap = 0
        """The disk that may be used; zero until the first look, which finds how much there was."""

    def look(self) -> str:
        """The limit that the tree exceeds now, or nothing; sets when to look again."""
        began, limits = time.monotonic(), self.limits
        pids = self._running.pids(limits.processes)
        if len(pids) > limits.processes:
            return "processes"
        if memory(pids, limits.memory_bytes) > limits.memory_bytes:
            return "memory_bytes"
        # A command that finds the disk overfull may still delete; what it may not is add.
        if not self._disk_cap:
            self._disk_cap = max(limits.disk_bytes, disk(self._folders, limits.disk_bytes * OVERFULL))
        if nameless(pids) + disk(self._folders, self._disk_cap) > self._disk_cap:
            return "disk_bytes"
        took = time.monotonic() - began
        self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
        self.next_look = began + took + max(self._pause, took / SHARE)
        return ""


def memory(pids: Sequence[int], cap: int) -> int:
    """Bytes in memory of all `pids` together.

    Pages that several processes share count once for each until the sum passes `cap`; only then each process's
    proportional share is asked for, which costs a walk over its page tables.
    """
    if not read("/proc/self/statm"):  # no Linux
        return sum(resident * 1024 for pid, _, resident in table() if pid in pids)
    resident = sum(map(_resident, pids))
    if resident <= cap:
        return resident
    shares = {pid: re.search(rb"^Pss: *(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.M) for pid in pids}
    # Without a share the process shows none, or it has just ended: then it is no longer resident either.
    return sum(int(share[1]) * 1024 if share else _resident(pid) for pid, share in shares.items())


def _resident(pid: int) -> int:
    numbers = read(f"/proc/{pid}/statm").split()
    return int(numbers[1]) * PAGE if len(numbers) > 1 else 0


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
        with contextlib.suppress(OSError):  # the process, or one of its files, is gone; what was seen counts
            for link in Path(f"/proc/{pid}/fd").iterdir():
                status = link.stat()
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())
