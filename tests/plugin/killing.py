"""Runs a campaign that is killed again and again, and looks after each kill at what is on the disk."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_agentcore.pack.folder import CampaignFolder, campaigns
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.pack.resume import leftovers
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.trial.fold import read_attempt

_REPORTED = re.compile(r"test_(?P<task>\w+)\.py::\w+\[.+-run(?P<run>\d+)\] (PASSED|WRONG_ANSWER|GAVE_UP_MID_PLAN)")
"""A line of pytest -v about a scored trial."""

HEADER = "results  "
"""In the last line before the first trial; the campaign's folder is there."""
LAST = "[100%]"
"""In the line of the last trial."""


@dataclass(slots=True)
class Tally:
    """What happened over all kills."""

    kills: int = 0
    before_first: int = 0
    """Kills that came before the campaign's folder was opened."""
    campaigns: int = 0
    """Completed ones."""
    starts: int = 0
    trials: int = 0
    """Recorded in completed campaigns."""
    attempts: int = 0
    """Made for them, those included that a kill ended."""
    adopted: int = 0
    """Verdicts that a kill left without a result line, for the next start to find."""


class Killer:
    """One command, started again and again in one folder until it has been killed often enough."""

    def __init__(self, words: Sequence[str], folder: Path, seed: int = 0) -> None:
        self._command = [sys.executable, "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", *words]
        self._folder, self._chance = folder, random.Random(seed)
        self._results = folder / "agentcore-results"
        self._before, self._during, self._after = 1.0, 1.0, 1.0
        self.tally = Tally()

    def kill(self, times: int) -> Tally:
        """Go on until `times` processes were killed, then let the last campaign complete."""
        self._measure()
        while self.tally.kills < times:
            self._start(kill=True)
        while self._current() is not None and not read_campaign(self._newest()).has_ended:
            self._start(kill=False)
        self._look_at_complete()
        return self.tally

    def _measure(self) -> None:
        """How long the command takes when nobody kills it: before its header, until its last trial, and after that."""
        began = time.monotonic()
        with self._process() as process:
            opened = self._read_to(process, HEADER)
            judged = self._read_to(process, LAST)
            assert process.wait() == 0
        self._before, self._during = opened - began, judged - opened
        self._after = time.monotonic() - judged
        self.tally.starts += 1
        self._look_at_complete()

    def _moment(self) -> tuple[bool, float]:
        """When to kill: whether from the start on or from the header on, and after how many seconds.

        Most kills fall among the trials: before the header a process mostly imports, and after the last trial it
        mostly writes reports.
        """
        where = self._chance.random()
        if where < 0.1:
            return True, self._chance.uniform(0.3, 1.0) * self._before
        if where < 0.2:
            return False, self._during + self._chance.uniform(0.0, 1.0) * self._after
        return False, self._chance.uniform(0.0, 1.0) * self._during

    def _start(self, *, kill: bool) -> None:
        """Start, kill at a random moment, and look; a process that was faster than the kill counts as a start only."""
        known = self._known()
        early, seconds = self._moment()
        with self._process() as process:
            if kill:
                if not early:
                    self._read_to(process, HEADER)
                time.sleep(seconds)
                process.send_signal(signal.SIGKILL)
            said = process.communicate()[0]
        self.tally.starts += 1
        self.tally.kills += process.returncode == -signal.SIGKILL
        self.tally.before_first += early and kill and process.returncode == -signal.SIGKILL
        assert process.returncode in (0, -signal.SIGKILL), said
        if self._known():
            self._look(known, said)
            if process.returncode == 0:
                self._look_at_complete()

    def _look(self, known: dict[str, bytes], said: str) -> None:
        """Nothing that was there is gone, what was shown is there, and everything can be read."""
        newest = self._newest()
        for name, lines in self._known().items():
            before = known.get(name, b"")
            assert lines.startswith(before[: before.rfind(b"\n") + 1]), f"{name}: lines changed"
        campaign = read_campaign(newest)
        scored = Counter((result.task, str(result.run)) for result in campaign.results if result.scored)
        shown = Counter((found["task"], found["run"]) for found in _REPORTED.finditer(said))
        assert shown <= scored, f"{newest.name}: shown but not on the disk: {shown - scored}"
        assert [str(problem) for problem in examine(campaign.folder).problems] == []
        self.tally.adopted += len(leftovers(campaign)[1])
        for path in newest.glob("data/*/*.jsonl"):
            read_transcript(path)

    def _look_at_complete(self) -> None:
        """Every trial of the plan has one score, no scored trial was run twice, and every attempt is kept."""
        campaign = read_campaign(self._newest())
        assert campaign.has_ended
        assert campaign.manifest.exit_status == 0
        attempts = _attempts(campaign)
        for result in campaign.results:
            assert result.attempts == len(attempts[result.task, result.run])
            assert attempts[result.task, result.run].count("scored") == 1
        self.tally.campaigns += 1
        self.tally.trials += len(campaign.results)
        self.tally.attempts += sum(map(len, attempts.values()))
        assert [str(problem) for problem in examine(campaign.folder).problems] == []

    def _process(self) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:anyio -p no:xdist"}
        return subprocess.Popen(
            self._command, cwd=self._folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _read_to(self, process: subprocess.Popen[str], wanted: str) -> float:
        """Read lines until one holds the wanted text, and say when that was."""
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if wanted in line:
                return time.monotonic()
        raise AssertionError("".join(said))

    def _known(self) -> dict[str, bytes]:
        """Result lines by campaign."""
        return {
            folder.id: folder.results.read_bytes() if folder.results.is_file() else b""
            for folder in campaigns(self._results)
        }

    def _current(self) -> Path | None:
        return self._newest() if self._known() else None

    def _newest(self) -> Path:
        return max(campaigns(self._results), key=lambda folder: (len(folder.id), folder.id)).path


def _attempts(campaign: Campaign) -> dict[tuple[str, int], list[str]]:
    """Of each trial, whether its attempts came to a score."""
    folder: CampaignFolder = campaign.folder
    found: dict[tuple[str, int], list[str]] = {}
    for path in (*folder.transcripts.glob("*.jsonl"), *folder.attempts.glob("*.jsonl")):
        events = read_transcript(path)
        if events:
            attempt = read_attempt(events)
            judged = attempt.verdict is not None and attempt.result().scored
            found.setdefault((attempt.key.task, attempt.key.run), []).append("scored" if judged else "lost")
    return found
