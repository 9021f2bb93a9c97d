"""A Python without packages for the plain process, which has no mounts to hide them behind."""

from __future__ import annotations

import shutil
import stat
import tempfile
from pathlib import Path

from pytest_agentcore.sandbox.interpreter import Interpreter

NAMES = ("python3", "python")
TRIES = 10
"""Of putting it in the place of something else; only other threads can make more than two necessary."""


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


def clear(path: Path) -> None:
    """Remove whatever is there; a link is not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_python(folder: Path, wanted: str, executable: Path) -> bool:
    try:
        links = {(folder / "bin" / name).readlink() for name in NAMES}
        config = folder / "pyvenv.cfg"
        return links == {executable} and stat.S_ISREG(config.lstat().st_mode) and config.read_text() == wanted
    except (OSError, ValueError):
        return False
