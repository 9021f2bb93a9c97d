"""Which files a suite is: its task modules, the local modules and data that these name, and what every task is given.

It is read off the text, since a suite's digest is wanted before pytest imports anything.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_agentcore.tasks.task import is_leftover

_USES_US = re.compile(rb"^[ \t]*(from|import)[ \t]+pytest_agentcore\b", re.MULTILINE)
_ON_PATH = ("conftest.py", "pyproject.toml", "pytest.ini", "pytest.toml", "tox.ini", "setup.cfg", "setup.py")
"""Beside one of these modules can be imported: pytest puts such folders on the path, or can be told to."""
_FOR_ALL = re.compile(r"pytest_agentcore_tools|trial")
"""What a conftest defines under these names every task gets unasked, as it does fixtures with `autouse`."""
_LONGEST = 200
"""Characters; a longer text names no file."""


def home_of(module: Path) -> Path:
    """The folder of the suite that a task module belongs to, whatever was typed to find it.

    That is the nearest folder upwards with a `suite.toml`; without one the module's own, or the highest above it that
    can be reached through folders which hold task modules themselves.
    """
    home = module.parent.resolve()
    if declared := next((folder for folder in (home, *home.parents) if (folder / "suite.toml").is_file()), None):
        return declared
    while home != home.parent and any(declares_task(path) for path in home.parent.glob("test_*.py")):
        home = home.parent
    return home


def declares_task(path: Path) -> bool:
    """Whether a Python file uses this package, itself or through local modules that it imports."""
    try:
        if not path.is_file():
            return False
        own = _USES_US.search(path.read_bytes())
        return bool(own) or any(_USES_US.search(used.read_bytes()) for used in _with_imports([path]))
    except OSError:
        return False


def task_modules(folder: Path) -> Iterator[Path]:
    """Python files below a folder that declare tasks, in order; what tasks give to models is not among them."""
    found = (path for path in files_below(folder) if path.suffix == ".py" and "files" not in _names(path, folder))
    yield from (path for path in found if path.name not in ("conftest.py", "__init__.py") and declares_task(path))


def contents(home: Path) -> dict[str, bytes]:
    """Collect what a suite's digest is over, by path relative to its folder.

    Notes, editors' leftovers, ordinary tests and hooks of a conftest are not among it.
    """
    home = home.resolve()
    modules = [path for path in task_modules(home) if home_of(path) == home]
    folders = {parent for path in modules for parent in path.parents if parent.is_relative_to(home)} | {home}
    conftests = {path: _for_every_task(path) for folder in folders if (path := folder / "conftest.py").is_file()}
    sources = _with_imports(modules, [(path, node) for path, nodes in conftests.items() for node in nodes])
    patterns = {pattern for path in sources for pattern in _named_in(_tree(path))} | _built_from(home / "suite.toml")
    given = {folder / "files" for folder in folders}
    found = {path: path.read_bytes() for path in sources}
    for path in files_below(home):
        is_given = any(path.is_relative_to(folder) and path.parent != folder for folder in given)
        if is_given or path in (home / "suite.toml", home / "system.txt") or _is_named(path, home, patterns):
            found[path] = path.read_bytes()
    for path, nodes in conftests.items():
        if nodes and path not in sources:
            lines = path.read_text(encoding="utf-8").splitlines()
            begins = [min(each.lineno for each in (node, *getattr(node, "decorator_list", ()))) for node in nodes]
            parts = ["\n".join(lines[at - 1 : node.end_lineno]) for at, node in zip(begins, nodes, strict=True)]
            found[path] = "\n".join(parts).encode()
    return {Path(os.path.relpath(path, home)).as_posix(): content for path, content in found.items()}


def _built_from(declaration: Path) -> set[str]:
    """The name of the file that the tasks' image is built from, if a suite has one."""
    try:
        named = tomllib.loads(declaration.read_text(encoding="utf-8")).get("containerfile")
    except (OSError, ValueError):
        return set()
    return {Path(named).name} if isinstance(named, str) else set()


