"""Shows a session in the terminal: header, outcome words, the line while a trial works, the summary."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO, cast

import pytest

from pytest_agentcore.analysis.gate import GateVerdict
from pytest_agentcore.errors import AgentcoreError
from pytest_agentcore.format import LABEL, labelled
from pytest_agentcore.pack.read import Campaign, members
from pytest_agentcore.reports.terminal import (
    Progress,
    header_lines,
    progress_line,
    remaining_seconds,
    summary_lines,
    summary_title,
)
from pytest_agentcore.session.failures import fold, linked
from pytest_agentcore.session.recording import Recording
from pytest_agentcore.session.verdicts import RECORDED, RESULT, relative_to
from pytest_agentcore.trial.result import TrialKey
from pytest_agentcore.untrusted import clip, visible

_ROOM = "\x1bD\x1bM"
"""One line down and up again in the same column: where the cursor stood on the last line, everything moves up one."""
_SAVE, _RESTORE, _DOWN, _ERASE = "\x1b7", "\x1b8", "\x1bD\r", "\x1b[J"
_CUT, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""A text wider than the terminal (COLUMNS says what it likes) is cut off at its edge rather than wrapped."""
_NEXT_ROW = " \r"
"""Where pytest filled a row to its last column, its next character begins a new one: begin it, and leave it empty."""


def uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    """Stop pytest from capturing, if it does, so that what is written meanwhile reaches the terminal."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    return cast("AbstractContextManager[None]", capture.global_and_fixture_disabled()) if capture else nullcontext()


def _write(file: TextIO, text: str) -> None:
    encoding = file.encoding or "utf-8"
    file.write(text.encode(encoding, "replace").decode(encoding))
    file.flush()


PLAIN_SECONDS, PLAIN_SECONDS_BEFORE = 30.0, 10.0
"""Without a terminal a plain line appears at most this often, while trials run and before: a CI log wants a sign of
life, not a film."""
REDRAW_SECONDS = 1.0
"""On a terminal, how often a line is drawn again that is still about the same."""
SPEED_SECONDS = 5.0
"""Tokens a second are those of the last seconds."""

_OF_CODE = {0: "green", 1: "red"}
"""Colour of an exit code; others are neither the model's success nor its failure."""

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


