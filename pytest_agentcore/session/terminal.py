"""Shows a session in the terminal: header, outcome words, the line while a trial works, the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

import pytest

from pytest_agentcore.analysis.gate import GateVerdict
from pytest_agentcore.errors import AgentcoreError
from pytest_agentcore.format import labelled
from pytest_agentcore.pack.group import GroupFolder
from pytest_agentcore.pack.read import Campaign
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
    """The one line below pytest's letters, redrawn in its place.

    It bypasses pytest's writer, which adds up what it is given to know its column.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = False

    def show(self, terminal: pytest.TerminalReporter, line: Callable[[int], str]) -> None:
        """Draw the line in place of the one before; `line` is asked for it with the columns there are.

        The cursor goes back to where pytest left it.
        """
        with uncaptured(self._config):  # where standard output is captured it has no columns
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
            with uncaptured(self._config):
                _write(terminal._tw._file, _ERASE)


def uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    """Stop pytest from capturing, if it does, so that what is written meanwhile reaches the terminal."""
    capture = config.pluginmanager.get_plugin("capturemanager")
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
    """Yield a function that writes a line to the terminal, with capturing stopped, for what takes long."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(visible(line))
            terminal.flush()

    with uncaptured(config):
        yield say


@dataclass(kw_only=True)
class Ending:
    """The end of a session as it is shown below the tests; filled while the session ends."""

    gates: Sequence[GateVerdict] = ()
    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    """By label."""
    broken: Sequence[str] = ()
    """Sentences about what was lost, and about others' code that broke where no trial can bear it."""
    groups: Sequence[tuple[str, Sequence[str]]] = ()
    """Title and lines of each."""
    reports: Sequence[tuple[str, str]] = ()
    """Label and text of each line."""


class Screen:
    """Writes through pytest's own terminal reporter. Main process only."""

    def __init__(self, config: pytest.Config, recording: Recording, at_once: int) -> None:
        """Show what is recorded; `at_once` trials may run at the same time."""
        self._config, self._recording, self._at_once = config, recording, at_once
        self._began = time.monotonic()
        self._seconds: list[float] = []
        self._plain = time.monotonic()
        self._live = LiveLine(config)

    def show_header(self) -> None:
        """Show a block per campaign, once its model is loaded."""
        self._began = time.monotonic()
        if self._terminal is None:
            return
        for label, record in self._recording.records.items():
            self._terminal.ensure_newline()
            width, why = self._terminal._tw.fullwidth, self._recording.choices[label].why
            for line in header_lines(record.manifest, self.relative(record.folder.path), width, why):
                self._terminal.write_line(line)

    def on_turn(self, key: TrialKey, turn: int) -> None:
        """A turn begins: say so, below pytest's letters on a terminal, now and then on lines of its own elsewhere."""
        self._show(key, turn)

    def erase(self) -> None:
        """Remove the live line, if one is there."""
        self._live.erase(self._terminal)

    def count(self, report: pytest.TestReport) -> None:
        """Take note of how long a trial took."""
        data = getattr(report, RESULT, None)
        if data is not None and not hasattr(report, RECORDED):
            self._seconds.append(data["seconds"])

    def show_workers(self) -> None:
        """Show how far the workers are, once the first of their trials is recorded."""
        if any(record.results for record in self._recording.records.values()):
            self._show(None, 0)

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
        """Where one trial is, or with None all that workers do at the same time."""
        records = self._recording.records
        planned = sum(len(record.manifest.planned) for record in records.values())
        done = sum(len(record.campaign.results) for record in records.values())  # sorted once per result, not per turn
        return Progress(
            current=key,
            turn=turn,
            runs=records[key.model].manifest.runs if key else 0,
            done=done,
            planned=planned,
            elapsed=time.monotonic() - self._began,
            remaining=remaining_seconds(self._seconds, planned - done, at_once=self._at_once),
        )

    @property
    def _terminal(self) -> pytest.TerminalReporter | None:
        """Looked up when it is needed: pytest makes it after plugins are configured, and `-p no:terminal` never."""
        return cast("pytest.TerminalReporter | None", self._config.pluginmanager.get_plugin("terminalreporter"))

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._terminal._tw.fullwidth if self._terminal else 80

    def relative(self, path: Path) -> Path:
        """A path as the user may type it."""
        return relative_to(path, self._config.invocation_params.dir)

    def summarise(self, terminal: pytest.TerminalReporter, ending: Ending) -> None:
        """Show a table per campaign, what was lost, why a gate is shut, where the reports are, and the groups."""
        self.erase()
        width = terminal._tw.fullwidth
        for campaign in ending.campaigns.values():
            folder = self.relative(campaign.folder.path)
            _write_section(terminal, summary_title(campaign.manifest), summary_lines(campaign, folder, width))
        for sentence in ending.broken:
            terminal.write_line(visible(sentence), red=True)
        for gate in ending.gates:
            _write_gate(terminal, gate)
        for label, text in ending.reports:
            for line in labelled(label, text, width):
                terminal.write_line(line)
        for title, compared in ending.groups:
            _write_section(terminal, title, compared)


