"""The reports that a campaign leaves behind: written after its last line, shown below the summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.reading import Campaign, read_campaign
from pytest_agentcore.hooks.recording import Recording
from pytest_agentcore.reports.layout import labelled

WORTH_CHARTS = 10.0
"""Seconds that the trials took, about, with those that ran side by side counted once. Drawing takes half a second, a
third of what a short scripted campaign takes; such a campaign is made to try something out, and `agentcore report`
draws its charts too."""


class Reporting:
    """Main process only. A report that cannot be written is a warning: the evidence it is made from is on the disk."""

    def __init__(self, recording: Recording, baseline: Campaign | None, invocation: Path) -> None:
        self._recording, self._baseline, self._invocation = recording, baseline, invocation
        self._lines: list[tuple[str, str]] = []

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """Once every campaign is closed, and before the terminal's summary, whose wrapper is further out."""
        yield
        for campaign in self._recording.campaigns.values():
            if campaign.folder.manifest.is_file():
                self._lines += self._write(campaign.folder)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Below the campaigns' tables."""
        for label, text in self._lines:
            for line in labelled(label, text, terminalreporter._tw.fullwidth):
                terminalreporter.write_line(line)

    def _write(self, folder: CampaignFolder) -> list[tuple[str, str]]:
        try:
            from pytest_agentcore.reports.write import write_reports  # noqa: PLC0415 - now that nobody waits

            campaign = read_campaign(folder.path)
            written = write_reports(campaign, self._baseline, charts=_took(campaign) >= WORTH_CHARTS)
            return [("report", str(self._relative(path))) for path in written]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a report, the run stands
            why = f"{type(error).__name__}: {error}"
            return [("WARNING", f"no report was written ({why}); agentcore report {self._relative(folder.path)}")]

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self._invocation) if path.is_relative_to(self._invocation) else path


def _took(campaign: Campaign) -> float:
    """Seconds on the clock, as if every place for a trial had been taken all the time."""
    return sum(result.seconds for result in campaign.results) / max(1, campaign.manifest.parallel)
