"""report.md, group.md and report.html: what is listed, and that no text in them becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from packs import write_pack
from results import HOSTILE, WRONG, manifest, result

from pytest_agentcore.analysis.groups import build_group
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.rendering import LISTED, for_script, group_page, markdown, markdown_environment, page
from pytest_agentcore.reports.report import Report, build_report

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


def test_what_is_left_out_is_counted_on_the_page(report: Report) -> None:
    text = "".join(page(report, room=1500))

    assert re.search(r"The transcripts of \d+ of 12 trials are not in this page", text)


def test_the_policy_admits_the_scripts_and_styles_that_are_there(report: Report) -> None:
    text = "".join(page(report))

    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[0].replace("&#39;", "'")
    for element in ("script", "style"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"\s(style|on\w+)=", text.partition("<script>")[0].partition("</style>")[2])


def test_times_of_trials_that_overlapped_are_marked(tmp_path: Path) -> None:
    facts = replace(manifest([("task_01_x", 1)]), parallel=4)
    folder = write_pack(tmp_path / "campaign", facts, [result("task_01_x", 1)])
    text = "".join(page(build_report(read_campaign(folder.path))))

    for name in ("median time", "mean time", "Time of a trial"):
        assert f"{name} (4 at once)" in text


def test_names_in_charts_are_escaped(tmp_path: Path) -> None:
    name = "task_01_<b>&\"'</text><script>"
    folder = write_pack(tmp_path / "campaign", manifest([(name, 1)]), [result(name, 1)])
    text = "".join(page(build_report(read_campaign(folder.path))))

    assert "<b>" not in text
    assert text.count("<script") == 3


def test_a_campaign_without_a_single_result_has_a_page(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "campaign", manifest([("task_01_x", 1)]), [])
    text = "".join(page(build_report(read_campaign(folder.path))))

    assert "0 of 0 scored trials passed" in text
    assert "undefined: no trial is scored" in text
    assert "<figure" not in text


@pytest.mark.parametrize("text", [*HOSTILE, "</script><script>alert(1)</script>", "<!-- <script>", "&lt;"])
def test_data_never_ends_its_element_and_comes_back_exactly(text: str) -> None:
    written = for_script({text: [text]})

    assert not set("<>&") & set(written)
    assert json.loads(written) == {text: [text]}
