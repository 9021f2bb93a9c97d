"""From the command line to the plugin object: everything that was asked for, settled and checked."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.analysis.compare import check_comparable
from pytest_agentcore.analysis.gate import Gate
from pytest_agentcore.backends.base import BackendFactory
from pytest_agentcore.catalogue.entry import LLAMA
from pytest_agentcore.catalogue.registry import Registry, open_registry
from pytest_agentcore.catalogue.resolve import ELSEWHERE
from pytest_agentcore.errors import UsageError
from pytest_agentcore.options import Option, Settings
from pytest_agentcore.pack.manifest import Manifest, Selection
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import sweep
from pytest_agentcore.session.extensions import RegisteredTools, registered_backends
from pytest_agentcore.session.gates import Breaker, Gates
from pytest_agentcore.session.items import Items, picked, picked_by_pytest
from pytest_agentcore.session.lifecycle import CampaignSession, Controller
from pytest_agentcore.session.parallel import Ahead, OnTurn, Serial
from pytest_agentcore.session.recording import Filed, Recording, find_predictions, initial_manifest
from pytest_agentcore.session.terminal import Screen
from pytest_agentcore.session.trials import Campaigns, Models, Runner, Spans, Trials
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


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What the main process and a worker begin with alike."""

    settings: Settings
    suite: Suite
    registered: RegisteredTools
    backends: Mapping[str, BackendFactory]
    campaigns: Campaigns
    sandbox: Sandbox
    spans: Spans = field(default_factory=Spans)


def _ground(config: pytest.Config, settings: Settings) -> _Ground:
    suite = _suite_of(config, settings)
    registered, backends = RegisteredTools(config), registered_backends(config)
    setups = {setup.label: setup for setup in settle_models(settings, backends, _registry(config, settings))}
    # what agents and scripts do is known beforehand: without bubblewrap they may run less confined
    may_fall_back = not any(setup.has_plumbing for setup in setups.values())
    return _Ground(
        settings=settings,
        suite=suite,
        registered=registered,
        backends=backends,
        campaigns=Campaigns(setups=setups),
        sandbox=open_sandbox(settings.sandbox, may_fall_back=may_fall_back, hidden=(suite.path.resolve(),)),
    )


def _activate_main(config: pytest.Config, settings: Settings, taken: Sequence[str]) -> None:
    sweep()
    ground, workers = _ground(config, settings), processes(config)
    suite, setups, sandbox = ground.suite, ground.campaigns.setups, ground.sandbox
    results = _home_of(config, "results") / Path(settings.results).expanduser()
    keys, selection = _select(ground, results) if settings.rerun else (frozenset(), picked_by_pytest(config))
    settings = settings.replace(runs=max([settings.runs, *(key.run for key in keys)]))
    if settings.resume and (selection or len(setups) != 1):
        what = "a selection, which is a campaign of its own" if selection else f"{len(setups)} models"
        raise UsageError(f"--agentcore-resume {settings.resume}: continues one campaign, but {what} was asked for")
    check_files(tuple(setups.values()), processes=config.getoption("numprocesses", None) or 1)
    gate = Gate.parse(settings.min_pass_rate)
    warnings = tuple(filter(None, [*notes(config, taken), _overshadowed(config, settings, suite)]))
    scope, session_id = scope_of(config, suite), str(uuid.uuid4())
    filed = _predictions(config, ground)
    if not workers:
        _refuse_too_many(setups.values(), settings.parallel)
    baseline, refusal = _baseline(config, settings, suite, results)

    def manifest(setup: Setup) -> Manifest:
        return replace(
            initial_manifest(setup, settings, suite, sandbox),
            arguments=tuple(config.invocation_params.args),
            warnings=warnings,
            scope=scope,
            session=session_id,
            selection=selection,
            predictions=filed.facts(setup) if filed and not selection else None,
        )

    recording = Recording(
        campaigns=ground.campaigns,
        manifest=manifest,
        results=results,
        resume=settings.resume,
        kept=filed.kept if filed else {},
        spans=ground.spans,
    )
    typed = any(config.getoption(f"agentcore_{name}") for name in ("min_pass_rate", "baseline"))
    controller = Controller(
        recording=recording,
        screen=Screen(config, recording, at_once=workers or settings.parallel),
        gates=Gates(gate, baseline, selection, typed=typed, refusal=refusal),
    )
    ground = replace(ground, settings=settings)
    models = _register(config, ground, keys, controller, 1 if workers else settings.parallel)
    if workers:
        config.pluginmanager.register(
            Distributing(
                config=config,
                settings=settings,
                sandbox=sandbox.name,
                campaigns=ground.campaigns,
                picked=keys,
                models=models,
                recording=recording,
                gates=controller.gates,
            ),
            "agentcore-distributing",
        )


