"""A campaign says whether its suite was audited as it was, in the manifest and in the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import campaign

from pytest_agentcore.checks.attackers import library
from pytest_agentcore.checks.audit import Attack, Outcome, record, record_bytes
from pytest_agentcore.pack.validate import validator
from pytest_agentcore.sandbox.process import PlainProcess
from pytest_agentcore.tasks.suite import Suite


@pytest.mark.parametrize(
    ("audited", "changed", "said"),
    [
        (False, False, "not audited"),
        (True, True, "not audited"),
        (True, False, "1 of 2 attacks passed · attackers "),
    ],
    ids=["never", "before it was changed", "as it is"],
)
def test_manifest_and_report_carry_the_audit(
    pytester: pytest.Pytester, suite: Path, audited: bool, changed: bool, said: str
) -> None:
    module = next(suite.glob("test_*.py"))
    home = Suite.of(module)
    if audited:
        outcomes = zip(library(), (Outcome.held, Outcome.passed), strict=False)
        attacks = [Attack("task_01_hello", attacker, outcome) for attacker, outcome in outcomes]
        (home.path / "audit.json").write_bytes(record_bytes(record(home, attacks, PlainProcess())))
    if changed:
        module.write_text(module.read_text() + "\nCHANGED = True\n")
    pytester.runpytest("--model", "oracle", "--runs", "1", suite)
    pack = campaign(pytester)
    manifest = json.loads((pack / "manifest.json").read_bytes())
    validator("manifest").validate(manifest)
    assert (manifest["audit"] is not None) is (audited and not changed)
    report = (pack / "report.md").read_text()
    assert said in report, report
