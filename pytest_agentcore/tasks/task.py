"""A task as it was declared, and its instances: the values that everything else reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from random import Random
from typing import Any

from pytest_agentcore.errors import InfrastructureError, TaskDeclarationError
from pytest_agentcore.tools.base import Fault
from pytest_agentcore.trial.modes import Cause

IGNORED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"})
"""Caches, which never count as content: not in a digest, not in a workspace, not in a diff."""

_LEFT_BEHIND = ("*.pyc", "*~", "*.sw[m-p]", "#*#", ".#*", "._*", "*___jb_*___", ".nfs*", "Thumbs.db", "desktop.ini")
"""Patterns of what interpreters, editors, desktops and file systems leave beside files."""

_WORD = re.compile(r"\{(\w+)\}")
"""Where a prompt takes one of an instance's words."""

LONGEST_NAME, LONGEST_PATH = 255, 1024
"""Bytes that every file system takes, the path below the workspace."""

Checker = Callable[..., None]
"""The decorated test function. `declare` types its one argument, the finished trial: trials know their task."""
Solution = Callable[..., str | None]
"""Acts through the agent's tools, an `Actor`; what it returns is the final answer."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The concrete data of a task for one run index."""

    files: Mapping[str, str | bytes]
    """Content by workspace path (posix, relative); text is written as UTF-8."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able values for checker and oracle (`trial.facts`, `agent.facts`); never shown to the model."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Texts that take the place of `{name}` in the prompt, by name."""

    def digest(self) -> str:
        """sha256 over files, facts and, where there are any, words."""
        told = [dict(self.facts), dict(self.words)] if self.words else dict(self.facts)
        sha = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        for path, content in sorted(self.files.items()):
            sha.update(f"\0{path}\0".encode() + (content.encode() if isinstance(content, str) else content))
        return sha.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits that end a trial; None leaves the session's value."""

    turns: int | None = None
    reply_tokens: int | None = None
    seconds: float | None = None


Files = str | Mapping[str, str | bytes] | Callable[[Random], Instance]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task as declared. Made by `task`, read by everything else."""

    checker: Checker
    prompt: str
    files: Files
    tools: tuple[str, ...]
    artifacts: tuple[str, ...]
    protected: tuple[str, ...]
    budget: Budget
    faults: tuple[Fault, ...]
    equivalents: Mapping[str, str] = field(default_factory=dict)
    """Why a mutant of the oracle's result is none, by a part of its changed line."""
    oracles: list[Solution] = field(default_factory=list)
    alternatives: list[Solution] = field(default_factory=list)
    counterexamples: list[Solution] = field(default_factory=list)

    @cached_property
    def module(self) -> Path:
        """The task module's file."""
        # Code that was compiled elsewhere, and moved together with its cache, still has the name of that place.
        return Path(self.checker.__globals__["__file__"])

    @property
    def id(self) -> str:
        """The name that options, tables and transcripts call it by."""
        return task_id(self.module)

    @property
    def varies(self) -> bool:
        """Whether each run index is another instance."""
        return callable(self.files)

    def prompt_of(self, instance: Instance) -> str:
        """The prompt of an instance: the declared one, with its words in place."""
        # Not str.format: a prompt may show JSON or code in braces.
        return _WORD.sub(lambda found: instance.words.get(found[1], found[0]), self.prompt)

    def instance(self, suite_version: str, run: int) -> Instance:
        """The data of one run index, drawn from (suite version, task, run index): the same for every model.

        Raises:
            TaskDeclarationError: the task's own function made what no workspace can hold.
        """
        if isinstance(self.files, str):
            return Instance(read_folder(self.module.parent / "files" / self.files))
        if not callable(self.files):
            return Instance(self.files)
        drawn: object = self.files(Random(f"{suite_version}/{self.id}/{run}"))
        if not isinstance(drawn, Instance):
            problem = f"must return an Instance, and returned {kind_of(drawn)}"
        elif not isinstance(drawn.facts, Mapping):
            problem = files_problem(drawn.files) or f"facts must be a dict, and are {kind_of(drawn.facts)}"
        else:
            problem = files_problem(drawn.files) or self._words_problem(drawn.words)
            try:
                json.dumps(dict(drawn.facts), sort_keys=True)
            except (TypeError, ValueError) as error:
                problem = problem or f"facts must be what JSON can hold: {error}"
            if not problem:
                return drawn
        name = getattr(self.files, "__name__", "the function")
        raise TaskDeclarationError(self.module, "files", f"{name}: {problem}")

    def _words_problem(self, words: object) -> str:
        if not isinstance(words, Mapping):
            return f"words must be a dict, and are {kind_of(words)}"
        for name, word in words.items():
            if not isinstance(word, str) or not is_utf8(word):
                return f"words: {name!r} must be text, and is {kind_of(word)}"
            if name not in _WORD.findall(self.prompt):
                return f"words: no {{{name}}} stands in the prompt"
        return ""

    def refuse_verdict(self, returned: object) -> None:
        """Raise InfrastructureError for anything that the checker returned: it neither accepts nor rejects."""
        if returned is not None:
            raise InfrastructureError(
                f"the checker is broken: {self.checker.__name__} returned {returned!r:.80}; it must assert instead",
                Cause.checker_broken,
            )


