"""Watch one running process to its end: collect output, keep time, memory, disk and number of processes bounded."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_agentcore.sandbox import usage
from pytest_agentcore.sandbox.base import Completed, Limits, Workspace
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
    if not killed_for and usage.disk((workspace.root, workspace.tmp), limits.disk_bytes) > limits.disk_bytes:
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
        if usage.memory(pids, limits.memory_bytes) > limits.memory_bytes:
            return "memory_bytes"
        return "disk_bytes" if self._disk_grows_beyond(usage.nameless(pids)) else ""

    def _disk_grows_beyond(self, hidden: int) -> bool:
        """A command that finds the disk overfull may still delete; what it may not is add."""
        limit = self.limits.disk_bytes
        if not self._disk_cap:
            self._disk_cap = max(limit, usage.disk(self._folders, limit * OVERFULL))
        return hidden + usage.disk(self._folders, self._disk_cap) > self._disk_cap


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
