"""The sandbox of real trials: unprivileged namespaces through bubblewrap, limits, and a watch over the whole tree.

This page tells of one command: how it runs, what it sees, what the kernel refuses it, how it starts and how it ends.

Run by root, namespaces alone would leave root's exemption from the limit on processes, so the command runs as a user
id of its own, which then owns the workspace; run by anyone else, it runs in a user namespace as that user.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import resource
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox import reaper
from pytest_agentcore.sandbox.base import Command, Completed, Limits, Sandbox, Workspace
from pytest_agentcore.sandbox.python import base_interpreter, environment
from pytest_agentcore.sandbox.supervise import start, supervise
from pytest_agentcore.sandbox.syscalls import seccomp_filter
from pytest_agentcore.sandbox.watch import Running, readable, rlimits
from pytest_agentcore.sandbox.workspace import accounts, hand_over, require, user_of

NAMESPACE_UID = 1000
"""The command's user id in a user namespace."""
PYTHON = "/opt/python"
"""Holds `python3` and `python`, first on PATH."""
GONE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Bubblewrap(Sandbox):
    """`Sandbox` with mounts and namespaces. Made by `open_sandbox`, which has probed it."""

    executable: str
    uids: range | None
    """User ids for the commands when root runs bubblewrap; None uses a user namespace."""
    hidden: tuple[Path, ...] = ()
    """Host folders to cover where they would show, e.g. a suite below /usr."""
    renames_host: bool = True
    """Whether commands see the host name `agent`; a container's rules may forbid to set one."""
    name: str = "bubblewrap"

    def run(self, workspace: Workspace, command: Command) -> Completed:
        """See `Sandbox.run`. Costs about 10 ms beyond the command's own time."""
        require(workspace)
        uid = None if self.uids is None else user_of(workspace)
        if uid is not None:
            hand_over(workspace, uid)
        env = environment(path=f"{PYTHON}:/usr/local/bin:/usr/bin:/bin", home="/tmp", extra=command.env)  # noqa: S108
        # Since 5.14 the kernel counts a user namespace's processes alone; before, all of the user's.
        release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
        bounds = rlimits_of(command.limits, counted=uid is not None or release >= (5, 14))
        user = NAMESPACE_UID if uid is None else uid
        texts = (text.encode() for text in accounts(user, user).values())
        contents = (*texts, seccomp_filter() or b"", command.stdin)
        with contextlib.ExitStack() as stack:
            passwd, group, rules, stdin = (stack.enter_context(readable(each)) for each in contents)
            words = [self.executable, *self._namespaces, *self._mounts]
            words += _own_mounts(workspace, command, uid, passwd, group)
            words += ["--seccomp", str(rules)] if seccomp_filter() else []
            words += ["--", *([] if uid is None else as_user(uid)), *command.argv]
            namespace = stack.enter_context(_started(words, env, stdin, (passwd, group, rules), bounds))
            completed = supervise(namespace, workspace, command.limits)
            if completed.killed_for or namespace.command_ran():
                return completed
        # It did not, and bubblewrap's own words, which are all the output there is, say why.
        if failed := re.search(rb"^bwrap: execvp .*: (.*)$", completed.output, re.M):
            missing = failed[1] == b"No such file or directory"
            return replace(completed, exit_code=reaper.NOT_FOUND if missing else reaper.NOT_EXECUTABLE)
        said = " ".join(completed.output.decode(errors="replace").split())[:300] or "it said nothing"
        raise SandboxError(f"bubblewrap could not start the command: {said}")

    def path(self, workspace: Workspace, inside: str) -> str:  # noqa: ARG002
        """Mounts are where they are said to be."""
        return inside

    def describe(self) -> Mapping[str, Any]:
        """See `Sandbox.describe`."""
        said = subprocess.run([self.executable, "--version"], capture_output=True, text=True, check=False).stdout
        return {
            "name": self.name,
            "version": said.strip().rpartition(" ")[2],
            "python": platform.python_version(),
            "uid": "its own" if self.uids is not None else "user namespace",
            "system_call_filter": seccomp_filter() is not None,
            "not_confined": [*self._not_confined],
        }

    @property
    def _not_confined(self) -> Iterator[str]:
        if self.uids is None and os.geteuid() == 0:
            yield "the number of processes between two looks (run as another user than root)"
        if not self.renames_host:
            yield "the machine's host name"
        if seccomp_filter() is None:
            yield f"system calls (no filter is known for {platform.machine()})"

    @cached_property
    def _namespaces(self) -> list[str]:
        # A session of its own keeps a command from typing into the harness's terminal (TIOCSTI). A harness that is
        # killed takes its commands along. Not every kernel has namespaces for control groups.
        shared = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        shared += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        shared += ["--hostname", "agent"] if self.renames_host else []
        if self.uids is None:
            return ["--unshare-user", "--uid", str(NAMESPACE_UID), "--gid", str(NAMESPACE_UID), *shared]
        # For becoming the sandbox's user, and for entering a workspace that this user has closed to others; both are
        # gone with the change of user.
        return [*shared, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_DAC_READ_SEARCH"]

    @cached_property
    def _mounts(self) -> list[str]:
        """Programs and the interpreter, read-only; packages, sources and `hidden` folders among them are covered."""
        words = ["--proc", "/proc", "--dev", "/dev", "--dir", "/etc"]  # of its own, with next to nothing in them
        for path in filter(os.path.exists, SHOWN):
            words += ["--ro-bind", path, path]
        # Links into /usr on most distributions, folders on the others.
        for folder in map(Path, SYSTEM):
            if folder.is_symlink():
                words += ["--symlink", str(folder.readlink()), str(folder)]
            elif folder.is_dir():
                words += ["--ro-bind", str(folder), str(folder)]
        python = base_interpreter()
        installed = python.prefix
        if not installed.is_relative_to("/usr"):  # which is shown already
            words += [*_parents(str(installed)), "--ro-bind", str(installed), str(installed)]
        words += [*_parents(PYTHON), "--dir", PYTHON]
        # Found first on PATH, whatever else is installed below /usr; by its real path it finds its standard library.
        for name in ("python3", "python"):
            words += ["--symlink", str(python.executable), f"{PYTHON}/{name}"]
        # An empty, read-only folder over each that is not to be seen, unless that is empty: every mount costs time.
        shown = [*map(Path, SHOWN), installed]
        packages = (each for prefix in (installed, Path("/usr")) for name in PACKAGES for each in prefix.glob(name))
        wanted = {*map(Path, HIDDEN), *(path.resolve() for path in (*self.hidden, *filter(Path.is_dir, packages)))}
        covered = sorted(p for p in wanted if any(p.is_relative_to(s) for s in shown) and _has_content(p))
        for folder in (p for p in covered if not any(p != q and p.is_relative_to(q) for q in covered)):
            words += ["--tmpfs", str(folder), "--remount-ro", str(folder)]
        return words


def as_user(uid: int) -> list[str]:
    """The words before a command that root hands to a user without rights."""
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all", "--"]


SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
PACKAGES = (
    "lib/python3/dist-packages",
    "lib/python3*/site-packages",
    "lib/python3*/dist-packages",
    "lib64/python3*/site-packages",
    "local/lib/python3*/site-packages",
    "local/lib/python3*/dist-packages",
    "envs",
    "pkgs",
)
"""Folders of packages below a prefix: upstream's, Debian's and Fedora's layouts; environments of pyenv and conda."""
SHOWN = ("/usr", "/nix/store", "/etc/alternatives", "/etc/ld.so.cache")
HIDDEN = ("/usr/src",)
"""Folders below those that are shown; containers like to keep a project there."""


def _own_mounts(workspace: Workspace, command: Command, uid: int | None, passwd: int, group: int) -> list[str]:
    """The workspace, and whatever else this one command is to see.

    Raises:
        SandboxError: a file or folder that the sandbox's user could not read.
    """
    # A copy in the root, which is closed below, costs less than a mount. Before 0.5 bubblewrap has no --perms; in a
    # user namespace the file belongs to its reader anyway.
    perms = [] if uid is None else ["--perms", "0644"]
    words = [*perms, "--file", str(passwd), "/etc/passwd", *perms, "--file", str(group), "/etc/group"]
    tmp = str(workspace.tmp)
    # Shared memory is a file below /dev/shm; in the trial's tmp it counts as disk.
    words += ["--bind", str(workspace.root), "/workspace", "--bind", tmp, "/tmp", "--bind", tmp, "/dev/shm"]  # noqa: S108
    for inside, host in command.read_only.items():
        if uid is not None and not host.stat().st_mode & 0o004:
            raise SandboxError(f"{host} is to be shown in the sandbox but only its owner may read it")
        if not inside.startswith("/workspace/"):
            words += _parents(inside)
        words += ["--ro-bind", str(host), inside]
    # The root and /dev are memory that no limit counts, hence closed once every mount point exists.
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/workspace"]


def _parents(path: str) -> list[str]:
    """bubblewrap gives a parent the mode it has on the host, and a home is closed; these are open."""
    parents = list(PurePosixPath(path).parents)[-2::-1]
    return [word for parent in parents for word in ("--dir", str(parent))]


def _has_content(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return folder.is_dir()


# How it starts.


def rlimits_of(limits: Limits, *, counted: bool) -> dict[int, int]:
    """The kernel's limits, none above what this process may set; with `counted` one on the number of processes, too."""
    wanted = rlimits(limits)
    return {kind: reaper.settable(kind, wanted[kind]) for kind in wanted if counted or kind != resource.RLIMIT_NPROC}


@contextlib.contextmanager
def _started(
    words: Sequence[str], env: Mapping[str, str], stdin: int, files: Sequence[int], bounds: Mapping[int, int]
) -> Iterator[Namespace]:
    """Start bubblewrap; the command begins once `bounds` are on the first process of its tree.

    They are set from outside, which costs less than a program in between that sets them: bubblewrap says on one pipe
    which process it is, and waits for the end of another one before it goes on.

    Raises:
        SandboxError: it cannot be started, or the limits cannot be set.
    """
    with _pipe() as (status, said), _pipe() as (gate, opener):
        executable, *options = words
        argv = [executable, "--json-status-fd", str(said.fileno()), "--block-fd", str(gate.fileno()), *options]
        process = start(argv, stdin=stdin, env=env, cwd=Path("/"), pass_fds=(*files, said.fileno(), gate.fileno()))
        said.close()  # or the end of what bubblewrap says would never come
        gate.close()
        namespace = Namespace(process, status)
        try:
            first = namespace.first_pid()
            if first is not None:  # else it could not start, and says why at its end
                with contextlib.suppress(ProcessLookupError):
                    for which, value in bounds.items():
                        resource.prlimit(first, which, (value, value))
        except BaseException as error:
            process.kill()
            process.communicate()
            if isinstance(error, OSError | ValueError):
                raise SandboxError(f"a command's limits could not be set: {error}") from error
            raise
        opener.close()
        yield namespace


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as read, open(writer, "wb", buffering=0) as write:  # noqa: PTH123
        yield read, write


# How it ends.


@dataclass
class Namespace(Running):
    """bubblewrap's monitor outside and, below it, the first process of the new PID namespace."""

    _status: BinaryIO
    _said: bytes = b""

    def pids(self, most: int) -> list[int]:
        """See `Running.pids`; bubblewrap's own process inside the namespace does not count."""
        return reaper.below(self.process.pid, most + 2)[1:]

    def end(self) -> None:
        """The kernel kills a PID namespace with its first process, and that one ends only after all others.

        Mostly nothing is left but that first process, which is bubblewrap's own and on its way out. It is not waited
        for: taking its mounts down costs more than all the rest.
        """
        first = self.first_pid()
        if first is None or (self.process.poll() is not None and not reaper.below(first)):
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
        while block := self._status.read(4096):
            self._said += block
        return b'"exit-code"' in self._said

    def first_pid(self) -> int | None:
        """The first process of the namespace; None when bubblewrap has made none."""
        while b"\n" not in self._said and (block := self._status.read(4096)):
            self._said += block
        line = self._said.partition(b"\n")[0]
        return int(json.loads(line)["child-pid"]) if line else None
