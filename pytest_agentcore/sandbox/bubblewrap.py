"""The sandbox of real trials: unprivileged namespaces through bubblewrap, limits, and a watch over the whole tree.

Run by root, namespaces alone would leave root's exemption from the limit on processes, so the command runs as a user
id of its own, which then owns the workspace; run by anyone else, it runs in a user namespace as that user.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_agentcore.sandbox.base import Command, Completed, Workspace
from pytest_agentcore.sandbox.environment import environment
from pytest_agentcore.sandbox.interpreter import Interpreter, version
from pytest_agentcore.sandbox.launch import counts_by_namespace, launched, readable, rlimits_of
from pytest_agentcore.sandbox.mounts import PYTHON, fixed_mounts, read_only_mounts
from pytest_agentcore.sandbox.seccomp import seccomp_filter
from pytest_agentcore.sandbox.tree import walk
from pytest_agentcore.sandbox.workspace import require

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
