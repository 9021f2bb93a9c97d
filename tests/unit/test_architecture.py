"""The source keeps the rooms, arrows and rules that docs/architecture.md describes."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_agentcore
from pytest_agentcore import errors
from pytest_agentcore.cli.__main__ import COMMANDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_agentcore"
MOST_LINES = 39_800
"""A ratchet for the whole package: lowered whenever it shrank, raised only for what a reader would miss."""
MOST_MODULES = 16
"""More modules in one folder make it a drawer: nobody finds the right one at first sight."""
FEWEST_LINES = 100
"""A module of fewer lines that only one other imports belongs into that other one."""

VALUES = {"errors", "trial", "untrusted", "redact"}
CONTRACTS = {"backends.base", "tools.base", "sandbox.base"}
MAY_IMPORT = {
    "errors": {"trial.modes"},
    "trial": {"errors"},
    "stats": {"trial"},
    "untrusted": set(),
    "console": {"errors"},
    "redact": set(),
    "format": {"stats", "untrusted"},
    "options": {"errors"},
    "sandbox": {"errors"},
    "tools": VALUES | {"sandbox"},
    # declare names the types of what a checker and an oracle are given, for type checkers only
    "tasks": VALUES | {"options", "tools.base", "agent.actor", "checking.trial"},
    "dialects": VALUES | {"tools.base"},
    "catalogue": VALUES | {"dialects.families"},
    "backends": VALUES | {"catalogue", "dialects", "tools.base"},
    "agent": VALUES | CONTRACTS | {"catalogue.entry"},
    "checking": VALUES | {"sandbox", "tasks"},
    "runner": VALUES | {"agent", "checking", "pack", "sandbox", "tasks", "tools"},
    "setup": VALUES | {"options", "backends", "catalogue", "agent.session"},
    "pack": VALUES | {"stats", "tasks.suite"},
    "analysis": VALUES | {"dialects.resemblance", "format", "pack", "stats"},
    "reports": VALUES | {"analysis", "format", "pack", "stats"},
    "checks": VALUES
    | {"agent", "backends.base", "catalogue.entry", "checking", "pack", "runner", "sandbox", "tasks"}
    | {"format", "setup", "tools"},
    "exports": VALUES | {"pack", "stats"},
    "hookspecs": {"trial", "pack.read", "elsewhere.base", *CONTRACTS},
}
"""Rooms of the package by what they may import besides themselves. plugin, session/ and cli/ put it together."""

PUTS_TOGETHER = {"plugin", "session", "cli", "elsewhere"}
PYTEST_FACING = {"plugin", "hookspecs", "session", "checks"}
"""`checks` knows pytest for one reason: a checker may reject by `pytest.fail`."""
SCRIPTS = {"checking.inside.run", "tools.sql_reader"}
"""Started inside the sandbox, where nothing of the package can be imported."""
STANDS_ALONE = {"elsewhere.base", "plugin", "hookspecs", "cli.__main__", *SCRIPTS, *CONTRACTS}
"""Entry points and contracts, which may be short however few modules import them."""

HEAVY = {
    "dask",
    "distributed",
    "every_eval_ever",
    "harbor",
    "huggingface_hub",
    "inspect_ai",
    "jinja2",
    "jsonschema",
    "llama_cpp",
    "numpy",
    "openai",
    "pandas",
    "psutil",
    "referencing",
    "scipy",
    "sqlite3",
    "xdist",
}
HOME_OF_HEAVY = {
    "distributed": {"elsewhere.dask"},
    "every_eval_ever": {"exports.eee"},
    "harbor": {"exports.atif"},
    "inspect_ai": {"exports.inspect_log"},
    "llama_cpp": {"backends.llama.engine"},
    "jinja2": {"backends.llama.template", "reports.rendering"},
    "numpy": {"backends.llama.sampler", "stats.chance"},
    "jsonschema": {"tools.arguments", "pack.validate", "catalogue.registry"},
    "huggingface_hub": {"catalogue.hub"},
    "openai": {"backends.openai.client"},
    "pandas": {"analysis.frames", "pack.csv"},
    "psutil": {"backends.llama.fit"},
    "referencing": {"pack.validate"},
    "scipy": {"stats.chance", "stats.intervals"},
}
"""The only modules that may import a heavy library."""

RIDDLE = re.compile(r"(Of|What|Whoever|For whoever|Whether somebody)\b")
"""How a docstring begins that makes its reader guess which noun it is about."""

ABOUT_NO_MODULE = {
    "test_architecture.py",
    "backends/llama/test_recurrent.py",
    "backends/openai/test_llama_cpp_server.py",
    "backends/openai/test_llama_server.py",
}
"""Unit tests of more than one module: of all of them, and of a backend over a real server."""


class Module(NamedTuple):
    """One parsed file; names stand without the package's own, and `""` is the package itself."""

    path: Path
    tree: ast.Module
    lines: int
    imports: frozenset[str]
    """Modules of the package that it imports anywhere: in functions and for type checkers too."""
    foreign: frozenset[str]
    """Top-level names of other packages that it imports anywhere."""


@functools.cache
def package() -> dict[str, Module]:
    """Every module by its name below the package, parsed once for all tests of this file."""
    paths = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
    found = {}
    for name, path in paths.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        imports = set(imported(tree, ".".join(path.relative_to(ROOT).parent.parts)))
        own = {target for full in imports if (target := _own(full, paths)) is not None}
        foreign = {full.partition(".")[0] for full in imports} - {"pytest_agentcore"}
        found[name] = Module(path, tree, text.count("\n"), frozenset(own - {name}), frozenset(foreign))
    return found


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _own(full: str, paths: dict[str, Path]) -> str | None:
    """The module of the package that a full name stands for; None for another package's."""
    head, _, name = full.partition(".")
    if head != "pytest_agentcore":
        return None
    return name if name in paths else name.rpartition(".")[0]