def files_below(root: Path) -> Iterator[Path]:
    """Every file that may be a suite's, in order; hidden folders beside tasks and linked ones are not entered."""
    for place, folders, names in os.walk(root):
        here = Path(place)
        is_given = "files" in _names(here, root)
        folders[:] = sorted(name for name in folders if not _is_foreign(here / name, given=is_given))
        yield from (here / name for name in sorted(names) if not is_leftover(name) and (here / name).is_file())


def _is_foreign(folder: Path, *, given: bool) -> bool:
    """Whether a folder is a cache, a campaign, a virtual environment or hidden; what tasks give may be hidden."""
    is_campaign = (folder / "manifest.json").is_file() and (folder / "verification").is_dir()
    hidden = folder.name.startswith(".") and not given
    return is_leftover(folder.name) or is_campaign or hidden or (folder / "pyvenv.cfg").is_file()


def _names(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts


def _tree(path: Path) -> ast.Module:
    """A file's syntax; nothing where it has none, since pytest is going to say so."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ast.Module(body=[], type_ignores=[])


def _with_imports(modules: Iterable[Path], more: Iterable[tuple[Path, ast.AST]] = ()) -> set[Path]:
    """These files, the local modules that they or `more` pieces of files import, and the packages around them."""
    found, todo = set[Path](), [*modules]
    todo += [target for path, node in more for target in _imported(path, node)]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            around = path.parent.parent if path.name == "__init__.py" else path.parent
            todo += [init for init in (around / "__init__.py",) if init.is_file()]
            todo += _imported(path, _tree(path))
    return found


def _imported(path: Path, code: ast.AST) -> Iterator[Path]:
    """Files of local modules that a piece of a file imports; installed ones are not the suite's."""
    above = (folder for folder in path.parents[1:] if any((folder / name).is_file() for name in _ON_PATH))
    roots = [path.parent, *above]
    for node in ast.walk(code):
        places, names = roots, list[str]()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names]
            places = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else roots
        for name in names:
            top = name.partition(".")[0]
            if places is not roots or top not in {*sys.stdlib_module_names, "pytest_agentcore"}:
                yield from next(filter(None, (_module_files(place, name) for place in places)), ())


def _module_files(place: Path, name: str) -> list[Path]:
    """The files of a dotted name below a folder: each package's, and the module's."""
    found = []
    for part in name.split("."):
        found += [file for file in (place / f"{part}.py", place / part / "__init__.py") if file.is_file()]
        place /= part
    return found


def _named_in(code: ast.AST) -> Iterator[str]:
    """Patterns of the names of files and folders that a piece of code may mean by its strings."""
    for node in ast.walk(code):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        texts = [part.value if isinstance(part, ast.Constant) else "*" for part in parts]
        text = "".join(text if isinstance(text, str) else "" for text in texts)
        if len(text) <= _LONGEST and "\n" not in text:
            pieces = (f"*{piece}" if piece.startswith(".") else piece for piece in text.split("/"))
            yield from (piece for piece in pieces if piece.strip("*."))


def _is_named(path: Path, home: Path, patterns: Iterable[str]) -> bool:
    names = {*_names(path, home), path.stem}
    return path.name != "conftest.py" and any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _for_every_task(conftest: Path) -> list[ast.stmt]:
    """The statements of a conftest that tools and fixtures of every task rest on."""
    body = _tree(conftest).body
    needed = [node for node in body if _FOR_ALL.fullmatch(getattr(node, "name", "")) or _is_automatic(node)]
    for node in needed:
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        needed += [other for other in body if other not in needed and used & _defined(other)]
    return sorted(needed, key=lambda node: node.lineno)


def _is_automatic(node: ast.stmt) -> bool:
    return any("autouse=True" in ast.unparse(each) for each in getattr(node, "decorator_list", ()))


def _defined(node: ast.stmt) -> set[str]:
    """Names that a statement of a module binds: by a definition, an import or an assignment."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    imported = {each for each in ast.walk(node) if isinstance(each, ast.alias)}
    stored = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return stored | {(alias.asname or alias.name).partition(".")[0] for alias in imported}
