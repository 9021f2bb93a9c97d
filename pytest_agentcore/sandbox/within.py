"""The first process of a container: takes commands over its standard input, runs each, and answers.

It is root there, with the few capabilities that this takes; commands are another user without any, so that they can
neither signal it nor look into it, and its pipes are not theirs. What a command leaves running is killed before the
answer, and all with this process, which ends with its input. Its source comes that way, too, and its siblings' do:
nothing of the package shows in a container.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_agentcore.sandbox.base import Completed, Limits
from pytest_agentcore.sandbox.reaper import NOT_EXECUTABLE, NOT_FOUND, read, settable
from pytest_agentcore.sandbox.syscalls import seccomp_filter
from pytest_agentcore.sandbox.watch import Running, follow, readable, rlimits

FOLDERS = (Path("/workspace"), Path("/tmp"))  # noqa: S108
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
"""linux/prctl.h, linux/seccomp.h"""
PIDS_MAX = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")
"""Where the container's own limit on processes shows, with control groups of version 2 and 1."""
RLIMIT_MSGQUEUE = 12
"""asm-generic/resource.h: message queues would outlive their command."""


def main() -> None:
    """Say what is here, then run what each line of the input orders, until there is none."""
    most = next(filter(None, map(read, PIDS_MAX)), b"").strip()
    answer({"python": platform.python_version(), "filtered": seccomp_filter() is not None, "processes": most.decode()})
    for line in filter(str.strip, sys.stdin):  # an empty one ends the command that runs, if one does
        answer(asdict(run(json.loads(line))))


def answer(facts: Mapping[str, Any]) -> None:
    """Write one line; bytes go as base64."""
    shown = {key: base64.b64encode(v).decode() if isinstance(v, bytes) else v for key, v in facts.items()}
    sys.stdout.write(f"{json.dumps(shown)}\n")
    sys.stdout.flush()


def run(order: Mapping[str, Any]) -> Completed:
    """Run one command to its end or to a limit."""
    limits = Limits(**order["limits"])
    bounds = {**rlimits(limits), RLIMIT_MSGQUEUE: 0}
    if not order["counted"]:  # the engine limits processes, which is stricter: the kernel counts all of a user's
        del bounds[resource.RLIMIT_NPROC]
    with readable(base64.b64decode(order["stdin"])) as stdin:
        try:
            process = subprocess.Popen(
                order["argv"],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=order["env"],
                cwd=FOLDERS[0],
                user=order["user"],
                group=order["group"],
                extra_groups=[],
                start_new_session=True,
                bufsize=0,
                preexec_fn=partial(confine, bounds, seccomp_filter() or b""),  # noqa: PLW1509 - there is one thread
            )
        except (OSError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            said = f"{order['argv'][0]}: {error}\n".encode(errors="replace")
            return Completed(exit_code=NOT_FOUND if missing else NOT_EXECUTABLE, output=said)
        lifeline = sys.stdin.fileno()
        done = follow(Everybody(process, lifeline=lifeline), FOLDERS, limits)
    return replace(done, output=bytes(done.output))


def confine(bounds: Mapping[int, int], rules: bytes) -> None:
    """Between fork and exec: set the limits of the process, and what the kernel refuses it for good."""
    for kind, value in bounds.items():
        bound = settable(kind, value)
        resource.setrlimit(kind, (bound, bound))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    told = [prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)]
    if rules:
        # struct sock_fprog: the number of instructions, and where they are
        class Program(ctypes.Structure):
            _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

        program = Program(len(rules) // 8, rules)
        told.append(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0))
    if any(told):
        raise OSError(ctypes.get_errno(), "the kernel refused to confine the command")


class Everybody(Running):
    """The command and whatever else lives in the container, this process left out."""

    def pids(self, most: int) -> list[int]:  # noqa: ARG002
        """See `Running.pids`."""
        # orphans that have ended count as processes until somebody asks for them
        ended = partial(os.waitid, os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        while (orphan := ended()) and orphan.si_pid != self.process.pid:
            os.waitpid(orphan.si_pid, 0)
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]  # noqa: PTH208

    def end(self) -> None:
        """Kill all at once, which no fork outruns, until nobody is left whom this process would have to wait for."""
        kill: Callable[[], None] = partial(os.kill, -1, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            kill()
        self.process.wait()
        with contextlib.suppress(ChildProcessError):
            while True:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    with contextlib.suppress(ProcessLookupError):
                        kill()
                    time.sleep(0.001)


if __name__ == "__main__":
    main()
