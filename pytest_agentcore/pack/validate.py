"""The files of a pack against their digests, and the digests against themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cache, cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.csv import TABLES, read_csv
from pytest_agentcore.pack.digests import MANIFEST, Digests, TextDigest, in_order, read_digests, state_of
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import read_lines
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.predictions import PREDICTIONS
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.trial.classify import CLASSIFICATION
from pytest_agentcore.trial.fold import fold
from pytest_agentcore.trial.result import TrialKey, TrialResult

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


NAMES = ("manifest", "result", "transcript")


def schema(name: str) -> dict[str, Any]:
    """One of `NAMES`."""
    text = (Path(__file__).parent / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
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
    return f"breaks its schema{f' at {where}' if where else ''}: {error.message[:200]}"


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


@dataclass(frozen=True, slots=True)
class Line:
    """A result line, and where it stands."""

    number: int
    """Counted from 1."""
    result: TrialResult
    data: Mapping[str, Any]


_JUDGED = frozenset({"classification", "passed", "failure_mode", "cause", "detail", "outcome", "attribution"})
"""Fields of a result that follow from the rules of judgement, which have versions."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Transcript and workspace of one attempt."""

    folder: CampaignFolder
    digests: Digests
    line: Line
    replaced: bool = False
    """Whether a later attempt at the trial took its place, so that its transcript lies with the other attempts."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong with them."""
        for problem in (*self._transcript(), *self._workspace()):
            yield replace(problem, attempt=self.line.result.attempt)

    def _transcript(self) -> Iterator[Problem]:
        attempt = self.line.result.attempt
        path = self.folder.transcript(attempt)
        path = path if path.is_file() else self.folder.attempts / path.name
        name = path.relative_to(self.folder.path).as_posix()
        if not path.is_file():
            place = self.folder.attempts if self.replaced else self.folder.transcripts
            missing = (place / path.name).relative_to(self.folder.path)
            yield Problem(
                missing.as_posix(), None, f"is missing; line {self.line.number} of data/results.jsonl rests on it"
            )
            return
        sealed = self.digests.transcripts.get(attempt)
        if sealed and sealed.sha256 != (found := TextDigest.of_file(path)).sha256:
            yield changed(name, sealed, found)
        elif not sealed:
            with suppress(UsageError):  # `_verdict` says it
                yield from _events(name, path)
        yield from self._verdict(name, path)

    def _verdict(self, name: str, path: Path) -> Iterator[Problem]:
        """The line must be what the transcript's events fold to, as far as today's rules are those that judged."""
        try:
            folded = fold(read_lines(path)).to_json()
        except UsageError as error:
            yield Problem(name, None, str(error).partition(": ")[2])
            return
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            yield Problem(name, None, f"gives no result: {error}")
            return
        line = self.line.data
        judged = _JUDGED if line["classification"] != CLASSIFICATION else frozenset()
        here = sorted(key for key in folded.keys() - judged if folded[key] != line.get(key))
        if here:
            yield Problem(
                "data/results.jsonl", self.line.number, f"says otherwise than the events of {name}: {', '.join(here)}"
            )

    def _workspace(self) -> Iterator[Problem]:
        path = self.folder.workspace(self.line.result.attempt)
        name = path.relative_to(self.folder.path).as_posix()
        sealed = self.digests.workspaces.get(self.line.result.attempt)
        if not path.is_file():
            if sealed or self.line.result.scored:
                yield Problem(name, None, f"is missing; line {self.line.number} of data/results.jsonl rests on it")
        elif sealed and hashlib.sha256(path.read_bytes()).hexdigest() != sealed:
            yield Problem(name, None, "was changed after it was written")


def changed(name: str, sealed: TextDigest, found: TextDigest) -> Problem:
    """A file that is not what its digest says, with the first line that differs where lines were kept."""
    left = f": {len(found.lines)} lines of {len(sealed.lines)} are left" if len(found.lines) < len(sealed.lines) else ""
    return Problem(name, sealed.first_difference(found), f"was changed after it was written{left}")


def open_problems(folder: CampaignFolder, cited: frozenset[str]) -> Iterator[Problem]:
    """Of transcripts without a result: a kill came first, so no digest speaks for them yet."""
    for path in sorted(folder.transcripts.glob("*.jsonl")):
        if path.stem not in cited:
            name = path.relative_to(folder.path).as_posix()
            try:
                yield from _events(name, path)
            except UsageError as error:
                yield Problem(name, None, str(error).partition(": ")[2])


