"""What the terminal shows: header, outcome words, the line while a trial works, the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TextIO, cast

import pytest

from pytest_agentcore.analysis.gate import GateVerdict
from pytest_agentcore.errors import AgentcoreError
from pytest_agentcore.format import labelled
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.group import GroupFolder
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.reports.terminal import (
    Progress,
    header_lines,
    progress_line,
    remaining_seconds,
    summary_lines,
    summary_title,
)
from pytest_agentcore.session.recording import Recording
from pytest_agentcore.session.verdicts import RECORDED, RESULT
from pytest_agentcore.trial.result import TrialKey
from pytest_agentcore.untrusted import visible

_ROOM = "\x1bD\x1bM"
"""One line down and up again in the same column: where the cursor stood on the last line, everything moves up one."""
_SAVE, _RESTORE, _DOWN, _ERASE = "\x1b7", "\x1b8", "\x1bD\r", "\x1b[J"
_CUT, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""A text wider than the terminal (COLUMNS says what it likes) is cut off at its edge rather than wrapped."""
_NEXT_ROW = " \r"
"""Where pytest filled a row to its last column, its next character begins a new one: begin it, and leave it empty."""


class LiveLine:
    """At most one line. pytest's writer adds up what it is given to know its column, so it is not given this."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = False

    def show(self, terminal: pytest.TerminalReporter, line: Callable[[int], str]) -> None:
        """Draw the line in place of the one before; `line` is asked for it with the columns there are.

        The cursor goes back to where pytest left it.
        """
        with self._uncaptured():  # where standard output is captured it has no columns
            writer = terminal._tw
            column, width = writer.width_of_current_line, writer.fullwidth
            wrapping = _NEXT_ROW if column and column % width == 0 and not self._shown else ""
            begin, end = f"{wrapping}{_ROOM}{_SAVE}{_DOWN}{_ERASE}{_CUT}", f"{_WRAP}{_RESTORE}"
            _write(writer._file, f"{begin}{line(width - 1)}{end}")
        self._shown = True

    def erase(self, terminal: pytest.TerminalReporter | None) -> None:
        """Remove the line, if one is there."""
        if self._shown and terminal:
            self._shown = False
            with self._uncaptured():
                _write(terminal._tw._file, _ERASE)

    def _uncaptured(self) -> AbstractContextManager[None]:
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        return cast("AbstractContextManager[None]", capture.global_and_fixture_disabled()) if capture else nullcontext()


def _write(file: TextIO, text: str) -> None:
    encoding = file.encoding or "utf-8"
    file.write(text.encode(encoding, "replace").decode(encoding))
    file.flush()


PLAIN_SECONDS = 30.0
"""Without a terminal a plain line appears at most this often: a CI log wants a sign of life, not a film."""

_WORDS = {
    "wrong_answer": ("failed", "w", "red"),
    "gave_up_mid_plan": ("failed", "g", "red"),
    "infrastructure_error": ("error", "I", "red"),
}


@contextmanager
def shown(config: pytest.Config) -> Iterator[Callable[[str], None]]:
    """Lets what takes long write to the terminal: yields what writes a line, and stops capturing meanwhile."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(line: str) -> None:
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(visible(line))
            terminal.flush()

    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        yield say


