"""From the campaigns of a group to its value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_agentcore.campaign.figures import figures_of
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.reports.groups.course import Course, courses
from pytest_agentcore.reports.groups.value import Depth, Group, Share, Step, StepKind
from pytest_agentcore.stats import mean
from pytest_agentcore.stats.intervals import Interval, mean_interval, wilson
from pytest_agentcore.stats.pairs import PairedDifference, paired_difference
from pytest_agentcore.verdict.modes import StopReason

ORDER = ("native", "lenient", "constrained")

STEPS = {
    ("native", "lenient"): StepKind.tax,
    ("lenient", "constrained"): StepKind.forced,
    ("native", "constrained"): StepKind.mixed,
}

Pair = tuple[Course, Course]


def build_group(group: str, campaigns: Sequence[Campaign]) -> Group:
    """Compare the campaigns of one model, of which there is at least one.

    Raises:
        UsageError: a transcript is damaged; names file and line.
    """
    ordered = sorted(campaigns, key=lambda c: (c.manifest.context_load, ORDER.index(c.manifest.policy)))
    read = {campaign.folder.id: courses(campaign) for campaign in ordered}
    loads = {campaign.manifest.context_load for campaign in ordered}
    return Group(
        id=group,
        campaigns=tuple(ordered),
        steps=tuple(_steps(ordered, read)),
        depths=tuple(_depths(ordered, read)) if len(loads) > 1 else (),
    )


def _steps(campaigns: Sequence[Campaign], read: Mapping[str, list[Course]]) -> Iterator[Step]:
    for load in dict.fromkeys(campaign.manifest.context_load for campaign in campaigns):
        here = {c.manifest.policy: c for c in campaigns if c.manifest.context_load == load}
        for (first, second), kind in STEPS.items():
            between = kind is StepKind.mixed and "lenient" in here
            if first in here and second in here and not between:
                yield _step(kind, here[first], here[second], read)


def _step(kind: StepKind, first: Campaign, second: Campaign, read: Mapping[str, list[Course]]) -> Step:
    pairs = paired(read[first.folder.id], read[second.folder.id])
    planned = {(t.task, t.run) for campaign in (first, second) for t in campaign.manifest.planned}
    return Step(
        kind=kind,
        first=first.manifest.policy,
        second=second.manifest.policy,
        load=first.manifest.context_load,
        found=_changed(pairs),
        pairs=len(pairs),
        alike=sum(one.texts[:1] == other.texts[:1] for one, other in pairs),
        unpaired=len(planned) - len(pairs),
    )


def paired(first: Sequence[Course], second: Sequence[Course]) -> list[Pair]:
    """Trials of the same task and run."""
    others = {(course.result.task, course.result.run): course for course in second}
    keyed = ((course, others.get((course.result.task, course.result.run))) for course in first)
    return [(course, other) for course, other in keyed if other]


def _changed(pairs: Sequence[Pair]) -> PairedDifference | None:
    """Pairs that repeat another one of their task, reply by reply, are one observation."""
    seen = Counter((_observation(one), _observation(other)) for one, other in pairs)
    return paired_difference(
        ((first is True, second is True), times) for ((*_, first), (*_, second)), times in seen.items()
    )


def _observation(course: Course) -> tuple[str, str, bool | None]:
    return course.result.task, course.result.replies_digest, course.result.passed


def _depths(campaigns: Sequence[Campaign], read: Mapping[str, list[Course]]) -> Iterator[Depth]:
    for policy in ORDER:
        mine = [campaign for campaign in campaigns if campaign.manifest.policy == policy]
        for campaign in mine:
            least = None if campaign is mine[0] else read[mine[0].folder.id]
            yield _depth(campaign, read[campaign.folder.id], least)


def _depth(campaign: Campaign, found: Sequence[Course], least: Sequence[Course] | None) -> Depth:
    figures, loaded = figures_of(campaign.manifest, campaign.results), [course.loaded for course in found]
    seconds = [course.result.seconds for course in found]
    pairs = paired(least or (), found)
    slower = [other.result.seconds - one.result.seconds for one, other in pairs]
    return Depth(
        policy=campaign.manifest.policy,
        load=campaign.manifest.context_load,
        reached=(min(loaded), max(loaded)) if loaded else None,
        counted=", ".join(sorted({course.counted for course in found if course.counted})),
        rates=figures.overall.rates,
        passing=figures.same_tasks,
        leaking=_share(found, lambda course: course.leaked > 0),
        malforming=_share(found, lambda course: course.malformed > 0),
        replies=sum(len(course.texts) for course in found),
        calls=sum(course.calls for course in found),
        malformed=sum(course.malformed for course in found),
        resembled=sum((Counter(course.resembled) for course in found), Counter()),
        overflowed=sum(course.result.stop_reason is StopReason.context_overflow for course in found),
        seconds=mean(seconds),
        seconds_interval=_not_negative(mean_interval(seconds)),
        slower=mean(slower),
        slower_interval=mean_interval(slower),
        against_least=_changed(pairs),
    )


def _not_negative(found: Interval | None) -> Interval | None:
    """A trial takes no less than no time."""
    return found and replace(found, low=max(0.0, found.low))


def _share(found: Sequence[Course], happened: Callable[[Course], bool]) -> Share:
    trials = sum(map(happened, found))
    return Share(trials=trials, of=len(found), interval=wilson(trials, len(found)))
