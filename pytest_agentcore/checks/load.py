"""Task modules loaded by path, without pytest, and what is wrong with their declarations."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pytest_agentcore.errors import TaskDeclarationError, UsageError
from pytest_agentcore.tasks.declare import check_alone, check_tools
from pytest_agentcore.tasks.suite import Suite, find_suite, modules_in
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.toolbox import KnownTools, builtin_tools


@dataclass(frozen=True, slots=True)
class Loaded:
    """The tasks of the places that were named, and a line for each module that cannot be used."""

    tasks: tuple[tuple[Suite, Task], ...]
    tools: Mapping[str, Tool]
    errors: tuple[str, ...]


def load(places: Sequence[str]) -> Loaded:
    """Load the task modules at `places`: shipped suites' names, folders, files.

    Raises:
        UsageError: a place is none of these, or holds no test module.
    """
    files = [file for place in places for file in _files(place)]
    tools = _tools({file.parent for file in files})
    tasks: list[tuple[Suite, Task]] = []
    errors = []
    for file in files:
        try:
            tasks += [(Suite.of(file), task) for task in load_tasks(file, tools)]
        except UsageError as error:
            errors.append(" ".join(str(error).split()))
    return Loaded(tuple(tasks), tools, (*errors, *_duplicates(tasks)))


def load_tasks(file: Path, tools: Mapping[str, Tool]) -> list[Task]:
    """The task of a module; none in a module of ordinary tests.

    Raises:
        TaskDeclarationError: a declaration that cannot be run.
        UsageError: the module cannot be imported.
    """
    module = load_module(file)
    declared = (getattr(value, "agentcore", None) for value in vars(module).values())
    tasks = {task.checker: task for task in declared if isinstance(task, Task) and task.module == file}
    for task in tasks.values():
        check_tools(task, tools)
        check_alone(task, vars(module))
        if not task.checker.__name__.startswith("test"):
            raise TaskDeclarationError(
                file, "checker", f"{task.checker.__name__} must be named test_…, or pytest does not collect it"
            )
    return list(tasks.values())


def load_module(file: Path) -> ModuleType:
    """Execute a module under a name of its own.

    Raises:
        UsageError: it cannot be imported, for whatever reason.
    """
    name = f"agentcore_tasks.{file.parent.name}.{file.stem}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file}: is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _first_on_path(file.parent):
        try:
            spec.loader.exec_module(module)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"{file}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _files(place: str) -> list[Path]:
    path = Path(place).absolute()
    if path.is_file():
        return [path]
    folder = find_suite(place)
    found = modules_in(folder)
    if not found:
        raise UsageError(f"{folder}: no test_*.py in it")
    return found


def _tools(folders: Iterable[Path]) -> Mapping[str, Tool]:
    """The built-in tools and those that a `conftest.py` beside the tasks registers."""
    known = KnownTools()
    known.add(builtin_tools(), "pytest-agentcore")
    for conftest in sorted(folder / "conftest.py" for folder in folders):
        register = getattr(load_module(conftest), "pytest_agentcore_tools", None) if conftest.is_file() else None
        if register is not None:
            known.add(_registered(register, conftest), str(conftest))
    return known.tools


def _registered(register: Callable[..., object], conftest: Path) -> object:
    try:
        return register(**dict.fromkeys(inspect.signature(register).parameters))
    except Exception as error:
        raise UsageError(f"{conftest}: pytest_agentcore_tools raised {type(error).__name__}: {error}") from error


def _duplicates(tasks: Iterable[tuple[Suite, Task]]) -> Iterator[str]:
    modules: dict[str, Path] = {}
    for _suite, task in tasks:
        if modules.setdefault(task.id, task.module) != task.module:
            problem = f"{task.id!r} is also the id of {modules[task.id]}; rename one of the modules"
            yield str(TaskDeclarationError(task.module, "id", problem))


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
