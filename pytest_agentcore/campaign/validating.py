"""Whether a data pack is what its writer wrote: schemas, counts and digests, each problem with file and line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_agentcore.campaign.digests import read_digests
from pytest_agentcore.campaign.evidence import Evidence, Line, Problem, open_problems
from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.schema import first_violation
from pytest_agentcore.campaign.sealed import RESULTS_FILE, Sealed, table_problems
from pytest_agentcore.trial import TrialKey, TrialResult


@dataclass(slots=True, kw_only=True)
class Examination:
    """What was looked at, and what was wrong with it."""

    problems: list[Problem] = field(default_factory=list)
    results: int = 0
    transcripts: int = 0
    workspaces: int = 0
    sealed: bool = True
    """Whether the campaign has digests at all; one of an earlier version may have none."""
    speaks_for_all: bool = True
    """Whether they speak for every file; those of an earlier version do not."""

    @property
    def doubted(self) -> dict[str, Problem]:
        """What is wrong with the evidence of an attempt, by attempt."""
        return {problem.attempt: problem for problem in reversed(self.problems) if problem.attempt}


def examine(folder: CampaignFolder) -> Examination:
    """Everything that a campaign's folder holds. Only reads, and raises nothing over what it finds."""
    manifest, problems = _manifest(folder)
    sealed = Sealed(folder, read_digests(folder), manifest)
    look = _Look(folder, manifest, sealed)
    lines = look.results()
    results = [line.result for line in lines]
    last = {result.key: result.attempt for result in results}
    cited = frozenset(last.values())
    found = Examination(
        problems=[*sealed.own_problems(), *sealed.file_problems(results), *problems, *look.problems],
        results=len(last),
        transcripts=sum(folder.transcript(attempt).is_file() for attempt in cited),
        workspaces=sum(folder.workspace(attempt).is_file() for attempt in cited),
        sealed=folder.digests.is_file() or sealed.speaks_for_all,
        speaks_for_all=sealed.speaks_for_all,
    )
    first = {line.result.attempt: line for line in reversed(lines)}  # a later line about an attempt judges it again
    for line in first.values():
        replaced = line.result.attempt not in cited
        found.problems += Evidence(folder, sealed.digests, line, replaced).problems()
    found.problems += open_problems(folder, frozenset(first))
    if manifest and manifest.finished and (not found.problems or not sealed.speaks_for_all or not sealed.is_whole):
        named = frozenset(problem.file for problem in found.problems)
        found.problems += table_problems(folder, manifest, results, named)
    return found


def _manifest(folder: CampaignFolder) -> tuple[Manifest | None, list[Problem]]:
    """None where it cannot be read at all."""
    content = folder.manifest.read_bytes() if folder.manifest.is_file() else b""
    try:
        data = json.loads(content)
        problem = first_violation("manifest", data)
        return Manifest.from_json(data), [Problem("manifest.json", None, problem)] if problem else []
    except json.JSONDecodeError as error:
        return None, [Problem("manifest.json", error.lineno, f"is no JSON: {error.msg}")]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return None, [Problem("manifest.json", None, f"cannot be read: {error}")]


class _Look:
    """Result lines."""

    def __init__(self, folder: CampaignFolder, manifest: Manifest | None, sealed: Sealed) -> None:
        self._folder, self._manifest, self._sealed = folder, manifest, sealed
        self.problems: list[Problem] = []

    def results(self) -> list[Line]:
        """Every line that is one, in the order of the file."""
        path = self._folder.results
        *raw, torn = path.read_bytes().split(b"\n") if path.is_file() else [b""]
        read = {number: self._result(number, text) for number, text in enumerate(raw, 1)}
        lines = [line for line in read.values() if line]
        self.problems += self._digests(raw, read)
        if torn and self._manifest and self._manifest.finished:
            self._say(len(raw) + 1, "has no end; a campaign that ended left none behind")
        self._replaced(lines)
        self._planned(lines)
        return lines

    def _result(self, number: int, text: bytes) -> Line | None:
        try:
            data = json.loads(text)
            result = TrialResult.from_json(data)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            self._say(number, f"is no result: {error}")
            return None
        if problem := first_violation("result", data):
            self._say(number, problem)
        return Line(number, result, data)

    def _digests(self, raw: Sequence[bytes], read: dict[int, Line | None]) -> Iterator[Problem]:
        digests = [hashlib.sha256(text + b"\n").hexdigest() for text in raw]
        for problem in self._sealed.line_problems(digests):
            line = read[problem.line] if problem.line else None
            yield replace(problem, attempt=line.result.attempt) if line else problem

    def _replaced(self, lines: Sequence[Line]) -> None:
        """A scored trial may be judged again, over the same attempt; it is never run again."""
        scored: dict[TrialKey, Line] = {}
        for line in lines:
            key, before = line.result.key, scored.get(line.result.key)
            if before and before.result.attempt != line.result.attempt:
                self._say(line.number, f"replaces {key}, which line {before.number} has scored")
            if line.result.scored:
                scored[key] = line
            elif before and before.result.attempt == line.result.attempt:
                del scored[key]  # judged again, without a score: it may be run again

    def _planned(self, lines: Sequence[Line]) -> None:
        if self._manifest is None:
            return
        planned = set(self._manifest.keys)
        for line in lines:
            if line.result.key not in planned:
                self._say(line.number, f"is about {line.result.key}, which the manifest does not plan")
        if len(planned) != len(self._manifest.planned):
            self.problems.append(Problem("manifest.json", None, "plans a trial twice"))

    def _say(self, line: int, sentence: str) -> None:
        self.problems.append(Problem(RESULTS_FILE, line, sentence))
