"""What task 05 rests on: what its given tests show, and that the module is long."""

from __future__ import annotations

from pathlib import Path

from suite_modules import instance, python

from pytest_agentcore.sandbox.workspace import write_files


def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path) -> None:
    write_files(tmp_path, instance(5, 1).files)

    said = python(tmp_path, "-m", "unittest", "tests/test_price.py").stderr

    assert said.rstrip().endswith("FAILED (errors=2)")


def test_price_module_is_too_long_to_be_rewritten() -> None:
    price = instance(5, 1).files["src/price.py"]
    assert isinstance(price, bytes)

    assert len(price.splitlines()) >= 60
