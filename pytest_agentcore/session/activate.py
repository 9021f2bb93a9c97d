"""Puts the active part together, once a model is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.analysis.compare import check_comparable
from pytest_agentcore.analysis.gate import Gate
from pytest_agentcore.backends.base import BackendFactory
from pytest_agentcore.catalogue.registry import Registry, open_registry
from pytest_agentcore.catalogue.resolve import ELSEWHERE
from pytest_agentcore.errors import UsageError
from pytest_agentcore.options import Option, Settings
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import sweep
from pytest_agentcore.session.gates import Gating, Stopping
from pytest_agentcore.session.items import Collecting, Selecting, picked, picked_by_pytest
from pytest_agentcore.session.lifecycle import Conducting
from pytest_agentcore.session.parallel import Ahead, processes, refuse_too_many
from pytest_agentcore.session.recording import Filed, Recording, find_predictions
from pytest_agentcore.session.terminal import Grouping, Presenting, Reporting
from pytest_agentcore.session.trials import Running
from pytest_agentcore.session.usage import notes, scope_of, usage_errors
from pytest_agentcore.session.verdicts import Judging, Replaying
from pytest_agentcore.session.xdist import WORKER_INPUT, Distributing, take_over
from pytest_agentcore.setup import Setup, check_files, settle, settle_models
from pytest_agentcore.tasks.suite import Suite, find_suite, overshadowed, shipped_suites, suite_at
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.toolbox import KnownTools
from pytest_agentcore.trial.result import TrialKey

_TOOLS, _BACKENDS = "pytest_agentcore_tools", "pytest_agentcore_backends"


class Registering:
    """Knows every tool that was registered so far; pytest loads a conftest only when it collects beside it."""

    def __init__(self, config: pytest.Config) -> None:
        """Ask whoever is there.

        Raises:
            UsageError: two tools of one name, or an answer that is none.
        """
        self._config = config
        self._asked: list[object] = []
        self._known = KnownTools()
        self._ask()

    @property
    def tools(self) -> Mapping[str, Tool]:
        """By name; grows while tasks are collected."""
        return self._known.tools

    def pytest_plugin_registered(self) -> None:
        """A conftest beside the tasks may have come."""
        try:
            self._ask()
        except UsageError as error:
            raise pytest.Collector.CollectError(str(error)) from error

    def _ask(self) -> None:
        for origin, found in _answers(self._config, _TOOLS, self._asked):
            self._known.add(found, origin)


def registered_backends(config: pytest.Config) -> dict[str, BackendFactory]:
    """Factories by the prefix that asks for them.

    Raises:
        UsageError: two of one prefix, or an answer that is none.
    """
    factories: dict[str, BackendFactory] = {}
    origins: dict[str, str] = {}
    for origin, found in _answers(config, _BACKENDS, []):
        if not isinstance(found, Mapping) or not all(isinstance(name, str) and callable(found[name]) for name in found):
            raise UsageError(f"{origin}: backends must come as a dict of factories by name")
        for name, factory in found.items():
            if name in factories:
                raise UsageError(
                    f"two backends are named {name!r}, one of {origins[name]} and one of {origin}; rename one"
                )
            factories[name], origins[name] = factory, origin
    return factories


def _answers(config: pytest.Config, hook: str, asked: list[object]) -> Iterator[tuple[str, object]]:
    """What everybody answers who was not asked before, and who it is."""
    implementations = getattr(config.hook, hook).get_hookimpls()
    for one in implementations:
        if one.plugin in asked:
            continue
        asked.append(one.plugin)
        others = [other.plugin for other in implementations if other.plugin is not one.plugin]
        try:
            found = [
                list(answer) if isinstance(answer, Iterator) else answer
                for answer in config.pluginmanager.subset_hook_caller(hook, others)(config=config)
            ]
        except Exception as error:
            raise UsageError(f"{one.plugin_name}: {hook} raised {type(error).__name__}: {error}") from error
        yield from ((one.plugin_name, answer) for answer in found)


ACTIVE = "agentcore-active"
"""Name of the plugin object that the `trial` fixture asks."""


def activate(config: pytest.Config, taken: Sequence[str]) -> None:
    """Check everything that was asked for and register the hooks that do it; bare spellings may be `taken` by others.

    Raises:
        pytest.UsageError: something cannot be done as asked; nothing has been loaded or written.
    """
    worker = getattr(config, "workerinput", {WORKER_INPUT: None}).get(WORKER_INPUT, None)
    if hasattr(config, "workerinput"):
        if worker:
            _activate_worker(config, worker)
        return
    with usage_errors():
        _activate_main(config, settle(lambda option: _given(config, option)), taken)


def _activate_main(config: pytest.Config, settings: Settings, taken: Sequence[str]) -> None:
    sweep()
    suite = _suite_of(config, settings)
    running = _running(config, settings, suite)
    results = _home_of(config, "results") / Path(settings.results).expanduser()
    selection = _select(running, suite, results) or picked_by_pytest(config)
    if settings.resume and (selection or len(running.setups) != 1):
        what = "a selection, which is a campaign of its own" if selection else f"{len(running.setups)} models"
        raise UsageError(f"--agentcore-resume {settings.resume}: continues one campaign, but {what} was asked for")
    check_files(tuple(running.setups.values()), processes=config.getoption("numprocesses", None) or 1)
    gate = Gate.parse(settings.min_pass_rate)
    recording = Recording(running, suite, results, config.invocation_params.args)
    recording.warnings.extend(filter(None, [*notes(config, taken), _overshadowed(config, settings, suite)]))
    recording.scope, recording.selection = scope_of(config, suite), selection
    recording.filed = _predictions(config, settings, suite, running)
    register = config.pluginmanager.register
    register(recording, "agentcore-recording")
    presenting = Presenting(config, recording, config.invocation_params.dir)
    register(presenting, "agentcore-presenting")
    if any(setup.grouped for setup in running.setups.values()):
        register(Grouping(recording, config.invocation_params.dir), "agentcore-grouping")
    running.on_turn = presenting.on_turn
    if workers := processes(config):
        running.at_once = workers
    elif settings.parallel > 1:
        refuse_too_many(running.setups, settings.parallel)
        register(Ahead(running, settings.parallel), "agentcore-ahead")
    baseline, refusal = _baseline(config, settings, suite, results)
    register(Reporting(recording, baseline, config.invocation_params.dir), "agentcore-reporting")
    if gate or baseline or refusal:
        typed = any(config.getoption(f"agentcore_{name}") for name in ("min_pass_rate", "baseline"))
        gating = Gating(gate, baseline, recording, presenting, typed=typed, refusal=refusal)
        register(gating, "agentcore-gating")
    if config.pluginmanager.has_plugin("xdist") and config.getoption("dist", "no") != "no":
        register(Distributing(running, recording), "agentcore-distributing")
    _register_trials(config, running, suite, recording, presenting)


def _baseline(config: pytest.Config, settings: Settings, suite: Suite, results: Path) -> tuple[Campaign | None, str]:
    """What the session is compared with at its end, read and checked before its first trial; or why it cannot be.

    What stands in the ini file is nothing to refuse a run for that may turn out to have no task.
    """
    if settings.baseline is None:
        return None, ""
    path = _home_of(config, "baseline") / Path(settings.baseline).expanduser()
    try:
        campaign = read_campaign(path if path.exists() else settings.baseline, results)
        check_comparable(campaign, suite.digest, suite.title)
    except UsageError as error:
        if config.getoption("agentcore_baseline"):
            raise
        return None, str(error)
    return campaign, ""


def _predictions(config: pytest.Config, settings: Settings, suite: Suite, running: Running) -> Filed | None:
    asked = settings.predictions and _home_of(config, "predictions") / Path(settings.predictions).expanduser()
    return find_predictions(asked or None, config.rootpath, suite, running.setups.values())


def _activate_worker(config: pytest.Config, given: dict[str, Any]) -> None:
    settings = Settings(given["settings"]).replace(sandbox=given["sandbox"])
    suite = _suite_of(config, settings)
    running = _running(config, settings, suite)
    take_over(running, given)
    _register_trials(config, running, suite, None, None)


def _register_trials(
    config: pytest.Config, running: Running, suite: Suite, recording: Recording | None, presenting: Presenting | None
) -> None:
    settings, register = running.settings, config.pluginmanager.register
    collecting = Collecting(tuple(running.setups), settings.runs, settings.order, running.tools, suite)
    register(collecting, "agentcore-collecting")
    if running.picked:
        register(Selecting(running.picked), "agentcore-selecting")
    register(Judging(running), "agentcore-judging")
    register(Replaying(running), "agentcore-replaying")
    register(Stopping(running), "agentcore-stopping")
    register(Conducting(running, recording, presenting), ACTIVE)


def _running(config: pytest.Config, settings: Settings, suite: Suite) -> Running:
    registering, backends = Registering(config), registered_backends(config)
    config.pluginmanager.register(registering, "agentcore-registering")
    setups = settle_models(settings, backends, _registry(config, settings))
    return Running(
        setups={setup.label: setup for setup in setups},
        folders={},
        sandbox=open_sandbox(
            settings.sandbox, may_fall_back=not any(map(_is_real, setups)), hidden=(suite.path.resolve(),)
        ),
        tools=registering.tools,
        backends=backends,
        settings=settings,
    )


def _registry(config: pytest.Config, settings: Settings) -> Registry:
    """Models by name: those that ship, the project's, those of the file that the user names."""
    given = settings.models_file
    file = _home_of(config, "models_file") / Path(given).expanduser() if given else None
    return open_registry(config.rootpath, file)