def _events(name: str, path: Path) -> Iterator[Problem]:
    """Of a transcript that no digest speaks for."""
    for number, event in enumerate(read_lines(path), 1):
        if problem := first_violation("transcript", event):
            yield Problem(name, number, problem)


DIGESTS_FILE = "data/digests.jsonl"
RESULTS_FILE = "data/results.jsonl"
REPORTS = ("report.md", "report.html")


@dataclass(frozen=True)
class Sealed:
    """A pack, and what its digests say."""

    folder: CampaignFolder
    digests: Digests
    manifest: Manifest | None
    """None where it cannot be read."""

    @property
    def speaks_for_all(self) -> bool:
        """Whether every file must have a digest; earlier versions kept fewer."""
        if self.manifest and self.manifest.digests:
            return True
        return bool(self.digests.lines) and not self.digests.unchained

    @property
    def _has_ended(self) -> bool:
        return bool(self.manifest and self.manifest.finished)

    @cached_property
    def damaged(self) -> Sequence[int]:
        """Lines of the digests that are not as they were written, or do not follow what they followed."""
        unchained = self.digests.unchained if self.speaks_for_all else []
        return sorted({*self.digests.damaged, *unchained})

    @cached_property
    def is_cut(self) -> bool:
        """Whether the digests end before the campaign did."""
        last = self.digests.last
        if self.speaks_for_all and not self.digests.lines:
            return True
        if not self._has_ended or not self.digests.lines or {"end", "files", "prevented"} & last.keys():
            return False
        if last.get("file") != MANIFEST:
            return True  # what ends last writes the manifest last, and an end behind it
        return self.speaks_for_all and not self.digests.allows(MANIFEST, state_of(self.folder, MANIFEST))

    @property
    def is_whole(self) -> bool:
        """Whether something that has no digest never had one."""
        return not self.damaged and not self.is_cut

    def own_problems(self) -> Iterator[Problem]:
        """Of the digests themselves."""
        lines, path = self.digests.lines, self.folder.digests
        if self.speaks_for_all and not lines:
            state = "is empty" if path.is_file() else "is missing"
            yield Problem(DIGESTS_FILE, None, f"{state}, and the campaign was written with digests")
            return
        for number in self.damaged:
            yield Problem(DIGESTS_FILE, number, "was changed after it was written, or a line before it was")
        torn = path.read_bytes().rpartition(b"\n")[2] if path.is_file() else b""
        if torn and self._has_ended and not torn.startswith(b'{"files"'):  # a report may have been killed
            yield Problem(DIGESTS_FILE, lines + 1, "has no end; a campaign that ended left none behind")
        elif self.is_cut:
            yield Problem(DIGESTS_FILE, lines + 1, f"is missing; a campaign that ended wrote more than {lines} lines")

    def file_problems(self) -> Iterator[Problem]:
        """Of every file that has a digest by its name, and of those that lack one."""
        for name, seals in self.digests.files.items():
            state, last = state_of(self.folder, name), seals[-1]
            if self.digests.allows(name, state) or self.is_cut or last.line < max(self.damaged, default=0):
                continue
            if state is None:
                yield Problem(name, None, "is missing")
            elif last.digest is None:
                yield Problem(name, None, "was put there after the campaign was written")
            else:
                yield changed(name, last.digest, state)
        yield from self._without_digest()
        yield from self._predictions()

    def _without_digest(self) -> Iterator[Problem]:
        if not self.speaks_for_all or not self.is_whole:
            return
        names = [*(table.file for table in TABLES), *REPORTS]
        if self._has_ended:
            attempts = (path for path in self.folder.attempts.glob("*.jsonl") if self._lacks(path.stem))
            names += [path.relative_to(self.folder.path).as_posix() for path in sorted(attempts)]
        for name in names:
            if name not in self.digests.files and (self.folder.path / name).is_file():
                yield Problem(DIGESTS_FILE, None, f"has no digest of {name}")

    def _lacks(self, attempt: str) -> bool:
        return attempt not in self.digests.transcripts

    def _predictions(self) -> Iterator[Problem]:
        """The manifest has their digest too, and had it first."""
        filed = self.manifest.predictions if self.manifest else None
        if not filed or PREDICTIONS in self.digests.files:
            return
        state = state_of(self.folder, PREDICTIONS)
        if state is None and self._has_ended:
            yield Problem(PREDICTIONS, None, "is missing")
        elif state and state.sha256 != filed["digest"]:
            yield Problem(PREDICTIONS, None, "was changed after it was filed")

    def line_problems(self, found: Sequence[str]) -> Iterator[Problem]:
        """Of the result lines: each must be there as it was written, in that order, and no other.

        Args:
            found: sha256 of each line that is there.
        """
        if not self.digests.lines and not self.speaks_for_all:
            return
        if not self.speaks_for_all or not self.is_whole:
            yield from self._loosely(found)
            return
        written = [digest for digest, _ in self.digests.results]
        for kind, i, i_end, j, j_end in SequenceMatcher(None, written, found, autojunk=False).get_opcodes():
            if kind == "equal":
                continue
            both = min(i_end - i, j_end - j)
            for number in range(j, j + both):
                yield Problem(RESULTS_FILE, number + 1, "was changed after it was written")
            for number in range(j + both, j_end):
                yield Problem(
                    RESULTS_FILE, number + 1, f"has no digest: it was added by hand, or {DIGESTS_FILE} was cut"
                )
            if j_end == len(found) > len(written):
                yield Problem(DIGESTS_FILE, None, f"was cut, or {RESULTS_FILE} was added to by hand")
            for number in range(i + both, i_end):
                if not self._may_be_missing(number):
                    yield self._missing(self.digests.results[number][1])

    def _loosely(self, found: Sequence[str]) -> Iterator[Problem]:
        """Where digests are missing, a line without one may be as it was written."""
        known = dict(self.digests.results)
        if not self.damaged and not self.is_cut:
            for number, digest in enumerate(found, 1):
                if known and digest not in known:
                    yield Problem(RESULTS_FILE, number, "was changed after it was written")
        there = {known[digest] for digest in found if digest in known}
        aside = {path.stem for path in self.folder.attempts.glob("*.jsonl")}
        for attempt in list(dict.fromkeys(known.values()))[: None if self._has_ended else -1]:
            if attempt not in there | aside:
                yield self._missing(attempt)

    def _may_be_missing(self, number: int) -> bool:
        """A kill can only have prevented the line whose digest is the last that was written."""
        return number == len(self.digests.results) - 1 and "result" in self.digests.last

    def _missing(self, attempt: str) -> Problem:
        name = self.folder.transcript(attempt).name
        return Problem(RESULTS_FILE, None, f"lacks the line of {name}, which was written", attempt)


