"""Imports in the judge: the standard library and the given test files are loaded, everything else is asked for.

No file that the model could have written is ever executed in the judge.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType

from .remote import Link, RemoteModule

_MARK = "<workspace>/"
"""Begins the entries of `__path__` of packages in the workspace, which only this finder understands."""


class WorkspaceFinder(MetaPathFinder):
    """Finds a module in the standard library, then among the given test files, then in the workspace."""

    def __init__(self, link: Link, tests: Mapping[str, bytes], workspace: Path, given: Path, folders: Sequence[str]):
        """`tests` are the sources that are loaded here, by workspace path; `folders` are searched like `sys.path`."""
        self._link, self._tests = link, tests
        self._workspace, self._given = workspace, given
        self._folders = tuple(folders)
        self._library = [entry for entry in sys.path if entry]

    def install(self) -> None:
        """Replace the ordinary search: `sys.path` no longer loads anything by itself."""
        sys.meta_path[:] = [BuiltinImporter, FrozenImporter, self]
        sys.addaudithook(self._refuse_workspace_code)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        if path is None:
            found = PathFinder.find_spec(fullname, self._library, target)
            return found or self._in_workspace(fullname, self.search_path())
        ours = [entry.removeprefix(_MARK) for entry in path if entry.startswith(_MARK)]
        return self._in_workspace(fullname, ours) if ours else PathFinder.find_spec(fullname, path, target)

    def search_path(self) -> list[str]:
        """Workspace folders: those that were named, then those that a test put on `sys.path`."""
        folders = list(self._folders)
        for entry in sys.path:
            for home in (self._workspace, self._given):
                place = (self._workspace / entry).resolve()
                if entry not in self._library and place.is_relative_to(home):
                    folders.append(place.relative_to(home).as_posix())
        return list(dict.fromkeys("" if folder == "." else folder for folder in folders))

    def _in_workspace(self, fullname: str, folders: Sequence[str]) -> ModuleSpec | None:
        name = fullname.rpartition(".")[2]
        packages = []
        for folder in folders:
            stem = (PurePosixPath(folder) / name).as_posix()
            for file, below in ((f"{stem}/__init__.py", [stem]), (f"{stem}.py", [])):
                if file in self._tests:
                    return _spec(fullname, _GivenLoader(self._tests[file], str(self._given / file)), below)
                if (self._workspace / file).is_file():
                    return _spec(fullname, _RemoteLoader(self._link, self.search_path()), below)
            if (self._workspace / stem).is_dir():
                packages.append(stem)
        return _spec(fullname, None, packages) if packages else None

    def _refuse_workspace_code(self, event: str, args: tuple[object, ...]) -> None:
        """An audit hook: tests that execute a file of the workspace by hand are told how to ask for it instead."""
        if event != "exec" or not isinstance(args[0], CodeType):
            return
        file = Path(args[0].co_filename)
        if file.is_relative_to(self._given) and file.relative_to(self._given).as_posix() in self._tests:
            return
        if file.is_relative_to(self._given) or file.is_relative_to(self._workspace):
            raise ImportError(f"{file.name} is code under test: a test must import it by its module name")


class _GivenLoader(Loader):
    """Loads a given test file from its content, not from the disk."""

    def __init__(self, source: bytes, file: str) -> None:
        self._source, self._file = source, file

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._file
        exec(compile(self._source, self._file, "exec"), vars(module))  # noqa: S102 - a given file, not the model's


class _RemoteLoader(Loader):
    """Makes a stand-in for a module and lets the worker import it."""

    def __init__(self, link: Link, folders: list[str]) -> None:
        self._link, self._folders = link, folders

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return RemoteModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["_agentcore_link"] = self._link
        vars(module)["_agentcore_module"] = self._link.ask("import", module.__name__, self._folders)


def _spec(fullname: str, loader: Loader | None, packages: Sequence[str]) -> ModuleSpec:
    """`packages` are the workspace folders in which its submodules lie; none for a plain module."""
    spec = ModuleSpec(fullname, loader, is_package=bool(packages))
    if packages:
        spec.submodule_search_locations = [_MARK + folder for folder in packages]
    return spec