def _select(running: Running, suite: Suite, results: Path) -> Selection | None:
    """Pick the trials that are run again, in as many runs as they were made in."""
    words, sources = running.settings.rerun, []
    for slug in running.setups if words else ():
        campaign, keys = picked(words, results, slug, suite.name)
        running.picked |= {TrialKey(slug, key.task, key.run) for key in keys}
        sources.append(campaign.folder.id)
    if not words:
        return None
    most = max(key.run for key in running.picked)
    running.settings = running.settings.replace(runs=max(running.settings.runs, most))
    return Selection(asked=("--agentcore-rerun", *words), of=", ".join(sources))


def _is_real(setup: Setup) -> bool:
    """Whether its replies come from a model: what the others do is known beforehand."""
    return not setup.entry.is_agent and setup.entry.backend != "scripted"


def _suite_of(config: pytest.Config, settings: Settings) -> Suite:
    """The suite that is collected: the one that the paths lie in, else the one that is asked for by name.

    A model that stands in the ini file alone says nothing about paths: a project's own tests stay collected then.
    """
    asked = config.getoption("agentcore_model") or _is_given(config, "suite") or hasattr(config, "workerinput")
    if config.args_source is pytest.Config.ArgsSource.ARGS or not asked:
        return suite_at([Path(str(word).partition("::")[0]).absolute() for word in config.args])
    folder = find_suite(settings.suite, _home_of(config, "suite"))
    config.args[:] = [str(folder)]
    return Suite.load(folder)


