"""A campaign while a process is writing it: how far it is, and what each trial at work has done so far.

Everything is read from the campaign's folder, and nothing is written there. Lines are read once, as they come.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import Tail
from pytest_agentcore.pack.manifest import read_manifest
from pytest_agentcore.pack.read import Campaign, State, keep
from pytest_agentcore.reports.terminal import remaining_seconds
from pytest_agentcore.trial.result import TrialKey, TrialResult

VERSION_OF = ("manifest", "results")
"""Files from which a campaign's page is made, besides transcripts."""


def version(folder: CampaignFolder) -> str:
    """Name the state of a campaign's files: another name where one of them was written since."""
    found = []
    for name in VERSION_OF:
        path = getattr(folder, name)
        found.append((path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else (0, 0))
    return "-".join(f"{number:x}" for pair in found for number in pair)


class Watched:
    """A campaign's folder that is looked at again and again."""

    def __init__(self, folder: CampaignFolder) -> None:
        self.folder = folder
        self._lock = Lock()
        self._lines = Tail(folder.results)
        self._results: dict[TrialKey, TrialResult] = {}
        self._attempts: dict[str, _Attempt] = {}
        """Those without a result, by their UUIDs."""
        self._done: Counter[str] = Counter()
        """Results of each worker elsewhere, by its name."""

    def look(self) -> dict[str, Any]:
        """Say how far the campaign is now.

        Raises:
            UsageError: a file of it cannot be read; names it.
        """
        with self._lock:
            return self._look()

    def _look(self) -> dict[str, Any]:
        manifest = read_manifest(self.folder)
        for line in self._lines.new():
            keep(self._results, result := TrialResult.from_json(line))
            if manifest.workers:
                known = self._attempts.get(result.attempt)
                begun = known.start if known else next(Tail(self.folder.transcript(result.attempt)).new(), {})
                self._done[str(begun.get("worker", ""))] += 1
        results = tuple(self._results.values())
        campaign = Campaign(folder=self.folder, manifest=manifest, results=results)
        state = campaign.state
        running = self._at_work() if state is State.running else []
        began = manifest.resumed[-1].started if manifest.resumed else manifest.started
        since = [result for result in results if result.started >= began]  # of the process that is at work now
        # what an earlier process left without a score is run again
        done = sum(result.scored or result.started >= began for result in results)
        tokens = sum(result.reply_tokens for result in since) + sum(one.counts["reply"] for one in running)
        first = min([*(result.started for result in since), *(one.start["started"] for one in running)], default=began)
        elapsed, at_work = (time.time() - datetime.fromisoformat(moment).timestamp() for moment in (began, first))
        return {
            "campaign": self.folder.id,
            "version": version(self.folder),
            "state": state,
            "done": done,
            "planned": len(manifest.planned),
            "passed": sum(result.passed is True for result in results),
            "scored": sum(result.scored for result in results),
            "turns": sum(result.turns for result in results) + sum(one.counts["turns"] for one in running),
            "elapsed": elapsed,
            "tokens_per_second": tokens / max(at_work, 1.0),
            "remaining": remaining_seconds(
                [result.seconds for result in since], len(manifest.planned) - done, at_once=max(1, len(running))
            ),
            "running": [one.as_row() for one in running],
            "workers": self._workers(running),
        }

    def _workers(self, running: Sequence[_Attempt]) -> list[dict[str, Any]]:
        """Say what each worker elsewhere has done and is doing, those with most trials first."""
        at_work = Counter(str(one.start["worker"]) for one in running if "worker" in one.start)
        names = sorted(filter(None, {*self._done, *at_work}), key=lambda name: (-self._done[name], name))
        return [{"worker": name, "done": self._done[name], "running": at_work[name]} for name in names]

    def _at_work(self) -> list[_Attempt]:
        """Read what came of the attempts without a result, and give the last one of each trial."""
        cited = {result.attempt for result in self._results.values()}
        there = {path.stem: path for path in self.folder.transcripts.glob("*.jsonl") if path.stem not in cited}
        self._attempts = {stem: self._attempts.get(stem) or _Attempt(Tail(path)) for stem, path in there.items()}
        last: dict[tuple[str, int], _Attempt] = {}
        for attempt in self._attempts.values():
            attempt.read()
            if attempt.start and not attempt.is_over:
                key = attempt.start["task"], attempt.start["run"]
                if key not in last or last[key].start["number"] < attempt.start["number"]:
                    last[key] = attempt
        return [last[key] for key in sorted(last)]


class _Attempt:
    """An attempt that has no result yet."""

    def __init__(self, lines: Tail) -> None:
        self._lines = lines
        self.start: dict[str, Any] = {}
        self.is_over = False
        self.counts = Counter[str]()
        self._seconds = Counter[str]()

    def read(self) -> None:
        """Count what its transcript says since the last time."""
        for event in self._lines.new():
            match event:
                case {"event": "start"}:
                    self.start = event
                case {"event": "reply", "usage": usage}:
                    self.counts["turns"] = max(self.counts["turns"], event["turn"])
                    self.counts["problems"] += len(event["problems"])
                    for kind in ("prompt", "cached", "reply"):
                        self.counts[kind] += usage[f"{kind}_tokens"]
                    self._seconds["modelSeconds"] += event["seconds"]
                case {"event": "tool_result"}:
                    self.counts["calls"] += 1
                    self._seconds["toolSeconds"] += event["seconds"]
                case {"event": "verdict" | "discarded"}:
                    self.is_over = True

    def as_row(self) -> dict[str, Any]:
        """Give what a page's list has of a trial, as far as it is known."""
        names = ("turns", "calls", "problems", "prompt", "cached", "reply")
        told = {name: self.start[name] for name in ("attempt", "task", "run", "started", "seed")}
        spent = {name: round(self._seconds[name], 3) for name in ("modelSeconds", "toolSeconds")}
        return {**told, **{name: self.counts[name] for name in names}, **spent, "seconds": sum(spent.values())}
