"""Holds a campaign's folder against its schemas, its digests, its counts and itself, and names what is not as written.

`examine` tells the order: digests, files, manifest, result lines, the evidence behind each line, and the tables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cache, cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.csv import TABLES
from pytest_agentcore.pack.digests import MANIFEST, TextDigest, read_digests, state_of
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import read_lines
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.predictions import PREDICTIONS
from pytest_agentcore.pack.read import Campaign, in_order
from pytest_agentcore.trial.classify import CLASSIFICATION
from pytest_agentcore.trial.fold import fold
from pytest_agentcore.trial.result import TrialKey, TrialResult

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

NAMES = ("manifest", "result", "transcript")
DIGESTS_FILE = "data/digests.jsonl"
RESULTS_FILE = "data/results.jsonl"

_JUDGED = frozenset({"classification", "passed", "failure_mode", "cause", "detail", "outcome", "attribution"})
"""Fields of a result that follow from the rules of judgement, which have versions."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be."""

    file: str
    """Inside the campaign's folder."""
    line: int | None
    """Counted from 1; None where the problem is not in one line."""
    sentence: str
    attempt: str = ""
    """The attempt whose evidence is in doubt; empty where it is not about one."""

    def __str__(self) -> str:
        where = f"{self.file}: line {self.line}" if self.line else self.file
        return f"{where}: {self.sentence}"


@dataclass(slots=True, kw_only=True)
class Examination:
    """The result of a look at a campaign's folder."""

    problems: list[Problem] = field(default_factory=list)
    results: int = 0
    transcripts: int = 0
    workspaces: int = 0

    @property
    def doubted(self) -> dict[str, Problem]:
        """The first problem with the evidence of each attempt, by attempt."""
        return {problem.attempt: problem for problem in reversed(self.problems) if problem.attempt}


