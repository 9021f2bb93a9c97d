"""What a process in bubblewrap sees of the host: the system, one interpreter, nothing that was installed into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.interpreter import Interpreter

PYTHON = "/opt/python"
"""Holds `python3` and `python`, first on PATH."""
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SHOWN = ("/usr", "/nix/store", "/etc/alternatives", "/etc/ld.so.cache")
HIDDEN = ("/usr/src",)
"""Below what is shown; containers like to keep a project there."""


def fixed_mounts(interpreter: Interpreter, hidden: Sequence[Path]) -> list[str]:
    """bubblewrap's options for everything that is the same for every command; `hidden` host folders are covered."""
    return [*_system(), *_python(interpreter), *_masks(interpreter, hidden)]


def read_only_mounts(mounts: Mapping[str, Path], *, another_user: bool) -> Iterator[str]:
    """The options for one command's own folders and files.

    Raises:
        SandboxError: one that the sandbox's user could not read.
    """
    for inside, host in mounts.items():
        mode = host.stat().st_mode
        if another_user and not mode & 0o004:
            raise SandboxError(f"{host} is to be shown in the sandbox but only its owner may read it")
        if not inside.startswith("/workspace/"):
            yield from _parents(inside)
        yield from ("--ro-bind", str(host), inside)


def _system() -> list[str]:
    words = ["--proc", "/proc", "--dev", "/dev", "--dir", "/etc"]
    for path in map(Path, SHOWN):
        if path.exists():
            words += ["--ro-bind", str(path), str(path)]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _python(interpreter: Interpreter) -> list[str]:
    words = []
    if not interpreter.in_system:
        prefix = str(interpreter.prefix)
        words += [*_parents(prefix), "--ro-bind", prefix, prefix]
    words += [*_parents(PYTHON), "--dir", PYTHON]
    for name in ("python3", "python"):
        words += ["--symlink", str(interpreter.executable), f"{PYTHON}/{name}"]
    return words


def _parents(path: str) -> list[str]:
    """bubblewrap gives a parent the mode it has on the host, and a home is closed; these are open."""
    parents = list(PurePosixPath(path).parents)[-2::-1]
    return [word for parent in parents for word in ("--dir", str(parent))]


def _masks(interpreter: Interpreter, hidden: Sequence[Path]) -> list[str]:
    """Empty, read-only folders over what is shown and should not be."""
    shown = [Path(p) for p in SHOWN] + [interpreter.prefix]
    wanted = {*interpreter.package_folders(), *map(Path, HIDDEN), *(path.resolve() for path in hidden)}
    covered = sorted(p for p in wanted if _has_content(p) and any(p.is_relative_to(s) for s in shown))
    outermost = [p for p in covered if not any(p != q and p.is_relative_to(q) for q in covered)]
    return [word for p in outermost for word in ("--tmpfs", str(p), "--remount-ro", str(p))]


def _has_content(folder: Path) -> bool:
    """An empty folder hides nothing, and every mount costs time."""
    try:
        return any(folder.iterdir())
    except OSError:
        return folder.is_dir()
