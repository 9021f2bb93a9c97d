"""The tool environment's Python: the base interpreter of the running one, without any installed package."""

from __future__ import annotations

import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_agentcore.sandbox.workspace import clear


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python installation."""

    executable: Path
    """Absolute, no symlink."""
    prefix: Path
    """The installation's folder; the executable and the standard library lie in it."""


@cache
def base_interpreter() -> Interpreter:
    """The interpreter that the running one (a virtual environment's, as a rule) was made from."""
    prefix = Path(sys.base_prefix).resolve()
    version = sysconfig.get_python_version()
    named = prefix / "bin" / f"python{version}"
    executable = named if named.exists() else Path(getattr(sys, "_base_executable", sys.executable))
    return Interpreter(executable=executable.resolve(), prefix=prefix)


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
        # Sets and dicts of strings iterate alike in every trial: a difference between two trials is the model's.
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **extra,
    }


NAMES = ("python3", "python")
TRIES = 10
"""Attempts to put it in the place of something else; only other threads can make more than two necessary."""


def make_python(folder: Path, interpreter: Interpreter) -> None:
    """A virtual environment in its smallest form: it sees the standard library and no package of the base.

    It lies where the agent may write, so it is made anew whenever it is not as it should be.
    """
    wanted = f"home = {interpreter.executable.parent}\ninclude-system-site-packages = false\n"
    if _is_python(folder, wanted, interpreter.executable):
        return
    fresh = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    (fresh / "bin").mkdir()
    (fresh / "pyvenv.cfg").write_text(wanted, encoding="utf-8")
    for name in NAMES:
        (fresh / "bin" / name).symlink_to(interpreter.executable)
    for _ in range(TRIES):
        try:
            fresh.rename(folder)
        except OSError:
            if _is_python(folder, wanted, interpreter.executable):  # made by another thread, and perhaps in use
                break
            clear(folder)
        else:
            return
    shutil.rmtree(fresh)


def _is_python(folder: Path, wanted: str, executable: Path) -> bool:
    try:
        links = {(folder / "bin" / name).readlink() for name in NAMES}
        config = folder / "pyvenv.cfg"
        return links == {executable} and stat.S_ISREG(config.lstat().st_mode) and config.read_text() == wanted
    except (OSError, ValueError):
        return False
