"""One command in bubblewrap: started with its limits on it, followed to its end, and gone with all that it started."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import re
import resource
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox import usage
from pytest_agentcore.sandbox.base import Completed, Limits, Workspace
from pytest_agentcore.sandbox.reaper import NOT_EXECUTABLE, NOT_FOUND
from pytest_agentcore.sandbox.rlimits import rlimits
from pytest_agentcore.sandbox.supervise import Running, supervise

NAMESPACED_COUNT = (5, 14)
"""Since this kernel processes are counted per user namespace; before, all of the user's would count."""
GONE_SECONDS = 30

_EXEC_FAILED = re.compile(rb"^bwrap: execvp .*: (.*)$", re.M)


@contextlib.contextmanager
def launched(
    executable: str,
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int,
    files: Sequence[int],
    bounds: Mapping[int, int],
) -> Iterator[Namespace]:
    """Start bubblewrap with `words`; the command begins once the limits are on the first process of its tree.

    They are set from outside, which costs less than a program in between that sets them.

    Raises:
        SandboxError: it cannot be started, or the limits cannot be set.
    """
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        status, said = _pipe(read=ours, write=theirs)
        with contextlib.ExitStack() as until_limited:
            gate, _opener = _pipe(read=theirs, write=until_limited)
            argv = [executable, "--json-status-fd", str(said), "--block-fd", str(gate), *words]
            process = _start(argv, env, stdin, (*files, said, gate))
            theirs.close()
            running = Namespace(process, status)
            running.limit(bounds)
        yield running


class Namespace(Running):
    """bubblewrap's monitor outside and, below it, the first process of the new PID namespace."""

    def __init__(self, process: subprocess.Popen[bytes], status: int) -> None:
        super().__init__(process)
        self._status, self._said = status, b""

    def limit(self, bounds: Mapping[int, int]) -> None:
        """Limit the first process, and with it all that it is going to start.

        Raises:
            SandboxError: the system does not let us; nothing is left running.
        """
        first = self._first_pid()
        if first is None:
            return  # it could not start, and says why at its end
        try:
            for which, value in bounds.items():
                resource.prlimit(first, which, (value, value))
        except ProcessLookupError:
            return
        except (OSError, ValueError) as error:
            self.process.kill()
            self.process.communicate()
            raise SandboxError(f"a command's limits could not be set: {error}") from error

    def finish(self, workspace: Workspace, limits: Limits) -> Completed:
        """Follow the command to its end.

        Raises:
            SandboxError: it never began.
        """
        completed = supervise(self, workspace, limits)
        if completed.killed_for or self.command_ran():
            return completed
        if failed := _EXEC_FAILED.search(completed.output):
            missing = failed[1] == b"No such file or directory"
            return replace(completed, exit_code=NOT_FOUND if missing else NOT_EXECUTABLE)
        raise SandboxError(f"bubblewrap could not start the command: {_one_line(completed.output)}")

    def pids(self, most: int) -> list[int]:
        return usage.descendants(self.process.pid, most + 2)[2:]

    def end(self) -> None:
        """The kernel kills a PID namespace with its first process, and that one ends only after all others.

        Mostly nothing is left but that first process, which is bubblewrap's own and on its way out. It is not waited
        for: taking its mounts down costs more than all the rest.
        """
        first = self._first_pid()
        if first is None or (self.process.poll() is not None and len(usage.descendants(first)) == 1):
            return
        try:
            handle = os.pidfd_open(first)
        except ProcessLookupError:
            return
        try:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not select.select([handle], [], [], GONE_SECONDS)[0]:
                raise SandboxError(f"a process of the sandbox did not end within {GONE_SECONDS} s of being killed")
        finally:
            os.close(handle)

    def command_ran(self) -> bool:
        """Whether bubblewrap got as far as starting the command; asked after the end."""
        while block := os.read(self._status, 4096):
            self._said += block
        return b'"exit-code"' in self._said

    def _first_pid(self) -> int | None:
        while b"\n" not in self._said and (block := os.read(self._status, 4096)):
            self._said += block
        line = self._said.partition(b"\n")[0]
        return int(json.loads(line)["child-pid"]) if line else None


def rlimits_of(limits: Limits, *, counted: bool) -> dict[int, int]:
    """By `resource.RLIMIT_*`, none above what this process may set; `counted`: the number of processes too."""
    wanted = {name: value for name, value in rlimits(limits).items() if counted or name != "nproc"}
    kinds = {getattr(resource, f"RLIMIT_{name.upper()}"): value for name, value in wanted.items()}
    return {kind: _within(resource.getrlimit(kind)[1], value) for kind, value in kinds.items()}


def counts_by_namespace() -> bool:
    """Whether this kernel counts the processes of a user namespace alone."""
    release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
    return release >= NAMESPACED_COUNT


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


def _pipe(*, read: contextlib.ExitStack, write: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe; each end is closed with what it is given to."""
    reader, writer = os.pipe()
    read.callback(os.close, reader)
    write.callback(os.close, writer)
    return reader, writer


def _within(highest: int, value: int) -> int:
    return value if highest == resource.RLIM_INFINITY else min(value, highest)


def _start(argv: Sequence[str], env: Mapping[str, str], stdin: int, fds: Sequence[int]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd="/",
            pass_fds=fds,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise SandboxError(f"bubblewrap could not be started: {error}") from error


def _one_line(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split())[:300] or "it said nothing"