def task_id(module: PurePath) -> str:
    """The module's stem without `test_`, e.g. `task_05_minimal_fix`."""
    return module.stem.removeprefix("test_")


def database(sql: str) -> bytes:
    """The bytes of a SQLite file that `sql` builds, for use as a file's content."""
    import sqlite3  # noqa: PLC0415 - plugin start-up must stay light

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(sql)
        made = connection.serialize()
    # Bytes 96 to 99 hold the version of the library that wrote the file (sqlite.org/fileformat2.html): an instance must
    # have one digest on every machine.
    return made[:96] + bytes(4) + made[100:]


def read_folder(folder: Path) -> dict[str, str | bytes]:
    """Contents by posix path below `folder`, what `is_leftover` left out."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name.as_posix(): path.read_bytes() for name, path in files.items() if not any(map(is_leftover, name.parts))}


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is a cache or an editor's swap or backup file, and no task's content."""
    return name in IGNORED or any(fnmatchcase(name, pattern) for pattern in _LEFT_BEHIND)


def files_problem(files: object) -> str:
    """Say what is wrong with contents by workspace path; empty where nothing is."""
    if not isinstance(files, Mapping):
        return f"must be contents by path, and is {kind_of(files)}"
    for path, content in files.items():
        if problem := path_problem(path):
            return problem
        if not isinstance(content, str | bytes):
            return f"{path!r} must hold text or bytes, and holds {kind_of(content)}"
        if isinstance(content, str) and not is_utf8(content):
            return f"{path!r} holds text that is no UTF-8; give bytes"
        for parent in PurePosixPath(path).parents:
            if parent.as_posix() in files:
                return f"{path!r} lies in {parent.as_posix()!r}, which is a file"
    return ""


def path_problem(path: object) -> str:
    """Say what is wrong with a path inside a workspace; empty where nothing is."""
    if not isinstance(path, str):
        return f"a path must be text, and is {kind_of(path)}"
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        return f"{path!r} must be relative and stay inside the workspace"
    if path in ("", ".") or "\0" in path or not is_utf8(path):
        return f"{path!r} is no name of a file"
    if pure.as_posix() != path:
        return f"{path!r} must be written {pure.as_posix()!r}"
    if max(len(part.encode()) for part in pure.parts) > LONGEST_NAME or len(path.encode()) > LONGEST_PATH:
        return f"{path[:40]!r}… is too long a path"
    return ""


def kind_of(value: object) -> str:
    """Name a value by its type, for a sentence that says what was expected."""
    return "nothing" if value is None else f"of type {type(value).__name__}"


def is_utf8(text: str) -> bool:
    """Whether a file can hold it: half of a surrogate pair is a character of Python's alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
