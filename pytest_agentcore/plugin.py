"""The pytest plugin: thin hooks that stay inert, import nothing heavy and print nothing until a model is given."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import pytest

from pytest_agentcore import hookspecs
from pytest_agentcore.options import OPTIONS

if TYPE_CHECKING:
    from pytest_agentcore.backends.base import Backend, BackendFactory, Say
    from pytest_agentcore.catalogue.entry import EndpointSettings, EngineSettings, ModelEntry
    from pytest_agentcore.checking.trial import Trial
    from pytest_agentcore.elsewhere.base import Engine, Take
    from pytest_agentcore.tools.base import Tool


_TAKEN = pytest.StashKey[Sequence[str]]()
"""Bare spellings that belong to somebody else."""
EXAMINING = pytest.StashKey[bool]()
"""Set where a command collects tasks in order to examine them: the project's own `--model` runs nothing then."""
_ONLY_SHOW = ("help", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
"""Options of pytest with which no trial runs; `--help` does not even read the paths."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the extension points."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option under its own prefix, and its ini twin."""
    group = parser.getgroup("agentcore", "agentic tasks (pytest-agentcore)")
    for option in OPTIONS:
        option.add(group.addoption, f"--agentcore-{option.name}")
        if option.ini:
            kind: Literal["linelist", "bool", "string"] = "string"
            kind = "linelist" if option.repeatable else "bool" if option.kind is bool else kind
            parser.addini(option.dest, option.help, kind, default=[] if option.repeatable else None)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Add the bare spellings that are asked for and still free, after conftests and plugins had their say."""
    outcome = yield
    wanted = {word.partition("=")[0] for word in _words(args)}
    helping = bool(wanted & {"-h", "--help"})
    asked = [option for option in OPTIONS if option.bare and (helping or f"--{option.name}" in wanted)]
    free = [option for option in asked if _is_free(parser, f"--{option.name}")]
    for option in free:
        option.add(parser.getgroup("agentcore").addoption, f"--{option.name}")
    early_config.stash[_TAKEN] = tuple(f"--{option.name}" for option in asked if option not in free)
    for word in sorted(wanted):
        if word.startswith("--agentcore-") and _is_free(parser, word):
            from pytest_agentcore.errors import instead  # noqa: PLC0415 - only for whoever mistypes

            near = instead(word, (f"--agentcore-{option.name}" for option in OPTIONS))
            raise pytest.UsageError(f"{word}: there is no such option; {near}")
    return outcome


def _is_free(parser: pytest.Parser, spelling: str) -> bool:
    """Whether nobody has registered the option."""
    with contextlib.suppress(pytest.UsageError):  # somebody has, and it wants a value
        return spelling in parser.parse_known_and_unknown_args([spelling])[1]
    return False


def _words(args: Sequence[str]) -> Iterator[str]:
    """Yield the command line's words, and in the place of an `@file` those in it, one per line as pytest reads them."""
    for word in args:
        if word.startswith("@"):
            yield from _words(Path(word[1:]).read_text(encoding="utf-8").splitlines())
        else:
            yield word


def pytest_configure(config: pytest.Config) -> None:
    """Hand over to the active part if, and only if, a model is given."""
    config.addinivalue_line("markers", "agentcore: a task of pytest-agentcore (set by the plugin)")
    if EXAMINING in config.stash or any(config.getoption(name, None) for name in _ONLY_SHOW):
        return
    asked = config.getoption("agentcore_model", None) or config.getini("agentcore_model")
    if asked or hasattr(config, "workerinput"):
        from pytest_agentcore.session.activate import activate  # noqa: PLC0415 - heavy, and only wanted with a model

        activate(config, config.stash.get(_TAKEN, ()))
        return
    # a gate that somebody types must not be open because there is nothing to gate; one in the ini file waits
    for name in ("min-pass-rate", "baseline"):
        if config.getoption(f"agentcore_{name.replace('-', '_')}", None):
            raise pytest.UsageError(
                f"--agentcore-{name}: no model is given, so nothing would be gated; {_whose_model(config)}"
                "add --agentcore-model"
            )


def _whose_model(config: pytest.Config) -> str:
    """Say so where somebody typed `--model` and another plugin took it."""
    taken = "--model" in config.stash.get(_TAKEN, ())
    return "--model belongs to another plugin or conftest here; " if taken else ""


def pytest_agentcore_tools() -> Sequence[Tool]:
    """The built-in tools."""
    from pytest_agentcore.tools.toolbox import builtin_tools  # noqa: PLC0415

    return builtin_tools()


def pytest_agentcore_backends() -> Mapping[str, BackendFactory]:
    """The built-in backends; what they need is imported when one is opened."""

    def opening(module: str) -> BackendFactory:
        def open_backend(
            entry: ModelEntry, engine: EngineSettings | EndpointSettings, say: Say | None = None
        ) -> Backend:
            from pytest_agentcore.backends.base import open_with, say_nothing  # noqa: PLC0415

            factory: BackendFactory = importlib.import_module(f"pytest_agentcore.backends.{module}").open_backend
            return open_with(factory, entry, engine, say or say_nothing)

        return open_backend

    modules = {"llama_cpp": "llama.backend", "openai": "openai.backend", "scripted": "scripted"}
    return {name: opening(module) for name, module in modules.items()}


def pytest_agentcore_engine(address: str, at_once: int, take: Take) -> Engine | None:
    """The built-in engine, which is Dask's; it is imported by whoever asks for it."""
    if not address.startswith(("dask://", "dask+tcp://")):
        return None
    from pytest_agentcore.errors import UsageError  # noqa: PLC0415

    try:
        module = importlib.import_module("pytest_agentcore.elsewhere.dask")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--agentcore-on {address}: there is no {error.name} here; `pip install 'pytest-agentcore[dask]'` brings it"
        ) from error
    return cast("Engine", module.Dask(address, take, at_once))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Collect nothing that tasks give or models wrote: importing it would run a model's code outside the sandbox."""
    path = campaign = collection_path
    try:
        if path.name == "files" and path.is_dir():  # beside task modules
            modules = [module for module in path.parent.glob("test_*.py") if module.is_file()]
            if any(b"pytest_agentcore" in module.read_bytes() for module in modules):
                return True
        # a campaign's folder, or what lies among the workspaces in one, in case somebody names these
        if "workspaces" in path.parts:
            inside = (at for at in (path, *path.parents) if (at.parent.name, at.name) == ("data", "workspaces"))
            campaign = next((at.parent.parent for at in inside), path)
        return True if (campaign / "manifest.json").is_file() and (campaign / "verification").is_dir() else None
    except OSError:  # a folder that cannot be looked into is pytest's to speak about
        return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a model a task is skipped, with a reason that says what to type."""
    if config.pluginmanager.has_plugin("agentcore-active"):
        return
    words = "pytest --agentcore-model smollm2-135m (or a .gguf, oracle, null, scripted:FILE)"
    reason = f"{_whose_model(config)}a task needs a model: {words}"
    for item in items:
        declared = getattr(getattr(item, "function", None), "agentcore", None)
        if type(declared).__module__ == "pytest_agentcore.tasks.task":  # looked at without loading it
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Trial:
    """The finished trial of this item: what a task's checker looks at."""
    active = request.config.pluginmanager.get_plugin("agentcore-active")
    if active is None or not hasattr(request, "param"):
        pytest.fail("the `trial` fixture belongs to a test function decorated with @task and run with a model")
    return cast("Trial", active.trial(request.node))
