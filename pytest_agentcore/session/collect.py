"""Tasks as pytest collects them, for the commands that examine tasks instead of running them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pytest

import pytest_agentcore
from pytest_agentcore.checks.ask import compared, require_assertions
from pytest_agentcore.errors import UsageError
from pytest_agentcore.plugin import EXAMINING
from pytest_agentcore.session.experiment import RegisteredTools
from pytest_agentcore.session.items import task_of
from pytest_agentcore.tasks.declare import check_in_module, same_id, same_ids
from pytest_agentcore.tasks.suite import Suite, find_suite
from pytest_agentcore.tasks.task import Task, task_id
from pytest_agentcore.tools.base import Tool

T = TypeVar("T")

_LEFT_OUT = ("cacheprovider", "stepwise", "junitxml", "pastebin", "xdist")
"""Plugins that remember, write down or distribute tests. Their options stay known: a project's `addopts` are
taken as they are, since they also say how modules are imported (`-p`, `--import-mode`, `-W`)."""
_AROUND_AN_ITEM = ("assertion", "warnings")
"""Plugins whose part in running an item makes a checker say what it says in a run."""
_ARGUMENTS = ("-p", "agentcore", "--maxfail=0", "--color=no", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""This plugin even where plugins are not loaded by themselves, every error, plain text, and no word about this package,
which was imported before its assertions could be rewritten."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The tasks of the places that were named, and a sentence for each module that cannot be used."""

    tasks: tuple[tuple[Suite, Task], ...]
    tools: Mapping[str, Tool]
    errors: tuple[str, ...]
    config: pytest.Config
    """pytest's, with the plugins and conftests that were loaded for these places."""


def collect(
    places: Sequence[str], work: Callable[[Collected], T], *, explained: bool = False, imports: ExitStack | None = None
) -> T:
    """Let pytest collect as it does for a run, and do `work` inside that session, where conftests and modules live.

    Args:
        places: names of shipped suites, folders, task files.
        work: gets what was collected; what it returns or raises comes out of here.
        explained: whether pytest's own words explain a comparison that fails, and not those of the record.
        imports: of a worker, whose tasks live on: what they import is forgotten when this is closed, not at once, and
            a session in this process may have imported the same from elsewhere.

    Raises:
        UsageError: a place is none of these or holds no test module, pytest cannot begin to collect, or Python runs
            without assertions.
    """
    require_assertions()
    paths = [Path(place).absolute() if Path(place).is_file() else find_suite(place) for place in places]
    session = _Session(paths, work, explained=explained)
    folders, searched = [path if path.is_dir() else path.parent for path in paths], list(sys.path)
    with ExitStack() as at_once, _set_aside(folders if imports else ()):
        known = set(sys.modules)
        try:
            pytest.main([*_ARGUMENTS, *map(str, paths)], plugins=[session])
        finally:
            added = [place for place in sys.path if place not in searched]
            (imports or at_once).callback(_forget, folders, known, added)
    if session.raised is not None:
        raise session.raised
    if not session.made:
        raise UsageError("pytest cannot collect these tasks; its own message is above")
    return session.made[0]


