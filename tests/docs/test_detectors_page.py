"""The examples of docs/detectors.md fire, or do not, as the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.trial.detectors import DETECTORS, examine

PAGE = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^```example\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?P<name>\w+) (?=\{)")


def examples() -> Iterator[tuple[str, bool, str]]:
    """Detector, whether it fires, and the example's text."""
    for section in PAGE.split("\n## ")[1:]:
        fires, _, quiet = section.partition("Does not fire:")
        for text, expected in ((fires, True), (quiet, False)):
            for example in EXAMPLE.findall(text):
                yield section.split("`")[1], expected, example


def events(example: str) -> list[dict[str, Any]]:
    """A transcript as short as an example."""
    made: list[dict[str, Any]] = [{"event": "start", "budget": {"turns": 15}}]
    for line in example.splitlines():
        if line.startswith("budget"):
            made[0] = {"event": "start", "budget": {"turns": int(line.split()[1])}}
            continue
        head, _, rest = line.partition(": ")
        turn = int(head.split()[1])
        said = re.match(r'"([^"]*)"', rest)
        made.append({"event": "reply", "turn": turn, "content": said[1] if said else "", "reasoning": ""})
        for match in CALL.finditer(rest, said.end() if said else 0):
            arguments, end = json.JSONDecoder().raw_decode(rest, match.end())
            outcome = "fault" if rest[end : end + 1] == "!" else "ok"
            call = {"name": match["name"], "arguments": arguments}
            made.append({"event": "tool_result", "turn": turn, "call": call, "outcome": outcome})
    return made


@pytest.mark.parametrize(("detector", "fires", "example"), list(examples()))
def test_example(detector: str, fires: bool, example: str) -> None:
    found = examine(events(example))[detector]

    assert bool(found.hits) is fires
    assert found.applicable


def test_every_detector_has_examples_of_both_kinds() -> None:
    shown = {(name, fires) for name, fires, _ in examples()}
    assert shown == {(detector.name, fires) for detector in DETECTORS for fires in (True, False)}