def manifest_problem(folder: CampaignFolder, manifest: Manifest) -> Problem | None:
    """Whether the manifest is as its writer left it: who goes on writing puts another in its place."""
    problems = Sealed(folder, read_digests(folder), manifest).file_problems()
    return next((problem for problem in problems if problem.file == MANIFEST), None)


def table_problems(campaign: Campaign, named: frozenset[str]) -> Iterator[Problem]:
    """The tables are derived: made anew, they must say the same in every column that both have.

    Args:
        campaign: one that ended.
        named: files that something was said about already.
    """
    for table in TABLES:
        path = campaign.folder.path / table.file
        if table.file in named:
            continue
        if not path.is_file():
            yield Problem(table.file, None, "is missing")
        elif number := _first_row_that_differs(path.read_bytes(), table.content(campaign)):
            yield Problem(table.file, number, "says otherwise than the results")


def _first_row_that_differs(there: bytes, made: bytes) -> int | None:
    """Line number, counted from 1. New columns come last, so the columns of one version begin those of a later one."""
    try:
        found, expected = read_csv(there), read_csv(made)
    except ValueError:
        return 1
    width = min(len(found.columns), len(expected.columns))
    if [*found.columns[:width]] != [*expected.columns[:width]]:
        return 1
    rows = (table.iloc[:, :width].itertuples(index=False, name=None) for table in (found, expected))
    return next((number for number, (was, now) in enumerate(zip_longest(*rows), 2) if was != now), None)


def _last(results: Sequence[TrialResult]) -> list[TrialResult]:
    return in_order({result.key: result for result in results}.values())


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
        problems=[*sealed.own_problems(), *sealed.file_problems(), *problems, *look.problems],
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
        campaign = Campaign(folder=folder, manifest=manifest, results=tuple(_last(results)))
        found.problems += table_problems(campaign, named)
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