class _Session(Generic[T]):
    """A plugin that makes of pytest's session a collection, followed by one piece of work."""

    def __init__(self, paths: Sequence[Path], work: Callable[[Collected], T], *, explained: bool) -> None:
        self._paths, self._work, self._explained = paths, work, explained
        self._modules: list[Path] = []
        self._tasks: dict[Path, tuple[Suite, Task]] = {}
        self._items: list[pytest.Item] = []
        self._errors: list[str] = []
        self._registered: RegisteredTools | None = None
        self._tools: Mapping[str, Tool] = {}
        self.made: list[T] = []
        self.raised: BaseException | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Take care, before anything is configured, that no model is run and nothing is written."""
        config.stash[EXAMINING] = True
        for name in _LEFT_OUT:
            if config.pluginmanager.has_plugin(name):
                config.pluginmanager.unregister(name=name)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Let pytest report to nobody, and ask for tools, also those of conftests that are still to come."""
        plugins = config.pluginmanager
        # There must be a reporter: other plugins, and pytest's own explanations of assertions, rely on one.
        plugins.unregister(name="terminalreporter")
        plugins.register(pytest.TerminalReporter(config, io.StringIO()), "terminalreporter")
        self._config, self._registered = config, RegisteredTools(config)
        self._tools = self._registered.tools

    def pytest_plugin_registered(self) -> None:
        """Ask a conftest beside the tasks for its tools."""
        try:
            if self._registered:
                self._registered.ask()
        except UsageError as error:
            raise pytest.Collector.CollectError(str(error)) from error

    def pytest_pycollect_makemodule(self, module_path: Path) -> None:
        """Remember every test module, whether it holds a task or not."""
        self._modules.append(module_path)

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Module | pytest.Class, name: str, obj: object
    ) -> Generator[None, object, object]:
        """Take the task of a module, or say what is wrong with it."""
        made = yield
        task = getattr(obj, "agentcore", None)
        if isinstance(task, Task) and task.module == collector.path:
            collected = made is not None or name != task.checker.__name__  # another name for it is no test
            try:
                check_in_module(task, vars(collector.obj), self._tools, collected=collected)
                self._tasks[task.module] = (Suite.of(task.module), task)
            except UsageError as error:
                raise collector.CollectError(str(error)) from error
        return made

    @pytest.hookimpl(tryfirst=True)
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str]:
        """Show of a comparison what a run shows."""
        return [] if self._explained else [compared(op, left, right)]

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Remember the tasks' items before `-k` and the like leave some out."""
        if task_of(item):
            self._items.append(item)

    def pytest_exception_interact(self, node: pytest.Collector, call: pytest.CallInfo[object]) -> None:
        """Say in one line why a module cannot be used."""
        if call.excinfo is None:
            return
        path, reason = node.path, call.excinfo.value
        if isinstance(reason, pytest.Collector.CollectError):
            reason = reason.__cause__ or reason
        twins = [task.module for _, task in self._tasks.values() if task.id == task_id(path)]
        said = f"{path}: cannot be imported: {type(reason).__name__}: {reason}"
        if isinstance(reason, UsageError | pytest.Collector.CollectError):
            said = str(reason)
        elif twins and isinstance(reason, ImportError):  # pytest imports no second module of one name
            said = str(same_id(path, twins[0]))
        self._errors.append(" ".join(said.split()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do the work in place of the tests, as a part of the first task's item.

        Only around an item does pytest explain comparisons and apply the project's warning filters. What other plugins
        do around one, such as a limit of its time, is meant for tests.
        """
        for path in self._paths:
            if not any(module.is_relative_to(path) for module in self._modules):
                said = "is no Python module" if path.is_file() else "no test_*.py in it"
                raise UsageError(f"{path}: {said}; name a test_*.py, or a folder that has some")
        if not self._items:
            return self.pytest_runtest_protocol()
        plugins = session.config.pluginmanager
        others = [plugin for name, plugin in plugins.list_name_plugin() if name not in _AROUND_AN_ITEM]
        protocol = plugins.subset_hook_caller("pytest_runtest_protocol", [one for one in others if one is not self])
        return bool(protocol(item=self._items[0], nextitem=None))

    def pytest_runtest_protocol(self) -> bool:
        """Do the work where pytest would run an item."""
        errors = (*self._errors, *map(str, same_ids(task for _, task in self._tasks.values())))
        self.made.append(self._work(Collected(tuple(self._tasks.values()), self._tools, errors, self._config)))
        return True

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Carry the exception that ended the session, which may be the work's own, out of it."""
        self.raised = excinfo.value
        return True

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Carry an interrupt out likewise; a `pytest.exit` of the project's own is a usage error."""
        ended = isinstance(excinfo.value, pytest.exit.Exception)
        self.raised = UsageError(f"pytest was ended: {excinfo.value}") if ended else excinfo.value


@contextmanager
def _set_aside(folders: Sequence[Path]) -> Iterator[None]:
    """Let what lies in the folders be imported although modules of the same names are known from other places.

    pytest refuses a second copy of a test module. The others are known again behind this, also to functions that import
    when they are called.
    """
    tests = [test for folder in folders for name in ("test_*.py", "conftest.py") for test in folder.rglob(name)]
    # where pytest begins to look for modules: above the packages that tests lie in
    roots = {next(above for above in test.parents if not (above / "__init__.py").is_file()) for test in tests}
    names = {path.stem for root in roots for path in root.glob("*.py")}
    names |= {path.parent.name for root in roots for path in root.glob("*/__init__.py")}
    names -= sys.stdlib_module_names | {pytest_agentcore.__name__}
    others = {name: module for name, module in tuple(sys.modules.items()) if name.partition(".")[0] in names}
    for name in others:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(others)


def _forget(folders: Sequence[Path], known: Container[str], added: Sequence[str]) -> None:
    """Forget the modules below the folders, so that a later session in this process reads their files anew."""
    sys.path[:] = [place for place in sys.path if place not in added]
    for name in [name for name in sys.modules if name not in known]:
        file = getattr(sys.modules[name], "__file__", None)
        if file and any(Path(file).is_relative_to(folder) for folder in folders):
            del sys.modules[name]
