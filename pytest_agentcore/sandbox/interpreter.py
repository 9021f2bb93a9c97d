"""The tool environment's Python: the base interpreter of the running one, without any installed package."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

PACKAGE_FOLDERS = (
    "lib/python3/dist-packages",
    "lib/python3*/site-packages",
    "lib/python3*/dist-packages",
    "lib64/python3*/site-packages",
    "local/lib/python3*/site-packages",
    "local/lib/python3*/dist-packages",
    "envs",
    "pkgs",
)
"""Where packages lie below a prefix: upstream's, Debian's and Fedora's layouts; environments of pyenv and conda."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python installation."""

    executable: Path
    """Absolute, no symlink."""
    prefix: Path
    """The installation's folder; the executable and the standard library lie in it."""

    @property
    def in_system(self) -> bool:
        """Whether it belongs to the distribution's own folders, which both sandboxes show anyway."""
        return self.prefix.is_relative_to("/usr")

    def package_folders(self) -> tuple[Path, ...]:
        """Existing folders of installed packages, this interpreter's and the system's."""
        found = {
            folder.resolve()
            for prefix in (self.prefix, Path("/usr"))
            for pattern in PACKAGE_FOLDERS
            for folder in prefix.glob(pattern)
            if folder.is_dir()
        }
        return tuple(sorted(found))


def base_interpreter() -> Interpreter:
    """The interpreter that the running one (a virtual environment's, as a rule) was made from."""
    prefix = Path(sys.base_prefix).resolve()
    version = sysconfig.get_python_version()
    named = prefix / "bin" / f"python{version}"
    executable = named if named.exists() else Path(getattr(sys, "_base_executable", sys.executable))
    return Interpreter(executable=executable.resolve(), prefix=prefix)


def version() -> str:
    """The version that both sandboxes offer, for header and manifest."""
    return ".".join(map(str, sys.version_info[:3]))
