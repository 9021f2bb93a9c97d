"""From the command line to the plugin object: everything that was asked for, settled and checked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.analysis.compare import check_comparable
from pytest_agentcore.analysis.gate import Gate
from pytest_agentcore.catalogue.registry import open_registry
from pytest_agentcore.catalogue.resolve import ELSEWHERE
from pytest_agentcore.checks.ask import require_assertions
from pytest_agentcore.console import make_readable
from pytest_agentcore.elsewhere.base import AT_ONCE, Engine, Take
from pytest_agentcore.elsewhere.controller import IN_FLIGHT, Elsewhere
from pytest_agentcore.errors import UsageError
from pytest_agentcore.options import Option, Settings
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import sweep
from pytest_agentcore.session.experiment import Experiment, RegisteredTools, registered_backends
from pytest_agentcore.session.gates import Gates
from pytest_agentcore.session.items import pick
from pytest_agentcore.session.lifecycle import CampaignSession, Controller
from pytest_agentcore.session.parallel import InProcess
from pytest_agentcore.session.recording import Recording, find_predictions
from pytest_agentcore.session.terminal import Screen
from pytest_agentcore.session.trials import Models
from pytest_agentcore.session.usage import notes, scope_of, usage_errors
from pytest_agentcore.session.xdist import WORKER_INPUT, Distributing, processes, take_over
from pytest_agentcore.setup import check_files, settle, settle_models
from pytest_agentcore.tasks.suite import Suite, find_suite, overshadowed, shipped_suites, suite_at

ACTIVE = "agentcore-active"
"""Name of the plugin object that the `trial` fixture asks."""


def activate(config: pytest.Config, taken: Sequence[str]) -> None:
    """Check everything that was asked for and register the hooks that do it; bare spellings may be `taken` by others.

    Raises:
        pytest.UsageError: something cannot be done as asked; nothing has been loaded or written.
    """
    make_readable()
    if not hasattr(config, "workerinput"):
        with usage_errors():
            _activate_main(config, settle(lambda option: _given(config, option)), taken)
    elif given := config.workerinput.get(WORKER_INPUT):
        experiment = _experiment(config, Settings(given["settings"]).replace(sandbox=given["sandbox"]))
        take_over(experiment, given)
        models = Models(experiment, one_at_a_time=True)
        executor = InProcess(models.run, lambda _key, _turn: None)
        config.pluginmanager.register(CampaignSession(config, experiment, models, executor, None), ACTIVE)


def _activate_main(config: pytest.Config, settings: Settings, taken: Sequence[str]) -> None:
    require_assertions()
    # What is run. Nothing is loaded, and nothing written; only what killed processes left behind is removed.
    sweep()
    workers = processes(config)
    experiment = _experiment(config, settings)
    suite, setups = experiment.suite, experiment.setups.values()
    results = _path_of(config, "results", settings.results)
    # what pytest picks by its own memory of failures is a selection too
    remembered = tuple(word for dest, word in (("lf", "--lf"), ("stepwise", "--sw")) if config.getoption(dest, False))
    selection = Selection(asked=remembered) if remembered else None
    if settings.rerun:
        experiment.picked, selection = pick(experiment, results)
    experiment.settings = settings.replace(runs=_runs(config, experiment))

    # What cannot be done as asked is refused now, not after the last trial.
    if settings.resume and (selection or len(setups) != 1):
        what = "a selection, which is a campaign of its own" if selection else f"{len(setups)} models"
        raise UsageError(
            f"--agentcore-resume {settings.resume}: continues one campaign, but {what} was asked for; leave it out, or "
            "ask for one"
        )
    check_files(tuple(setups), processes=config.getoption("numprocesses", None) or 1)
    gate = Gate.parse(settings.min_pass_rate)
    asked = _path_of(config, "predictions", settings.predictions) if settings.predictions else None
    filed = find_predictions(asked, config.rootpath, suite, setups)
    baseline, refusal = _baseline(config, settings, results, suite)

    # What is written of it.
    asked_for: dict[str, Any] = {
        "arguments": tuple(config.invocation_params.args),
        "warnings": (*notes(config, taken), *_cautions(config, experiment)),
        "scope": scope_of(config, suite),
        "session": str(uuid.uuid4()),
        "selection": selection,
    }
    recording = Recording(experiment, asked_for, results, filed)

    # The parts: what shows and gates, what runs trials, and the plugin object that calls them in their order.
    screen = Screen(config, recording, at_once=workers or 1)
    typed = any(config.getoption(f"agentcore_{name}") for name in ("min_pass_rate", "baseline"))
    gates = Gates(gate, baseline, selection, typed=typed, refusal=refusal)
    models = _models(config, experiment, screen, workers)
    executor = InProcess(models.run, screen.on_turn, least=IN_FLIGHT if settings.on else 1)
    controller = Controller(recording, screen, gates)
    config.pluginmanager.register(CampaignSession(config, experiment, models, executor, controller), ACTIVE)
    if workers:
        config.pluginmanager.register(Distributing(config, experiment, models, controller), "agentcore-distributing")


def _baseline(config: pytest.Config, settings: Settings, results: Path, suite: Suite) -> tuple[Campaign | None, str]:
    """Read the baseline, if one was asked for; one that stands in the ini file may be refused at the end, in words."""
    if settings.baseline is None:
        return None, ""
    path = _path_of(config, "baseline", settings.baseline)
    try:
        baseline = read_campaign(path if path.exists() else settings.baseline, results)
        check_comparable(baseline, suite.digest, suite.title)
    except UsageError as error:
        # what stands in the ini file is nothing to refuse a run for that may turn out to have no task
        if config.getoption("agentcore_baseline"):
            raise
        return None, str(error)
    return baseline, ""


def _cautions(config: pytest.Config, experiment: Experiment) -> Iterator[str]:
    """Say what the sandbox leaves open, and whether a folder has the name of the shipped suite that is run."""
    if experiment.sandbox.name != "process":  # whose name says it
        for each in experiment.sandbox.describe()["not_confined"]:
            yield f"the sandbox is weaker here than elsewhere, it does not confine {each}"
    # paths leave no doubt which suite is meant; a name may also be that of a folder
    name, by_path = experiment.settings.suite, config.args_source is pytest.Config.ArgsSource.ARGS
    if not by_path and experiment.suite.path == shipped_suites().get(name):
        yield from filter(None, [overshadowed(name, _home_of(config, "suite"))])


def _models(config: pytest.Config, experiment: Experiment, screen: Screen, workers: int) -> Models:
    """Choose who runs trials: this process, or workers, to which it connects when the first is due."""
    if not experiment.settings.on:
        return Models(experiment, screen.say, screen.on_piece, one_at_a_time=bool(workers))
    if workers:
        words = "runs trials elsewhere already; leave pytest-xdist's -n out"
        raise UsageError(f"--agentcore-on {experiment.settings.on}: {words}")
    return Elsewhere(experiment, partial(_engine, config, experiment.settings), screen.say)


def _engine(config: pytest.Config, settings: Settings, take: Take) -> Engine:
    """The engine of the address that `--agentcore-on` names."""
    given: dict[str, Any] = {"config": config, "address": settings.on, "at_once": max(AT_ONCE, settings.parallel or 1)}
    engine: Engine | None = config.hook.pytest_agentcore_engine(take=take, **given)
    if engine is None:
        raise UsageError(
            f"--agentcore-on {settings.on}: nobody knows such an address; dask://HOST:PORT is a Dask scheduler, and "
            "dask://local starts workers on this machine"
        )
    return engine


def _experiment(config: pytest.Config, settings: Settings) -> Experiment:
    registered = RegisteredTools(config)
    # The suite is the one that the paths lie in, else the one that is asked for by name. A model that stands in the
    # ini file alone says nothing about paths: a project's own tests stay collected then.
    by_name = config.getoption("agentcore_suite") or config.getini("agentcore_suite")
    asked = by_name or config.getoption("agentcore_model") or hasattr(config, "workerinput")
    if config.args_source is pytest.Config.ArgsSource.ARGS or not asked:
        suite = suite_at([_place(config, str(word).partition("::")[0]) for word in config.args])
    else:
        folder = find_suite(settings.suite, _home_of(config, "suite"))
        suite, config.args[:] = suite_at([folder]), [str(folder)]
    backends = registered_backends(config)
    models_file = _path_of(config, "models_file", settings.models_file) if settings.models_file else None
    setups = settle_models(settings, backends, open_registry(config.rootpath, models_file))
    # what agents and scripts do is known beforehand: without bubblewrap they may run less confined
    may_fall_back = not any(setup.has_plumbing for setup in setups)
    return Experiment(
        settings=settings,
        suite=suite,
        sandbox=open_sandbox(
            settings.sandbox,
            may_fall_back=may_fall_back,
            hidden=(suite.path.resolve(),),
            engine=settings.container,
            images=suite.image_names,
        ),
        backends=backends,
        registered=registered,
        setups={setup.label: setup for setup in setups},
    )


def _place(config: pytest.Config, word: str) -> Path:
    """The file or folder that a word of the command line means, which `--pyargs` takes for a module's name."""
    path = Path(word).absolute()
    if config.getoption("pyargs", False) and not path.exists():
        with suppress(ImportError, ValueError):
            if (spec := find_spec(word)) and spec.origin:
                return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    return path


def _runs(config: pytest.Config, experiment: Experiment) -> int:
    """As many as were asked for, or as the greatest run index among those that were."""
    settings, named = experiment.settings, max(experiment.settings.run_indices, default=0)
    if config.getoption("agentcore_runs") and named > settings.runs:
        raise UsageError(f"--agentcore-run {named}: there are {settings.runs} runs; --runs {named} asks for as many")
    return max([settings.runs, named, *(key.run for key in experiment.picked)])


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
    if (typed := config.getoption(option.dest, None)) is not None:
        return typed
    value = config.getini(option.dest) if option.ini else None
    if option.name != "model":
        return value
    words, home = list(value or ()), _home_of_ini(config)
    for number, word in enumerate(words):  # a file that a model's name in the ini file means lies beside that file
        prefix, colon, file = word.rpartition(":")
        if "." in file and not word.startswith(ELSEWHERE) and (home / file).is_file():
            words[number] = f"{prefix}{colon}{home / file}"
    return words
