"""docs/example: campaigns that a stranger can audit, small and without traces of the machine they were made on."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from pytest_agentcore.format import fraction
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.tasks.suite import Suite, find_suite

DOCS = Path(__file__).parents[2] / "docs"
CAMPAIGNS = sorted(folder for folder in (DOCS / "example").iterdir() if folder.is_dir())
PLACES = re.compile(rb"/(?:home|root|tmp|work|Users)/|\b(?:sk|hf|ghp)_[A-Za-z0-9]{12,}")
"""Folders of a machine, and tokens."""


each_campaign = pytest.mark.parametrize("folder", CAMPAIGNS, ids=lambda folder: folder.name)


@each_campaign
def test_it_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 300_000


@each_campaign
def test_it_is_as_it_was_written(folder: Path) -> None:
    assert examine(CampaignFolder(folder)).problems == []


def test_no_file_names_a_folder_of_the_machine_it_was_made_on() -> None:
    files = [path for path in (DOCS / "example").rglob("*") if path.is_file()]
    assert [path.name for path in files if PLACES.search(path.read_bytes())] == []


@each_campaign
def test_the_page_shows_what_the_pack_holds(folder: Path) -> None:
    page = (DOCS / "example.md").read_text(encoding="utf-8")
    campaign = read_campaign(folder)
    passed = sum(result.passed is True for result in campaign.results)

    assert f"example/{folder.name}/report.html" in page
    assert f"{fraction(passed, len(campaign.manifest.planned))}" in page
    assert f"pytest {shlex.join(campaign.manifest.arguments)}" in page


def test_both_are_of_the_suite_that_ships_and_of_the_same_trials() -> None:
    manifests = [read_campaign(folder).manifest for folder in CAMPAIGNS]
    assert len(manifests) == 2
    assert {one.suite.digest for one in manifests} == {Suite.load(find_suite("agentic-core-v1")).digest}
    assert len({tuple((trial.task, trial.run) for trial in one.planned) for one in manifests}) == 1


@each_campaign
def test_its_reports_hold_every_trial(folder: Path) -> None:
    results = read_campaign(folder).results
    text = (folder / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])

    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    assert [(row["attempt"], row["outcome"]) for row in rows] == [(one.attempt, one.outcome) for one in results]
    assert {row["embedded"] for row in rows} == {"yes"}
    write_up = (folder / "report.md").read_text(encoding="utf-8")
    assert all(f"data/transcripts/{one.attempt}.jsonl" in write_up for one in results if not one.passed)


def test_the_page_over_both_leads_to_each() -> None:
    page = (DOCS / "example" / "index.html").read_text(encoding="utf-8")
    assert all(folder.name in page for folder in CAMPAIGNS)
