"""Ranks campaigns by score: only those against each other that ran the same tasks on the same terms."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Self

from pytest_agentcore.analysis.compare import OUTSIDE, Comparison, compare, conditions
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import count
from pytest_agentcore.pack.figures import Effort
from pytest_agentcore.pack.folder import campaigns
from pytest_agentcore.pack.manifest import Manifest, read_manifest
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.stats.chance import PairedTest, holm
from pytest_agentcore.stats.counting import Rates

AGENTS = ("oracle", "null")
"""Agents without a model: what they reach says something about the suite, and their runs are alike by design."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One campaign's place."""

    rank: int
    """From 1; equal scores share a rank, and the next one counts them all."""
    campaign: Campaign

    @property
    def manifest(self) -> Manifest:
        """The manifest of the campaign."""
        return self.campaign.manifest

    @property
    def rates(self) -> Rates:
        """Rates over all tasks."""
        return self.campaign.figures.overall.rates

    @property
    def effort(self) -> Effort:
        """Effort over all tasks."""
        return self.campaign.figures.overall.effort

    @property
    def tier(self) -> str:
        """The price tier as the registry has it; `local` for a model in this process that it says nothing about."""
        entry = self.manifest.entry
        return str(entry.get("tier") or ("local" if entry.get("backend") == "llama_cpp" else ""))

    def fact(self, name: str) -> str:
        """Say one thing that the backend described of itself, such as `quant` or `device`; empty where it did not."""
        return str(self.manifest.backend.get(name) or "")

    @property
    def memory(self) -> int | None:
        """Bytes of file, caches and buffers of a model in this process, as foretold when it was loaded."""
        found = self.manifest.backend.get("memory")
        amount = found.get("foretold") if isinstance(found, dict) else None
        return amount if isinstance(amount, int) else None

    @property
    def overlapped(self) -> bool:
        """True if trials ran at the same time, so that their seconds say less."""
        return self.manifest.parallel > 1

    def notes(self, harness: str = "") -> Iterator[str]:
        """Say what a reader should know before believing the place.

        Args:
            harness: version of pytest-agentcore; another one is noted.
        """
        rates = self.rates
        if rates.scored < rates.planned:
            n, done = (rates.recorded, "ran") if rates.recorded < rates.planned else (rates.scored, "scored")
            yield f"incomplete: {n} of {count(rates.planned, 'planned trial')} {done}"
        if (sandbox := self.manifest.sandbox.get("name")) != "bubblewrap":  # which goes without saying
            yield f"sandbox {sandbox or 'not known'}"
        if harness and self.manifest.harness != harness:
            yield f"harness {self.manifest.harness}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Terms:
    """Conditions that campaigns must share to be ranked against each other."""

    suite: str
    """Its title."""
    digest: str
    policy: str
    context_load: int
    tasks: tuple[str, ...]
    """Planned at least once."""
    turns: float
    """Limits of a trial, for tasks that declare none of their own."""
    reply_tokens: float
    seconds: float

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Take them from one campaign."""
        limits = {name: manifest.budget.get(name, 0) for name in ("turns", "reply_tokens", "seconds")}
        return cls(
            suite=manifest.suite.title,
            digest=manifest.judged_by,
            policy=manifest.policy,
            context_load=manifest.context_load,
            tasks=tuple(manifest.tasks),
            **limits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Campaigns that may be ranked against each other, the best first."""

    terms: Terms
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Two campaigns that stand one below the other, and whether more than chance separates them."""

    above: Standing
    below: Standing
    comparison: Comparison
    """Its first is the one below: a difference above 0 speaks for the one above."""
    corrected_p: float | None
    """After Holm, for as many looks as a ranking has pairs; None where nothing can be tested."""

    @property
    def test(self) -> PairedTest | None:
        """The one test of the two."""
        return self.comparison.test


def neighbours(ranking: Ranking) -> tuple[Neighbours, ...]:
    """Compare each campaign with the next one below."""
    pairs = [(above, below, compare(below.campaign, above.campaign)) for above, below in pairwise(ranking.standings)]
    corrected = iter(holm([found.test.p for _, _, found in pairs if found.test]))
    return tuple(
        Neighbours(above=above, below=below, comparison=found, corrected_p=next(corrected) if found.test else None)
        for above, below, found in pairs
    )


MODELS_OWN = ("quant", "dialect", "chat template", "thinking")
"""Conditions that come with a model."""


def other_conditions(ranking: Ranking) -> dict[str, list[str]]:
    """Name, by campaign, what is set otherwise than for the first: neither the model's own nor the machine's."""
    first, *others = ranking.standings
    found: dict[str, list[str]] = {}
    for standing in others:
        named = [
            one.name for one in conditions(first.campaign, standing.campaign) if "-" not in (one.first, one.second)
        ]
        if apart := [name for name in named if name not in (*OUTSIDE, *MODELS_OWN)]:
            found[standing.manifest.campaign] = apart
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """All rankings, and what is in none."""

    rankings: tuple[Ranking, ...]
    left_out: Sequence[tuple[str, str]]
    """Campaigns that are ranked nowhere, each with the reason."""


def leaderboard(campaigns: Iterable[Campaign]) -> Leaderboard:
    """Rank by passes out of planned trials; where those are equal, the cheaper stands first, then by name."""
    groups: dict[Terms, list[Campaign]] = {}
    left_out = []
    for campaign in campaigns:
        manifest = campaign.manifest
        if not manifest.counts:
            left_out.append((campaign.folder.id, "a selection: its trials were picked by how they had ended"))
        elif manifest.model in AGENTS:
            left_out.append((campaign.folder.id, "an agent without a model"))
        elif not manifest.planned:
            left_out.append((campaign.folder.id, "nothing was planned"))
        else:
            groups.setdefault(Terms.of(manifest), []).append(campaign)
    rankings = []
    for terms in sorted(groups):
        ordered = sorted(groups[terms], key=_place)
        # equal scores share the place of the first of them, and the next score comes after all of those
        scores = [campaign.figures.overall.rates.raw or 0.0 for campaign in ordered]
        ranked = zip(scores, ordered, strict=True)
        standings = tuple(Standing(rank=scores.index(score) + 1, campaign=campaign) for score, campaign in ranked)
        rankings.append(Ranking(terms=terms, standings=standings))
    return Leaderboard(rankings=tuple(rankings), left_out=left_out)


def _place(campaign: Campaign) -> tuple[float, float, str, str]:
    """Sort by score, then by what a run costs, then by name."""
    overall, manifest = campaign.figures.overall, campaign.manifest
    cost = overall.effort.cost_per_trial
    return -(overall.rates.raw or 0.0), math.inf if cost is None else cost, manifest.model, manifest.campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScore:
    """One line of published.csv."""

    rank: int
    """Among these; equal scores share one."""
    model: str
    passed: int
    planned: int
    dollars: float | None
    """Of the whole campaign; None: not in print."""
    tier: str

    @property
    def per_pass(self) -> float | None:
        """USD by the passes they bought; None where either is missing."""
        return self.dollars / self.passed if self.dollars is not None and self.passed else None


def published_scores() -> list[PublishedScore]:
    """Read all of them, the best first; equal scores in the order in which the file has them."""
    text = files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    rows = sorted(csv.DictReader(text.splitlines()), key=lambda row: -int(row["passes"]))
    passes = [int(row["passes"]) for row in rows]
    found = []
    for row, passed in zip(rows, passes, strict=True):
        rank, dollars = passes.index(passed) + 1, float(row["cost_usd"]) if row["cost_usd"] else None
        counts = {"rank": rank, "passed": passed, "planned": int(row["planned"])}
        found.append(PublishedScore(model=row["model"], tier=row["tier"], dollars=dollars, **counts))
    return found


NEWEST = 50
"""Siblings that are read at most: a report is written at the end of every run."""


def ranking_of(campaign: Campaign, held: Iterable[Campaign] = ()) -> Ranking | None:
    """Rank a campaign within its results folder as it is now; None where it is ranked nowhere.

    Args:
        campaign: that is ranked.
        held: campaigns that need not be read.
    """
    known = {one.folder.id: one for one in held}
    mine, ranked = Terms.of(campaign.manifest), [campaign]
    folders = [folder for folder in campaigns(campaign.folder.path.parent) if folder.id != campaign.folder.id]
    for folder in folders[-NEWEST:]:
        with suppress(UsageError):  # one that cannot be read is no sibling
            manifest = known[folder.id].manifest if folder.id in known else read_manifest(folder)
            if Terms.of(manifest) == mine:
                ranked.append(known.get(folder.id) or read_campaign(folder.path))
    me = campaign.manifest.campaign
    return next((r for r in leaderboard(ranked).rankings if any(s.manifest.campaign == me for s in r.standings)), None)
