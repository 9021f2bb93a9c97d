"""One pytest item per (model, task, run index), in the order in which they are to run."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from _pytest.compat import running_on_ci

from pytest_agentcore.errors import TaskDeclarationError, UsageError, instead
from pytest_agentcore.pack.manifest import PlannedTrial, Selection
from pytest_agentcore.pack.read import list_campaigns, read_campaign
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.usage import usage_errors
from pytest_agentcore.tasks.declare import check_in_module, check_oracle, same_ids
from pytest_agentcore.tasks.task import Task, task_id
from pytest_agentcore.trial.modes import Cause, FailureMode
from pytest_agentcore.trial.result import TrialKey


def task_of(item: pytest.Item) -> Task | None:
    """Find the task of an item; None for a test that is none."""
    declared = getattr(getattr(item, "function", None), "agentcore", None)
    return declared if isinstance(declared, Task) else None


def key_of(item: pytest.Item) -> TrialKey | None:
    """Say which trial an item is; None for a test that is none."""
    callspec = getattr(item, "callspec", None)
    key = callspec.params.get("trial") if callspec else None
    return key if isinstance(key, TrialKey) else None


def shown_there(item: pytest.Item) -> Mapping[str, Any] | None:
    """Say how pytest shows a failure, where the item's checker says the same in another process; None where not.

    It does where it gets its trial and nothing more: no other fixture, no filter of warnings, no look into its frames.
    """
    config, option = item.config, item.config.getoption
    looked_into = any(option(name, False) for name in ("usepdb", "trace", "showlocals", "fulltrace"))
    filters = config.getini("filterwarnings") or option("pythonwarnings", None)
    filters = filters or item.get_closest_marker("filterwarnings")
    alone = {*getattr(item, "fixturenames", ())} <= {"trial", "request"}
    is_plain = looked_into or filters or option("assertmode", "rewrite") != "rewrite"
    # in CI pytest shortens no explanation, which no verbosity elsewhere is the same as
    if is_plain or not alone or running_on_ci():
        return None
    return {"style": option("tbstyle", "auto"), "verbose": config.get_verbosity()}


def key_of_id(nodeid: str, models: Iterable[str]) -> TrialKey | None:
    """Read a trial off its node id, since pytest-xdist's main process has no items; None for a test that is none."""
    path, _, name = nodeid.partition("::")
    labels = "|".join(map(re.escape, models))
    found = re.search(rf"\[({labels})-run(\d+)\](?:@.*)?$", name)  # behind the @ xdist puts a group's name
    return TrialKey(found[1], task_id(PurePosixPath(path)), int(found[2])) if found else None


def parametrize(experiment: Experiment, metafunc: pytest.Metafunc) -> None:
    """Run every task `runs` times in every campaign, or under the run indices that were asked for."""
    task = getattr(metafunc.function, "agentcore", None)
    if isinstance(task, Task):
        runs = experiment.settings.run_indices or range(1, experiment.settings.runs + 1)
        keys = [TrialKey(label, task.id, run) for label in experiment.setups for run in runs]
        metafunc.parametrize("trial", keys, indirect=True, ids=lambda key: f"{key.model}-run{key.run}")


def check_declared(
    experiment: Experiment, collector: pytest.Module | pytest.Class, name: str, declared: object, made: object
) -> None:
    """Raise CollectError for what is wrong with a declaration beyond the decorator's own arguments."""
    task = getattr(declared, "agentcore", None)
    if not isinstance(task, Task):
        return
    collected, suite = made is not None or name != task.checker.__name__, experiment.suite
    try:
        if not suite.covers(task.module):  # scores rest on what the campaign's digest is over
            sentence = f"a campaign is of one suite, here {suite.path}; run the task by a command of its own"
            raise TaskDeclarationError(task.module, "suite", f"{sentence}, or put a suite.toml above both")
        check_in_module(task, vars(collector.obj), experiment.tools, collected=collected)
        check_oracle(task)
    except TaskDeclarationError as error:
        raise collector.CollectError(str(error)) from error


