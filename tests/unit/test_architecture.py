"""What docs/architecture.md says about imports and names, read off the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_agentcore
from pytest_agentcore import errors

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_agentcore"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

VALUES = {"errors", "trial", "untrusted", "redact"}
CONTRACTS = {"backends.base", "tools.base", "sandbox.base"}
MAY_IMPORT = {
    "errors": {"trial.modes"},
    "trial": {"errors"},
    "stats": {"trial"},
    "untrusted": set(),
    "redact": set(),
    "format": {"stats", "untrusted"},
    "options": {"errors"},
    "sandbox": {"errors"},
    "tools": VALUES | {"sandbox"},
    "tasks": VALUES | {"options", "tools.base"},
    "dialects": VALUES | {"tools.base"},
    "catalogue": VALUES | {"dialects.families"},
    "backends": VALUES | {"catalogue", "dialects", "tools.base"},
    "agent": VALUES | CONTRACTS | {"catalogue.entry"},
    "checking": VALUES | {"sandbox", "tasks"},
    "runner": VALUES | {"agent", "checking", "sandbox", "tasks", "tools"},
    "setup": VALUES | {"options", "backends", "catalogue", "agent.session"},
    "pack": VALUES | {"stats", "tasks.suite"},
    "analysis": VALUES | {"dialects.resemblance", "format", "pack", "stats"},
    "reports": VALUES | {"analysis", "format", "pack", "stats"},
    "checks": VALUES
    | {"__version__", "agent", "backends.base", "catalogue.entry", "checking", "pack", "runner", "sandbox", "tasks"}
    | {"tools"},
    "hookspecs": {"trial", *CONTRACTS},
}
"""Rooms of the package by what they may import besides themselves. plugin, session/ and cli/ put it together."""

PYTEST_FACING = {"plugin", "hookspecs", "session"}
HEAVY = {
    "huggingface_hub",
    "llama_cpp",
    "jinja2",
    "jsonschema",
    "numpy",
    "pandas",
    "openai",
    "referencing",
    "scipy",
    "sqlite3",
    "vl_convert",
    "xdist",
}
HOME_OF_HEAVY = {
    "llama_cpp": {"backends.llama.engine"},
    "jinja2": {"backends.llama.template", "reports.html.page"},
    "numpy": {"backends.llama.sampler", "stats.chance"},
    "jsonschema": {"tools.toolbox", "pack.validate", "catalogue.registry"},
    "huggingface_hub": {"catalogue.hub"},
    "openai": {"backends.openai.client"},
    "referencing": {"pack.validate"},
    "vl_convert": {"reports.html.charts"},
    "scipy": {"stats.chance", "stats.intervals"},
}


def inside(module: str) -> str:
    """Its name below the package."""
    return module.partition(".")[2]


def room(module: str) -> str:
    """First part of a name below the package."""
    return module.partition(".")[0]


def imported(tree: ast.AST) -> Iterator[str]:
    """Absolute names of the modules (or names of modules) that the code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            full = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES or node.module == "pytest_agentcore" else node.module for name in full)


def at_run_time(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that importing the module runs, those for type checkers left out."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            yield node


def own_imports(module: str, tree: ast.AST) -> set[str]:
    """Names below the package that a module imports from other rooms."""
    names = {inside(name) for name in imported(tree) if name.startswith("pytest_agentcore.")}
    return {name for name in names if room(name) != room(inside(module))}


def source(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def run_time(module: str) -> ast.Module:
    return ast.Module(body=list(at_run_time(source(module))), type_ignores=[])


@pytest.mark.parametrize("module", [name for name in MODULES if room(inside(name)) in MAY_IMPORT])
def test_imports_go_one_way(module: str) -> None:
    allowed = MAY_IMPORT[room(inside(module))]
    foreign = own_imports(module, run_time(module))
    assert {name for name in foreign if name not in allowed and room(name) not in allowed} == set()


def test_every_room_has_a_rule() -> None:
    rooms = {room(inside(module)) for module in MODULES} - {""}
    assert rooms == {*MAY_IMPORT, "plugin", "session", "cli"}


def test_only_pytest_facing_files_import_pytest() -> None:
    users = {
        inside(name) for name in MODULES for found in imported(source(name)) if room(found) in ("pytest", "_pytest")
    }
    assert {room(user) for user in users} == PYTEST_FACING


@pytest.mark.parametrize("heavy", sorted(HOME_OF_HEAVY))
def test_heavy_libraries_have_one_home(heavy: str) -> None:
    homes = {inside(module) for module in MODULES if heavy in map(room, imported(source(module)))}
    assert homes == HOME_OF_HEAVY[heavy]


def test_what_the_entry_point_loads_is_light() -> None:
    seen: set[str] = set()
    todo = ["pytest_agentcore.plugin", "pytest_agentcore"]
    while todo:
        module = todo.pop()
        seen.add(module)
        top = [node for node in at_run_time(source(module)) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = set(imported(ast.Module(body=list(top), type_ignores=[])))
        assert not {room(name) for name in names} & HEAVY, module
        todo += [name for name in names if name in MODULES and name not in seen]
    assert not {inside(module) for module in seen if room(inside(module)) == "session"}


def test_public_names() -> None:
    assert pytest_agentcore.__all__ == [
        "Actor",
        "Budget",
        "Fault",
        "Instance",
        "Trial",
        "__version__",
        "database",
        "read_folder",
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
    rooms = {room(inside(module)) for module in MODULES} - {""}
    missing = {name for name in rooms if f"`{name}/`" not in page and f"`{name}.py`" not in page}
    assert missing == set()
