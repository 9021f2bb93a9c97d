"""The sandbox of real trials: unprivileged namespaces through bubblewrap, limits, and a watch over the whole tree.

Run by root, namespaces alone would leave root's exemption from the limit on processes, so the command runs as a user
id of its own, which then owns the workspace; run by anyone else, it runs in a user namespace as that user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox import usage
from pytest_agentcore.sandbox.base import Command, Completed, Limits, Workspace
from pytest_agentcore.sandbox.environment import environment
from pytest_agentcore.sandbox.interpreter import Interpreter, version
from pytest_agentcore.sandbox.mounts import PYTHON, fixed_mounts, read_only_mounts
from pytest_agentcore.sandbox.seccomp import seccomp_filter
from pytest_agentcore.sandbox.supervise import Running, supervise
from pytest_agentcore.sandbox.tree import walk
from pytest_agentcore.sandbox.workspace import require

NAMESPACE_UID = 1000
"""Inside a user namespace."""
ROOT_UIDS = range(60_100, 64_100)
"""When root runs it: one per harness process, so that the processes of two are not counted together."""
OPEN_FILES = 512
SPARE_PROCESSES = 64
"""The kernel's limit lies this far above `Limits.processes`: it holds between two looks of the watch, which ends the
tree, and it counts threads."""
NAMESPACED_COUNT = (5, 14)
"""Since this kernel processes are counted per user namespace; before, all of the user's would count."""
GONE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """`Sandbox` with mounts and namespaces. Made by `open_sandbox`, which has probed it."""

    executable: str
    interpreter: Interpreter
    uid: int | None
    """Of the command when root runs bubblewrap; None uses a user namespace."""
    hidden: tuple[Path, ...] = ()
    """Host folders to cover where they would show, e.g. a suite below /usr."""
    name: str = "bubblewrap"
    _mounts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        mounts = (*self._namespaces(), *fixed_mounts(self.interpreter, self.hidden))
        object.__setattr__(self, "_mounts", mounts)

    def run(self, workspace: Workspace, command: Command) -> Completed:
        """See `Sandbox.run`. Costs about 10 ms beyond the command's own time."""
        require(workspace)
        if self.uid is not None:
            _hand_over(workspace, self.uid)
        env = environment(path=f"{PYTHON}:/usr/local/bin:/usr/bin:/bin", home="/tmp", extra=command.env)  # noqa: S108
        with contextlib.ExitStack() as stack:
            data = [stack.enter_context(_sealed(content)) for content in (*self._accounts(), seccomp_filter() or b"")]
            stdin = stack.enter_context(_sealed(command.stdin))
            status, status_writer = os.pipe()
            stack.callback(os.close, status)
            try:
                argv = [*self._prefix(workspace, command, data, status_writer), *command.argv]
                process = _start(argv, env, stdin, (*data, status_writer))
            finally:
                os.close(status_writer)
            return _finish(_Namespace(process, status), workspace, command.limits)

    def path(self, workspace: Workspace, inside: str) -> str:  # noqa: ARG002
        """Mounts are where they are said to be."""
        return inside

    def describe(self) -> Mapping[str, Any]:
        """See `Sandbox.describe`."""
        return {
            "name": self.name,
            "version": _version(self.executable),
            "python": version(),
            "uid": "its own" if self.uid is not None else "user namespace",
            "system_call_filter": seccomp_filter() is not None,
            "not_confined": [],
        }

    def _namespaces(self) -> list[str]:
        shared = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        shared += ["--hostname", "agent", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        if self.uid is None:
            return ["--unshare-user", "--uid", str(NAMESPACE_UID), "--gid", str(NAMESPACE_UID), *shared]
        # For becoming the sandbox's user, and for entering a workspace that this user has closed to others; both are
        # gone with the change of user.
        needed = ("CAP_SETUID", "CAP_SETGID", "CAP_DAC_READ_SEARCH")
        return [*shared, *(word for name in needed for word in ("--cap-add", name))]

    def _accounts(self) -> tuple[bytes, bytes]:
        """/etc/passwd and /etc/group, so that `ls -l` says the same whatever the number is."""
        uid = NAMESPACE_UID if self.uid is None else self.uid
        ids = (("root", 0), ("nobody", 65534), ("agent", uid))
        passwd = "".join(f"{name}:x:{each}:{each}::/tmp:/bin/sh\n" for name, each in ids)
        return passwd.encode(), "".join(f"{name}:x:{each}:\n" for name, each in ids).encode()

    def _prefix(self, workspace: Workspace, command: Command, data: Sequence[int], status: int) -> list[str]:
        """The argument vector up to the command's own."""
        passwd, group, rules = map(str, data)
        words = [self.executable, *self._mounts]
        for file, content in (("/etc/passwd", passwd), ("/etc/group", group)):
            # A copy in the root, which is closed below, costs less than a mount. Before 0.5 bubblewrap has no --perms;
            # in a user namespace the file belongs to its reader anyway.
            words += [*(["--perms", "0644"] if self.uid is not None else []), "--file", content, file]
        tmp = str(workspace.tmp)
        # Shared memory is a file below /dev/shm; in the trial's tmp it counts as disk.
        words += ["--bind", str(workspace.root), "/workspace", "--bind", tmp, "/tmp", "--bind", tmp, "/dev/shm"]  # noqa: S108
        words += read_only_mounts(command.read_only, another_user=self.uid is not None)
        # The root and /dev are memory that no limit counts, hence closed once every mount point exists.
        words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/workspace"]
        words += ["--json-status-fd", str(status), *(["--seccomp", rules] if seccomp_filter() else []), "--"]
        if self.uid is not None:
            ids = ["--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups", "--inh-caps=-all"]
            words += ["setpriv", *ids]
        return [*words, "prlimit", *_rlimits(command.limits, counted=self._counts_processes()), "--"]

    def _counts_processes(self) -> bool:
        release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
        return self.uid is not None or release >= NAMESPACED_COUNT


class _Namespace(Running):
    """bubblewrap's monitor outside and, below it, the first process of the new PID namespace."""

    def __init__(self, process: subprocess.Popen[bytes], status: int) -> None:
        super().__init__(process)
        self._status, self._said = status, b""
        self._first: int | None = None

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


def _finish(running: _Namespace, workspace: Workspace, limits: Limits) -> Completed:
    completed = supervise(running, workspace, limits)
    if not completed.killed_for and not running.command_ran():
        raise SandboxError(f"bubblewrap could not start the command: {_one_line(completed.output)}")
    return completed


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


def _rlimits(limits: Limits, *, counted: bool) -> list[str]:
    values = {
        "core": 0,
        "cpu": limits.cpu_seconds,
        "data": limits.memory_bytes,
        "fsize": limits.file_bytes,
        "nofile": OPEN_FILES,
    }
    if counted:
        values["nproc"] = limits.processes + SPARE_PROCESSES
    return [f"--{name}={value}" for name, value in values.items()]


def _hand_over(workspace: Workspace, uid: int) -> None:
    """Make the sandbox's user the owner of both folders; a no-op once it is."""
    for folder in (workspace.root, workspace.tmp):
        if folder.stat().st_uid == uid:
            continue
        for entry in walk(folder):
            os.chown(entry.name, uid, uid, dir_fd=entry.folder_fd, follow_symlinks=False)
        os.chown(folder, uid, uid, follow_symlinks=False)


@contextlib.contextmanager
def _sealed(content: bytes) -> Iterator[int]:
    """A descriptor that reads `content` from its start and that nobody can write to."""
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


def _version(executable: str) -> str:
    said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False).stdout
    return said.strip().rpartition(" ")[2]


def _one_line(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split())[:300] or "it said nothing"
