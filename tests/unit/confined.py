"""A real sandbox over a real workspace with the real tools in it, for the tests of both and for the attacks."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox.base import Command, Completed, Limits, Sandbox, Workspace
from pytest_agentcore.sandbox.bubblewrap import Bubblewrap
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import create_workspace
from pytest_agentcore.tasks.task import Instance
from pytest_agentcore.tools.base import Fault, ToolContext
from pytest_agentcore.tools.toolbox import Toolbox, builtin_tools
from pytest_agentcore.trial.result import CallRecord

BUBBLEWRAP = pytest.param("bubblewrap", marks=pytest.mark.sandbox)
NAMESPACE = pytest.param("user namespace", marks=pytest.mark.sandbox)
"""bubblewrap as it runs for anybody but root."""
CONTAINER = pytest.param("container", marks=pytest.mark.container)
"""A container that runs over short-lived copies share, as checkers' do: it is there already."""
TRIAL = pytest.param("a trial's container", marks=pytest.mark.container)
PROCESS = pytest.param("process")

MOUNTED = pytest.mark.parametrize("cell", [BUBBLEWRAP, NAMESPACE, CONTAINER], indirect=True)
"""Claims that need mounts and namespaces."""
EVERYWHERE = pytest.mark.parametrize("cell", [BUBBLEWRAP, NAMESPACE, CONTAINER, PROCESS], indirect=True)
"""Claims that hold for the plain process too."""
BOTH = pytest.mark.parametrize("cell", [BUBBLEWRAP, PROCESS], indirect=True)
"""The same, where it makes no difference who runs bubblewrap: the harness itself refuses."""
NAMES = ("fs_read", "fs_write", "shell", "sql_query")


@dataclass(frozen=True)
class Cell:
    """One trial's surroundings."""

    sandbox: Sandbox
    workspace: Workspace
    toolbox: Toolbox

    @property
    def root(self) -> Path:
        """The workspace on the host."""
        return self.workspace.root

    def call(self, tool: str, seconds_left: float = 30.0, **arguments: Any) -> CallRecord:
        """A call as the agent loop makes it."""
        context = ToolContext(workspace=self.workspace, sandbox=self.sandbox, seconds_left=seconds_left)
        return self.toolbox.call(tool, arguments, context, turn=1, index=0)

    def shell(self, command: str) -> str:
        """What the model reads of a command."""
        return self.call("shell", command=command).result

    def run(self, *argv: str, stdin: bytes = b"", read_only: dict[str, Path] | None = None, **limits: Any) -> Completed:
        """A process with limits of its own."""
        command = Command(argv=argv, stdin=stdin, read_only=read_only or {}, limits=Limits(**limits))
        return self.sandbox.run(self.workspace, command)

    def python(self, source: str, **limits: Any) -> Completed:
        """A Python program."""
        return self.run("python3", "-c", source, **limits)


MakeCell = Callable[..., Cell]


def make_cell(sandbox: Sandbox, folder: Path, instance: Instance | None = None, faults: tuple[Fault, ...] = ()) -> Cell:
    """A fresh workspace in `folder` under `sandbox`."""
    workspace = create_workspace(folder, instance.files if instance else {})
    return Cell(sandbox, workspace, Toolbox(builtin_tools(), faults))


@contextlib.contextmanager
def cell_of(kind: str, folder: Path) -> Iterator[Cell]:
    """A cell of a kind, for as long as a trial lasts."""
    cell = make_cell(sandbox_of(kind), folder)
    with cell.sandbox.over(cell.workspace) if kind == "a trial's container" else contextlib.nullcontext():
        yield cell


@functools.cache  # opening one proves that it works, by running a Python in it
def sandbox_of(kind: str) -> Sandbox:
    """The sandbox of a kind; skips where it does not work, but never in CI, where `.ci/run` found that it does."""
    if kind == "process":
        return open_sandbox("process")
    try:
        sandbox = open_sandbox("container" if "container" in kind else "bubblewrap")
    except UsageError as error:
        if os.environ.get("AGENTCORE_CONTAINERS" if "container" in kind else "CI"):
            raise
        pytest.skip(str(error))
    if kind == "user namespace" and isinstance(sandbox, Bubblewrap):
        return dataclasses.replace(sandbox, uids=None)
    return sandbox
