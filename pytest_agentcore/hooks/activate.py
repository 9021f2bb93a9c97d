"""Puts the active part together, once a model is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.campaign.manifest import Selection
from pytest_agentcore.campaign.reading import Campaign, read_campaign
from pytest_agentcore.errors import UsageError
from pytest_agentcore.hooks.ahead import Ahead, processes, refuse_too_many
from pytest_agentcore.hooks.borders import usage_errors
from pytest_agentcore.hooks.collecting import Collecting
from pytest_agentcore.hooks.command_line import notes
from pytest_agentcore.hooks.conducting import Conducting
from pytest_agentcore.hooks.gating import Gating
from pytest_agentcore.hooks.grouping import Grouping
from pytest_agentcore.hooks.judging import Judging
from pytest_agentcore.hooks.predicting import Filed, find_predictions
from pytest_agentcore.hooks.presenting import Presenting
from pytest_agentcore.hooks.recording import Recording
from pytest_agentcore.hooks.registering import Registering, registered_backends
from pytest_agentcore.hooks.replaying import Replaying
from pytest_agentcore.hooks.reporting import Reporting
from pytest_agentcore.hooks.running import Running
from pytest_agentcore.hooks.scoping import scope_of
from pytest_agentcore.hooks.selecting import Selecting, picked, picked_by_pytest
from pytest_agentcore.hooks.stopping import Stopping
from pytest_agentcore.hooks.xdist import WORKER_INPUT, Distributing, take_over
from pytest_agentcore.models.naming import ELSEWHERE
from pytest_agentcore.models.registry import Registry, open_registry
from pytest_agentcore.options import Option, Settings, settings_from_json, settle
from pytest_agentcore.reports.comparison import check_comparable
from pytest_agentcore.reports.gate import Gate
from pytest_agentcore.sandbox.probe import open_sandbox
from pytest_agentcore.sandbox.scratch import sweep
from pytest_agentcore.setup import Setup, check_files, settle_models
from pytest_agentcore.suite import Suite, find_suite, overshadowed, shipped_suites, suite_at
from pytest_agentcore.trial import TrialKey

ACTIVE = "agentcore-active"
"""Name of the plugin object that the `trial` fixture asks."""


def activate(config: pytest.Config) -> None:
    """Check everything that was asked for and register the hooks that do it.

    Raises:
        pytest.UsageError: something cannot be done as asked; nothing has been loaded or written.
    """
    worker = getattr(config, "workerinput", {WORKER_INPUT: None}).get(WORKER_INPUT, None)
    if hasattr(config, "workerinput"):
        if worker:
            _activate_worker(config, worker)
        return
    with usage_errors():
        _activate_main(config, settle(lambda option: _given(config, option)))


def _activate_main(config: pytest.Config, settings: Settings) -> None:
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
    recording.warnings.extend(filter(None, [*notes(config), _overshadowed(config, settings, suite)]))
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
    settings = replace(settings_from_json(given["settings"]), sandbox=given["sandbox"])
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
    running.settings = replace(running.settings, runs=max(running.settings.runs, most))
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


def _given(config: pytest.Config, option: Option) -> Any:
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
