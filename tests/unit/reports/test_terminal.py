"""Header, summary, failed trials and the live line on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from results import GAVE_UP, HOSTILE, INTERRUPTED, LOST, PASSED, WRONG, manifest, reply_event, result, tool_event

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import turns
from pytest_agentcore.reports.terminal import (
    Progress,
    header_lines,
    progress_line,
    remaining_seconds,
    summary_lines,
    summary_title,
    turn_lines,
    verdict_lines,
)
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult
from pytest_agentcore.untrusted import columns

FOLDER = Path("agentcore-results/2026-06-10-tiny-agentic-core-v1")
PLAN = [(task, run) for run in (1, 2, 3) for task in ("task_05_minimal_fix", "task_06_handle_ambiguous_requirement")]
RESULTS = [
    result("task_05_minimal_fix", 1, seconds=10.0),
    result("task_05_minimal_fix", 2, seconds=20.0, **WRONG),
    result("task_05_minimal_fix", 3, **LOST),
    result("task_06_handle_ambiguous_requirement", 1, **GAVE_UP),
    result("task_06_handle_ambiguous_requirement", 2),
]


def ended(described: Manifest, results: Sequence[TrialResult]) -> Campaign:
    return Campaign(folder=CampaignFolder(FOLDER), manifest=described, results=tuple(results))


def test_the_header_says_what_runs_on_what_and_how() -> None:
    lines = header_lines(
        manifest(PLAN, policy="constrained", warnings=("A GPU is here, but the build has none.",)), FOLDER
    )

    assert lines == [
        "agentcore  0.1.0",
        "suite      agentic-core-v1 (open rebuild 1.0) · digest abababababab",
        "model      tiny · tiny-Q4_K_M.gguf · Q4_K_M · context 8192",
        "device     CPU",
        "policy     constrained",
        "sandbox    bubblewrap · 0.8.0 · python 3.11.2",
        "plan       2 tasks, 3 runs: 6 trials · interleaved · seed 7 · 15 turns · 4096",
        "           tokens a reply · 1h00m a trial",
        "results    agentcore-results/2026-06-10-tiny-agentic-core-v1",
        "WARNING    A GPU is here, but the build has none.",
    ]


def test_the_header_before_the_plan_is_known() -> None:
    assert any("3 runs of each task" in line for line in header_lines(manifest([]), FOLDER))


def test_the_header_of_an_agent_without_a_model() -> None:
    lines = header_lines(manifest(model="oracle", backend={}, sandbox={"name": "process"}), FOLDER)

    assert "model      oracle" in lines
    assert "device     none" in lines
    assert "sandbox    process" in lines


def test_the_summary_of_a_mixed_campaign() -> None:
    assert summary_lines(ended(manifest(PLAN), RESULTS), FOLDER) == [
        "task (policy native)                  passed  latency  calls  turns  notes",
        "task_05_minimal_fix                      1/3    15.0s    3.0    4.0",
        "    run 2: checker_rejected; run 3: backend_unreachable",
        "task_06_handle_ambiguous_requirement     1/3    12.5s    3.0    9.5",
        "    run 1: budget_exhausted (turn_limit); 1 not run",
        "all                                      2/6    13.8s    3.0    6.8",
        "",
        "raw        2/6  33.3% of the planned trials passed",
        "effective  2/4  50.0% of the scored trials passed (4/6 scored)",
        "95%        15.0% to 85.0% for the same tasks again",
        "           0.6% to 99.4% for other tasks like these",
        "distinct   4 scored trials, 4 distinct",
        "failures   1 wrong_answer · 1 gave_up_mid_plan · 1 infrastructure_error · 1",
        "           not_run",
        "causes     1 budget_exhausted · 1 backend_unreachable · 1 checker_rejected",
        "files      agentcore-results/2026-06-10-tiny-agentic-core-v1",
        "           manifest.json, data/ (results, transcripts, workspaces),",
        "           verification/ (CSV)",
    ]


@pytest.mark.parametrize("policy", ["native", "lenient", "constrained"])
def test_title_and_table_name_the_policy(policy: str) -> None:
    described = manifest(PLAN, policy=policy)

    assert f"policy {policy}" in summary_title(described)
    assert f"(policy {policy})" in summary_lines(ended(described, RESULTS), FOLDER)[0]


def test_on_a_wide_terminal_notes_stand_behind_their_row() -> None:
    lines = summary_lines(ended(manifest(PLAN), RESULTS), FOLDER, width=140)

    assert lines[1].endswith("4.0  run 2: checker_rejected; run 3: backend_unreachable")


def test_a_model_that_repeats_itself_is_seen() -> None:
    results = [result("task_05_minimal_fix", run, replies_digest="d" * 64) for run in (1, 2, 3)]

    assert "distinct   3 scored trials, 1 distinct" in summary_lines(ended(manifest(PLAN), results), FOLDER)


def test_trials_ended_by_the_clock_are_a_caution() -> None:
    slow = [result(**GAVE_UP | {"stop_reason": StopReason.time_limit})]

    assert "1 trial ended by time_limit, which depends on the machine" in _text(slow)
    assert "time_limit" not in _text([result()])


@pytest.mark.parametrize(("problems", "seen"), [(0, "none was even begun"), (7, "7 calls could not be read or run")])
def test_a_model_without_a_single_call_is_a_suspicion_against_the_harness(problems: int, seen: str) -> None:
    silent = [result(**WRONG | {"tool_calls": 0, "problems": problems, "cause": Cause.no_tool_call})]

    assert "SUSPECT" in _text(silent)
    assert seen in _text(silent)
    assert "SUSPECT" not in _text([*silent, result(run=2)])
    assert "SUSPECT" not in _text(silent, model="null")


def test_nothing_scored_has_no_effective_rate() -> None:
    text = _text([result(**LOST), result(run=2, **INTERRUPTED)])

    assert "effective  undefined: none of 1 planned trial was scored" in text
    assert "undefined for the same tasks again" in text
    assert "1 interrupted" in text


def test_an_empty_campaign_has_a_summary() -> None:
    assert "0/1" in _text([])


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit_where_their_words_do(width: int) -> None:
    for line in summary_lines(ended(manifest(PLAN), RESULTS), FOLDER, width):
        assert len(line) <= max(width, 75), line


def test_a_failed_trial_shows_verdict_and_last_turns() -> None:
    failed = result(**WRONG | {"detail": "AssertionError: 5 of 6 tests pass\nassert 5 == 6"})
    done = turns(
        [
            reply_event(3, {"command": "python3 -m unittest"}, content="I run the tests."),
            tool_event(3, 0, {"command": "python3 -m unittest"}, "FAILED\nexit code 1\n", outcome="refused"),
            {"event": "feedback", "turn": 3, "text": "the second call does not parse"},
            reply_event(4, content="Done."),
        ]
    )

    assert [*verdict_lines(failed), *turn_lines(done)] == [
        "wrong_answer · cause checker_rejected · policy native",
        "ended by final_answer · 4 turns · 3 tool calls · 12.5s · seed 1234",
        "turn 3",
        "  says    I run the tests.",
        '  calls   shell {"command": "python3 -m unittest"}',
        "  refused FAILED",
        "          exit code 1",
        "  told    the second call does not parse",
        "turn 4",
        "  says    Done.",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_model_writes_reaches_the_terminal_raw(text: str) -> None:
    done = turns([reply_event(1, {"command": text}, content=text), tool_event(1, 0, {"command": text}, text)])

    for line in turn_lines(done):
        assert line.isprintable()
        assert columns(line) <= 80


def test_endless_output_is_cut_in_the_middle_and_to_the_width() -> None:
    text = "\n".join(f"<|channel>fs_read{{file: src/price.py}} {n} {'x' * 200}" for n in range(200))
    lines = turn_lines(turns([reply_event(1, content=text)]), width=60)

    assert len(lines) == 9
    assert any("193 lines left out" in line for line in lines)
    assert max(map(columns, lines)) <= 60


def test_a_reply_without_content_shows_what_was_written_at_all() -> None:
    silent = turns([reply_event(1, text="<tool_call>{broken"), reply_event(2)])

    assert turn_lines(silent) == ["turn 1", "  says    <tool_call>{broken", "turn 2", "  says    (nothing)"]


def _text(results: list[TrialResult], **changes: Any) -> str:
    described = replace(manifest(), **changes)
    return "\n".join(summary_lines(ended(described, results), FOLDER, width=400))


@pytest.mark.parametrize(
    ("results", "suspicious"),
    [
        ([], False),
        ([result(**LOST)], False),
        ([result(**WRONG | {"tool_calls": 0})], True),
        ([result(**WRONG | {"tool_calls": 0}), result(run=2, **PASSED)], False),
    ],
)
def test_a_model_that_never_called_a_tool_is_told_from_one_that_never_ran(
    results: list[TrialResult], suspicious: bool
) -> None:
    assert ("SUSPECT" in _text(results)) is suspicious


MIDWAY = Progress(
    current=TrialKey("tiny", "task_05_minimal_fix", 2),
    turn=4,
    runs=3,
    done=12,
    planned=30,
    elapsed=192.0,
    remaining=360.0,
)


@pytest.mark.parametrize(
    ("tokens", "speed", "width", "line"),
    [
        (
            212,
            17.94,
            120,
            "task_05_minimal_fix run 2/3 · turn 4 · 212 tokens, 17.9 a second · 12/30 done · 3m12s elapsed",
        ),
        (1, 0.31, 120, "task_05_minimal_fix run 2/3 · turn 4 · 1 token, 0.31 a second · 12/30 done · 3m12s elapsed"),
        (9, 120.6, 90, "task_05_minimal_fix run 2/3 · turn 4 · 9 tokens, 121 a second · 12/30 done · 3m12s elapsed"),
        (9, 120.6, 80, "task_05_minimal_fix run 2/3 · turn 4 · 9 tok 121/s · 12/30 done · 3m12s"),
        (212, 17.94, 74, "task_05_minimal_fix run 2/3 · turn 4 · 212 tok 17.9/s · 12/30 done · 3m12s"),
        (212, 17.94, 68, "task_05_mini… run 2/3 · turn 4 · 212 tok 17.9/s · 12/30 done · 3m12s"),
        (212, 17.94, 60, "task_05_minim… run 2/3 · turn 4 · 12/30 done · 3m12s elapsed"),
    ],
)
def test_what_is_written_stands_beside_the_turn(tokens: int, speed: float, width: int, line: str) -> None:
    assert progress_line(replace(MIDWAY, tokens=tokens, speed=speed, remaining=None), width) == line


def test_the_line_says_where_the_run_is() -> None:
    assert progress_line(MIDWAY, 100) == "task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"turn": 0}, "task_05_minimal_fix run 2/3 · 12/30 done · 3m12s elapsed · ~6m left"),
        ({"remaining": None}, "task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed"),
        ({"current": None}, "12/30 done · 3m12s elapsed · ~6m left"),
    ],
)
def test_what_is_not_known_is_left_out(change: dict[str, Any], line: str) -> None:
    assert progress_line(replace(MIDWAY, **change), 100) == line


@pytest.mark.parametrize("width", [1, 20, 60, 70, 79])
def test_the_line_never_wraps(width: int) -> None:
    assert len(progress_line(MIDWAY, width)) <= width


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (72, "task_05_minima… run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left"),
        (60, "task_05_minimal… run 2/3 · turn 4 · 3m12s elapsed · ~6m left"),
        (40, "task_05_minimal_… r2/3 t4 3m12s ~6m left"),
        (20, "t4 3m12s ~6m left"),
    ],
)
def test_on_a_narrow_terminal_the_name_gives_way_first_and_then_words(width: int, line: str) -> None:
    assert progress_line(MIDWAY, width) == line


@pytest.mark.parametrize("width", [80, 60, 40])
def test_trial_turn_elapsed_and_remaining_always_stand_there(width: int) -> None:
    """The longest of all: hours, hundreds of trials, the longest name of the suite."""
    key = TrialKey("tiny", "task_02_refactor_duplicated_code", 10)
    longest = replace(MIDWAY, current=key, turn=15, runs=10, done=200, planned=300, elapsed=44_000.0, remaining=4e4)
    line = progress_line(longest, width)
    assert line.startswith("task_02_ref")
    assert all(part in line for part in ("10/10", "turn 15" if width == 80 else "t15", "12h13m", "~11h", " left"))


@pytest.mark.parametrize(
    ("finished", "left", "current", "at_once", "seconds"),
    [
        ([], 30, 5.0, 1, None),
        ([10.0, 20.0], 4, 0.0, 1, 60.0),
        ([10.0, 20.0], 4, 5.0, 1, 55.0),
        ([10.0, 20.0], 4, 500.0, 1, 45.0),
        ([10.0, 20.0], 4, 0.0, 2, 30.0),
        ([10.0], 0, 0.0, 1, 0.0),
    ],
)
def test_the_estimate_is_the_mean_times_what_is_left(
    finished: list[float], left: int, current: float, at_once: int, seconds: float | None
) -> None:
    assert remaining_seconds(finished, left, current, at_once) == seconds