def arrange(experiment: Experiment, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the picked trials only, then order them; tests that are no trials keep their places.

    Model after model, since each is loaded once; then interleaved or task by task.
    """
    if experiment.picked:
        _leave(config, items, [item for item in items if key_of(item) in experiment.picked])
    with usage_errors():
        for error in same_ids(filter(None, map(task_of, items))):
            raise error
    keys = {item: key for item in items if (key := key_of(item))}
    if experiment.settings.shard and keys:
        trials = {item: PlannedTrial(task=key.task, run=key.run) for item, key in keys.items()}
        mine, experiment.other_shards = divide(set(trials.values()), *experiment.settings.shard)
        _leave(config, items, [item for item in items if item not in keys or trials[item] in mine])
        keys = {item: keys[item] for item in items if item in keys}
    tasks = {task: n for n, task in enumerate(dict.fromkeys(key.task for key in keys.values()))}
    labels = {label: n for n, label in enumerate(experiment.setups)}

    def rank(item: pytest.Item) -> tuple[int, int, int]:
        key = keys[item]
        label, task = labels[key.model], tasks[key.task]
        return (label, task, key.run) if experiment.settings.order == "by-task" else (label, key.run, task)

    ordered = iter(sorted(keys, key=rank))
    items[:] = [next(ordered) if item in keys else item for item in items]
    for item in keys:
        item.add_marker("agentcore")


def _leave(config: pytest.Config, items: list[pytest.Item], kept: Sequence[pytest.Item]) -> None:
    """Deselect every item that is not to be kept."""
    known = set(kept)
    if rest := [item for item in items if item not in known]:
        config.hook.pytest_deselected(items=rest)
        items[:] = kept


def refuse_empty(shard: tuple[int, int] | None, trials: Collection[object]) -> None:
    """Raise pytest's UsageError for a shard without trials: it would be a part that is missing in the end."""
    if shard and not trials:
        raise pytest.UsageError(f"--shard {shard[0]}/{shard[1]}: no trial is left for it; make fewer shards")


def divide(trials: Collection[PlannedTrial], number: int, of: int) -> tuple[set[PlannedTrial], list[PlannedTrial]]:
    """Divide (task, run) pairs into shards of equal size, whatever their order; return one of them, and all the others.

    Each task's runs and each run's tasks are spread over the shards as evenly as all trials are, wherever every task
    has the same runs.
    """
    columns = {trial.task for trial in trials}, {trial.run for trial in trials}
    tasks, runs = ({value: n for n, value in enumerate(sorted(column))} for column in columns)
    # Dealt out run after run. Where the number of tasks and that of shards have a divisor in common, a task would come
    # back to the same shards after so many runs: from then on the tasks are dealt out beginning with another one.
    returns = of // math.gcd(len(tasks), of)

    def turn(trial: PlannedTrial) -> tuple[int, int]:
        run = runs[trial.run]
        return run, (tasks[trial.task] + run // returns) % len(tasks)

    dealt = sorted(trials, key=turn)
    mine = set(dealt[number - 1 :: of])
    return mine, [trial for trial in dealt if trial not in mine]


WORDS = (*(mode.value for mode in FailureMode), *(cause.value for cause in Cause))
"""The words that `--agentcore-rerun` takes."""


def pick(experiment: Experiment, results: Path) -> tuple[Collection[TrialKey], Selection]:
    """Pick the trials that are run again by how they had ended, in the newest campaign of each model that counts.

    Raises:
        UsageError: an unknown word, no such campaign, no such trial.
    """
    words, suite = experiment.settings.rerun, experiment.suite.name
    for word in words:
        if word not in WORDS:
            said = f"is neither a failure mode nor a cause; {instead(word, WORDS)}"
            raise UsageError(f"--agentcore-rerun {word!r}: {said}")
    found, sources = set[TrialKey](), []
    listed, _ = list_campaigns(results)
    for label in experiment.setups:
        known = [folder for folder, one in listed if (one.model, one.suite.name) == (label, suite)]
        if not known:
            raise UsageError(f"--agentcore-rerun: no campaign of {label} over {suite} in {results} to pick trials from")
        campaign = read_campaign(known[-1].path)
        picked = [result.key for result in campaign.results if {*words} & {result.failure_mode, result.cause}]
        if not picked:
            ends = Counter(f"{r.outcome}, {r.cause}" if r.cause else r.outcome for r in campaign.results)
            listing = "; ".join(f"{n} {end}" for end, n in sorted(ends.items()))
            raise UsageError(
                f"--agentcore-rerun {' '.join(words)}: no trial of {campaign.folder.id} ended so; "
                + (f"its trials: {listing}" if ends else "it has no results")
            )
        found |= {TrialKey(label, key.task, key.run) for key in picked}
        sources.append(campaign.folder.id)
    return found, Selection(asked=("--agentcore-rerun", *words), of=", ".join(sources))
