"""What task 01 rests on: what its given test shows."""

from __future__ import annotations

from pathlib import Path

from suite_modules import instance, python

from pytest_agentcore.sandbox.workspace import write_files


def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path) -> None:
    write_files(tmp_path, instance(1, 1).files)

    said = python(tmp_path, "-m", "unittest", "tests/test_report.py").stderr

    assert said.rstrip().endswith("FAILED (failures=1)")


def test_the_failing_test_names_a_function_one_call_above_the_bug() -> None:
    files = {
        path: str(content, "utf-8") for path, content in instance(1, 1).files.items() if isinstance(content, bytes)
    }
    clock, test = files["timesheet/clock.py"], files["tests/test_report.py"]

    assert "minutes_between" not in test
    assert "def minutes_between" in clock
    assert "minutes_between(start, end)" in files["timesheet/report.py"]
