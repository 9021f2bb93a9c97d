"""What a task file declares: `@task(...)` over the checker, oracle and counterexamples beside it."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, cast

from pytest_agentcore.errors import TaskDeclarationError

if TYPE_CHECKING:
    from pytest_agentcore.agent.actor import Actor
    from pytest_agentcore.checking.trial import Trial

IGNORED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"})
"""Names that never count as content: not in a digest, not in a workspace, not in a diff."""

Checker = Callable[["Trial"], None]
Solution = Callable[["Actor"], str | None]
"""Acts through the agent's tools; what it returns is the final answer."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The concrete data of a task for one run index."""

    files: Mapping[str, str | bytes]
    """Content by workspace path (posix, relative); text is written as UTF-8."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able values for checker and oracle (`trial.facts`, `agent.facts`); never shown to the model."""

    def digest(self) -> str:
        """sha256 over files and facts."""
        sha = hashlib.sha256(json.dumps(dict(self.facts), sort_keys=True).encode())
        for path, content in sorted(self.files.items()):
            sha.update(f"\0{path}\0".encode() + _bytes(content))
        return sha.hexdigest()

    def write(self, root: Path) -> None:
        """Create every file below `root`."""
        for path, content in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_bytes(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What ends a trial. None leaves the session's value."""

    turns: int | None = None
    reply_tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An injected tool error: the first `times` calls whose arguments mention `mentions` fail with `message`."""

    mentions: str
    message: str
    times: int = 1


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
    oracles: list[Solution] = field(default_factory=list)
    alternatives: list[Solution] = field(default_factory=list)
    counterexamples: list[Solution] = field(default_factory=list)

    @cached_property
    def module(self) -> Path:
        """The task module's file."""
        return Path(self.checker.__code__.co_filename)

    @property
    def id(self) -> str:
        """The module's stem without `test_`, e.g. `task_05_minimal_fix`."""
        return self.module.stem.removeprefix("test_")

    @property
    def varies(self) -> bool:
        """Whether each run index is another instance."""
        return callable(self.files)

    def instance(self, suite_version: str, run: int) -> Instance:
        """The data of one run index, drawn from (suite version, task, run index): the same for every model."""
        if callable(self.files):
            return self.files(Random(f"{suite_version}/{self.id}/{run}"))
        if isinstance(self.files, str):
            return Instance(read_folder(self.module.parent / "files" / self.files))
        return Instance(self.files)


class TaskFunction(Protocol):
    """A checker after `@task`: still the plain test function, with three decorators on it."""

    agentcore: Task
    __name__: str

    def __call__(self, trial: Trial) -> None: ...

    def oracle(self, solution: Solution) -> Solution:
        """The reference solution; exactly one."""

    def alternative(self, solution: Solution) -> Solution:
        """A right solution that looks different; the checker must accept it."""

    def counterexample(self, solution: Solution) -> Solution:
        """A plausible wrong solution; the checker must reject it."""


def task(
    *,
    prompt: str,
    files: Files = "",
    tools: Sequence[str] = ("fs_read", "fs_write", "shell"),
    artifacts: Sequence[str] = (),
    protected: Sequence[str] = (),
    budget: Budget = Budget(),
    faults: Sequence[Fault] = (),
) -> Callable[[Checker], TaskFunction]:
    """Declare the task of a module; the decorated test function is its checker.

    Args:
        prompt: what the model is asked, the whole of it.
        files: a folder below `files/` beside the module, a dict of contents by path, or a function of a seeded
            `random.Random` that returns an `Instance` (then each run index is another instance).
        tools: names of the tools the model gets, the built-in ones or those of a plugin.
        artifacts: workspace paths that a pass rests on; selfcheck replaces each by rubbish.
        protected: glob patterns of files the model was told not to change; the checker sees them pristine.
        budget: tighter or wider limits than the session's.
        faults: tool errors to inject.

    Raises:
        TaskDeclarationError: a declaration that cannot be run; names the file and the field.
    """

    def decorate(checker: Checker) -> TaskFunction:
        declared = Task(
            checker=checker,
            prompt=textwrap.dedent(prompt).strip(),
            files=files or {},
            tools=tuple(tools),
            artifacts=tuple(artifacts),
            protected=tuple(protected),
            budget=budget,
            faults=tuple(faults),
        )
        _check_declaration(declared)
        return _as_task_function(checker, declared)

    return decorate


def database(sql: str) -> bytes:
    """The bytes of a SQLite file that `sql` builds, for use as a file's content."""
    import sqlite3  # noqa: PLC0415 - plugin start-up must stay light

    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(sql)
        made = connection.serialize()
    finally:
        connection.close()
    # Bytes 96 to 99 hold the version of the library that wrote the file (sqlite.org/fileformat2.html): an instance must
    # have one digest on every machine.
    return made[:96] + bytes(4) + made[100:]


def read_folder(folder: Path) -> dict[str, str | bytes]:
    """Contents by posix path below `folder`, caches left out."""
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file() and not IGNORED & set(p.parts))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _as_task_function(checker: Checker, declared: Task) -> TaskFunction:
    def adder(into: list[Solution]) -> Callable[[Solution], Solution]:
        def add(solution: Solution) -> Solution:
            into.append(solution)
            return solution

        return add

    vars(checker).update(
        agentcore=declared,
        oracle=adder(declared.oracles),
        alternative=adder(declared.alternatives),
        counterexample=adder(declared.counterexamples),
    )
    return cast("TaskFunction", checker)


def _check_declaration(task: Task) -> None:
    def refuse(field_name: str, problem: str) -> TaskDeclarationError:
        return TaskDeclarationError(task.module, field_name, problem)

    if list(inspect.signature(task.checker).parameters) != ["trial"]:
        raise refuse("checker", f"{task.checker.__name__} must take exactly one argument, `trial`")
    if _is_empty(task.checker):
        raise refuse("checker", f"{task.checker.__name__} has no body: it must assert something about `trial`")
    if not task.prompt:
        raise refuse("prompt", "is empty: it must say what the model is to do")
    if isinstance(task.files, str) and not (task.module.parent / "files" / task.files).is_dir():
        raise refuse("files", f"no folder {task.files!r} in {task.module.parent / 'files'}")
    for path in [*task.artifacts, *(task.files if isinstance(task.files, Mapping) else ())]:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise refuse("files or artifacts", f"{path!r} must be relative and stay inside the workspace")
    if not task.tools:
        raise refuse("tools", "is empty: an agent without tools cannot act")


def _is_empty(checker: Checker) -> bool:
    """Whether the body is only a docstring, `pass` or `...`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(checker)))
    except (OSError, SyntaxError):
        return False
    function = cast("ast.FunctionDef", tree.body[0])
    return all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )
