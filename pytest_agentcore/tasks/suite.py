"""A suite: a folder of task modules, its name, version, system prompt and digest; and how it is found."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.tasks.task import IGNORED, task_id

SYSTEM_PROMPT = """\
You are an agent that works in a folder of files through tools. Do what the user asks by calling tools; \
nothing is done unless a tool does it. When the work is finished, answer with one short sentence and no tool call.
"""
"""For suites without a `system.txt` of their own."""


@dataclass(frozen=True)
class Suite:
    """A folder of task modules. `suite.toml` (name, version, title) and `system.txt` are optional."""

    path: Path
    name: str
    version: str
    title: str
    """How reports name it, e.g. `agentic-core-v1 (open rebuild 1.0)`."""
    system_prompt: str

    @cached_property
    def digest(self) -> str:
        """sha256 over every file's path and content; the same in clone, wheel and editable install.

        Caches, campaigns, virtual environments and hidden folders beside the tasks are left out: runs and tools leave
        them there.
        """
        sha = hashlib.sha256()
        for path in sorted(_files(self.path), key=lambda p: p.relative_to(self.path).as_posix()):
            content = path.read_bytes()
            sha.update(f"{path.relative_to(self.path).as_posix()}\0{len(content)}\0".encode() + content)
        return sha.hexdigest()

    @classmethod
    def load(cls, path: Path) -> Suite:
        """Read the folder's own declarations.

        Raises:
            UsageError: `suite.toml` is not TOML or has unknown keys.
        """
        file, prompt = path / "suite.toml", path / "system.txt"
        declared: dict[str, Any] = {}
        if file.is_file():
            try:
                declared = tomllib.loads(file.read_text(encoding="utf-8"))
            except tomllib.TOMLDecodeError as error:
                raise UsageError(f"{file}: {error}") from error
        keys = ("name", "version", "title")
        if unknown := declared.keys() - {*keys}:
            raise UsageError(f"{file}: unknown key {min(unknown)!r}; {instead(min(unknown), keys)}")
        name = str(declared.get("name", path.name))
        return cls(
            path=path,
            name=name,
            version=str(declared.get("version", "0")),
            title=str(declared.get("title", name)),
            system_prompt=(prompt.read_text(encoding="utf-8") if prompt.is_file() else SYSTEM_PROMPT).strip(),
        )

    @classmethod
    def of(cls, module: Path) -> Suite:
        """The suite a task module belongs to: the nearest folder upwards with a `suite.toml`, else its own folder."""
        for folder in module.parents:
            if (folder / "suite.toml").is_file():
                return cls.load(folder)
        return cls.load(module.parent)

    def covers(self, module: Path) -> bool:
        """Whether the digest is over this task module too."""
        return (module.parent.resolve() / module.name).is_relative_to(self.path.resolve())


def suite_at(paths: Sequence[Path]) -> Suite:
    """The suite that a campaign over these files and folders belongs to: the first that has tasks.

    The paths may name a project's own tests too. Where one suite's folder lies in another's, the outer one is meant.
    """
    found = (Suite.of(path / "_" if path.is_dir() else path) for path in paths)
    suites = list({suite.path.resolve(): suite for suite in found}.values())
    outer = [one for one in suites if not any(other is not one and other.covers(one.path) for other in suites)]
    if len(outer) == 1:
        return outer[0]
    # a test module of the package names it; importing modules to find out would be too early
    tests = {one: (path for path in one.path.rglob("test_*.py") if path.is_file()) for one in outer}
    having = (one for one in outer if any(b"pytest_agentcore" in path.read_bytes() for path in tests[one]))
    return next(having, outer[0])


def find_suite(name: str, home: Path = Path()) -> Path:
    """The folder of a shipped suite's name, or of a directory, relative to `home`.

    Raises:
        UsageError: neither; gives the nearest shipped name.
    """
    shipped = shipped_suites()
    if name in shipped:
        return shipped[name]
    if (home / Path(name).expanduser()).is_dir():
        return (home / Path(name).expanduser()).resolve()
    raise UsageError(f"no suite and no directory {name!r}; {instead(name, shipped)}")


def overshadowed(name: str, home: Path = Path()) -> str:
    """Say so where a shipped suite's name is also that of a folder with other contents; empty elsewhere."""
    shipped, folder = shipped_suites().get(name), home / name
    if shipped is None or not folder.is_dir() or folder.resolve() == shipped:
        return ""
    mine, other = (Suite.load(each).digest[:12] for each in (shipped, folder))
    if mine == other:
        return ""
    return (
        f"{name} means the shipped suite (digest {mine}) and not the folder of that name, which holds another (digest "
        f"{other}); ./{name} means the folder"
    )


def task_ids(folder: Path) -> tuple[str, ...]:
    """Ids of the task modules below a suite's folder, by their names alone; files that tasks give are no modules."""
    modules = (path for path in _files(folder) if path.match("test_*.py"))
    return tuple(sorted(task_id(path) for path in modules if "files" not in path.relative_to(folder).parts))


def shipped_suites() -> dict[str, Path]:
    """Folders by name: inside the package in a wheel, beside it in a clone or an editable install."""
    package = Path(__file__).resolve().parents[1]
    for home in (package / "suites", package.parent / "suites"):
        if found := {p.parent.name: p.parent for p in sorted(home.glob("*/suite.toml"))}:
            return found
    return {}


def _files(root: Path) -> Iterator[Path]:
    """Every file that is a suite's content; linked folders are not entered."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        # hidden folders, campaigns and virtual environments are none of its content
        foreign = {name for name in folders if here == root and name.startswith(".")}
        for name in folders:
            is_campaign = (here / name / "manifest.json").is_file() and (here / name / "verification").is_dir()
            if is_campaign or (here / name / "pyvenv.cfg").is_file():
                foreign.add(name)
        folders[:] = [name for name in folders if name not in IGNORED | foreign]
        for name in names:
            path = here / name
            if name not in IGNORED and path.suffix != ".pyc" and path.is_file():
                yield path
