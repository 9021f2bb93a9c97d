"""docs/example: a campaign that a stranger can audit, small and without traces of the machine it was made on."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pytest_agentcore.format import fraction
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.validate import examine

DOCS = Path(__file__).parents[2] / "docs"
(CAMPAIGN,) = (DOCS / "example").iterdir()
PLACES = re.compile(rb"/(?:home|root|tmp|work|Users)/|\b(?:sk|hf|ghp)_[A-Za-z0-9]{12,}")
"""Folders of a machine, and tokens."""


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in CAMPAIGN.rglob("*") if path.is_file()) < 300_000


def test_it_is_as_it_was_written() -> None:
    assert examine(CampaignFolder(CAMPAIGN)).problems == []


def test_it_names_no_folder_of_the_machine_it_was_made_on() -> None:
    assert {path.name for path in CAMPAIGN.rglob("*") if path.is_file() and PLACES.search(path.read_bytes())} == set()


def test_the_page_shows_what_the_pack_holds() -> None:
    page = (DOCS / "example.md").read_text(encoding="utf-8")
    campaign = read_campaign(CAMPAIGN)
    passed = sum(result.passed is True for result in campaign.results)

    assert f"example/{CAMPAIGN.name}/report.html" in page
    assert f"{fraction(passed, len(campaign.manifest.planned))}" in page
    assert (
        f"pytest {' '.join(campaign.manifest.arguments)}".replace("task_07 or task_08", '"task_07 or task_08"') in page
    )


def test_its_reports_hold_every_trial() -> None:
    results = read_campaign(CAMPAIGN).results
    text = (CAMPAIGN / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])

    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    assert [(row["attempt"], row["outcome"]) for row in rows] == [(one.attempt, one.outcome) for one in results]
    assert {row["embedded"] for row in rows} == {"yes"}
    write_up = (CAMPAIGN / "report.md").read_text(encoding="utf-8")
    assert all(f"data/transcripts/{one.attempt}.jsonl" in write_up for one in results if not one.passed)
