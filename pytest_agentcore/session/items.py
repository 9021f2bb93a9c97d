"""One pytest item per (model, task, run index), in the order in which they are to run."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

import pytest

from pytest_agentcore.errors import TaskDeclarationError, UsageError
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import Campaign, list_campaigns, read_campaign
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.tasks.declare import check_in_module, check_oracle, same_ids
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Task, task_id
from pytest_agentcore.trial.modes import Cause, FailureMode
from pytest_agentcore.trial.result import TrialKey, TrialResult


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the `trial` fixture."""

    model: str
    """The campaign's label: the model's slug, with policy and depth behind it where the model has several."""
    run: int

    def __str__(self) -> str:
        return f"{self.model}-run{self.run}"


def task_of(item: pytest.Item) -> Task | None:
    """Find the task of an item; None for a test that is none."""
    declared = getattr(getattr(item, "function", None), "agentcore", None)
    return declared if isinstance(declared, Task) else None


def key_of(item: pytest.Item) -> TrialKey | None:
    """Say which trial an item is; None for a test that is none."""
    task = task_of(item)
    callspec = getattr(item, "callspec", None)
    if task is None or callspec is None or not isinstance(callspec.params.get("trial"), Param):
        return None
    param = cast("Param", callspec.params["trial"])
    return TrialKey(param.model, task.id, param.run)


def trial_key(item: pytest.Item) -> TrialKey:
    """Say which trial an item is that is known to be one."""
    key = key_of(item)
    assert key is not None
    return key


def task_of_id(nodeid: str, models: Iterable[str]) -> str:
    """Read a task's id off the node id of one of its trials; empty for a test that is no trial."""
    path, _, name = nodeid.partition("::")
    labels = "|".join(map(re.escape, models))
    is_trial = re.search(rf"\[(?:{labels})-run\d+\](?:@.*)?$", name)  # behind the @ xdist puts a group's name
    return task_id(PurePosixPath(path)) if is_trial else ""


@dataclass(frozen=True, slots=True)
class Items:
    """Parametrizes, checks, picks and orders the tasks that pytest collects."""

    experiment: Experiment
    picked: Collection[TrialKey] = ()
    """The only trials to run, where they were picked by how they had ended."""

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Run every task `runs` times in every campaign."""
        if isinstance(getattr(metafunc.function, "agentcore", None), Task):
            runs = range(1, self.experiment.settings.runs + 1)
            params = [Param(label, run) for label in self.experiment.campaigns.setups for run in runs]
            metafunc.parametrize("trial", params, indirect=True, ids=str)

    def check(self, collector: pytest.Module | pytest.Class, name: str, declared: object, made: object) -> None:
        """Raise CollectError for what is wrong with a declaration beyond the decorator's own arguments."""
        task = getattr(declared, "agentcore", None)
        if not isinstance(task, Task):
            return
        collected = made is not None or name != task.checker.__name__
        try:
            check_place(task, self.experiment.suite)
            check_in_module(task, vars(collector.obj), self.experiment.tools, collected=collected)
            check_oracle(task)
        except TaskDeclarationError as error:
            raise collector.CollectError(str(error)) from error

    def arrange(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave the picked trials only, then order them; tests that are no trials keep their places.

        Model after model, since each is loaded once; then interleaved or task by task.
        """
        if self.picked and (rest := [item for item in items if key_of(item) not in self.picked]):
            config.hook.pytest_deselected(items=rest)
            items[:] = [item for item in items if key_of(item) in self.picked]
        for error in same_ids(filter(None, map(task_of, items))):
            raise pytest.UsageError(str(error))
        trials = [item for item in items if key_of(item)]
        tasks = {task: n for n, task in enumerate(dict.fromkeys(trial_key(item).task for item in trials))}
        labels = {label: n for n, label in enumerate(self.experiment.campaigns.setups)}

        def rank(item: pytest.Item) -> tuple[int, int, int]:
            key = trial_key(item)
            label, task = labels[key.model], tasks[key.task]
            return (label, task, key.run) if self.experiment.settings.order == "by-task" else (label, key.run, task)

        ordered = iter(sorted(trials, key=rank))
        items[:] = [next(ordered) if key_of(item) else item for item in items]
        for item in trials:
            item.add_marker("agentcore")


def check_place(task: Task, suite: Suite) -> None:
    """Raise TaskDeclarationError for a task of another suite: scores rest on what the campaign's digest is over."""
    if not suite.covers(task.module):
        sentence = (
            f"a campaign is of one suite, here {suite.path}; run the task by a command of its own, or move it there"
        )
        raise TaskDeclarationError(task.module, "suite", sentence)


WORDS = (*(mode.value for mode in FailureMode), *(cause.value for cause in Cause))
"""The words that `--agentcore-rerun` takes."""

_BY_PYTEST = {"lf": "--lf", "stepwise": "--sw"}
"""Options of pytest that pick tests by how they ended last."""


def picked_by_pytest(config: pytest.Config) -> Selection | None:
    """Make a selection of what pytest picks by its own memory of failures."""
    asked = tuple(word for dest, word in _BY_PYTEST.items() if config.getoption(dest, False))
    return Selection(asked=asked) if asked else None


def picked(words: Sequence[str], results: Path, slug: str, suite: str) -> tuple[Campaign, tuple[TrialKey, ...]]:
    """Find the newest campaign of a model and a suite that counts, and its trials that ended in one of the words.

    Raises:
        UsageError: an unknown word, no such campaign, no such trial.
    """
    for word in words:
        _check(word)
    campaign = _newest(results, slug, suite)
    found = [result.key for result in campaign.results if {*words} & {result.failure_mode, result.cause}]
    if not found:
        raise UsageError(
            f"--agentcore-rerun {' '.join(words)}: no trial of {campaign.folder.id} ended so; {_ends(campaign.results)}"
        )
    return campaign, tuple(found)


def why_selected(selection: Selection) -> str:
    """Say in the header what the selection is."""
    source = f" of {selection.of}" if selection.of else ""
    return f"selection by {' '.join(selection.asked)}{source}: to look at, it counts nowhere"


def _check(word: str) -> None:
    if word not in WORDS:
        near = difflib.get_close_matches(word, WORDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(WORDS)}"
        raise UsageError(f"--agentcore-rerun {word!r}: is neither a failure mode nor a cause; {hint}")


def _newest(results: Path, slug: str, suite: str) -> Campaign:
    known = [
        listed.folder
        for listed in list_campaigns(results)
        if (listed.manifest.model, listed.manifest.suite.name) == (slug, suite)
    ]
    if not known:
        raise UsageError(f"--agentcore-rerun: no campaign of {slug} over {suite} in {results} to pick trials from")
    return read_campaign(known[-1].path)


def _ends(results: Iterable[TrialResult]) -> str:
    ends = Counter(f"{result.outcome}, {result.cause}" if result.cause else result.outcome for result in results)
    return "its trials: " + "; ".join(f"{n} {end}" for end, n in sorted(ends.items())) if ends else "it has no results"
