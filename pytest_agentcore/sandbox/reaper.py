"""Run one command and leave nothing of it behind: the process sandbox's own parent process, started as a script.

`python3 -I -S reaper.py KIND=VALUE,… ARGV...`: becomes the adopter of every orphan below it, sets the limits (by
`resource.RLIMIT_*`; processes on top of those that the user runs already) in the child, waits for it, kills what is
left and ends with the child's exit code. SIGTERM makes it kill at once. It imports nothing of the package, because its
interpreter has none; the package imports it for how it looks below a process.
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
    from collections.abc import Callable, Sequence

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""linux/prctl.h"""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""A shell's exit codes for a command that is not there, or that cannot be run."""
PATIENCE = 10.0
"""Seconds until what the kernel does not let go of is given up."""


def main(arguments: Sequence[str]) -> int:
    """The exit code of the command, 128 and the signal when one ended it."""
    pairs = (word.split("=") for word in arguments[0].split(","))
    limits, argv = {int(kind): int(value) for kind, value in pairs}, arguments[1:]
    if hasattr(libc := ctypes.CDLL(None), "prctl"):
        limits[resource.RLIMIT_NPROC] += _tasks_of_user()
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)  # a harness that is killed leaves nothing running
    else:  # no Linux: nobody adopts orphans, and nobody counts what the user runs already
        del limits[resource.RLIMIT_NPROC]
    child = os.fork()
    if child == 0:  # turn into the command
        try:
            os.setsid()
            for kind, value in limits.items():
                bound = settable(kind, value)
                resource.setrlimit(kind, (bound, bound))
            os.execvp(argv[0], list(argv))  # noqa: S606 - a shell is the command's own business
        except (OSError, ValueError) as error:
            os.write(2, f"{argv[0]}: {error}\n".encode(errors="replace"))
            os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        pid = status = 0
        while pid != child:  # adopted orphans are reaped on the way
            pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
    except KeyboardInterrupt:  # the command is to end now
        code = -signal.SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Kill until the kernel says that there is no child any more, which an adopter's list of orphans cannot miss. The
    # child's process group comes first: a signal to a group also reaches a process that is just being forked, so a
    # fork bomb cannot outrun it. Only one that leaves its group with every fork has to be hunted.
    deadline = time.monotonic() + PATIENCE
    while _reap() and time.monotonic() < deadline:
        _signal(os.killpg, child)
        if _reap():
            kill_below(os.getpid())
            time.sleep(0.001)
    return 128 - code if code < 0 else code


def _reap() -> bool:
    """Whether a child is left, adopted ones included, after those that have ended are gone."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def kill_below(pid: int) -> None:
    """Kill what is found below `pid` now, by process group and one by one."""
    left = below(pid)
    groups = set()
    for each in left:
        try:
            groups.add(os.getpgid(each))
        except ProcessLookupError:
            continue
    for group in groups - {os.getpgid(0)}:
        _signal(os.killpg, group)
    for each in left:
        _signal(os.kill, each)


def _signal(send: Callable[[int, int], None], target: int) -> None:
    try:
        send(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def below(pid: int, most: int = 100_000) -> list[int]:
    """Processes below `pid`; beyond `most` nobody counts on.

    The kernel's lists may miss some while others come and go: who must find all asks again.
    """
    found = [pid]
    if not os.path.exists("/proc/self/task"):  # noqa: PTH110 - see the imports
        parents = {each: parent for each, parent, _ in table()}
        for above in found:
            found.extend(each for each, parent in parents.items() if parent == above)
        return found[1 : most + 2]
    for parent in found:
        try:
            threads = os.listdir(f"/proc/{parent}/task")  # noqa: PTH208 - see the imports
        except OSError:
            continue
        for thread in threads:
            found.extend(map(int, read(f"/proc/{parent}/task/{thread}/children").split()))
        if len(found) > most:
            break
    return found[1:]


def table() -> list[tuple[int, int, int]]:
    """Number, parent and resident KiB of every process, where there is no /proc (macOS)."""
    with os.popen("ps -axo pid=,ppid=,rss=") as lines:  # noqa: S605
        return [(int(pid), int(parent), int(resident)) for pid, parent, resident in map(str.split, lines)]


def read(path: str) -> bytes:
    """The content of a file of /proc, empty when its process is gone."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - see the imports; polled, too
            return file.read()
    except OSError:
        return b""


def settable(kind: int, value: int) -> int:
    """The limit that this process may set: `value`, or its own hard limit where that is lower."""
    highest = resource.getrlimit(kind)[1]
    return value if highest == resource.RLIM_INFINITY else min(value, highest)


def _tasks_of_user() -> int:
    """Processes and threads of this user: what the kernel's limit on processes counts."""
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - see the imports
        try:
            status = os.stat(f"/proc/{pid}/task")  # noqa: PTH116
        except OSError:
            continue
        count += status.st_nlink - 2 if status.st_uid == os.getuid() else 0
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
