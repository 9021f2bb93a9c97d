"""report.md and group.md: what is listed, and that no text in them becomes markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packs import write_pack
from results import HOSTILE, WRONG, manifest, result

from pytest_agentcore.analysis.groups import build_group
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.rendering import LISTED, group_page, markdown, markdown_environment
from pytest_agentcore.reports.report import build_report

EVIL = "<script>alert(1)</script> [x](http://y) | `a` **b**"


def text_of(path: Path) -> str:
    return "".join(markdown(build_report(read_campaign(path))))


def test_many_failures_are_counted_instead_of_listed(tmp_path: Path) -> None:
    trials = [result("task_01", run, **WRONG) for run in range(1, LISTED + 8)]
    write_pack(tmp_path / "c", manifest([("task_01", trial.run) for trial in trials]), trials)

    text = text_of(tmp_path / "c")

    assert text.count("- **run ") == LISTED
    assert "7 more failed trials of this task: (verified: `verification/trials.csv`)" in text


@pytest.mark.parametrize("text", [*HOSTILE, EVIL, "# heading", "> quote", "- item", "a | b"])
def test_a_value_is_escaped_though_no_filter_asks_for_it(text: str) -> None:
    shown = markdown_environment().from_string("| {{ text }} |").render(text=text)

    assert "\n" not in shown
    assert shown.isprintable()
    assert not re.search(r"(?<!\\)[|<>`\[\]*]", shown.strip("|"))


def test_names_of_a_campaign_are_no_markup(tmp_path: Path) -> None:
    facts = manifest(
        [("task_01", 1)], model=EVIL, warnings=(EVIL,), backend={"file": EVIL, "name": "x", "device": EVIL}
    )
    trial = result("task_01", 1, **WRONG | {"detail": EVIL})
    write_pack(tmp_path / "c", facts, [trial], says=EVIL)

    text = text_of(tmp_path / "c")
    outside = re.sub(r"`[^`\n]*`", "", re.sub(r"^ *(`{3,})text\n.*?^ *\1$", "", text, flags=re.MULTILINE | re.DOTALL))

    assert "alert(1)" in outside
    assert not re.search(r"(?<!\\)<script", outside)
    assert not re.search(r"(?<!\\)\[x", outside)


def test_names_in_a_group_are_no_markup(tmp_path: Path) -> None:
    for policy in ("native", "lenient"):
        facts = manifest([("task_01", 1)], model=EVIL, policy=policy, group="g")
        write_pack(tmp_path / policy, facts, [result("task_01", 1)])
    group = build_group("g", [read_campaign(tmp_path / policy) for policy in ("native", "lenient")])

    text = group_page(group)

    assert text.startswith("# \\<script")
    assert "| native | 0 | 1/1 | 1/1 | [native](../native/) |" in text
    assert "- **format tax**: native 1/1 → lenient 1/1: 0.0 points" in text
