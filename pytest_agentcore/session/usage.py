"""Notes on the command line itself, its scope over the suite, and our errors as pytest shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.errors import InfrastructureError, RecordError, UsageError
from pytest_agentcore.options import OPTIONS, Option
from pytest_agentcore.tasks.suite import Suite

_INI_FILES = (
    ("pytest.toml", ""),
    (".pytest.toml", ""),
    ("pytest.ini", ""),
    (".pytest.ini", ""),
    ("pyproject.toml", "[tool.pytest"),
    ("tox.ini", "[pytest]"),
    ("setup.cfg", "[tool:pytest]"),
)
"""Names in pytest's order, and the section that makes the file pytest's."""


def notes(config: pytest.Config, taken: Sequence[str]) -> Iterator[str]:
    """Warn of spellings that others have taken, and of paths that moved the rootdir."""
    for option in OPTIONS:
        spelling = f"--{option.name}"
        if spelling in taken and config.getoption(option.dest) is None:  # else somebody knows whose is whose
            yield f"{spelling} belongs to another plugin or conftest here; ours is --agentcore-{option.name}"
        if option.path and moved_rootdir(config, option):
            yield (
                f"--{option.name} PATH as two words made pytest look for its ini file from that path "
                f"(rootdir is {config.rootpath}); write --{option.name}=PATH"
            )


def moved_rootdir(config: pytest.Config, option: Option[Any]) -> bool:
    """Tell whether a path given as a word of its own decided the rootdir: only from it is the root seen."""
    words = [str(word) for word in config.invocation_params.args]
    names = (f"--{option.name}", f"--agentcore-{option.name}")
    values = [value for name, value in pairwise(words) if name in names]
    here = config.invocation_params.dir
    paths = [(here / value).resolve() for value in values if (here / value).exists()]
    seen_from_here = here.resolve().is_relative_to(config.rootpath) and _ini_above(here.resolve()) == config.inipath
    return bool(paths) and not seen_from_here


def _ini_above(folder: Path) -> Path | None:
    """The ini file pytest would have found from a folder: the first upwards with a section for pytest."""
    for parent in (folder, *folder.parents):
        for name, section in _INI_FILES:
            if (parent / name).is_file() and section in (parent / name).read_text(errors="replace"):
                return parent / name
    return None


@contextmanager
def usage_errors() -> Iterator[None]:
    """Raise our usage errors as pytest's."""
    try:
        yield
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


@contextmanager
def opening_errors(backend: str) -> Iterator[None]:
    """Turn whatever keeps a backend, which may be anybody's code, from being opened into a usage error."""
    try:
        yield
    except (UsageError, RecordError):
        raise
    except (Exception, SystemExit) as error:
        said = str(error) if isinstance(error, InfrastructureError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"backend {backend} cannot be opened: {said}") from error


@contextmanager
def record_errors() -> Iterator[None]:
    """A disk that takes no more ends the session in a sentence: whatever came after would be lost too."""
    try:
        yield
    except RecordError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


_WORDS = {"keyword": "-k", "markexpr": "-m"}
_LISTS = {"deselect": "--deselect", "ignore": "--ignore", "ignore_glob": "--ignore-glob"}


def scope_of(config: pytest.Config, suite: Suite) -> tuple[str, ...]:
    """Paths relative to the suite's folder, then what pytest's own options leave out."""
    words = [_relative(argument, suite.path) for argument in config.args]
    for dest, spelling in _WORDS.items():
        if value := config.getoption(dest, ""):
            words += [spelling, value]
    for dest, spelling in _LISTS.items():
        for value in config.getoption(dest, None) or ():
            words += [spelling, str(value)]
    return tuple(words)


def _relative(argument: str, suite: Path) -> str:
    path, colons, name = argument.partition("::")
    return Path(os.path.relpath(Path(path).resolve(), suite.resolve())).as_posix() + colons + name