class Presenting:
    """Writes through pytest's own terminal reporter."""

    def __init__(self, config: pytest.Config, recording: Recording, invocation: Path) -> None:
        self._config, self._recording, self._invocation = config, recording, invocation
        self._began = time.monotonic()
        self._seconds: list[float] = []
        self._plain = time.monotonic()
        self._live = LiveLine(config)
        self.gates: Sequence[GateVerdict] = ()

    def show_header(self) -> None:
        """One block per campaign, once its model is loaded."""
        self._began = time.monotonic()
        if self._terminal is None:
            return
        for slug, campaign in self._recording.campaigns.items():
            self._terminal.ensure_newline()
            width, why = self._terminal._tw.fullwidth, self._recording.choices[slug].why
            for line in header_lines(campaign.manifest, self._relative(campaign.folder.path), width, why):
                self._terminal.write_line(line)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """A letter and a word per outcome; pytest's categories stay, and with them counts, `-r` and exit code."""
        data = getattr(report, RESULT, None)
        if data is None or hasattr(report, "wasxfail"):  # pytest has words of its own for what was expected to fail
            return None
        recorded = " (recorded)" if hasattr(report, RECORDED) else ""
        if data["outcome"] not in _WORDS:
            return ("passed", ".", (f"PASSED{recorded}", {"green": True})) if recorded and report.passed else None
        category, letter, colour = _WORDS[data["outcome"]]
        return category, letter, (data["outcome"].upper() + recorded, {colour: True})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Take the live line away before pytest writes its letter; nobody but workers brings it back."""
        self.erase()
        data = getattr(report, RESULT, None)
        if data is not None and not hasattr(report, RECORDED):
            self._seconds.append(data["seconds"])
        yield
        if hasattr(report, "node") and any(campaign.results for campaign in self._recording.campaigns.values()):
            self._show(None, 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """The trial is over: what the checker prints under `-s` stands alone."""
        self.erase()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Also where an interrupt ended the trial."""
        self.erase()

    def on_turn(self, key: TrialKey, turn: int) -> None:
        """A turn begins: say so, below pytest's letters on a terminal, now and then on lines of its own elsewhere."""
        self._show(key, turn)

    def erase(self) -> None:
        """Remove the live line, if one is there."""
        self._live.erase(self._terminal)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A table per campaign, and why the gate is shut if it is."""
        self.erase()
        for campaign in self._recording.campaigns.values():
            terminalreporter.write_sep("=", summary_title(campaign.manifest))
            folder = self._relative(campaign.folder.path)
            ended = Campaign(folder=campaign.folder, manifest=campaign.manifest, results=tuple(campaign.results))
            for line in summary_lines(ended, folder, terminalreporter._tw.fullwidth):
                terminalreporter.write_line(line)
        for sentence in (*self._recording.lost, *self._recording.broken):
            terminalreporter.write_line(visible(sentence), red=True)
        for gate in self.gates:
            terminalreporter.write_line(gate.title, bold=True)
            for sentence in gate.sentences:
                terminalreporter.write_line(f"  {visible(sentence)}", red=True)
            for note in gate.notes:
                terminalreporter.write_line(f"  {visible(note)}")

    def _show(self, key: TrialKey | None, turn: int) -> None:
        terminal = self._terminal
        if terminal is None:
            return
        if terminal.isatty and terminal._tw.hasmarkup:
            self._live.show(terminal, lambda width: progress_line(self._progress(key, turn), width))
        elif time.monotonic() - self._plain > PLAIN_SECONDS:
            self._plain = time.monotonic()
            with shown(self._config) as say:
                say(progress_line(self._progress(key, turn), terminal._tw.fullwidth))

    def _progress(self, key: TrialKey | None, turn: int) -> Progress:
        """Of one trial, or with None of all that workers do at the same time."""
        campaigns = self._recording.campaigns
        manifests = [campaign.manifest for campaign in campaigns.values()]
        planned = sum(len(manifest.planned) for manifest in manifests)
        done = sum(len(campaign.results) for campaign in campaigns.values())
        return Progress(
            current=key,
            turn=turn,
            runs=campaigns[key.model].manifest.runs if key else 0,
            done=done,
            planned=planned,
            elapsed=time.monotonic() - self._began,
            remaining=remaining_seconds(self._seconds, planned - done, at_once=self._recording.at_once),
        )

    @property
    def _terminal(self) -> pytest.TerminalReporter | None:
        """Looked up when it is needed: pytest makes it after plugins are configured, and `-p no:terminal` never."""
        return cast("pytest.TerminalReporter | None", self._config.pluginmanager.get_plugin("terminalreporter"))

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self._invocation) if path.is_relative_to(self._invocation) else path


class Grouping:
    """Writes and shows what the campaigns of a group say together. Main process only."""

    def __init__(self, recording: Recording, invocation: Path) -> None:
        self._recording, self._invocation = recording, invocation
        self._shown: list[tuple[str, list[str]]] = []
        """Title and lines."""

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Once every campaign is closed; a group of which nothing was run leaves no folder behind."""
        yield
        terminal = session.config.get_terminal_writer()
        for folder in self._recording.groups.values():
            mine = [c for c in self._recording.campaigns.values() if c.manifest.group == folder.id]
            if any(campaign.results for campaign in mine):
                self._shown.append(self._compare(folder, terminal.fullwidth))
            else:
                folder.path.rmdir()

    def _compare(self, folder: GroupFolder, width: int) -> tuple[str, list[str]]:
        # statistics are loaded now that nobody waits for a first trial
        from pytest_agentcore.analysis.groups import build_group  # noqa: PLC0415
        from pytest_agentcore.pack.group import members  # noqa: PLC0415
        from pytest_agentcore.reports.group_text import group_lines, group_title  # noqa: PLC0415
        from pytest_agentcore.reports.write import write_group  # noqa: PLC0415

        path = folder.path
        shown = path.relative_to(self._invocation) if path.is_relative_to(self._invocation) else path
        try:
            group = build_group(folder.id, members(folder))
            write_group(folder, group)
        except (AgentcoreError, OSError) as error:
            return "group", [f"WARNING    the group was not compared ({error}); agentcore group {shown}"]
        return group_title(group), group_lines(group, shown, width)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Below the campaigns' own tables."""
        for title, lines in self._shown:
            terminalreporter.write_sep("=", title)
            for line in lines:
                terminalreporter.write_line(line)


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
            written = write_reports(campaign, self._baseline)
            return [("report", str(self._relative(path))) for path in written]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a report, the run stands
            why = f"{type(error).__name__}: {error}"
            return [("WARNING", f"no report was written ({why}); agentcore report {self._relative(folder.path)}")]

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self._invocation) if path.is_relative_to(self._invocation) else path