def examine(folder: CampaignFolder) -> Examination:
    """Look at everything that a campaign's folder holds. Only reads, and raises nothing over what it finds."""
    manifest: Manifest | None = None  # stays None where it cannot be read at all
    try:
        data = json.loads(folder.manifest.read_bytes() if folder.manifest.is_file() else b"")
        violation = first_violation("manifest", data)
        manifest, unreadable = Manifest.from_json(data), [Problem(MANIFEST, None, violation)] if violation else []
    except json.JSONDecodeError as error:
        unreadable = [Problem(MANIFEST, error.lineno, f"is no JSON: {error.msg}")]
    except (ValueError, TypeError, AttributeError) as error:
        unreadable = [Problem(MANIFEST, None, f"cannot be read: {error}")]
    pack = Pack(folder, manifest)
    lines, line_problems = pack.result_lines()
    last = {line.result.key: line.result for line in lines}
    cited = {result.attempt for result in last.values()}
    problems = [*pack.digest_problems(), *pack.file_problems(), *unreadable, *line_problems]

    # Of several lines about an attempt the first is the one that its run wrote; later ones judge it again.
    first = {line.result.attempt: line for line in reversed(lines)}
    for attempt, line in first.items():
        found = pack.evidence_problems(line, is_replaced=attempt not in cited)
        problems += [replace(problem, attempt=attempt) for problem in found]
    for path in sorted(folder.transcripts.glob("*.jsonl")):
        if path.stem not in first:  # a kill came before its result: it has no digest yet, and the schema must do
            problems += _event_problems(folder, path)

    # Tables are made anew where all else is as it was written, or where the digests cannot speak for them: beside
    # another problem a table that differs says nothing new.
    if manifest and manifest.finished and (not problems or not pack.is_whole):
        campaign = Campaign(folder=folder, manifest=manifest, results=tuple(in_order(last.values())))
        problems += _table_problems(campaign, {problem.file for problem in problems})
    return Examination(
        problems=problems,
        results=len(last),
        transcripts=sum(folder.transcript(attempt).is_file() for attempt in cited),
        workspaces=sum(folder.workspace(attempt).is_file() for attempt in cited),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A result line, and where it stands."""

    number: int
    """Counted from 1."""
    result: TrialResult
    data: Mapping[str, Any]


class Pack:
    """A campaign's folder, and what its digests say of it."""

    def __init__(self, folder: CampaignFolder, manifest: Manifest | None) -> None:
        self.folder, self.manifest = folder, manifest
        self.digests = read_digests(folder)
        self.has_ended = bool(manifest and manifest.finished)

    @cached_property
    def is_cut(self) -> bool:
        """Whether the digests end before the campaign did."""
        last = self.digests.last
        if not self.digests.lines:
            return True
        names = {entry["file"] for entry in last.get("files", ())}
        if not self.has_ended or {"end", "prevented"} & last.keys() or names - {MANIFEST}:
            return False  # it still runs or was killed; or a report was killed behind it
        # What ends last writes the manifest last, and an end behind it: only a kill between the two is no cut.
        return not names or not self.digests.allows(MANIFEST, state_of(self.folder, MANIFEST))

    @property
    def is_whole(self) -> bool:
        """Whether something that has no digest never had one."""
        return not self.digests.damaged and not self.is_cut

    def digest_problems(self) -> Iterator[Problem]:
        """Check the digests themselves: their chain, and whether they end where the campaign did."""
        lines, path = self.digests.lines, self.folder.digests
        if not lines:
            yield Problem(DIGESTS_FILE, None, "is empty" if path.is_file() else "is missing")
            return
        for number in self.digests.damaged:
            yield Problem(DIGESTS_FILE, number, "was changed after it was written, or a line before it was")
        torn = path.read_bytes().rpartition(b"\n")[2]
        if torn and self.has_ended and not torn.startswith(b'{"files"'):  # a report may have been killed
            yield Problem(DIGESTS_FILE, lines + 1, "has no end; a campaign that ended left none behind")
        elif self.is_cut:
            yield Problem(DIGESTS_FILE, lines + 1, f"is missing; a campaign that ended wrote more than {lines} lines")

    def file_problems(self) -> Iterator[Problem]:
        """Check every file that has a digest by its name, and look for files that lack one."""
        for name, seals in self.digests.files.items():
            state, (sealed, number) = state_of(self.folder, name), seals[-1]
            if self.digests.allows(name, state) or self.is_cut or number < max(self.digests.damaged, default=0):
                continue
            if state is None:
                yield Problem(name, None, "is missing")
            elif sealed is None:
                yield Problem(name, None, "was put there after the campaign was written")
            else:
                yield _changed(name, sealed, state)
        if self.is_whole:
            attempts = sorted(self.folder.attempts.glob("*.jsonl")) if self.has_ended else []
            died = [self.folder.name_of(path) for path in attempts if path.stem not in self.digests.transcripts]
            for name in [*(table.file for table in TABLES), "report.md", "report.html", *died]:
                if name not in self.digests.files and (self.folder.path / name).is_file():
                    yield Problem(DIGESTS_FILE, None, f"has no digest of {name}")
        filed = self.manifest.predictions if self.manifest else None
        if filed and PREDICTIONS not in self.digests.files:  # the manifest has their digest too, and had it first
            state = state_of(self.folder, PREDICTIONS)
            is_other = state is not None and state.sha256 != filed["digest"]
            if is_other or (state is None and self.has_ended):
                yield Problem(PREDICTIONS, None, "was changed after it was filed" if is_other else "is missing")

    def result_lines(self) -> tuple[list[Line], list[Problem]]:
        """Every line of results.jsonl that is one, in the order of the file, and what is wrong with them."""
        path, problems = self.folder.results, list[Problem]()
        *raw, torn = path.read_bytes().split(b"\n") if path.is_file() else [b""]
        read: dict[int, Line] = {}
        for number, text in enumerate(raw, 1):
            violation = ""
            try:
                data = json.loads(text)
                violation = first_violation("result", data)
                read[number] = Line(number, TrialResult.from_json(data), data)
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                violation = violation or f"is no result: {error}"
            if violation:
                problems.append(Problem(RESULTS_FILE, number, violation))
        for problem in self._sealed_lines([hashlib.sha256(text + b"\n").hexdigest() for text in raw]):
            line = read.get(problem.line or 0)
            problems.append(replace(problem, attempt=line.result.attempt) if line else problem)
        if torn and self.has_ended:
            problems.append(Problem(RESULTS_FILE, len(raw) + 1, "has no end; a campaign that ended left none behind"))
        lines = list(read.values())
        return lines, [*problems, *self._plan_problems(lines)]

    def _sealed_lines(self, found: Sequence[str]) -> Iterator[Problem]:
        """Lines whose sha256 are `found` must be those that were written, in that order, and no other."""
        if not self.is_whole:
            # Lines that have a digest and are gone are looked for; where digests are missing, no more can be said.
            known = dict(self.digests.results)
            accounted = {known[digest] for digest in found if digest in known}
            accounted |= {path.stem for path in self.folder.attempts.glob("*.jsonl")}
            for attempt in list(dict.fromkeys(known.values()))[: None if self.has_ended else -1]:
                if attempt not in accounted:
                    yield _lost(attempt)
            return
        written = [digest for digest, _ in self.digests.results]
        for kind, i, i_end, j, j_end in SequenceMatcher(None, written, found, autojunk=False).get_opcodes():
            if kind == "equal":
                continue
            both = min(i_end - i, j_end - j)
            for number in range(j, j_end):
                added = f"has no digest: it was added by hand, or {DIGESTS_FILE} was cut"
                changed = "was changed after it was written"
                yield Problem(RESULTS_FILE, number + 1, changed if number < j + both else added)
            if j_end == len(found) > len(written):
                yield Problem(DIGESTS_FILE, None, f"was cut, or {RESULTS_FILE} was added to by hand")
            for number in range(i + both, i_end):
                # A kill can only have prevented the line whose digest is the last that was written.
                if number < len(written) - 1 or "result" not in self.digests.last:
                    yield _lost(self.digests.results[number][1])

    def _plan_problems(self, lines: Sequence[Line]) -> Iterator[Problem]:
        """A line is about a planned trial. A scored one may be judged again, over the same attempt, but never rerun."""
        planned = set(self.manifest.keys) if self.manifest else None
        scored: dict[TrialKey, Line] = {}
        for line in lines:
            key, before = line.result.key, scored.get(line.result.key)
            same = before and before.result.attempt == line.result.attempt
            if before and not same:
                yield Problem(RESULTS_FILE, line.number, f"replaces {key}, which line {before.number} has scored")
            if line.result.scored:
                scored[key] = line
            elif same:
                del scored[key]  # judged again, without a score: it may be run again
            if planned is not None and key not in planned:
                yield Problem(RESULTS_FILE, line.number, f"is about {key}, which the manifest does not plan")
        if self.manifest and len(set(self.manifest.planned)) != len(self.manifest.planned):
            yield Problem(MANIFEST, None, "plans a trial twice")

    def evidence_problems(self, line: Line, *, is_replaced: bool) -> Iterator[Problem]:
        """Check the transcript and the workspace that a result line rests on.

        Args:
            line: the first one about its attempt.
            is_replaced: a later attempt at the trial took its place, so that its transcript lies with the others.
        """
        attempt, missing = line.result.attempt, f"is missing; line {line.number} of {RESULTS_FILE} rests on it"
        place, aside = self.folder.transcript(attempt), self.folder.attempts / f"{attempt}.jsonl"
        if path := next((path for path in (place, aside) if path.is_file()), None):
            yield from self._transcript_problems(line, path)
        else:
            yield Problem(self.folder.name_of(aside if is_replaced else place), None, missing)
        workspace, sealed = self.folder.workspace(attempt), self.digests.workspaces.get(attempt)
        if not workspace.is_file():
            if sealed or line.result.scored:
                yield Problem(self.folder.name_of(workspace), None, missing)
        elif sealed and hashlib.sha256(workspace.read_bytes()).hexdigest() != sealed:
            yield Problem(self.folder.name_of(workspace), None, "was changed after it was written")

    def _transcript_problems(self, line: Line, path: Path) -> Iterator[Problem]:
        name, sealed = self.folder.name_of(path), self.digests.transcripts.get(line.result.attempt)
        if not sealed:
            yield from _event_problems(self.folder, path)
        elif sealed.sha256 != (found := TextDigest.of_file(path)).sha256:
            yield _changed(name, sealed, found)
        try:
            folded = fold(read_lines(path)).to_json()
        except UsageError as error:
            if sealed:  # else it is said already
                yield Problem(name, None, str(error).partition(": ")[2])
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            yield Problem(name, None, f"gives no result: {error}")
        else:
            # Other rules may have judged the same events otherwise.
            judged = _JUDGED if line.result.classification != CLASSIFICATION else frozenset()
            other = ", ".join(sorted(key for key in folded.keys() - judged if folded[key] != line.data.get(key)))
            if other:
                yield Problem(RESULTS_FILE, line.number, f"disagrees with the events of {name}: {other}")


def _lost(attempt: str) -> Problem:
    return Problem(RESULTS_FILE, None, f"lacks the line of {attempt}.jsonl, which was written", attempt)


def _changed(name: str, sealed: TextDigest, found: TextDigest) -> Problem:
    """A file that is not what its digest says, with the first line that differs."""
    was, now = sealed.lines, found.lines
    left = f": {len(now)} lines of {len(was)} are left" if len(now) < len(was) else ""
    differ = (number for number, (one, other) in enumerate(zip_longest(was, now), 1) if one != other)
    return Problem(name, next(differ, None), f"was changed after it was written{left}")


def _event_problems(folder: CampaignFolder, path: Path) -> Iterator[Problem]:
    """Hold each event of a transcript against the schema."""
    try:
        for number, event in enumerate(read_lines(path), 1):
            if violation := first_violation("transcript", event):
                yield Problem(folder.name_of(path), number, violation)
    except UsageError as error:
        yield Problem(folder.name_of(path), None, str(error).partition(": ")[2])


def _table_problems(campaign: Campaign, named: Collection[str]) -> Iterator[Problem]:
    """Tables are derived: made anew, they must say the same. Files that are `named` have a problem already."""
    for table in TABLES:
        path = campaign.folder.path / table.file
        if table.file in named:
            continue
        if not path.is_file():
            yield Problem(table.file, None, "is missing")
            continue
        lines = zip_longest(path.read_bytes().splitlines(), table.content(campaign).splitlines())
        differ = (number for number, (there, made) in enumerate(lines, 1) if there != made)
        if number := next(differ, None):
            yield Problem(table.file, number, "disagrees with the results")


@contextmanager
def damage_named(*folders: CampaignFolder) -> Iterator[None]:
    """Where somebody stumbles over a file of these campaigns, say which one breaks its schema.

    Nothing is examined beforehand: that takes longer than most of what reads a campaign.

    Raises:
        UsageError: there is such a file.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        for folder in folders:
            for problem in examine(folder).problems:
                if _BREAKS in problem.sentence:
                    raise UsageError(f"{folder.path}: {problem}; `agentcore validate` says what else is") from error
        raise


def schema(name: str) -> dict[str, Any]:
    """One of the schemas in `NAMES`."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / "schemas" / f"{name}.json").read_bytes())
    return loaded


@cache
def validator(name: str) -> Draft202012Validator:
    """Validates a manifest, a result line or a transcript event; the schemas refer to each other."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import, and only validation wants it
    from referencing import Registry, Resource  # noqa: PLC0415

    resources = [Resource.from_contents(schema(name)) for name in NAMES]
    registry: Registry[Any] = Registry().with_resources([(resource.id() or "", resource) for resource in resources])
    return Draft202012Validator(schema(name), registry=registry)


def first_violation(name: str, data: Any) -> str:
    """The first thing that the schema does not allow, and where; empty when it allows all."""
    error = next(iter(validator(name).iter_errors(data)), None)
    if error is None:
        return ""
    where = ".".join(map(str, error.absolute_path))
    return f"{_BREAKS}{f' at {where}' if where else ''}: {error.message[:200]}"


_BREAKS = "breaks its schema"
