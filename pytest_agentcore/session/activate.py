"""From the command line to the plugin object: everything that was asked for, settled and checked."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.analysis.compare import check_comparable
from pytest_agentcore.analysis.gate import Gate
from pytest_agentcore.catalogue.entry import LLAMA
from pytest_agentcore.catalogue.registry import open_registry
from pytest_agentcore.catalogue.resolve import ELSEWHERE
from pytest_agentcore.errors import UsageError
from pytest_agentcore.options import Option, Settings
from pytest_agentcore.pack.manifest import Manifest, Selection
from pytest_agentcore.pack.predictions import PREDICTIONS
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import sweep
from pytest_agentcore.session.experiment import Campaigns, Experiment
from pytest_agentcore.session.extensions import RegisteredTools, registered_backends
from pytest_agentcore.session.gates import Gates
from pytest_agentcore.session.items import Items, picked, picked_by_pytest
from pytest_agentcore.session.lifecycle import CampaignSession, Controller
from pytest_agentcore.session.parallel import Ahead, Serial
from pytest_agentcore.session.recording import Recording, find_predictions, initial_manifest
from pytest_agentcore.session.terminal import Screen
from pytest_agentcore.session.trials import Models, Runner, Spans
from pytest_agentcore.session.usage import notes, scope_of, usage_errors
from pytest_agentcore.session.xdist import WORKER_INPUT, Distributing, processes, take_over
from pytest_agentcore.setup import Setup, check_files, settle, settle_models
from pytest_agentcore.tasks.suite import Suite, find_suite, overshadowed, shipped_suites, suite_at
from pytest_agentcore.trial.result import TrialKey

ACTIVE = "agentcore-active"
"""Name of the plugin object that the `trial` fixture asks."""


def activate(config: pytest.Config, taken: Sequence[str]) -> None:
    """Check everything that was asked for and register the hooks that do it; bare spellings may be `taken` by others.

    Raises:
        pytest.UsageError: something cannot be done as asked; nothing has been loaded or written.
    """
    if not hasattr(config, "workerinput"):
        with usage_errors():
            _activate_main(config, settle(lambda option: _given(config, option)), taken)
    elif given := config.workerinput.get(WORKER_INPUT):
        _activate_worker(config, given)


def _experiment(config: pytest.Config, settings: Settings, registered: RegisteredTools) -> Experiment:
    suite, backends = _suite_of(config, settings), registered_backends(config)
    models_file = _path_of(config, "models_file", settings.models_file) if settings.models_file else None
    registry = open_registry(config.rootpath, models_file)
    setups = {setup.label: setup for setup in settle_models(settings, backends, registry)}
    # what agents and scripts do is known beforehand: without bubblewrap they may run less confined
    may_fall_back = not any(setup.has_plumbing for setup in setups.values())
    return Experiment(
        settings=settings,
        suite=suite,
        sandbox=open_sandbox(settings.sandbox, may_fall_back=may_fall_back, hidden=(suite.path.resolve(),)),
        backends=backends,
        tools=registered.tools,
        campaigns=Campaigns(setups=setups),
    )


def _activate_main(config: pytest.Config, settings: Settings, taken: Sequence[str]) -> None:
    # What is run. Nothing is loaded, and nothing written; only what killed processes left behind is removed.
    sweep()
    registered, workers = RegisteredTools(config), processes(config)
    experiment = _experiment(config, settings, registered)
    suite, setups = experiment.suite, experiment.campaigns.setups
    results = _path_of(config, "results", settings.results)
    picked, selection = _select(experiment, results) if settings.rerun else ((), picked_by_pytest(config))
    runs = max([settings.runs, *(key.run for key in picked)])  # as many as those were made in
    experiment = replace(experiment, settings=settings.replace(runs=runs))

    # What cannot be done as asked is refused now, not after the last trial.
    if settings.resume and (selection or len(setups) != 1):
        what = "a selection, which is a campaign of its own" if selection else f"{len(setups)} models"
        raise UsageError(f"--agentcore-resume {settings.resume}: continues one campaign, but {what} was asked for")
    check_files(tuple(setups.values()), processes=config.getoption("numprocesses", None) or 1)
    gate = Gate.parse(settings.min_pass_rate)
    asked = _path_of(config, "predictions", settings.predictions) if settings.predictions else None
    filed = find_predictions(asked, config.rootpath, suite, setups.values())
    if not workers:
        _refuse_too_many(setups.values(), settings.parallel)
    baseline, refusal = _baseline(config, settings, suite, results)

    # What is written of it.
    warnings = tuple(filter(None, [*notes(config, taken), _overshadowed(config, settings, suite)]))
    scope, session_id = scope_of(config, suite), str(uuid.uuid4())

    def manifest(setup: Setup) -> Manifest:
        return replace(
            initial_manifest(setup, experiment),
            arguments=tuple(config.invocation_params.args),
            warnings=warnings,
            scope=scope,
            session=session_id,
            selection=selection,
            predictions=filed.filing if filed and not selection and filed.concerns(setup) else None,
        )

    spans = Spans()
    recording = Recording(
        campaigns=experiment.campaigns,
        manifest=manifest,
        results=results,
        resume=settings.resume,
        kept={PREDICTIONS: filed.content} if filed else {},
        spans=spans,
    )

    # The parts: what shows and gates, what runs trials, and the plugin object that calls them in their order.
    screen = Screen(config, recording, at_once=workers or settings.parallel)
    typed = any(config.getoption(f"agentcore_{name}") for name in ("min_pass_rate", "baseline"))
    gates = Gates(gate, baseline, selection, typed=typed, refusal=refusal)
    models = Models(experiment, conversations=1 if workers else settings.parallel)
    run = Runner(experiment, models, spans)
    alone = workers or settings.parallel == 1
    session = CampaignSession(
        config=config,
        experiment=experiment,
        registered=registered,
        items=Items(experiment, picked),
        models=models,
        executor=Serial(run, screen.on_turn) if alone else Ahead(run, screen.on_turn, settings.parallel),
        spans=spans,
        controller=Controller(recording=recording, screen=screen, gates=gates),
    )
    config.pluginmanager.register(session, ACTIVE)
    if workers:
        distributing = Distributing(
            config=config, experiment=experiment, picked=picked, models=models, recording=recording, gates=gates
        )
        config.pluginmanager.register(distributing, "agentcore-distributing")


def _activate_worker(config: pytest.Config, given: Mapping[str, Any]) -> None:
    registered, spans = RegisteredTools(config), Spans()
    settings = Settings(given["settings"]).replace(sandbox=given["sandbox"])
    experiment = _experiment(config, settings, registered)
    models = Models(experiment, conversations=1)
    session = CampaignSession(
        config=config,
        experiment=experiment,
        registered=registered,
        items=Items(experiment, take_over(experiment.campaigns, given)),
        models=models,
        executor=Serial(Runner(experiment, models, spans), lambda _key, _turn: None),
        spans=spans,
        controller=None,
    )
    config.pluginmanager.register(session, ACTIVE)


def _select(experiment: Experiment, results: Path) -> tuple[Collection[TrialKey], Selection]:
    """Pick the trials that are run again by how they had ended, in the newest campaign of each model."""
    words, found, sources = experiment.settings.rerun, set(), []
    for label in experiment.campaigns.setups:
        campaign, keys = picked(words, results, label, experiment.suite.name)
        found |= {TrialKey(label, key.task, key.run) for key in keys}
        sources.append(campaign.folder.id)
    return found, Selection(asked=("--agentcore-rerun", *words), of=", ".join(sources))


def _refuse_too_many(setups: Iterable[Setup], most: int) -> None:
    """Raise UsageError where trials are asked for at the same time of a model that is loaded in this process."""
    for setup in setups:
        if most > 1 and setup.entry.backend == LLAMA:
            raise UsageError(
                f"--agentcore-parallel {most}: {setup.slug} runs in this process and takes one conversation at a time; "
                "leave the option out, or serve the model and give --agentcore-base-url"
            )


def _baseline(config: pytest.Config, settings: Settings, suite: Suite, results: Path) -> tuple[Campaign | None, str]:
    """Read and check what the session is compared with at its end, before its first trial; or say why it cannot be.

    What stands in the ini file is nothing to refuse a run for that may turn out to have no task.
    """
    if settings.baseline is None:
        return None, ""
    path = _path_of(config, "baseline", settings.baseline)
    try:
        campaign = read_campaign(path if path.exists() else settings.baseline, results)
        check_comparable(campaign, suite.digest, suite.title)
    except UsageError as error:
        if config.getoption("agentcore_baseline"):
            raise
        return None, str(error)
    return campaign, ""


def _suite_of(config: pytest.Config, settings: Settings) -> Suite:
    """Find the suite that is collected: the one that the paths lie in, else the one that is asked for by name.

    A model that stands in the ini file alone says nothing about paths: a project's own tests stay collected then.
    """
    asked = config.getoption("agentcore_model") or _is_given(config, "suite") or hasattr(config, "workerinput")
    if config.args_source is pytest.Config.ArgsSource.ARGS or not asked:
        return suite_at([Path(str(word).partition("::")[0]).absolute() for word in config.args])
    folder = find_suite(settings.suite, _home_of(config, "suite"))
    config.args[:] = [str(folder)]
    return Suite.load(folder)


def _overshadowed(config: pytest.Config, settings: Settings, suite: Suite) -> str:
    """Warn of a folder that has the name of the suite that is run; paths leave no doubt which is meant."""
    if config.args_source is pytest.Config.ArgsSource.ARGS or suite.path != shipped_suites().get(settings.suite):
        return ""
    return overshadowed(settings.suite, _home_of(config, "suite"))


def _is_given(config: pytest.Config, name: str) -> bool:
    return bool(config.getoption(f"agentcore_{name}") or config.getini(f"agentcore_{name}"))


def _path_of(config: pytest.Config, name: str, given: str) -> Path:
    """Make an option's path absolute."""
    return _home_of(config, name) / Path(given).expanduser()


def _home_of(config: pytest.Config, name: str) -> Path:
    """A path is relative to where it was typed, or to the ini file that holds it."""
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
    """Take a file that a model's name in the ini file means from beside that file."""
    prefix, colon, file = word.rpartition(":")
    is_file = "." in file and not word.startswith(ELSEWHERE) and (home / file).is_file()
    return f"{prefix}{colon}{home / file}" if is_file else word
