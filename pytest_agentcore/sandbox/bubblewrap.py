"""The sandbox of real trials: unprivileged namespaces through bubblewrap, limits, and a watch over the whole tree.

Run by root, namespaces alone would leave root's exemption from the limit on processes, so the command runs as a user
id of its own, which then owns the workspace; run by anyone else, it runs in a user namespace as that user.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.base import Command, Completed, Limits, Workspace
from pytest_agentcore.sandbox.python import Interpreter, environment, version
from pytest_agentcore.sandbox.reaper import NOT_EXECUTABLE, NOT_FOUND
from pytest_agentcore.sandbox.supervise import Running, descendants, rlimits, supervise
from pytest_agentcore.sandbox.tree import walk
from pytest_agentcore.sandbox.workspace import require

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
        return descendants(self.process.pid, most + 2)[2:]

    def end(self) -> None:
        """The kernel kills a PID namespace with its first process, and that one ends only after all others.

        Mostly nothing is left but that first process, which is bubblewrap's own and on its way out. It is not waited
        for: taking its mounts down costs more than all the rest.
        """
        first = self._first_pid()
        if first is None or (self.process.poll() is not None and len(descendants(first)) == 1):
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


PYTHON = "/opt/python"
"""Holds `python3` and `python`, first on PATH."""
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SHOWN = ("/usr", "/nix/store", "/etc/alternatives", "/etc/ld.so.cache")
HIDDEN = ("/usr/src",)
"""Below what is shown; containers like to keep a project there."""


def fixed_mounts(interpreter: Interpreter, hidden: Sequence[Path]) -> list[str]:
    """bubblewrap's options for everything that is the same for every command; `hidden` host folders are covered."""
    return [*_system(), *_python(interpreter), *_masks(interpreter, hidden)]


def read_only_mounts(mounts: Mapping[str, Path], *, another_user: bool) -> Iterator[str]:
    """The options for one command's own folders and files.

    Raises:
        SandboxError: one that the sandbox's user could not read.
    """
    for inside, host in mounts.items():
        mode = host.stat().st_mode
        if another_user and not mode & 0o004:
            raise SandboxError(f"{host} is to be shown in the sandbox but only its owner may read it")
        if not inside.startswith("/workspace/"):
            yield from _parents(inside)
        yield from ("--ro-bind", str(host), inside)


def _system() -> list[str]:
    words = ["--proc", "/proc", "--dev", "/dev", "--dir", "/etc"]
    for path in map(Path, SHOWN):
        if path.exists():
            words += ["--ro-bind", str(path), str(path)]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _python(interpreter: Interpreter) -> list[str]:
    words = []
    if not interpreter.in_system:
        prefix = str(interpreter.prefix)
        words += [*_parents(prefix), "--ro-bind", prefix, prefix]
    words += [*_parents(PYTHON), "--dir", PYTHON]
    for name in ("python3", "python"):
        words += ["--symlink", str(interpreter.executable), f"{PYTHON}/{name}"]
    return words


def _parents(path: str) -> list[str]:
    """bubblewrap gives a parent the mode it has on the host, and a home is closed; these are open."""
    parents = list(PurePosixPath(path).parents)[-2::-1]
    return [word for parent in parents for word in ("--dir", str(parent))]


def _masks(interpreter: Interpreter, hidden: Sequence[Path]) -> list[str]:
    """Empty, read-only folders over what is shown and should not be."""
    shown = [Path(p) for p in SHOWN] + [interpreter.prefix]
    wanted = {*interpreter.package_folders(), *map(Path, HIDDEN), *(path.resolve() for path in hidden)}
    covered = sorted(p for p in wanted if _has_content(p) and any(p.is_relative_to(s) for s in shown))
    outermost = [p for p in covered if not any(p != q and p.is_relative_to(q) for q in covered)]
    return [word for p in outermost for word in ("--tmpfs", str(p), "--remount-ro", str(p))]


def _has_content(folder: Path) -> bool:
    """An empty folder hides nothing, and every mount costs time."""
    try:
        return any(folder.iterdir())
    except OSError:
        return folder.is_dir()