def _write_section(terminal: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
    terminal.write_sep("=", title)
    for line in lines:
        terminal.write_line(line)


def _write_gate(terminal: pytest.TerminalReporter, gate: GateVerdict) -> None:
    terminal.write_line(gate.title, bold=True)
    for sentence in gate.sentences:
        terminal.write_line(f"  {visible(sentence)}", red=True)
    for note in gate.notes:
        terminal.write_line(f"  {visible(note)}")


def outcome_word(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """A letter and a word per outcome; pytest's categories stay, and with them counts, `-r` and exit code."""
    data = getattr(report, RESULT, None)
    if data is None or hasattr(report, "wasxfail"):  # pytest has words of its own for what was expected to fail
        return None
    recorded = " (recorded)" if hasattr(report, RECORDED) else ""
    if data["outcome"] not in _WORDS:
        return ("passed", ".", (f"PASSED{recorded}", {"green": True})) if recorded and report.passed else None
    category, letter, colour = _WORDS[data["outcome"]]
    return category, letter, (data["outcome"].upper() + recorded, {colour: True})


def compare_groups(
    groups: Iterable[GroupFolder], campaigns: Collection[Campaign], here: Path, width: int
) -> Iterator[tuple[str, list[str]]]:
    """Write what the campaigns of each group say together; yields title and lines to show.

    A group of which nothing was run leaves no folder behind.
    """
    # statistics are loaded now that nobody waits for a first trial
    from pytest_agentcore.analysis.groups import build_group  # noqa: PLC0415
    from pytest_agentcore.pack.group import members  # noqa: PLC0415
    from pytest_agentcore.reports.group_text import group_lines, group_title  # noqa: PLC0415
    from pytest_agentcore.reports.write import write_group  # noqa: PLC0415

    for folder in groups:
        if not any(campaign.results for campaign in campaigns if campaign.manifest.group == folder.id):
            folder.path.rmdir()
            continue
        shown = relative_to(folder.path, here)
        try:
            group = build_group(folder.id, members(folder, campaigns))
            write_group(folder, group)
        except (AgentcoreError, OSError) as error:
            yield "group", [f"WARNING    the group was not compared ({error}); agentcore group {shown}"]
        else:
            yield group_title(group), group_lines(group, shown, width)


def report_campaigns(campaigns: Iterable[Campaign], baseline: Campaign | None, here: Path) -> Iterator[tuple[str, str]]:
    """Write the reports of each campaign; yields label and text of what to say about them.

    A report that cannot be written is a warning: the evidence it is made from is on the disk.
    """
    for campaign in campaigns:
        path = relative_to(campaign.folder.path, here)
        try:
            from pytest_agentcore.reports.write import write_reports  # noqa: PLC0415 - now that nobody waits

            for written in write_reports(campaign, baseline, tables=False, held=campaigns):
                yield "report", str(relative_to(written, here))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a report, the run stands
            yield "WARNING", f"no report was written ({type(error).__name__}: {error}); agentcore report {path}"


def relative_to(path: Path, here: Path) -> Path:
    """The path as somebody types it who is here."""
    return path.relative_to(here) if path.is_relative_to(here) else path
