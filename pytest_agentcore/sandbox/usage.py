"""What a tree of processes uses right now: its members, their memory, the disk of its workspace. Linux' /proc."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from pytest_agentcore.sandbox.tree import Kind, walk

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
