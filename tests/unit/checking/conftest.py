"""Finished trials over real workspaces and real sandboxes, without an agent."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from confined import sandbox_of

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.workspace import create_workspace, freeze
from pytest_agentcore.tasks.task import Instance

Files = Mapping[str, str | bytes]
Finish = Callable[..., Trial]
NOTHING: Files = MappingProxyType({})


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """The plain process unless a test is parametrized with a kind: for what runs no code it does not matter."""
    return sandbox_of(getattr(request, "param", "process"))


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
