"""What is said of how a campaign was run, and what casts doubt on its numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from packs import write_pack
from results import GAVE_UP, manifest, result

from pytest_agentcore.pack.manifest import Recheck
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.facts import facts, warnings
from pytest_agentcore.trial.modes import StopReason


def test_every_fact_names_the_key_of_the_manifest_that_bears_it_out() -> None:
    at, suite = "2026-06-11T08:00:00+00:00", "cd" * 32
    again = Recheck(at=at, suite=suite, harness="0.1.0", classification=2, up=1, down=3, otherwise=0)
    machine = {"system": "Linux", "processors": 2, "memory_bytes": 8 * 2**30, "python": "3.11.2"}
    described = replace(manifest(), machine=machine, context_load=2000, rechecked=(again,))

    said = {fact.label: fact.text for fact in facts(described)}

    assert {fact.file.partition("#")[2] for fact in facts(described)} <= described.to_json().keys()
    assert said["machine"] == "Linux · 2 processors · 8 GiB · Python 3.11.2"
    assert said["context load"] == "2000 tokens of earlier conversation"
    assert said["rechecked"] == "1 time, last by a suite of digest cdcdcdcdcdcd: 1 up, 3 down, 0 judged otherwise"
    assert said["plan"] == "1 task, 3 runs: 1 trial · interleaved · seed 7"


def test_what_casts_doubt_on_the_numbers_is_said(tmp_path: Path) -> None:
    timed_out = result("task_01", 1, **GAVE_UP | {"stop_reason": StopReason.time_limit, "tool_calls": 0})
    same = result("task_01", 2, **GAVE_UP | {"tool_calls": 0, "replies_digest": timed_out.replies_digest})
    failed = {"passed": False, "verdict": "no structured call came back"}
    said = manifest([("task_01", 1), ("task_01", 2)], parallel=4, preflight=failed, warnings=("n_ctx is large",))
    write_pack(tmp_path / "c", said, [timed_out, same])

    text = " ".join(warning.text for warning in warnings(read_campaign(tmp_path / "c")))

    for sentence in (
        "n_ctx is large",
        "up to 4 trials ran at the same time",
        "the preflight failed and the campaign was run anyway: no structured call came back",
        "1 trial ended by time_limit, which depends on the machine",
        "not one trial of tiny made a tool call that could be run",
        "2 scored trials are 1 distinct ones",
    ):
        assert sentence in text


def test_rows_are_stated_with_what_was_proved_and_counted(tmp_path: Path) -> None:
    batching = {"batching": "batch-invariant: not on this build"}
    counted = {"prompt_tokens_evaluated": 1030, "prompt_tokens_distinct": 1000, "drafted": 40, "accepted": 10}
    plan = manifest([("task_01", 1)], rows=4, rows_reason="as asked", parallel=4)
    said = replace(plan, backend={**plan.backend, **batching, "counts": counted})

    stated = {fact.label: fact.text for fact in facts(said)}
    assert stated["rows"] == "4 conversations decoded together (as asked) · batch-invariant: not on this build"
    assert stated["prompts"] == "1,030 tokens evaluated for 1,000 distinct ones (103.0%)"
    assert stated["drafts"] == "10/40 (25.0%) tokens taken as drafted"

    at = "2026-06-11T08:00:{}+00:00".format
    ran = {1: ("10", 20.0), 2: ("12", 3.0), 3: ("29", 9.0), 4: ("50", 2.0)}
    results = [result("task_01", run, started=at(begin), seconds=seconds) for run, (begin, seconds) in ran.items()]
    packs = {
        "said": (said, results),
        "alone": (said, results[-1:]),
        "one at a time": (replace(said, parallel=1), results),
        "proven": (replace(said, backend={**plan.backend, "batching": "batch-invariant: proven for 4 rows"}), results),
    }
    doubts = {}
    for name, (plan, lines) in packs.items():
        write_pack(tmp_path / name, plan, lines)
        doubts[name] = " ".join(warning.text for warning in warnings(read_campaign(tmp_path / name)))
    sentence = "3/4 trials overlapped and cannot be repeated bit by bit: task_01:1, task_01:2, task_01:3"
    assert sentence in doubts.pop("said")
    assert not [doubt for doubt in doubts.values() if "bit by bit" in doubt]
