"""docs/data-pack.md describes exactly the fields and columns that the code writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_agentcore.pack.csv import TABLES, Table
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.validate import schema

PAGE = Path(__file__).parents[2] / "docs" / "data-pack.md"

EVENTS = [
    name
    for name in schema("transcript")["$defs"]
    if name in {"start", "reply", "tool_result", "feedback", "request_failed", "end", "verdict"}
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_columns_in_their_order(table: Table[Campaign]) -> None:
    assert _described(f"### verification/{table.name}.csv") == list(table.columns)


@pytest.mark.parametrize(
    ("heading", "described"),
    [
        ("## manifest.json", schema("manifest")),
        ("## data/results.jsonl", schema("result")["$defs"]["result"]),
        *((f"### event `{event}`", schema("transcript")["$defs"][event]) for event in EVENTS),
    ],
)
def test_fields(heading: str, described: dict[str, dict[str, object]]) -> None:
    assert _described(heading) == list(described["properties"])


def _described(heading: str) -> list[str]:
    """First cells of the table under a heading."""
    page = PAGE.read_text(encoding="utf-8")
    assert f"{heading}\n" in page
    section = re.split(r"^#{2,3} ", page.partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
