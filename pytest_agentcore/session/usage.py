"""Notes on the command line itself, its scope over the suite, and our errors as pytest shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_agentcore.errors import NoWorkers, RecordError, UsageError
from pytest_agentcore.options import OPTIONS
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.untrusted import visible

_INI_FILES = dict.fromkeys(("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"), "") | {
    "pyproject.toml": "[tool.pytest",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
"""Names in pytest's order, and the section that makes the file pytest's."""


def notes(config: pytest.Config, taken: Sequence[str]) -> Iterator[str]:
    """Warn of spellings that others have taken, and of paths that moved the rootdir."""
    words, here = [str(word) for word in config.invocation_params.args], config.invocation_params.dir
    for option in OPTIONS:
        spelling = f"--{option.name}"
        if spelling in taken and config.getoption(option.dest) is None:  # else somebody knows whose is whose
            yield f"{spelling} belongs to another plugin or conftest here; ours is --agentcore-{option.name}"
        names = (spelling, f"--agentcore-{option.name}")
        if not option.path or not any(name in names and (here / value).exists() for name, value in pairwise(words)):
            continue
        # the ini file that pytest would have found from here: the first upwards with a section for pytest
        folders = (here.resolve(), *here.resolve().parents)
        files = ((folder / name, section) for folder in folders for name, section in _INI_FILES.items())
        found = (file for file, section in files if file.is_file() and section in file.read_text(errors="replace"))
        # only from the rootdir is it seen that such a path decided it
        if not here.resolve().is_relative_to(config.rootpath) or next(found, None) != config.inipath:
            yield (
                f"--{option.name} PATH as two words made pytest look for its ini file from that path "
                f"(rootdir is {config.rootpath}); write --{option.name}=PATH"
            )


@contextmanager
def usage_errors() -> Iterator[None]:
    """Raise our usage errors as pytest's; where no trial has run yet, having no workers is one."""
    try:
        yield
    except (UsageError, NoWorkers) as error:
        raise pytest.UsageError(visible(str(error))) from error


@contextmanager
def record_errors() -> Iterator[None]:
    """A disk that takes no more ends the session in a sentence: whatever came after would be lost too."""
    try:
        yield
    except RecordError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)


def scope_of(config: pytest.Config, suite: Suite) -> tuple[str, ...]:
    """Paths relative to the suite's folder, then what pytest's own options and ours leave out."""
    words, home = list[str](), suite.path.resolve()
    for argument in config.args:
        path, colons, name = argument.partition("::")
        place = home if home.is_relative_to(Path(path).resolve()) else Path(path).resolve()
        words.append(Path(os.path.relpath(place, home)).as_posix() + colons + name)
    words = ["."] if "." in words else sorted({*words})
    single = {"keyword": "-k", "markexpr": "-m", "agentcore_run": "--agentcore-run", "agentcore_shard": "--shard"}
    for dest, spelling in single.items():
        if value := config.getoption(dest, ""):
            words += [spelling, value]
    for dest, spelling in {"deselect": "--deselect", "ignore": "--ignore", "ignore_glob": "--ignore-glob"}.items():
        for value in config.getoption(dest, None) or ():
            words += [spelling, str(value)]
    return tuple(words)
