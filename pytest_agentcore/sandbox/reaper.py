"""Run one command and leave nothing of it behind: the process sandbox's own parent process, started as a script.

`python3 -I -S reaper.py NAME=VALUE,… ARGV...`: becomes the adopter of every orphan below it, sets the limits in the
child, waits for it, kills what is left and ends with the child's exit code. It imports nothing of the package, because
its interpreter has none.
"""

# Few imports and no pathlib: this starts with every command.
from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""linux/prctl.h"""
NOT_STARTED = 127
PATIENCE = 10.0
"""Seconds."""


def main(arguments: Sequence[str]) -> int:
    """The exit code of the command, 128 and the signal when one ended it."""
    pairs = (word.split("=") for word in arguments[0].split(","))
    limits, argv = {name: int(value) for name, value in pairs}, arguments[1:]
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: end_below(os.getpid()))
    child = os.fork()
    if child == 0:
        _become(argv, limits)
    code = _wait_for(child)
    end_below(os.getpid())
    return code


def end_below(pid: int) -> None:
    """Kill everything below `pid`: stop first, so that nothing forks while the others die; repeat until none is left.

    Gives up on what it may not kill or the kernel does not let go of. Zombies do not count; their parent reaps them or
    dies itself.
    """
    deadline = time.monotonic() + PATIENCE
    seen: set[int] = set()
    while fresh := set(living_below(pid)) - seen:
        _signal(fresh, signal.SIGSTOP)
        seen |= fresh
    while (left := living_below(pid)) and time.monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        time.sleep(0.002)


def living_below(pid: int) -> list[int]:
    """Every process below `pid` that has not ended."""
    found = [pid]
    for parent in found:
        found.extend(_children(parent))
    return [each for each in found[1:] if _lives(each)]


def _become(argv: Sequence[str], limits: Mapping[str, int]) -> None:
    try:
        for name, value in limits.items():
            kind = getattr(resource, f"RLIMIT_{name.upper()}")
            ceiling = resource.getrlimit(kind)[1]
            bound = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
            resource.setrlimit(kind, (bound, bound))
        os.execvp(argv[0], list(argv))  # noqa: S606 - a shell is the command's own business
    except (OSError, ValueError) as error:
        os.write(2, f"{argv[0]}: {error}\n".encode(errors="replace"))
    os._exit(NOT_STARTED)


def _wait_for(child: int) -> int:
    """Reaps adopted orphans on the way."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - see the top of the file
    except OSError:
        return []
    return [int(child) for task in tasks for child in _read(f"/proc/{pid}/task/{task}/children").split()]


def _lives(pid: int) -> bool:
    after_name = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return bool(after_name) and after_name[0] not in (b"Z", b"X")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - see the top of the file
            return file.read()
    except OSError:
        return b""


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