LOAD, JUMP_IF_EQUAL, JUMP_IF_ANY_BIT, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
"""Offsets in struct seccomp_data; of an argument the low half, both machines being little-endian."""
NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    clone: int
    clone3: int
    socket: int
    denied: tuple[int, ...]
    """unshare setns mount umount2 pivot_root, open_tree to mount_setattr, add_key request_key keyctl, bpf
    perf_event_open userfaultfd, memfd_create memfd_secret, shmget msgget semget."""
    has_x32: bool


_NEW_CALLS = (425, 426, 427, 428, 429, 430, 431, 432, 442, 447)
"""Numbers above 423 are the same everywhere: io_uring_*, open_tree to fsmount, mount_setattr, memfd_secret."""
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        clone=56,
        clone3=435,
        socket=41,
        denied=(272, 308, 165, 166, 155, 248, 249, 250, 321, 298, 323, 319, 29, 68, 64, *_NEW_CALLS),
        has_x32=True,
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        socket=198,
        denied=(97, 268, 40, 39, 41, 217, 218, 219, 280, 241, 282, 279, 194, 186, 190, *_NEW_CALLS),
        has_x32=False,
    ),
}


@cache
def seccomp_filter(machine: str = "") -> bytes | None:
    """The program for `machine` (default: this one), or None where its system call numbers are not known here."""
    known = _MACHINES.get(machine or platform.machine())
    return None if known is None else b"".join(_program(known))


