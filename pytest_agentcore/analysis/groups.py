"""Compares the campaigns of a group: what tool-call syntax alone costs a model, and what a long conversation does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_agentcore.dialects.resemblance import leaks_template
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.stats.chance import PairedDifference, paired_difference
from pytest_agentcore.stats.counting import Rates, mean
from pytest_agentcore.stats.intervals import Interval, mean_interval, wilson
from pytest_agentcore.trial.modes import Resemblance, StopReason
from pytest_agentcore.trial.result import TrialResult

_RESULT = re.compile(r"</?tool_(?:response|result)\b|<\|?tool_response\|?>")
"""What chat templates put around the result of a call: a model that writes it makes results up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Facts about the replies of one trial, read from its transcript."""

    result: TrialResult
    texts: tuple[str, ...]
    """What the model wrote, turn by turn."""
    calls: int
    """Calls that were read."""
    malformed: int
    """Calls that were begun and could not be read."""
    resembled: Mapping[Resemblance, int]
    """Replies without a call, by what they looked like."""
    leaked: int
    """Replies with text that only a chat template should write: its tokens, or its markers around a call's result."""
    loaded: int
    """Tokens of earlier conversation."""
    counted: str
    """How those were counted; empty without any."""


def _course(campaign: Campaign, result: TrialResult) -> Course:
    events = read_transcript(campaign.folder.transcript(result.attempt))
    load = events[0].get("load", {}) if events else {}
    replies = [event for event in events if event["event"] == "reply"]
    # calls that were read are not looked into for leaks: a file may hold anything
    contents = [(reply["resembles"], str(reply["content"])) for reply in replies]
    return Course(
        result=result,
        texts=tuple(str(reply["text"]) for reply in replies),
        calls=sum(len(reply["tool_calls"]) for reply in replies),
        malformed=sum(len(reply["problems"]) for reply in replies),
        resembled=Counter(Resemblance(seen) for seen, _ in contents if seen),
        leaked=sum(
            seen == Resemblance.template_tokens or _RESULT.search(content) is not None or leaks_template(content)
            for seen, content in contents
        ),
        loaded=load.get("tokens", 0),
        counted=load.get("counted", ""),
    )


