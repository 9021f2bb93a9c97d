"""Run one process of this machine over a workspace: start it, watch it to its end, give the workspace back whole."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_agentcore.errors import Cancelled, SandboxError
from pytest_agentcore.sandbox.base import Completed, Limits, Workspace
from pytest_agentcore.sandbox.watch import CANCELLED, Running, disk, follow
from pytest_agentcore.sandbox.workspace import mend


def start(
    argv: Sequence[str], *, stdin: int, env: Mapping[str, str], cwd: Path, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a process as `supervise` wants it.

    Raises:
        SandboxError: it cannot be started.
    """
    try:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise SandboxError(f"{Path(argv[0]).name} could not be started: {error}") from error


def supervise(running: Running, workspace: Workspace, limits: Limits) -> Completed:
    """Follow the process to its end or to a limit; every process of the tree is gone on return.

    Raises:
        Cancelled: the trial was cancelled meanwhile.
    """
    done = follow(running, (workspace.root, workspace.tmp), limits, workspace.cancel)
    return settled(done, workspace, limits)


def settled(done: Completed, workspace: Workspace, limits: Limits) -> Completed:
    """Give back the folders of a command that has ended, and measure what it left in them.

    Raises:
        Cancelled: it was ended because the trial was cancelled.
    """
    mend(workspace)
    if done.killed_for == CANCELLED:
        raise Cancelled
    # Once more at the end: a command may write its last and end between two looks, or before the first.
    if not done.killed_for and disk((workspace.root, workspace.tmp), limits.disk_bytes) > limits.disk_bytes:
        return replace(done, exit_code=None, killed_for="disk_bytes")
    return done
