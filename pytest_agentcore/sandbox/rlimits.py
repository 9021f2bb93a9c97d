"""What the kernel enforces on each process of a sandbox, by the names of `resource.RLIMIT_*` in small letters."""

from __future__ import annotations

from pytest_agentcore.sandbox.base import Limits

OPEN_FILES = 512
SPARE_PROCESSES = 64
"""The kernel's limit lies this far above `Limits.processes`: it holds between two looks of the watch, which ends the
tree, and it counts threads."""


def rlimits(limits: Limits) -> dict[str, int]:
    """Bytes, seconds or counts by name. `nproc` does not bind root; the watch counts the tree's processes too."""
    return {
        "nproc": limits.processes + SPARE_PROCESSES,
        "core": 0,
        "cpu": limits.cpu_seconds,
        "data": limits.memory_bytes,
        "fsize": limits.file_bytes,
        "nofile": OPEN_FILES,
    }
