"""Finished trials over real workspaces and real sandboxes, without an agent."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.bubblewrap import Bubblewrap
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import create_workspace, freeze
from pytest_agentcore.tasks.task import Instance

Files = Mapping[str, str | bytes]
Finish = Callable[..., Trial]
NOTHING: Files = MappingProxyType({})

BUBBLEWRAP = pytest.param("bubblewrap", marks=pytest.mark.sandbox)
NAMESPACE = pytest.param("user namespace", marks=pytest.mark.sandbox)
"""bubblewrap as it runs for anybody but root: all processes in it are the same user."""
PROCESS = "process"


@pytest.fixture(scope="session")
def sandboxes() -> Callable[[str], Sandbox]:
    """The sandbox of a kind; skips where there is none, but never in CI."""
    opened: dict[str, Sandbox] = {}

    def get(kind: str) -> Sandbox:
        if kind not in opened:
            opened[kind] = _open(kind)
        return opened[kind]

    return get


def _open(kind: str) -> Sandbox:
    if kind == PROCESS:
        return open_sandbox("process")
    try:
        sandbox = open_sandbox("bubblewrap")
    except UsageError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    if kind == "user namespace":
        return dataclasses.replace(cast("Bubblewrap", sandbox), uids=None)
    return sandbox


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, sandboxes: Callable[[str], Sandbox]) -> Sandbox:
    """The plain process unless a test is parametrized with a kind: for what runs no code it does not matter."""
    return sandboxes(getattr(request, "param", PROCESS))


@pytest.fixture
def finish(tmp_path: Path, sandbox: Sandbox) -> Finish:
    """Makes the trial that finds `given` and leaves `files` on top of it and whatever `leave` does to the workspace."""
    tmp_path.chmod(0o755)  # the sandbox's processes may be another user's
    numbers = itertools.count()

    def make(
        files: Files = NOTHING,
        *,
        given: Files = NOTHING,
        protected: tuple[str, ...] = (),
        leave: Callable[[Path], object] = lambda _root: None,
    ) -> Trial:
        home = tmp_path / f"trial{next(numbers)}"
        instance = Instance(given)
        live = create_workspace(home / "live", {**given, **files})
        leave(live.root)
        frozen = freeze(live, home / "frozen")
        task: Any = SimpleNamespace(protected=protected)
        return Trial.open(
            task=task, instance=instance, run=1, frozen=frozen.workspace, sandbox=sandbox, skipped=frozen.skipped
        )

    return make