class Screen:
    """Writes through pytest's own terminal reporter, and one line of ours below its letters. Main process only.

    That line is redrawn in its place. It bypasses pytest's writer, which adds up what it is given to know its column.
    """

    def __init__(self, config: pytest.Config, recording: Recording, at_once: int) -> None:
        """Show what is recorded; `at_once` trials may run at the same time."""
        self._config, self._recording = config, recording
        self.at_once: Callable[[], int] = lambda: at_once
        """Says how many trials may run at the same time: workers elsewhere come and go."""
        self.crew: Callable[[], str] = str
        """Says how many workers run trials elsewhere; nothing where all run here."""
        self.done: Callable[[], str] = str
        """Says what they have done."""
        self._began = self._plain = time.monotonic()
        self._drawn: tuple[object, float] = None, 0.0
        """What the line was about when it was last drawn, and when."""
        self._turn: tuple[TrialKey | None, int] | None = None
        self._tokens: Counter[TrialKey] = Counter()
        self._heard: deque[float] = deque(maxlen=512)
        """When pieces of text came, of whichever trial."""
        self._seconds: list[float] = []
        self._has_line = False
        self._paths: dict[str, Path] = {}
        """By what is shown of them."""
        self._warnings: list[str] = []
        self._folded: dict[str, list[Any]] = {}
        """pytest's lists of reports, while its own have fewer."""
        self._groups: list[tuple[str, Sequence[str]]] = []
        """Title and lines of each."""
        self._reports: list[tuple[str, str]] = []
        """Label and text of each line."""

    @property
    def _terminal(self) -> pytest.TerminalReporter | None:
        """Looked up when it is needed: pytest makes it after plugins are configured, and `-p no:terminal` never."""
        return cast("pytest.TerminalReporter | None", self._config.pluginmanager.get_plugin("terminalreporter"))

    def show_header(self) -> None:
        """Show a block per campaign, once its model is loaded."""
        self.erase()
        self._began = time.monotonic()
        if self._terminal is None:
            return
        for label, record in self._recording.records.items():
            self._terminal.ensure_newline()
            width, why = self._terminal._tw.fullwidth, self._recording.choices[label].why
            for line in header_lines(record.manifest, self._typed(record.folder.path), width, why):
                self._write_line(self._terminal, line)

    def say(self, words: str, part: float | None) -> None:
        """Show what is done before a model's first trial can begin."""
        doing = f"{words}, {part:.0%}" if part is not None else words
        about = words.partition(",")[0]  # behind a comma stands how far it is
        self._show(about, lambda width: clip(visible(doing), width), PLAIN_SECONDS_BEFORE)

    def on_piece(self, key: TrialKey) -> None:
        """A model wrote something, in whatever thread: count it, and show it where nobody else can while it writes."""
        self._tokens[key] += 1
        self._heard.append(time.monotonic())
        if self.at_once() == 1 and self._turn and self._turn[0] == key:
            self.on_turn(*self._turn)

    def on_turn(self, key: TrialKey | None, turn: int) -> None:
        """A turn begins or goes on, or with None workers are at several trials: say how far all is."""
        is_new, self._turn = self._turn != (key, turn), (key, turn)
        if is_new and key:
            self._tokens[key] = 0
        self._show((key, turn), self._line, PLAIN_SECONDS)

    def _line(self, width: int) -> str:
        """Say how far all is, and what the trial does that was heard of last."""
        (key, turn), now, records = self._turn or (None, 0), time.monotonic(), self._recording.records
        planned = sum(len(record.manifest.planned) for record in records.values())
        done = sum(len(record.campaign.results) for record in records.values())  # sorted once per result, not per turn
        lately = [moment for moment in tuple(self._heard) if now - moment < SPEED_SECONDS]
        progress = Progress(
            current=key,
            turn=turn,
            runs=records[key.model].manifest.runs if key else 0,
            done=done,
            planned=planned,
            elapsed=now - self._began,
            remaining=remaining_seconds(self._seconds, planned - done, at_once=self.at_once()),
            tokens=self._tokens[key] if key else 0,
            crew=self.crew(),
            crew_done=self.done(),
            speed=len(lately) / max(now - lately[0], 0.1) if lately else 0.0,
        )
        return progress_line(progress, width)

    def _show(self, what: object, line: Callable[[int], str], plain_seconds: float) -> None:
        """Draw a line: below pytest's letters on a terminal, now and then on a line of its own elsewhere.

        What is the same as before is not drawn again at once, and with `-q` only terminals get anything.
        """
        terminal, now = self._terminal, time.monotonic()
        if terminal is None:
            return
        if not (terminal.isatty and terminal._tw.hasmarkup):
            if terminal.verbosity >= 0 and now - self._plain > plain_seconds:
                self._plain = now
                with shown(self._config) as say:
                    say(line(terminal._tw.fullwidth))
            return
        if what == self._drawn[0] and now - self._drawn[1] < REDRAW_SECONDS:
            return
        self._drawn = what, now
        with uncaptured(self._config):  # where standard output is captured it has no columns
            writer = terminal._tw
            column, width = writer.width_of_current_line, writer.fullwidth
            wrapping = _NEXT_ROW if column and column % width == 0 and not self._has_line else ""
            # the cursor goes back to where pytest left it
            begin, end = f"{wrapping}{_ROOM}{_SAVE}{_DOWN}{_ERASE}{_CUT}", f"{_WRAP}{_RESTORE}"
            _write(writer._file, f"{begin}{line(width - 1)}{end}")
        self._has_line = True

    def erase(self) -> None:
        """Remove the live line, if one is there."""
        if self._has_line and (terminal := self._terminal):
            self._has_line, self._drawn = False, (None, 0.0)
            with uncaptured(self._config):
                _write(terminal._tw._file, _ERASE)

    def count(self, report: pytest.TestReport) -> None:
        """Take note of how long a trial took."""
        data = getattr(report, RESULT, None)
        if data is not None and not hasattr(report, RECORDED):
            self._seconds.append(data["seconds"])

    def write_groups(self, campaigns: Sequence[Campaign]) -> None:
        """Write what the campaigns of each group say together.

        A group of which nothing was run leaves no folder behind. What cannot be written is a warning: the evidence it
        is made from is on the disk, and whatever is wrong with a report, the run stands.
        """
        # statistics are loaded now that nobody waits for a first trial
        from pytest_agentcore.analysis.groups import build_group  # noqa: PLC0415
        from pytest_agentcore.reports.group_text import group_lines, group_title  # noqa: PLC0415
        from pytest_agentcore.reports.write import write_group  # noqa: PLC0415

        if self._terminal:
            self._terminal.ensure_newline()  # what is written from here on, also by others, begins below the letters
        width = self._terminal._tw.fullwidth if self._terminal else 80
        for folder in self._recording.groups.values():
            if not any(campaign.results for campaign in campaigns if campaign.manifest.group == folder.id):
                folder.path.rmdir()
                continue
            path = self._typed(folder.path)
            try:
                group = build_group(folder.id, members(folder, campaigns))
                write_group(folder, group)
                self._groups.append((group_title(group), group_lines(group, path, width)))
            except (AgentcoreError, OSError) as error:
                warning = f"WARNING    the group was not compared ({error}); agentcore group {path}"
                self._groups.append(("group", [warning]))

    def write_reports(self, campaign: Campaign, baseline: Campaign | None) -> None:
        """Write the reports of a campaign; what cannot be written is a warning too."""
        from pytest_agentcore.reports.write import write_reports  # noqa: PLC0415 - see above

        path = self._typed(campaign.folder.path)
        held = [one for one in self._recording.campaigns.values() if one.folder.manifest.is_file()]
        try:
            for written in write_reports(campaign, baseline, tables=False, held=held):
                self._reports.append(("report", str(self._typed(written))))
        except Exception as error:  # noqa: BLE001
            why = f"no report was written ({type(error).__name__}: {error})"
            self._reports.append(("WARNING", f"{why}; agentcore report {path}"))

    def warn(self, sentences: Iterable[str]) -> None:
        """Say at once, and in the summary, what somebody should know who can still stop the run; each once."""
        for sentence in sentences:
            if sentence not in self._warnings:
                self._warnings.append(sentence)
                with shown(self._config) as say:
                    say(f"WARNING    {sentence}")

    def fold(self) -> None:
        """Leave equal failures of one task out of what pytest is about to show."""
        if (terminal := self._terminal) and not self._config.getoption("no_summary", False):
            self._folded = {name: terminal.stats[name] for name in ("failed", "error") if name in terminal.stats}
            terminal.stats |= {name: fold(reports) for name, reports in self._folded.items()}

    def unfold(self) -> None:
        """Give back what was left out: everybody counts them."""
        if self._terminal:
            self._terminal.stats |= self._folded

    def summarise(self, terminal: pytest.TerminalReporter, broken: Iterable[str]) -> None:
        """Show a table per campaign, what was lost, where the reports are, and the groups."""
        self.erase()
        width = terminal._tw.fullwidth
        for campaign in self._recording.campaigns.values():
            folder = self._typed(campaign.folder.path)
            self._write_section(terminal, summary_title(campaign.manifest), summary_lines(campaign, folder, width))
        for sentence in self._warnings:
            terminal.write_line(visible(f"WARNING    {sentence}"), yellow=True)
        for sentence in broken:
            terminal.write_line(visible(sentence), red=True)
        for label, text in self._reports:
            for line in labelled(label, text, width):
                self._write_line(terminal, line)
        for title, compared in self._groups:
            self._write_section(terminal, title, compared)

    def conclude(self, verdicts: Sequence[GateVerdict], last: str, code: int) -> None:
        """Say why gates are not open and how much that is worth, then the last line, if there is one.

        Its colour follows the exit `code`. It stands without pytest's reporter too: somebody who gates wants to know.
        """
        if not last:
            return
        shut = [one for verdict in verdicts for one in verdict.why_not]
        notes, colour = [one for verdict in verdicts for one in verdict.notes], _OF_CODE.get(code, "yellow")
        lines = [*((f"  {one}", "red") for one in shut), *((f"  {one}", "") for one in notes), (last, colour)]
        for text, mark in lines:
            if self._terminal:
                self._terminal.write_line(visible(text), **{mark: True} if mark else {})
            else:
                _write(sys.stdout, f"{visible(text)}\n")

    def write_plain(self, lines: Iterable[str]) -> None:
        """Write lines as they are, empty ones left out: what reads them knows no colours and no reporter."""
        with uncaptured(self._config):
            _write(sys.stdout, "".join(f"{line}\n" for line in lines if line))

    def _typed(self, path: Path) -> Path:
        typed = relative_to(path, self._config.invocation_params.dir)
        self._paths[visible(str(typed))] = path
        return typed

    def _write_section(self, terminal: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
        terminal.write_sep("=", title)
        for line in lines:
            self._write_line(terminal, line)

    def _write_line(self, terminal: pytest.TerminalReporter, line: str) -> None:
        """Write a line; a path of ours behind its label is a link where the terminal takes links."""
        label, shown = line[:LABEL], line[LABEL:]
        path = self._paths.get(shown)
        terminal.write_line(label + linked(terminal._tw, shown, path) if path else line)


def outcome_word(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """A letter and a word per outcome; pytest's categories stay, and with them counts, `-r` and exit code."""
    data = getattr(report, RESULT, None)
    # others have words of their own: pytest for what was expected to fail, plugins for what they run again
    if data is None or hasattr(report, "wasxfail") or not (report.passed or report.failed):
        return None
    recorded = " (recorded)" if hasattr(report, RECORDED) else ""
    if data["outcome"] not in _WORDS:
        return ("passed", ".", (f"PASSED{recorded}", {"green": True})) if recorded and report.passed else None
    category, letter, colour = _WORDS[data["outcome"]]
    return category, letter, (data["outcome"].upper() + recorded, {colour: True})
