"""What the terminal shows: header, outcome words, the line while a trial works, the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import cast

import pytest

from pytest_agentcore.hooks.judging import RESULT
from pytest_agentcore.hooks.live import LiveLine
from pytest_agentcore.hooks.recording import Recording
from pytest_agentcore.hooks.replaying import RECORDED
from pytest_agentcore.reports.gate import GateVerdict
from pytest_agentcore.reports.progress import Progress, progress_line, remaining_seconds
from pytest_agentcore.reports.terminal import header_lines, summary_lines, summary_title
from pytest_agentcore.trial import TrialKey
from pytest_agentcore.untrusted import visible

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
            for line in summary_lines(campaign.manifest, campaign.results, folder, terminalreporter._tw.fullwidth):
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