class StepKind(StrEnum):
    """The question that a step from one policy to another answers."""

    tax = "tax"
    """native → lenient: the same decoding and another parser, so what is gained was lost to syntax alone."""
    forced = "forced"
    """lenient → constrained: what forced calls add. Never tax: the model is made to say something else."""
    mixed = "mixed"
    """native → constrained: both at once, where lenient was not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Two policies over the same tasks and runs."""

    kind: StepKind
    first: str
    second: str
    load: int
    found: PairedDifference | None
    """None: not a single pair has a verdict on both sides."""
    pairs: int
    """Pairs with a verdict on both sides; `found` counts those that repeat each other once."""
    alike: int
    """Pairs whose first replies are the same, character by character."""
    unpaired: int
    """Planned pairs without a verdict on one side or on both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Trials in which something happened."""

    trials: int
    of: int
    interval: Interval | None
    """Wilson's, over the trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """One policy at one context load."""

    policy: str
    load: int
    """Tokens that were asked for."""
    reached: tuple[int, int] | None
    """Least and most that a task got; None where no transcript says."""
    counted: str
    """How they were counted: `tokenizer` or `characters`; empty without a load."""
    rates: Rates
    passing: Interval | None
    """For the pass rate, the same tasks again."""
    leaking: Share
    """Trials with a reply that holds what only a chat template should write."""
    malforming: Share
    """Trials with a call that was begun and could not be read."""
    replies: int
    calls: int
    """Calls that were read."""
    malformed: int
    resembled: Mapping[Resemblance, int]
    """Replies by what they looked like without being a call."""
    overflowed: int
    """Trials that the context ended."""
    seconds: float | None
    """Mean over the scored trials."""
    seconds_interval: Interval | None
    slower: float | None
    """Mean over pairs of how much longer the trial took than at the least load of the policy; None there."""
    slower_interval: Interval | None
    against_least: PairedDifference | None
    """Passes, paired with the least load of the policy; None there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Several campaigns of one model."""

    id: str
    campaigns: tuple[Campaign, ...]
    """By load, then in the order native, lenient, constrained."""
    steps: tuple[Step, ...]
    depths: tuple[Depth, ...]
    """Empty where all campaigns have one load."""

    @property
    def model(self) -> str:
        """The slug."""
        return self.campaigns[0].manifest.model


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
    # every scored trial by task and run; one transcript is in memory at a time
    read = {c.folder.id: [_course(c, result) for result in c.results if result.scored] for c in ordered}
    depths = []
    if len({campaign.manifest.context_load for campaign in ordered}) > 1:
        for policy in ORDER:
            mine = [campaign for campaign in ordered if campaign.manifest.policy == policy]
            depths += [_depth(c, read[c.folder.id], () if c is mine[0] else read[mine[0].folder.id]) for c in mine]
    return Group(id=group, campaigns=tuple(ordered), steps=tuple(_steps(ordered, read)), depths=tuple(depths))


def _steps(campaigns: Sequence[Campaign], read: Mapping[str, list[Course]]) -> Iterator[Step]:
    for load in dict.fromkeys(campaign.manifest.context_load for campaign in campaigns):
        here = {c.manifest.policy: c for c in campaigns if c.manifest.context_load == load}
        for (first, second), kind in STEPS.items():
            # the step that mixes two questions is shown only where the policy between was not run
            if not {first, second} <= here.keys() or (kind is StepKind.mixed and "lenient" in here):
                continue
            pairs = paired(read[here[first].folder.id], read[here[second].folder.id])
            planned = {(t.task, t.run) for policy in (first, second) for t in here[policy].manifest.planned}
            yield Step(
                kind=kind,
                first=first,
                second=second,
                load=load,
                found=_changed(pairs),
                pairs=len(pairs),
                alike=sum(one.texts[:1] == other.texts[:1] for one, other in pairs),
                unpaired=len(planned) - len(pairs),
            )


def paired(first: Sequence[Course], second: Sequence[Course]) -> list[Pair]:
    """Pair the trials of the same task and run."""
    others = {(course.result.task, course.result.run): course for course in second}
    keyed = ((course, others.get((course.result.task, course.result.run))) for course in first)
    return [(course, other) for course, other in keyed if other]


def _changed(pairs: Sequence[Pair]) -> PairedDifference | None:
    """Compare pairs; those that repeat another one of their task, reply by reply, are one observation."""
    seen = Counter(
        tuple((each.result.task, each.result.replies_digest, each.result.passed) for each in pair) for pair in pairs
    )
    return paired_difference(
        ((first is True, second is True), times) for ((*_, first), (*_, second)), times in seen.items()
    )


def _depth(campaign: Campaign, found: Sequence[Course], least: Sequence[Course]) -> Depth:
    figures, loaded = campaign.figures, [course.loaded for course in found]
    seconds = [course.result.seconds for course in found]
    around = mean_interval(seconds)
    pairs = paired(least, found)
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
        resembled=dict(sum((Counter(course.resembled) for course in found), Counter())),
        overflowed=sum(course.result.stop_reason is StopReason.context_overflow for course in found),
        seconds=mean(seconds),
        # cut at 0: a trial takes no less than no time
        seconds_interval=around and replace(around, low=max(0.0, around.low)),
        slower=mean(slower),
        slower_interval=mean_interval(slower),
        against_least=_changed(pairs),
    )


def _share(found: Sequence[Course], happened: Callable[[Course], bool]) -> Share:
    trials = sum(map(happened, found))
    return Share(trials=trials, of=len(found), interval=wilson(trials, len(found)))
