"""The sandbox that must be asked for: a plain process with limits. docs/sandbox.md says which routes it leaves open."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agentcore.sandbox import reaper
from pytest_agentcore.sandbox.base import Command, Completed, Sandbox, Workspace
from pytest_agentcore.sandbox.python import base_interpreter, environment, make_python
from pytest_agentcore.sandbox.supervise import start, supervise
from pytest_agentcore.sandbox.watch import Running, rlimits
from pytest_agentcore.sandbox.workspace import clear, require

PYTHON = ".python"
"""The folder in the trial's tmp that holds an environment without packages around the base interpreter."""
MOUNTS = ".mounts"
"""The folder in the trial's tmp that holds copies of what a command is to see read-only."""
MARK = "AGENTCORE_CALL"
"""A variable by which processes are found that killed their reaper to get away."""
SWEEPS, CLEAN_SWEEPS = 100, 4
GRACE = 5.0
"""Seconds that the reaper has beyond its own patience."""
NOT_CONFINED = (
    "reads whatever the user can read",
    "writes outside the workspace where the user may write",
    "network",
    "other processes of the user, the harness included",
)
NOR_ELSEWHERE = ("processes that leave their parent and their group", "memory between two looks")
"""What only Linux has the means for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainProcess(Sandbox):
    """`Sandbox` without mounts or namespaces. Made by `open_sandbox`."""

    name: str = "process"

    def run(self, workspace: Workspace, command: Command) -> Completed:
        """See `Sandbox.run`. Costs about 30 ms beyond the command's own time."""
        require(workspace)
        interpreter = base_interpreter()
        make_python(workspace.tmp / PYTHON, interpreter)
        mark = secrets.token_hex(8)
        path = f"{workspace.tmp / PYTHON / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        env = environment(path=path, home=str(workspace.tmp), extra={**command.env, MARK: mark})
        limits = ",".join(f"{kind}={value}" for kind, value in rlimits(command.limits).items())
        # The reaper needs no packages, and without `site` it starts in a fraction of the time.
        argv = [str(interpreter.executable), "-I", "-S", reaper.__file__, limits, *command.argv]
        # Copies, not links: a command that tampers with them has not touched the originals.
        clear(workspace.tmp / MOUNTS)
        try:
            for inside, host in command.read_only.items():
                target = Path(self.path(workspace, inside))
                target.parent.mkdir(parents=True, exist_ok=True)
                if host.is_dir():
                    shutil.copytree(host, target, dirs_exist_ok=True)
                else:
                    shutil.copyfile(host, target)
            with tempfile.TemporaryFile() as stdin:
                stdin.write(command.stdin)
                stdin.seek(0)
                process = start(argv, stdin=stdin.fileno(), env=env, cwd=workspace.root)
                return supervise(_Tree(process, f"{MARK}={mark}".encode()), workspace, command.limits)
        finally:
            clear(workspace.tmp / MOUNTS)

    def path(self, workspace: Workspace, inside: str) -> str:
        """The host's path: there are no mounts, so a process sees the workspace and the copies where they lie."""
        for mount, host in (("/workspace", workspace.root), ("/tmp", workspace.tmp)):  # noqa: S108
            if inside == mount or inside.startswith(f"{mount}/"):
                return f"{host}{inside.removeprefix(mount)}"
        return f"{workspace.tmp}/{MOUNTS}{inside}"

    def describe(self) -> Mapping[str, Any]:
        """See `Sandbox.describe`."""
        loose = [*NOT_CONFINED, *(() if sys.platform == "linux" else NOR_ELSEWHERE)]
        return {"name": self.name, "version": "1", "python": platform.python_version(), "not_confined": loose}


@dataclass
class _Tree(Running):
    """The reaper and what is below it."""

    mark: bytes
    """Stands in the environment of all that it started."""

    def pids(self, most: int) -> list[int]:
        return reaper.below(self.process.pid, most + 1)

    def end(self) -> None:
        """Let the reaper kill what is below it; one that was stopped or killed itself has lost its orphans."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, signal.SIGTERM)
        try:
            if self.process.wait(reaper.PATIENCE + GRACE) >= 0:
                return
        except subprocess.TimeoutExpired:
            reaper.kill_below(self.process.pid)
            self.process.kill()
        # Kill those that bear the mark, until searches in a row find none: during exec a process shows no mark.
        clean = 0
        for _ in range(SWEEPS):
            clean += 1
            for folder in Path("/proc").glob("[0-9]*"):
                if self.mark in reaper.read(f"{folder}/environ"):
                    clean = 0
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(int(folder.name), signal.SIGKILL)
            if clean == CLEAN_SWEEPS:
                return
            time.sleep(0.01)
