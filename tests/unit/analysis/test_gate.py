"""`--min-pass-rate`: what it accepts as a rate, and when the gate is open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from results import GAVE_UP, INTERRUPTED, LOST, WRONG, manifest, result

from pytest_agentcore.analysis.gate import Gate
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.trial.result import TrialResult

TASKS = ("task_01_fix_failing_test", "task_05_minimal_fix", "task_10_sql_investigation", "task_1_other")


@pytest.mark.parametrize(
    ("value", "rate"),
    [("0.9", 0.9), ("90%", 0.9), ("1", 1), ("0", 0), (".5", 0.5), ("100%", 1), ("2/3", 2 / 3), ("task_05=0.66", 0.66)],
)
def test_rates_that_can_be_asked_for(value: str, rate: float) -> None:
    (threshold,) = Gate.parse([value]).thresholds

    assert float(threshold.rate) == pytest.approx(rate)


@pytest.mark.parametrize(
    "value",
    ["", "high", "90", "1.01", "101%", "-0.1", "nan", "inf", "1e-1", "3/2", "1/0", "task_05=", "=0.9", "0.9=task_05"],
)
def test_what_is_no_rate_is_refused_in_a_sentence(value: str) -> None:
    with pytest.raises(UsageError, match="--min-pass-rate"):
        Gate.parse([value])


def test_without_rates_there_is_no_gate() -> None:
    assert not Gate.parse([])
    assert Gate.parse(["0"])


@pytest.mark.parametrize(
    ("beginning", "task"),
    [("task_05", TASKS[1]), ("task_05_minimal_fix", TASKS[1]), ("task_1", TASKS[3]), ("task_10_", TASKS[2])],
)
def test_a_task_is_found_by_its_id_or_its_beginning(beginning: str, task: str) -> None:
    assert Gate.parse([f"{beginning}=1"]).resolve(TASKS).thresholds[0].task == task


@pytest.mark.parametrize(("beginning", "problem"), [("task_07", "is no task of this run"), ("task", "could be")])
def test_a_beginning_that_means_no_task_or_several_is_refused(beginning: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Gate.parse([f"{beginning}=1"]).resolve(TASKS)


def _trials(*outcomes: dict[str, Any], task: str = "task_05_minimal_fix", first: int = 1) -> list[TrialResult]:
    return [result(task, run, **outcome) for run, outcome in enumerate(outcomes, first)]


OK: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("values", "results", "ok", "sentence"),
    [
        (["0.66"], _trials(OK, OK, WRONG), True, ""),
        (["2/3"], _trials(OK, OK, WRONG), True, ""),
        (["0.67"], _trials(OK, OK, WRONG), False, "tiny: 2/3 = 66.7% of the scored trials passed, 0.67 is asked for"),
        (["1"], _trials(OK, OK, OK), True, ""),
        (["0"], _trials(WRONG, GAVE_UP, WRONG), True, ""),
        (["0.5"], _trials(OK, OK, LOST), False, "tiny: 1 of 3 planned trials not scored (1 infrastructure_error)"),
        (["0.5"], _trials(OK, INTERRUPTED), False, "2 of 3 planned trials not scored (1 interrupted, 1 not_run)"),
        (["0"], _trials(LOST, LOST, LOST), False, "tiny: none of 3 trials was scored, 0 is asked for"),
        (["0"], [], False, "tiny: 3 of 3 planned trials not scored (3 not_run)"),
        (["task_05=1"], _trials(OK, OK, OK), True, ""),
        (["task_05=1", "0.5"], _trials(OK, OK, WRONG), False, "tiny, task_05_minimal_fix: 2/3 = 66.7%"),
        (["task_05=0.5", "90%"], _trials(OK, OK, WRONG), False, "tiny: 2/3 = 66.7% of the scored trials passed, 90%"),
        (["0.5", "0.9"], _trials(OK, OK, WRONG), False, "0.9 is asked for"),
    ],
)
def test_the_gate_is_open_when_every_rate_is_reached_and_everything_scored(
    values: list[str], results: list[TrialResult], ok: bool, sentence: str
) -> None:
    planned = [("task_05_minimal_fix", run) for run in (1, 2, 3)]

    verdict = Gate.parse(values).resolve(TASKS).check({"tiny": _campaign(results, planned)})

    assert verdict.ok is ok
    said = (*verdict.sentences, *verdict.missing)
    assert verdict.ok is not bool(said)
    assert sentence in " | ".join(said)


def test_a_task_s_rate_looks_at_that_task_alone() -> None:
    good, bad = _trials(OK, OK), _trials(WRONG, WRONG, task="task_10_sql_investigation")

    assert _check(["task_05=1"], good + bad).ok
    assert not _check(["task_10=1"], good + bad).ok


def test_each_model_must_reach_every_rate() -> None:
    good = _trials(OK)
    bad = [result("task_05_minimal_fix", 1, model="other", **WRONG)]

    verdict = Gate.parse(["1"]).check({"tiny": _campaign(good), "other": _campaign(bad, model="other")})

    assert [sentence.partition(":")[0] for sentence in verdict.sentences] == ["other"]


def test_nothing_planned_never_opens_the_gate() -> None:
    assert not Gate.parse(["0"]).check({}).ok
    assert not Gate.parse(["0"]).check({"tiny": _campaign([])}).ok


def test_results_outside_the_plan_do_not_count() -> None:
    planned = [("task_05_minimal_fix", 1)]

    assert not Gate.parse(["0.5"]).check({"tiny": _campaign(_trials(WRONG, OK), planned)}).ok


def test_twenty_one_of_thirty_is_seventy_percent() -> None:
    results = _trials(*[OK] * 21, *[WRONG] * 9)

    assert _check(["0.7"], results).ok
    assert _check(["70%"], results).ok


def _campaign(
    results: Sequence[TrialResult], planned: Sequence[tuple[str, int]] | None = None, **changes: Any
) -> Campaign:
    plan = [(one.task, one.run) for one in results] if planned is None else planned
    return Campaign(folder=CampaignFolder(Path("campaign")), manifest=manifest(plan, **changes), results=tuple(results))


def _check(values: list[str], results: list[TrialResult]) -> Any:
    return Gate.parse(values).resolve(TASKS).check({"tiny": _campaign(results)})


def test_noise_is_told_for_the_answer_that_was_given_where_trials_repeat_each_other() -> None:
    """Nine of ten pass in the same words: the rate is 90%, and two observations show it."""
    same: dict[str, Any] = {"replies_digest": "x" * 64}
    trials = _trials(*[same] * 9, WRONG)
    verdict = Gate.parse(["0.8"]).check({"m": _campaign(trials)})
    assert verdict.ok
    (note,) = verdict.notes
    assert "a model with a true pass rate of 0.8 passes 90.0% or more of 2 distinct trials" in note
    assert "distinct trials at most 74" in note
