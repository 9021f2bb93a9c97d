"""What junit gets to know of a trial."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from results import HOSTILE, LOST, result

from pytest_agentcore.session.verdicts import properties


def test_properties_say_everything_about_a_trial_in_one_order() -> None:
    passed, lost = dict(properties(result())), dict(properties(result(**LOST)))

    assert list(passed) == list(lost)
    assert {"model", "task", "run", "attempt", "failure_mode", "cause", "stop_reason", "turns"} <= set(passed)
    assert (passed["outcome"], passed["failure_mode"], passed["seconds"]) == ("passed", "", "12.5")
    assert (lost["failure_mode"], lost["cause"]) == ("infrastructure_error", "backend_unreachable")
    assert passed["transcript"].endswith(".jsonl#turn=4")


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_models_makes_valid_xml(text: str) -> None:
    element = ET.Element("property")
    element.text = dict(properties(result(model=text)))["model"]

    assert (ET.fromstring(ET.tostring(element, encoding="utf-8")).text or "") == element.text