def _overshadowed(config: pytest.Config, settings: Settings, suite: Suite) -> str:
    """A word about a folder that has the name of the suite that is run; paths leave no doubt which is meant."""
    if config.args_source is pytest.Config.ArgsSource.ARGS or suite.path != shipped_suites().get(settings.suite):
        return ""
    return overshadowed(settings.suite, _home_of(config, "suite"))


def _is_given(config: pytest.Config, name: str) -> bool:
    return bool(config.getoption(f"agentcore_{name}") or config.getini(f"agentcore_{name}"))


def _home_of(config: pytest.Config, name: str) -> Path:
    """What a relative path is relative to: where it was typed, or the ini file that holds it."""
    typed = config.getoption(f"agentcore_{name}") is not None
    return config.invocation_params.dir if typed or not config.getini(f"agentcore_{name}") else _home_of_ini(config)


def _home_of_ini(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.rootpath


def _given(config: pytest.Config, option: Option[Any]) -> Any:
    typed = config.getoption(option.dest, None)
    if typed is not None:
        return typed
    value = config.getini(option.dest) if option.ini else None
    return [_anchored(word, _home_of_ini(config)) for word in value or ()] if option.name == "model" else value


def _anchored(word: str, home: Path) -> str:
    """A file that a model's name in the ini file means is meant beside that file."""
    prefix, colon, file = word.rpartition(":")
    is_file = "." in file and not word.startswith(ELSEWHERE) and (home / file).is_file()
    return f"{prefix}{colon}{home / file}" if is_file else word
