"""Run one command and leave nothing of it behind: the process sandbox's own parent process, started as a script.

`python3 -I -S reaper.py NAME=VALUE,… ARGV...`: becomes the adopter of every orphan below it, sets the limits in the
child (`nproc` on top of what the user runs already), waits for it, kills what is left and ends with the child's exit
code. SIGTERM makes it kill at once. It imports nothing of the package, because its interpreter has none.
"""

from __future__ import annotations

# Few imports and no pathlib: this starts with every command.
import ctypes
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""linux/prctl.h"""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""A shell's exit codes for a command that is not there, or that cannot be run."""
PATIENCE = 10.0
"""Seconds until what the kernel does not let go of is given up."""


class Asked(Exception):
    """SIGTERM came: the command is to end now."""


def main(arguments: Sequence[str]) -> int:
    """The exit code of the command, 128 and the signal when one ended it."""
    pairs = (word.split("=") for word in arguments[0].split(","))
    limits, argv = {name: int(value) for name, value in pairs}, arguments[1:]
    limits["nproc"] += _tasks_of_user()
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    child = os.fork()
    if child == 0:
        _become(argv, limits)
    try:
        signal.signal(signal.SIGTERM, _ask)
        code = _wait_for(child)
    except Asked:
        code = 128 + signal.SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_all(child)
    return code


def kill_below(pid: int) -> None:
    """Kill what is found below `pid` now, by process group and one by one."""
    left = _below(pid)
    for group in {_group(each) for each in left} - {0, os.getpgid(0)}:
        _signal(os.killpg, group)
    for each in left:
        _signal(os.kill, each)


def _end_all(child: int) -> None:
    """Kill until the kernel says that there is no child any more, which an adopter's list of orphans cannot miss.

    The child's process group comes first: a signal to a group also reaches a process that is just being forked, so a
    fork bomb cannot outrun it. Only one that leaves its group with every fork has to be hunted.
    """
    deadline = time.monotonic() + PATIENCE
    while _reap() and time.monotonic() < deadline:
        _signal(os.killpg, child)
        if _reap():
            kill_below(os.getpid())
            time.sleep(0.001)


def _reap() -> bool:
    """Whether a child is left, adopted ones included, after those that have ended are gone."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _ask(*_: object) -> None:
    raise Asked


def _tasks_of_user() -> int:
    """Processes and threads: what the kernel's limit on processes counts."""
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - see the top of the file
        try:
            status = os.stat(f"/proc/{pid}/task")  # noqa: PTH116
        except OSError:
            continue
        count += status.st_nlink - 2 if status.st_uid == os.getuid() else 0
    return count


def _become(argv: Sequence[str], limits: Mapping[str, int]) -> None:
    try:
        os.setsid()
        for name, value in limits.items():
            kind = getattr(resource, f"RLIMIT_{name.upper()}")
            ceiling = resource.getrlimit(kind)[1]
            bound = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
            resource.setrlimit(kind, (bound, bound))
        os.execvp(argv[0], list(argv))  # noqa: S606 - a shell is the command's own business
    except (OSError, ValueError) as error:
        os.write(2, f"{argv[0]}: {error}\n".encode(errors="replace"))
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _wait_for(child: int) -> int:
    """Reaps adopted orphans on the way."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _below(pid: int) -> list[int]:
    """Processes below `pid`. The kernel's lists may miss some while others come and go: ask again."""
    found = [pid]
    for parent in found:
        found.extend(_children(parent))
    return found[1:]


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - see the top of the file
    except OSError:
        return []
    return [int(child) for task in tasks for child in _read(f"/proc/{pid}/task/{task}/children").split()]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - see the top of the file
            return file.read()
    except OSError:
        return b""


def _group(pid: int) -> int:
    """0 when the process is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _signal(send: Callable[[int, int], None], target: int) -> None:
    try:
        send(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
