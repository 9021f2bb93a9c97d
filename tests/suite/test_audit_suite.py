"""The outcome of the shipped suite's audit is recorded beside it, and is of the suite and the attackers as they are."""

from __future__ import annotations

from suite_modules import SUITE

from pytest_agentcore.checks.attackers import library, library_digest

RECORD = "`agentcore audit --record` writes it anew"


def test_no_attacker_has_passed_the_suite_as_it_is() -> None:
    facts = SUITE.audit

    assert facts is not None, RECORD
    assert facts["attackers"] == library_digest(), RECORD
    assert facts["attacks"] == 10 * len(library())
    assert (facts["passed"], facts["voided"]) == (0, 0)
