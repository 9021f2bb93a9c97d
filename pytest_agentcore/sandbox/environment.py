"""What every process in a sandbox finds in its environment; nothing of the host's is passed on."""

from __future__ import annotations

from collections.abc import Mapping

HASH_SEED = "0"
"""Sets and dicts of strings iterate alike in every trial: a difference between two trials is the model's."""


def environment(*, path: str, home: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The sandbox's own variables and, on top, a command's."""
    return {
        "PATH": path,
        "HOME": home,
        "TMPDIR": home,
        "USER": "agent",
        "LOGNAME": "agent",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": HASH_SEED,
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **extra,
    }