def _program(machine: _Machine) -> list[bytes]:
    program = [
        _instruction(LOAD, ARCHITECTURE_AT),
        _instruction(JUMP_IF_EQUAL, machine.audit, 1, 0),
        _instruction(RETURN, KILL_PROCESS),
        _instruction(LOAD, NUMBER_AT),
    ]
    if machine.has_x32:
        program += [_instruction(JUMP_IF_AT_LEAST, X32, 0, 1), _refuse(errno.ENOSYS)]
    # clone3 hides its flags behind a pointer; ENOSYS makes the C library fall back to clone.
    program += [_instruction(JUMP_IF_EQUAL, machine.clone3, 0, 1), _refuse(errno.ENOSYS)]
    for number in machine.denied:
        program += [_instruction(JUMP_IF_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    program += [
        _instruction(JUMP_IF_EQUAL, machine.clone, 0, 4),
        _instruction(LOAD, FIRST_ARGUMENT_AT),
        _instruction(JUMP_IF_ANY_BIT, NEW_NAMESPACES, 0, 1),
        _refuse(errno.EPERM),
        _instruction(RETURN, ALLOW),
        _instruction(JUMP_IF_EQUAL, machine.socket, 0, len(FAMILIES) + 2),
        _instruction(LOAD, FIRST_ARGUMENT_AT),
    ]
    program += [_instruction(JUMP_IF_EQUAL, family, len(FAMILIES) - i, 0) for i, family in enumerate(FAMILIES)]
    return [*program, _refuse(errno.EAFNOSUPPORT), _instruction(RETURN, ALLOW)]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(number: int) -> bytes:
    return _instruction(RETURN, ERRNO | number)


NAMESPACE_UID = 1000
"""Inside a user namespace."""
ROOT_UIDS = range(60_100, 64_100)
"""When root runs it: by workspace, for the kernel counts processes by user, and trials run side by side. Two that meet
in one by chance are counted together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """`Sandbox` with mounts and namespaces. Made by `open_sandbox`, which has probed it."""

    executable: str
    interpreter: Interpreter
    uids: range | None
    """Of the commands when root runs bubblewrap; None uses a user namespace."""
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
        uid = self._uid(workspace)
        if uid is not None:
            _hand_over(workspace, uid)
        env = environment(path=f"{PYTHON}:/usr/local/bin:/usr/bin:/bin", home="/tmp", extra=command.env)  # noqa: S108
        bounds = rlimits_of(command.limits, counted=uid is not None or counts_by_namespace())
        with contextlib.ExitStack() as stack:
            contents = (*_accounts(uid), seccomp_filter() or b"")
            files = [stack.enter_context(readable(content)) for content in contents]
            stdin = stack.enter_context(readable(command.stdin))
            words = [*self._options(workspace, command, files, uid), "--", *_as_user(uid), *command.argv]
            launching = launched(self.executable, words, env=env, stdin=stdin, files=files, bounds=bounds)
            return stack.enter_context(launching).finish(workspace, command.limits)

    def path(self, workspace: Workspace, inside: str) -> str:  # noqa: ARG002
        """Mounts are where they are said to be."""
        return inside

    def describe(self) -> Mapping[str, Any]:
        """See `Sandbox.describe`."""
        return {
            "name": self.name,
            "version": _version(self.executable),
            "python": version(),
            "uid": "its own" if self.uids is not None else "user namespace",
            "system_call_filter": seccomp_filter() is not None,
            "not_confined": [],
        }

    def _uid(self, workspace: Workspace) -> int | None:
        """The same for every command over a workspace, since it owns the files."""
        if self.uids is None:
            return None
        return self.uids[zlib.crc32(os.fsencode(workspace.root)) % len(self.uids)]

    def _namespaces(self) -> list[str]:
        shared = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        shared += ["--hostname", "agent", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        if self.uids is None:
            return ["--unshare-user", "--uid", str(NAMESPACE_UID), "--gid", str(NAMESPACE_UID), *shared]
        # For becoming the sandbox's user, and for entering a workspace that this user has closed to others; both are
        # gone with the change of user.
        needed = ("CAP_SETUID", "CAP_SETGID", "CAP_DAC_READ_SEARCH")
        return [*shared, *(word for name in needed for word in ("--cap-add", name))]

    def _options(self, workspace: Workspace, command: Command, files: Sequence[int], uid: int | None) -> list[str]:
        passwd, group, rules = map(str, files)
        words = [*self._mounts]
        for file, content in (("/etc/passwd", passwd), ("/etc/group", group)):
            # A copy in the root, which is closed below, costs less than a mount. Before 0.5 bubblewrap has no --perms;
            # in a user namespace the file belongs to its reader anyway.
            words += [*(["--perms", "0644"] if uid is not None else []), "--file", content, file]
        tmp = str(workspace.tmp)
        # Shared memory is a file below /dev/shm; in the trial's tmp it counts as disk.
        words += ["--bind", str(workspace.root), "/workspace", "--bind", tmp, "/tmp", "--bind", tmp, "/dev/shm"]  # noqa: S108
        words += read_only_mounts(command.read_only, another_user=uid is not None)
        # The root and /dev are memory that no limit counts, hence closed once every mount point exists.
        words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/workspace"]
        return [*words, *(["--seccomp", rules] if seccomp_filter() else [])]


def _accounts(uid: int | None) -> tuple[bytes, bytes]:
    """/etc/passwd and /etc/group, so that `ls -l` says the same whatever the number is."""
    ids = (("root", 0), ("nobody", 65534), ("agent", NAMESPACE_UID if uid is None else uid))
    passwd = "".join(f"{name}:x:{each}:{each}::/tmp:/bin/sh\n" for name, each in ids)
    return passwd.encode(), "".join(f"{name}:x:{each}:\n" for name, each in ids).encode()


def _as_user(uid: int | None) -> list[str]:
    """The program, with its options, that runs what follows as another user."""
    if uid is None:
        return []
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all", "--"]


def _hand_over(workspace: Workspace, uid: int) -> None:
    """Make the sandbox's user the owner of both folders; a no-op once it is."""
    for folder in (workspace.root, workspace.tmp):
        if folder.stat().st_uid == uid:
            continue
        for entry in walk(folder):
            os.chown(entry.name, uid, uid, dir_fd=entry.folder_fd, follow_symlinks=False)
        os.chown(folder, uid, uid, follow_symlinks=False)


def _version(executable: str) -> str:
    said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False).stdout
    return said.strip().rpartition(" ")[2]
