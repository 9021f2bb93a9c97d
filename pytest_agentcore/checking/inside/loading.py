"""How a worker finds the model's code: the workspace comes last on the path, so it shadows nothing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any


class Unusable(Exception):
    """The code cannot be loaded; one sentence says why."""


def extend_path(workspace: str, folders: Sequence[str] = ("",)) -> None:
    """Append workspace folders to `sys.path`."""
    for folder in folders:
        place = os.path.normpath(os.path.join(workspace, folder))  # noqa: PTH118 - pathlib stays out of the way here
        if place not in sys.path:
            sys.path.append(place)


def load_file(workspace: str, file: str) -> ModuleType:
    """Import a module by its workspace path, as the package module it is.

    Raises:
        Unusable: there is none, or importing it fails, in whatever way.
    """
    place = os.path.join(workspace, file)  # noqa: PTH118
    if not os.path.isfile(place):  # noqa: PTH113
        raise Unusable(f"{file} is missing")
    stem = file.removesuffix(".py")
    extend_path(workspace, ("", os.path.dirname(file)))  # noqa: PTH120
    try:
        module = _import_dotted(stem.removesuffix("/__init__").replace("/", "."), place)
        return module or _import_alone(stem, place)
    except BaseException as error:
        raise Unusable(f"{file} cannot be imported: {type(error).__name__}: {message_of(error)}") from error


def attribute(module: ModuleType, file: str, name: str) -> Any:
    """The object that a dotted name means in the module."""
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise Unusable(f"{file} has no {name}") from error
    return found


def message_of(error: BaseException) -> str:
    """At most 300 characters of what an exception says, whatever its own methods do."""
    try:
        return str(error)[:300]
    except BaseException:  # noqa: BLE001 - the code under test may raise anything
        return "an exception that cannot be shown"


def _import_dotted(name: str, place: str) -> ModuleType | None:
    """The module of that name, unless the name belongs to another file (a file named like a standard module)."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    if name.partition(".")[0] in sys.stdlib_module_names:
        return None
    module = importlib.import_module(name)
    return module if os.path.realpath(getattr(module, "__file__", None) or "") == os.path.realpath(place) else None


def _import_alone(stem: str, place: str) -> ModuleType:
    name = "workspace_" + "".join(c if c.isalnum() else "_" for c in stem)
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise Unusable(f"{place} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
