"""How much a tree uses. That it is ended for it, `tests/attacks/test_exhausting.py` shows."""

from __future__ import annotations

from pytest_agentcore.sandbox.base import Workspace
from pytest_agentcore.sandbox.watch import disk


def test_the_count_of_disk_ends_at_its_cap(workspace: Workspace) -> None:
    for number in range(50):
        (workspace.root / str(number)).write_bytes(bytes(4096))
    assert disk([workspace.root, workspace.tmp], 10**9) > 50 * 4096
    assert disk([workspace.root], 10_000) < 50 * 4096
