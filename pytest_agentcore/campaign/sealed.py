"""The files of a pack against their digests, and the digests against themselves."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from pytest_agentcore.campaign.digests import MANIFEST, Digests, TextDigest, read_digests
from pytest_agentcore.campaign.evidence import Problem, changed
from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.predictions import PREDICTIONS
from pytest_agentcore.campaign.seals import state_of
from pytest_agentcore.campaign.store import in_order
from pytest_agentcore.campaign.tables import TABLES
from pytest_agentcore.campaign.verification import name_of, to_csv
from pytest_agentcore.trial import TrialResult

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

    def file_problems(self, results: Sequence[TrialResult]) -> Iterator[Problem]:
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
                yield changed(name, self._with_lines(name, last.digest, results), state)
        yield from self._without_digest()
        yield from self._predictions()

    def _with_lines(self, name: str, sealed: TextDigest, results: Sequence[TrialResult]) -> TextDigest:
        """Of a table only the whole was kept while trials ran; made anew it has the lines too."""
        for table in TABLES:
            if name == name_of(table.name) and not sealed.lines and self.manifest:
                made = TextDigest.of_bytes(to_csv(table, self.manifest, _last(results)))
                return made if made.sha256 == sealed.sha256 else sealed
        return sealed

    def _without_digest(self) -> Iterator[Problem]:
        if not self.speaks_for_all or not self.is_whole:
            return
        names = [*(name_of(table.name) for table in TABLES), *REPORTS]
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
    problems = Sealed(folder, read_digests(folder), manifest).file_problems([])
    return next((problem for problem in problems if problem.file == MANIFEST), None)


def table_problems(
    folder: CampaignFolder, manifest: Manifest, results: Sequence[TrialResult], named: frozenset[str]
) -> Iterator[Problem]:
    """The CSVs are derived: made anew, they must say the same in every column that both have.

    Args:
        folder: of the campaign.
        manifest: of a campaign that ended.
        results: every line.
        named: files that something was said about already.
    """
    for table in TABLES:
        path, name = folder.verification / f"{table.name}.csv", name_of(table.name)
        if name in named:
            continue
        if not path.is_file():
            yield Problem(name, None, "is missing")
            continue
        there = list(csv.reader(path.read_text(encoding="utf-8", errors="replace").splitlines()))
        made = list(csv.reader(to_csv(table, manifest, _last(results)).decode("utf-8").splitlines()))
        if (number := _first_row_that_differs(there, made)) is not None:
            yield Problem(name, number, "says otherwise than the results")


def _last(results: Sequence[TrialResult]) -> list[TrialResult]:
    return in_order({result.key: result for result in results}.values())


def _first_row_that_differs(there: Sequence[Sequence[str]], made: Sequence[Sequence[str]]) -> int | None:
    """Line number, counted from 1. New columns come last, so the columns of one version begin those of a later one."""
    if not there:
        return 1
    width = min(len(there[0]), len(made[0]))
    for number in range(max(len(there), len(made))):
        rows = [table[number][:width] for table in (there, made) if number < len(table)]
        if len(rows) == 1 or rows[0] != rows[1]:
            return number + 1
    return None
