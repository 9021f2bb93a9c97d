"""A report that several modules look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from packs import many, write_pack

from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.report import Report, build_report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Of twelve trials."""
    folder = write_pack(tmp_path / "campaign", *many(tasks=3, runs=4))
    return build_report(read_campaign(folder.path))
