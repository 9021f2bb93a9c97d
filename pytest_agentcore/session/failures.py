"""A failed trial as pytest shows it: a dozen lines in the terminal, all that is known of it in junit and under `-v`."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pytest_agentcore.checks.ask import one_line
from pytest_agentcore.console import no_command
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import joined
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.transcript import Turn, address_of, read_transcript, turns
from pytest_agentcore.reports.github import Place
from pytest_agentcore.reports.terminal import brief_turn_lines, turn_lines, verdict_lines
from pytest_agentcore.session.verdicts import relative_to
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import ELLIPSIS, clip, columns, visible

TURNS_SHOWN, TURNS_IN_SHORT = 3, 2
ERROR_ROWS, SENTENCE_ROWS = 3, 4
"""With headline, source, verdict, two turns and address they make twelve, a worker's name included."""
SHORT_STYLES = ("auto", "short", "line")
"""Of `--tb`; `auto` is what pytest takes without the option."""
MIN_ROOM = 40
"""Columns that a verdict takes at least, however long the place of the assertion is."""
WIDTH = 120
"""Columns of a turn's lines outside a terminal: a junit file does not depend on the window it was made in."""


@dataclass(frozen=True, slots=True)
class _Reason:
    """Stands for pytest's `reprcrash` where no place in a file goes with the reason."""

    message: str
    path: str = ""
    lineno: int = 0

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class _NoTraceback:
    """Stands for pytest's `reprtraceback` of a text: who finds a `reprcrash` takes the other for granted."""

    reprentries: Sequence[Any] = ()
    extraline: str | None = None
    style: str = "value"


@dataclass(kw_only=True)
class Failure:
    """Stands on a report in the place of what pytest made of the exception, which it holds. Main process only.

    `toterminal` and `reprcrash` are what pytest asks for, `str` is what junit writes; all else is as pytest made it.
    """

    shown: Any
    """pytest's own, or a text."""
    result: TrialResult
    module: str
    """The task module as pytest's node id names it, where that is not its path: in an installed suite."""
    transcript: Path
    address: str
    """Of the last turn, as the user may type it."""
    place: Place
    """Of the assertion or, where there is none in the task's file, of the task."""
    is_short: bool
    also: list[int] = field(default_factory=list)
    """Other runs of the task that failed alike and are not shown."""

    @classmethod
    def of(
        cls, report: pytest.TestReport, result: TrialResult, folder: CampaignFolder, config: pytest.Config
    ) -> Failure:
        """Take what a report carries; `-v` shows all, and so do the long styles of `--tb`."""
        pack, module = relative_to(folder.path, config.invocation_params.dir), report.nodeid.partition("::")[0]
        crash: Any = getattr(report.longrepr, "reprcrash", None)
        file, line = config.rootpath / report.location[0], (report.location[1] or 0) + 1
        return cls(
            shown=report.longrepr,
            result=result,
            module="" if (config.rootpath / module).is_file() else module,
            transcript=folder.transcript(result.attempt),
            address=visible(str(pack / address_of(result, result.turns))),
            place=(file, crash.lineno if crash and Path(crash.path).name == file.name else line),
            is_short=config.get_verbosity() <= 0 and config.getoption("tbstyle", "auto") in SHORT_STYLES,
        )

    def __getattr__(self, name: str) -> Any:
        """Give other plugins what they look for in pytest's own; a text has neither traceback nor sections."""
        without = {"reprtraceback": _NoTraceback(), "sections": []} if isinstance(vars(self).get("shown"), str) else {}
        if name in without:
            return without[name]
        if name.startswith("_") or "shown" not in vars(self):  # asked while it is copied
            raise AttributeError(name)
        return getattr(self.shown, name)

    @property
    def reprcrash(self) -> Any:
        """Why, in a line: pytest itself would begin with the exception's qualified name."""
        cause = f" ({self.result.cause})" if self.result.cause else ""
        said = self.result.detail.rpartition(f"test_{self.result.task}.py: ")[2]  # the path is in the test's name
        reason = no_command(f"{one_line(said)}{cause}" if said else str(self.result.cause))
        crash: Any = getattr(self.shown, "reprcrash", None)
        return _Reason(reason) if crash is None else replace(crash, message=reason)

    @property
    def _turns(self) -> Sequence[Turn]:
        """Read when they are shown: most failures of a long campaign never are."""
        with suppress(UsageError, OSError):  # damaged since; `agentcore validate` names the line
            return turns(read_transcript(self.transcript))[-TURNS_SHOWN:]
        return ()

    def toterminal(self, tw: Any) -> None:
        """Write assertion, verdict, last turns and the transcript's address."""
        address, spoken = linked(tw, self.address, self.transcript), self._turns
        if self.is_short:
            taken = self._write_assertion(tw, SENTENCE_ROWS if spoken else 2 * SENTENCE_ROWS)
            said = f"{self.result.outcome}: {self.result.cause}" if self.result.cause else self.result.outcome
            ended = clip(joined([said, verdict_lines(self.result)[1]]), max(MIN_ROOM, tw.fullwidth - taken))
            also = ", ".join(f"run{run}" for run in self.also)
            read = brief_turn_lines(spoken[-TURNS_IN_SHORT:], tw.fullwidth)
            for line in [ended, *read, f"{address}  also {also}" if also else address]:
                tw.line(no_command(line))
            return
        if hasattr(self.shown, "toterminal"):
            self.shown.toterminal(tw)
        else:
            tw.line(str(self.shown))
        sections = {"verdict": verdict_lines(self.result), "last turns": turn_lines(spoken), "transcript": [address]}
        for title, lines in sections.items():
            if lines:
                tw.sep("-", title)
            for line in lines:
                tw.line(no_command(line))

    def __str__(self) -> str:
        """All of it, the verdict first: some readers cut a text off."""
        source, wrong, place = self._assertion()
        told = turn_lines(self._turns, WIDTH)
        shown = [*verdict_lines(self.result), self.address, "", *filter(None, [source]), *wrong]
        shown += [f"at {place}"] if place else []  # with a space before it, which readers look for
        return "\n".join([*shown, "", *told] if told else shown)

    def _assertion(self) -> tuple[str, list[str], str]:
        """The line of the checker that asserts, what was wrong, and where: a task module as its node id names it."""
        entries = getattr(getattr(self.shown, "reprtraceback", None), "reprentries", None)
        entry = entries[-1] if entries else None
        first = next((n for n, line in enumerate(getattr(entry, "lines", ())) if line.startswith("E ")), None)
        if first is None or entry is None:
            return "", str(self.shown).splitlines(), ""
        before = [line for line in entry.lines[:first] if line.strip(" ^")]  # without the carets below a source line
        source = next((line for line in reversed(before) if line.startswith(">")), before[-1] if before else "")
        if not entry.reprfileloc:
            return source, entry.lines[first:], ""
        path, line = str(entry.reprfileloc.path), entry.reprfileloc.lineno
        at = self.module if Path(path).name == Path(self.module).name else path
        return source, entry.lines[first:], f"{at}:{line}"

    def _write_assertion(self, tw: Any, room: int) -> int:
        """Write it as pytest does, coloured likewise, up to the place in the line of the verdict; give its columns.

        `room` is how many rows a sentence has that comes without a line of source.
        """
        source, wrong, place = self._assertion()
        if source:
            entry = replace(
                self.shown.reprtraceback.reprentries[-1], lines=[clip(source, tw.fullwidth)], reprfileloc=None
            )
            replace(entry, reprfuncargs=None, reprlocals=None).toterminal(tw)
        room = ERROR_ROWS if source else room
        wrong = [line for line in wrong if line.removeprefix("E").strip()]
        while wrong and room:
            rows = room - (len(wrong) > 1)  # the last is for how many lines are left out
            shown = clip(wrong.pop(0), rows * tw.fullwidth) if rows else f"{ELLIPSIS} {len(wrong)} more lines: -v"
            tw.line(shown, bold=True, red=True)
            room = max(0, room - ceil(columns(shown) / tw.fullwidth)) if rows else 0
        if place:
            tw.write(place, bold=True, red=True)
            tw.write(": ")
        return len(place) + 2 if place else 0


