"""Campaigns of one model side by side: what is paired, which steps are shown, and what is read from transcripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from packs import write_pack
from results import LOST, WRONG, end_event, manifest, reply_event, result, start_event

from pytest_agentcore.analysis.groups import StepKind, build_group
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.trial.modes import Resemblance

RUNS = (1, 2, 3)


def campaign(path: Path, *passed: int, says: str = "I look.", load: int = 0) -> Campaign:
    """Three runs of a task under the policy that the folder is named after; runs that are not in `passed` fail."""
    trials = [result("a", run, policy=path.name, **({} if run in passed else WRONG)) for run in RUNS]
    facts = manifest([("a", run) for run in RUNS], policy=path.name.partition("-")[0], context_load=load)
    write_pack(path, facts, trials, says=says)
    return read_campaign(path)


def test_policies_are_compared_by_pairs_and_what_was_not_run_makes_no_step(tmp_path: Path) -> None:
    native, forced = campaign(tmp_path / "native", 1), campaign(tmp_path / "constrained", 1, 2, 3, says="I jump.")

    (mixed,) = build_group("g", [forced, native]).steps
    assert (mixed.kind, mixed.first, mixed.second) == (StepKind.mixed, "native", "constrained")
    assert mixed.found
    assert (mixed.found.gained, mixed.found.lost, mixed.pairs, mixed.unpaired) == (2, 0, 3, 0)
    assert mixed.alike == 0

    tax, added = build_group("g", [forced, native, campaign(tmp_path / "lenient", 1, 2)]).steps
    assert (tax.kind, tax.alike, added.kind) == (StepKind.tax, 3, StepKind.forced)


def test_a_pair_with_a_trial_that_was_lost_is_unpaired(tmp_path: Path) -> None:
    lost = [result("a", run, policy="lenient", **(LOST if run == 3 else {})) for run in RUNS]
    write_pack(tmp_path / "lenient", manifest([("a", run) for run in RUNS], policy="lenient"), lost)

    (tax,) = build_group("g", [campaign(tmp_path / "native", 1), read_campaign(tmp_path / "lenient")]).steps

    assert (tax.pairs, tax.unpaired) == (2, 1)


@pytest.mark.parametrize(("says", "leaks"), [("I look.", 0), ("<tool_response>ok", 3), ("<|im_start|>user", 3)])
def test_a_load_is_compared_with_the_least_one_and_leaks_are_counted(tmp_path: Path, says: str, leaks: int) -> None:
    short, long = campaign(tmp_path / "native", 1, 2, 3), campaign(tmp_path / "native-long", 1, says=says, load=2000)

    least, most = build_group("g", [long, short]).depths

    assert (least.load, least.against_least, most.load) == (0, None, 2000)
    assert most.against_least
    assert most.against_least.lost == 2
    assert (most.leaking.trials, most.leaking.of, most.malforming.trials) == (leaks, 3, 0)
    assert build_group("g", [short]).depths == ()


def test_replies_that_only_look_like_calls_are_counted(tmp_path: Path) -> None:
    for load, (looks, problems) in enumerate([(None, []), (Resemblance.other_dialect, ["it does not parse"])]):
        of = campaign(tmp_path / f"native-{load}", load=load)
        for one in of.results:
            reply = reply_event(1, content="{", resembles=looks, problems=problems)
            events = [{"schema": 1, **start_event(one)}, reply, end_event()]
            of.folder.transcript(one.attempt).write_bytes(b"".join(map(to_line, events)))

    plain, odd = build_group("g", [read_campaign(tmp_path / f"native-{load}") for load in (0, 1)]).depths

    assert (plain.resembled, plain.malformed) == ({}, 0)
    assert (odd.resembled, odd.malformed, odd.replies, odd.calls) == ({Resemblance.other_dialect: 3}, 3, 3, 0)
    assert odd.malforming.trials == 3