def _activate_worker(config: pytest.Config, given: Mapping[str, Any]) -> None:
    ground = _ground(config, Settings(given["settings"]).replace(sandbox=given["sandbox"]))
    _register(config, ground, take_over(ground.campaigns, given), None, 1)


def _register(
    config: pytest.Config,
    ground: _Ground,
    picked: Collection[TrialKey],
    controller: Controller | None,
    conversations: int,
) -> Models:
    """Put the parts together that run trials, and register the plugin object; so many trials run here at a time."""
    settings, campaigns, tools = ground.settings, ground.campaigns, ground.registered.tools
    models = Models(
        setups=campaigns.setups, backends=ground.backends, tools=tools, settings=settings, conversations=conversations
    )
    run = Runner(campaigns, models, settings, ground.spans)
    on_turn: OnTurn = controller.screen.on_turn if controller else lambda _key, _turn: None
    executor = Ahead(run, on_turn, conversations) if conversations > 1 else Serial(run, on_turn)
    session = CampaignSession(
        config=config,
        registered=ground.registered,
        items=Items(
            labels=tuple(campaigns.setups),
            runs=settings.runs,
            order=settings.order,
            suite=ground.suite,
            tools=tools,
            picked=picked,
        ),
        campaigns=campaigns,
        models=models,
        trials=Trials(
            campaigns=campaigns,
            models=models,
            executor=executor,
            settings=settings,
            sandbox=ground.sandbox,
            tools=tools,
        ),
        spans=ground.spans,
        breaker=Breaker(settings.max_infra_errors, executor.cancel),
        controller=controller,
    )
    config.pluginmanager.register(session, ACTIVE)
    return models


def _select(ground: _Ground, results: Path) -> tuple[frozenset[TrialKey], Selection]:
    """Pick the trials that are run again by how they had ended, in the newest campaign of each model."""
    words, found, sources = ground.settings.rerun, set(), []
    for label in ground.campaigns.setups:
        campaign, keys = picked(words, results, label, ground.suite.name)
        found |= {TrialKey(label, key.task, key.run) for key in keys}
        sources.append(campaign.folder.id)
    return frozenset(found), Selection(asked=("--agentcore-rerun", *words), of=", ".join(sources))


def _refuse_too_many(setups: Iterable[Setup], most: int) -> None:
    """Raise UsageError where trials are asked for at the same time of a model that is loaded in this process."""
    for setup in setups:
        if most > 1 and setup.entry.backend == LLAMA:
            raise UsageError(
                f"--agentcore-parallel {most}: {setup.slug} runs in this process and takes one conversation at a time; "
                "leave the option out, or serve the model and give --agentcore-base-url"
            )


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


def _predictions(config: pytest.Config, ground: _Ground) -> Filed | None:
    given = ground.settings.predictions
    asked = _home_of(config, "predictions") / Path(given).expanduser() if given else None
    return find_predictions(asked, config.rootpath, ground.suite, ground.campaigns.setups.values())


def _registry(config: pytest.Config, settings: Settings) -> Registry:
    """Models by name: those that ship, the project's, those of the file that the user names."""
    given = settings.models_file
    file = _home_of(config, "models_file") / Path(given).expanduser() if given else None
    return open_registry(config.rootpath, file)


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