def fold(reports: Sequence[Any]) -> list[Any]:
    """Leave out, of equal failures of one task, all but the first, which names the others."""
    first: dict[object, Failure] = {}
    kept = []
    for report in reports:
        failure = report.longrepr
        if not isinstance(failure, Failure) or not failure.is_short:
            kept.append(report)
            continue
        one = failure.result
        alike = (one.model, one.policy, one.context_load, one.task, one.outcome, one.cause, one_line(one.detail))
        if first.setdefault(alike, failure) is failure:
            kept.append(report)
        else:
            first[alike].also.append(one.run)
    return kept


def linked(tw: Any, text: str, path: Path) -> str:
    """The text as a link to a file, where the terminal takes links."""
    if not takes_links(tw, os.environ):
        return text
    # a terminal may show a machine that is not its own; everything but plain characters is escaped in the address
    target = f"file://{quote(socket.gethostname())}{quote(str(path.absolute()))}"
    return f"\x1b]8;;{target}\x1b\\{text}\x1b]8;;\x1b\\"


_TAKE_LINKS = {
    "TERM_PROGRAM": ("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "zed", "WarpTerminal"),
    "TERM": ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "foot-extra", "contour", "wezterm"),
}
"""Terminals that say who they are, and show OSC 8 (Egmont Koblinger's list of implementations)."""
_LINKING = ("WT_SESSION", "KONSOLE_VERSION", "DOMTERM")
"""Variables that only such terminals set."""
_VTE = 5001
"""GNOME's terminal library has links since 0.50, whose first release crashed on them."""


def takes_links(tw: Any, environ: Mapping[str, str]) -> bool:
    """Whether it is a terminal, colours are on, and it is one that is known to show links (OSC 8)."""
    term, plain = environ.get("TERM", ""), environ.get("NO_COLOR") or not (tw.hasmarkup and tw._file.isatty())
    if plain or term.startswith(("dumb", "screen", "tmux")):
        return False
    version = environ.get("VTE_VERSION", "")
    known = any(environ.get(name) in words for name, words in _TAKE_LINKS.items())
    return known or any(environ.get(name) for name in _LINKING) or (version.isdecimal() and int(version) >= _VTE)