def imported(tree: ast.AST, folder: str = "") -> Iterator[str]:
    """Absolute names of everything that the code of a package's folder imports, a module's names after its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            source = f"{folder}.{node.module}" if node.level else node.module
            yield from (f"{source}.{alias.name}" for alias in node.names)


def at_import(tree: ast.Module) -> ast.Module:
    """The statements that run when a module is imported: no function bodies, nothing for type checkers."""
    kept = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.Module(body=list(kept), type_ignores=[])


def room(name: str) -> str:
    """The first part of a dotted name: `pack` of `pack.csv`, `scipy` of `scipy.stats`."""
    return name.partition(".")[0]


def rooms() -> set[str]:
    return {room(name) for name in package()} - {""}


def is_file(name: str) -> bool:
    return package()[name].path.name != "__init__.py"


def test_imports_go_one_way() -> None:
    against = {
        f"{name} imports {target}"
        for name, module in package().items()
        for target in module.imports
        if room(name) in MAY_IMPORT and target and room(target) != room(name)
        if target not in MAY_IMPORT[room(name)] and room(target) not in MAY_IMPORT[room(name)]
    }
    assert against == set()


def test_every_room_has_a_rule() -> None:
    assert rooms() == {*MAY_IMPORT, *PUTS_TOGETHER}


def test_imports_make_no_circle() -> None:
    """Imports inside functions and for type checkers count: a reader has to follow those, too."""
    graph = {name: module.imports for name, module in package().items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" ← ".join(error.args[1]))


def test_a_module_is_used_twice_or_has_a_hundred_lines_or_is_a_contract() -> None:
    importers = Counter(target for module in package().values() for target in module.imports)
    importers.update(f"cli.{module}" for module, _ in COMMANDS.values())  # imported by name, for one command at a time
    hops = {
        name: module.lines
        for name, module in package().items()
        if is_file(name) and importers[name] < 2 and module.lines < FEWEST_LINES and name not in STANDS_ALONE
    }
    assert hops == {}


def test_no_room_is_a_drawer() -> None:
    sizes = Counter(module.path.parent for name, module in package().items() if is_file(name))
    assert {str(folder.relative_to(ROOT)): size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_the_package_stays_small() -> None:
    assert sum(module.lines for module in package().values()) <= MOST_LINES


def test_only_pytest_facing_rooms_import_pytest() -> None:
    users = {room(name) for name, module in package().items() if module.foreign & {"pytest", "_pytest"}}
    assert users == PYTEST_FACING


@pytest.mark.parametrize("heavy", sorted(HOME_OF_HEAVY))
def test_heavy_libraries_have_a_home(heavy: str) -> None:
    strangers = {name for name, module in package().items() if heavy in module.foreign} - HOME_OF_HEAVY[heavy]
    assert strangers == set()


def test_what_the_entry_point_loads_is_light() -> None:
    seen: set[str] = set()
    todo = ["plugin", ""]
    while todo:
        name = todo.pop()
        seen.add(name)
        loaded = set(imported(at_import(package()[name].tree)))
        assert not {room(full) for full in loaded} & HEAVY, name
        own = {full.partition(".")[2] for full in loaded if room(full) == "pytest_agentcore"}
        targets = {target if target in package() else target.rpartition(".")[0] for target in own}
        todo += targets - seen
    assert {room(name) for name in seen} <= {"", "plugin", "hookspecs", "options", "errors", "trial"}


def test_docstrings_are_no_riddles() -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    riddles = [
        f"{name}: {text.splitlines()[0]}"
        for name, module in package().items()
        for node in ast.walk(module.tree)
        if isinstance(node, kinds) and (text := ast.get_docstring(node) or "") and RIDDLE.match(text)
    ]
    assert riddles == []


def test_unit_tests_bear_the_names_of_modules() -> None:
    here = Path(__file__).parent
    stray = {
        str(path.relative_to(here))
        for path in here.rglob("test_*.py")
        if not {path.stem.removeprefix("test_"), f"__{path.stem.removeprefix('test_')}__"}
        & {module.stem for module in (PACKAGE / path.parent.relative_to(here)).glob("*.py")}
    }
    assert stray == ABOUT_NO_MODULE


def test_public_names() -> None:
    assert pytest_agentcore.__all__ == [
        "Actor",
        "Budget",
        "Fault",
        "Instance",
        "Results",
        "Trial",
        "__version__",
        "compare",
        "database",
        "figures",
        "plain_lines",
        "read",
        "read_folder",
        "stated",
        "task",
    ]
    assert all(getattr(pytest_agentcore, name) is not None for name in pytest_agentcore.__all__)


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    parents: dict[int, str] = {}
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+)", line)
        if found and line[0] in "A│├└":
            depth = len(found[1]) // 4
            parents[depth] = found[2]
            drawn[found[2]] = parents[depth - 1] if depth else "Exception"
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert drawn == real


def test_the_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = {name for name in rooms() if f"`{name}/`" not in page and f"`{name}.py`" not in page}
    assert missing == set()


def test_the_page_names_only_files_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", page))
    assert {name for name in named if not (PACKAGE / name).is_file() and not (ROOT / name).is_file()} == set()
