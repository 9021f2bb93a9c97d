"""A campaign and a trial as lines of a terminal: what is cut, and that nothing shown is obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest
from packs import write_pack
from results import HOSTILE, WRONG, end_event, manifest, reply_event, result, start_event, tool_event

from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.report import Report, build_report
from pytest_agentcore.reports.show import FAILURES_LISTED, campaign_lines, trial_lines


def test_a_campaign_says_what_ran_how_it_went_and_what_is_not_known(report: Report) -> None:
    text = "\n".join(campaign_lines(report))

    for label in ("campaign", "suite", "effective", "failed", "detector", "predicted", "not known"):
        assert f"\n{label}" in f"\n{text}"


def test_many_failures_are_counted_instead_of_listed(tmp_path: Path) -> None:
    trials = [result("task_01", run, **WRONG) for run in range(1, FAILURES_LISTED + 4)]
    write_pack(tmp_path / "c", manifest([("task_01", trial.run) for trial in trials]), trials)

    text = "\n".join(campaign_lines(build_report(read_campaign(tmp_path / "c")), width=120))

    assert "failed     task_01:1 · checker_rejected · turn 4 · " in text
    assert f"task_01:{FAILURES_LISTED} ·" in text
    assert f"task_01:{FAILURES_LISTED + 1} ·" not in text
    assert "3 more, see verification/trials.csv" in text


def test_a_trial_is_shown_turn_by_turn() -> None:
    trial = result(**WRONG)
    call = {"command": "cat > a.py <<'END'\nx = 1\nEND", "limit": 5}
    reply = reply_event(1, call, {"command": "ls"}, content="I write.", reasoning="Which file?")
    events = [start_event(trial), reply, tool_event(1, 0, call, "done\nexit code 0"), end_event()]

    lines = list(trial_lines(trial, events))

    assert lines[0] == "task_05_minimal_fix[tiny-run1]"
    turn = lines.index("turn 1 · 1.5s · 100 tokens in (80 cached), 20 out")
    assert lines[turn + 1 :][:17] == [
        *("  thinks:", "    Which file?", "  says:", "    I write."),
        '  calls shell {"command": "ls"}',  # a call that never ran stands before those that did
        '  calls shell {"limit": 5}',
        *("  command:", "    cat > a.py <<'END'", "    x = 1", "    END"),
        *("  ok, 0.2s:", "    done", "    exit code 0", ""),
        *("ended      final_answer", "outcome    wrong_answer · checker_rejected", "  checker:"),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_model_writes_reaches_the_terminal_raw(text: str) -> None:
    trial = result(**WRONG | {"detail": text})
    call = {"command": text}
    reply = reply_event(1, call, content=text, reasoning=text)
    events = [start_event(trial) | {"prompt": text}, reply, tool_event(1, 0, call, text), end_event()]

    assert all(line.isprintable() for line in trial_lines(trial, events))
