"""A suite: a folder of task modules, its name, version, system prompt and digest; and how it is found."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.tasks.contents import contents, declares_task, home_of, task_modules
from pytest_agentcore.tasks.images import KEYS, Image, image_of_task, read_image
from pytest_agentcore.tasks.task import task_id

SYSTEM_PROMPT = """\
You are an agent that works in a folder of files through tools. Do what the user asks by calling tools; \
nothing is done unless a tool does it. When the work is finished, answer with one short sentence and no tool call.
"""
"""For suites without a `system.txt` of their own."""
AUDIT = "audit.json"
"""The file in a suite's folder that holds the outcome of its audit; no part of its digest."""


@dataclass(frozen=True)
class Suite:
    """A folder of task modules. `suite.toml` (name, version, title, image) and `system.txt` are optional."""

    path: Path
    name: str
    version: str
    title: str
    """How reports name it, e.g. `agentic-core-v1 (open rebuild 1.1)`."""
    system_prompt: str
    image: Image | None = None
    """The image of all tasks that name none of their own."""

    @cached_property
    def images(self) -> dict[str, Image | None]:
        """The images that tasks run in, by task id, if any task or the suite names one; None is ours."""
        modules = (module for module in task_modules(self.path) if home_of(module) == self.path.resolve())
        named = {task_id(module): image_of_task(module) or self.image for module in modules}
        return named if any(named.values()) else {}

    @property
    def image_names(self) -> dict[str, str]:
        """Their names, as a sandbox takes them."""
        return {task: image.name if image else "" for task, image in self.images.items()}

    @cached_property
    def digest(self) -> str:
        """sha256 over path and content of every file that the tasks are; the same in clone, wheel and editable install.

        What that is says `tasks/contents.py`: not all that lies in the folder.
        """
        sha = hashlib.sha256()
        for path, content in sorted(contents(self.path).items()):
            sha.update(f"{path}\0{len(content)}\0".encode() + content)
        return sha.hexdigest()

    @cached_property
    def audit(self) -> dict[str, Any] | None:
        """The outcome that `agentcore audit --record` wrote; None where it is of other contents, or there is none."""
        try:
            facts = json.loads((self.path / AUDIT).read_bytes())
        except (OSError, ValueError):
            return None
        is_whole = isinstance(facts, dict) and facts.keys() >= {"attackers", "sandbox", "attacks", "passed", "voided"}
        return facts if is_whole and facts.get("suite") == self.digest else None

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
        keys = ("name", "version", "title", *KEYS)
        if unknown := declared.keys() - {*keys}:
            raise UsageError(f"{file}: unknown key {min(unknown)!r}; {instead(min(unknown), keys)}")
        name = str(declared.get("name", path.name))
        return cls(
            path=path,
            name=name,
            version=str(declared.get("version", "0")),
            title=str(declared.get("title", name)),
            system_prompt=(prompt.read_text(encoding="utf-8") if prompt.is_file() else SYSTEM_PROMPT).strip(),
            image=read_image(declared, path, file),
        )

    @classmethod
    def of(cls, module: Path) -> Suite:
        """The suite a task module belongs to."""
        return cls.load(home_of(module))

    def covers(self, module: Path) -> bool:
        """Whether the digest is over this task module too."""
        return home_of(module) == self.path.resolve()


def suite_at(paths: Sequence[Path]) -> Suite:
    """The suite of the first task in these files and folders, which may hold a project's own tests too."""
    found = chain.from_iterable(task_modules(path) if path.is_dir() else [path] for path in paths)
    first = next(filter(declares_task, found), None)
    return Suite.of(first or (paths[0] / "_" if paths[0].is_dir() else paths[0]))


def find_suite(name: str, home: Path = Path()) -> Path:
    """The folder of a shipped suite's name, or of a directory, relative to `home`.

    Raises:
        UsageError: neither; gives the nearest shipped name or directory.
    """
    shipped, folder = shipped_suites(), home / Path(name).expanduser()
    if name in shipped:
        return shipped[name]
    if folder.is_dir():
        return folder.resolve()
    beside = sorted(path.name for path in folder.parent.glob("[!.]*") if path.is_dir())
    near = instead(folder.name, (*shipped, *beside), f"shipped suites: {', '.join(shipped)}")
    raise UsageError(f"no suite and no directory {name!r}; {near}")


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
    """Ids of a suite's task modules, by their names alone."""
    modules = (path for path in task_modules(folder) if path.match("test_*.py"))
    return tuple(sorted(task_id(path) for path in modules if home_of(path) == folder.resolve()))


def shipped_suites() -> dict[str, Path]:
    """Folders by name: inside the package in a wheel, beside it in a clone or an editable install."""
    package = Path(__file__).resolve().parents[1]
    for home in (package / "suites", package.parent / "suites"):
        if found := {p.parent.name: p.parent for p in sorted(home.glob("*/suite.toml"))}:
            return found
    return {}
