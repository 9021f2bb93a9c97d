"""The contract of a sandbox: run a process over a workspace and let nothing else be touched."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one trial."""

    root: Path
    """The agent's working folder; inside the sandbox it is `/workspace`."""
    tmp: Path
    """The agent's `/tmp`; lives as long as the trial, never recorded."""
    cancel: threading.Event | None = field(default=None, compare=False)
    """Once set, the trial is cancelled: a process that runs over the workspace is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one process tree in the sandbox."""

    wall_seconds: float = 60.0
    cpu_seconds: int = 60
    """Processor time of each process."""
    memory_bytes: int = 1024 * MIB
    """The whole process tree together."""
    processes: int = 128
    file_bytes: int = 64 * MIB
    """One file."""
    disk_bytes: int = 256 * MIB
    """Workspace and tmp together."""
    output_bytes: int = 1 * MIB
    """stdout and stderr together; what comes after is read and dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished process."""

    exit_code: int | None
    """None when it was killed for a limit; `killed_for` says which."""
    output: bytes
    """stdout and stderr interleaved, at most `output_bytes`."""
    dropped_bytes: int = 0
    """How much output came after that."""
    killed_for: str = ""
    """`wall_seconds`, `memory_bytes`, `disk_bytes`, `processes` or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run, and what it is given."""

    argv: Sequence[str]
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of the sandbox's own small environment."""
    read_only: Mapping[str, Path] = field(default_factory=dict)
    """Further host folders or files, by their absolute path inside the sandbox (`/checker/…`)."""
    limits: Limits = Limits()


class Sandbox(Protocol):
    """Starts processes over a workspace. No network, no host home, no host environment, nothing survives the call."""

    @property
    def name(self) -> str:
        """`bubblewrap`, `container` or `process`."""

    def of(self, task: str) -> Sandbox:  # noqa: ARG002
        """The sandbox for a task, by its id: in the image that its suite names for it, where there are images."""
        return self

    def over(self, workspace: Workspace) -> AbstractContextManager[None]:  # noqa: ARG002
        """Get ready for commands over a workspace, and keep what is ready for as long as the `with` block lasts.

        Returns at once; what takes time goes on beside the caller. `run` works outside of such a block, too.
        """
        return nullcontext()

    def run(self, workspace: Workspace, command: Command) -> Completed:
        """Run to the end or to a limit; every process it started is gone afterwards.

        Raises:
            SandboxError: the process could not be started at all.
            Cancelled: the trial was cancelled, and the process was killed for that.
        """

    def path(self, workspace: Workspace, inside: str) -> str:
        """How a process sees `inside` (`/workspace/…`, `/checker/…`); the process sandbox has no mounts and maps it."""

    def describe(self) -> Mapping[str, Any]:
        """JSON-able facts for header and manifest: name, version, python, what is not confined."""
