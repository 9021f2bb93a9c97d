"""docs/data-pack.md describes exactly the fields and columns that the code writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.pack.csv import TABLES, Table
from pytest_agentcore.pack.validate import schema
from pytest_agentcore.reports.csv import REPORT_TABLES

PAGE = Path(__file__).parents[2] / "docs" / "data-pack.md"

EVENTS = [
    name
    for name in schema("transcript")["$defs"]
    if name in {"start", "reply", "tool_result", "feedback", "request_failed", "end", "verdict"}
]


@pytest.mark.parametrize("table", [*TABLES, *REPORT_TABLES], ids=lambda table: table.name)
def test_columns_in_their_order(table: Table[Any]) -> None:
    described = _described(f"### verification/{table.name}.csv")
    if table.name == "trials":
        fields = set(_described("## data/results.jsonl")) - {"schema"}
        assert {*table.columns} == fields | {*described}
    else:
        assert described == list(table.columns)


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
    """Names that the items of the list under a heading begin with."""
    page = PAGE.read_text(encoding="utf-8")
    assert f"{heading}\n" in page
    section = re.split(r"^#{2,3} ", page.partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    items = re.findall(r"^- (`\w+`(?:, `\w+`)*): ", section, flags=re.MULTILINE)
    return [name.strip("`") for item in items for name in item.split(", ")]
