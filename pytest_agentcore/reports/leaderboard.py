"""Campaigns ranked by score: only those against each other that ran the same tasks on the same terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from pytest_agentcore.campaign.figures import CampaignFigures, figures_of
from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.reports.numbers import count

AGENTS = ("oracle", "null")
"""Agents without a model: what they reach says something about the suite."""

CONFINED = "bubblewrap"
"""The sandbox that goes without saying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One campaign's place."""

    rank: int
    """From 1; equal scores share a rank, and the next one counts them all."""
    manifest: Manifest
    figures: CampaignFigures

    @property
    def tier(self) -> str:
        """As the registry has it; `local` for a model in this process that it says nothing about."""
        entry = self.manifest.entry
        return str(entry.get("tier") or ("local" if entry.get("backend") == "llama_cpp" else ""))

    @property
    def incomplete(self) -> bool:
        """Whether planned trials have no score."""
        rates = self.figures.overall.rates
        return rates.scored < rates.planned

    @property
    def overlapped(self) -> bool:
        """Whether trials ran at the same time, so that their seconds say less."""
        return self.manifest.parallel > 1

    def notes(self, harness: str = "") -> Iterator[str]:
        """What a reader should know before believing the place.

        Args:
            harness: version of pytest-agentcore; another one is noted.
        """
        rates = self.figures.overall.rates
        if self.incomplete:
            n, done = (rates.recorded, "ran") if rates.recorded < rates.planned else (rates.scored, "scored")
            yield f"incomplete: {n} of {count(rates.planned, 'planned trial')} {done}"
        if (sandbox := self.manifest.sandbox.get("name")) != CONFINED:
            yield f"sandbox {sandbox or 'not known'}"
        if harness and self.manifest.harness != harness:
            yield f"harness {self.manifest.harness}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Terms:
    """What campaigns must share to be ranked against each other."""

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
        """Of one campaign."""
        return cls(
            suite=manifest.suite.title,
            digest=manifest.judged_by,
            policy=manifest.policy,
            context_load=manifest.context_load,
            tasks=tuple(manifest.tasks),
            turns=manifest.budget.get("turns", 0),
            reply_tokens=manifest.budget.get("reply_tokens", 0),
            seconds=manifest.budget.get("seconds", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Campaigns that may be ranked against each other, the best first."""

    terms: Terms
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A campaign that is ranked nowhere, and why."""

    campaign: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """All rankings, and what is in none."""

    rankings: tuple[Ranking, ...]
    left_out: tuple[LeftOut, ...]


def leaderboard(campaigns: Iterable[Campaign]) -> Leaderboard:
    """Rank by passes out of planned trials; where those are equal, the cheaper stands first, then by name."""
    groups: dict[Terms, list[tuple[Manifest, CampaignFigures]]] = {}
    left_out = []
    for campaign in campaigns:
        manifest = campaign.manifest
        if why := _why_not(manifest):
            left_out.append(LeftOut(campaign=campaign.folder.id, why=why))
            continue
        groups.setdefault(Terms.of(manifest), []).append((manifest, figures_of(manifest, campaign.results)))
    rankings = [Ranking(terms=terms, standings=_rank(groups[terms])) for terms in sorted(groups)]
    return Leaderboard(rankings=tuple(rankings), left_out=tuple(left_out))


def _why_not(manifest: Manifest) -> str:
    if not manifest.counts:
        return "a selection: its trials were picked by how they had ended"
    if manifest.model in AGENTS:
        return "an agent without a model"
    return "" if manifest.planned else "nothing was planned"


def _rank(found: Sequence[tuple[Manifest, CampaignFigures]]) -> tuple[Standing, ...]:
    ordered = sorted(found, key=lambda item: (-_score(item[1]), *_tie(*item)))
    scores = [_score(figures) for _, figures in ordered]
    return tuple(
        Standing(rank=scores.index(score) + 1, manifest=manifest, figures=figures)
        for score, (manifest, figures) in zip(scores, ordered, strict=True)
    )


def _score(figures: CampaignFigures) -> float:
    return figures.overall.rates.raw or 0.0


def _tie(manifest: Manifest, figures: CampaignFigures) -> tuple[float, str, str]:
    cost = figures.overall.effort.cost.per_run
    return float("inf") if cost is None else cost, manifest.model, manifest.campaign
