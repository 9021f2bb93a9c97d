"""Writes a group's comparison: lines for the terminal, sentences for group.md, values for group.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_agentcore.analysis.groups import Depth, Group, Share, Step, StepKind
from pytest_agentcore.format import (
    Line,
    count,
    fraction,
    interval,
    joined,
    labelled_lines,
    latency,
    p_value,
    percent,
    points,
    table,
)

LABELS = {StepKind.tax: "format tax", StepKind.forced: "forced", StepKind.mixed: "both"}

MEANINGS = {
    StepKind.tax: "lost to tool-call syntax alone: the same decoding, read by the lenient parser",
    StepKind.forced: "added by forced calls, which is no tax: the model is made to say something else",
    StepKind.mixed: "tax and forced calls together: run lenient too to tell them apart",
}


def group_title(group: Group) -> str:
    """Name model and number of campaigns, for the rule above the lines."""
    return joined([group.model, f"group of {count(len(group.campaigns), 'campaign')}"])


def group_lines(group: Group, folder: Path | None, width: int = 80) -> list[str]:
    """Write steps and depths, and the folder of the group's files, if it has one."""
    steps: list[Line] = []
    for step in group.steps:
        where = f"load {step.load}: " if group.depths else ""
        steps += [(LABELS[step.kind], f"{where}{step_sentence(step)}"), ("", MEANINGS[step.kind])]
    depths: list[Line] = []
    rows = [["context load", "passed", "leaking", "malformed", "latency"]]
    for depth in group.depths:
        first, *others = depth_sentences(depth)
        depths += [(f"load {depth.load}", f"{depth.policy}: {first}"), *(("", other) for other in others)]
        passed, shares = fraction(depth.rates.passed, depth.rates.scored), (depth.leaking, depth.malforming)
        counted = [passed, *(fraction(each.trials, each.of) for each in shares), latency(depth.seconds)]
        rows.append([f"{depth.policy} {depth.load}", *counted])
    if folder:
        depths.append(("files", str(folder)))
    between = ["", *table(rows, [""] * len(rows), width)] if group.depths else []
    return [*labelled_lines(steps, width), *between, *labelled_lines(depths, width)]


def step_sentence(step: Step) -> str:
    """`native 0/10 → lenient 1/10: +10.0 points (95%: -18.9 to +40.4, p 1.00)`, and what the pairs are."""
    if step.found is None:
        return f"{step.first} → {step.second}: no pair has a verdict on both sides"
    found = step.found
    passes = f"{step.first} {fraction(found.first, found.pairs)} → {step.second} {fraction(found.second, found.pairs)}"
    notes = [f"{found.gained} gained, {found.lost} lost"]
    if step.kind is StepKind.tax:
        notes.append(f"first replies equal in {fraction(step.alike, step.pairs)} pairs")
    if found.pairs > found.distinct:
        notes.append(f"{found.pairs} pairs, {found.distinct} distinct")
    if step.unpaired:
        notes.append(f"{count(step.unpaired, 'pair')} without a verdict on both sides")
    change = f"{points(found.difference)} points (95%: {interval(found.interval, points)}, p {p_value(found.p)})"
    return f"{passes}: {change}; {'; '.join(notes)}"


def depth_sentences(depth: Depth) -> Iterator[str]:
    """Write every number of a depth with its interval."""
    yield f"pass rate {percent(depth.rates.effective)} (95%: {interval(depth.passing)})"
    yield f"trials that leak {share(depth.leaking)}"
    yield f"trials with a malformed call {share(depth.malforming)}"
    replies = count(depth.replies, "reply", "replies")
    yield f"{count(depth.calls, 'call')} read and {depth.malformed} malformed in {replies}"
    if depth.resembled:
        looks = joined(f"{n} {look}" for look, n in sorted(depth.resembled.items()))
        yield f"replies that only looked like a call or a template: {looks}"
    if depth.overflowed:
        yield f"{count(depth.overflowed, 'trial')} ended by the context"
    yield f"latency {latency(depth.seconds)} (95%: {interval(depth.seconds_interval, latency)})"
    if depth.against_least is not None:
        change = depth.against_least
        yield (
            f"beside the least load, {count(change.pairs, 'pair')}: {points(change.difference)} points "
            f"(95%: {interval(change.interval, points)}), a trial's time changes by {latency(depth.slower)} "
            f"(95%: {interval(depth.slower_interval, latency)})"
        )
    if depth.reached and depth.load:
        low, high = depth.reached
        how = "the model's tokenizer" if depth.counted == "tokenizer" else "four characters a token"
        yield f"{low if low == high else f'{low} to {high}'} tokens reached, by {how}"


def share(of: Share) -> str:
    """`2/10 (95%: 5.7% to 51.0%)`."""
    return f"{fraction(of.trials, of.of)} (95%: {interval(of.interval)})"


def as_json(group: Group) -> dict[str, Any]:
    """Give the content of group.json, in plain types only."""
    named = [(one.folder.id, one.manifest.policy, one.manifest.context_load) for one in group.campaigns]
    return {
        "schema": 1,  # raised when a field changes its meaning or goes away
        "group": group.id,
        "model": group.model,
        "campaigns": [dict(zip(("campaign", "policy", "context_load"), values, strict=True)) for values in named],
        "steps": [asdict(step) for step in group.steps],
        "depths": [asdict(depth) for depth in group.depths],
    }
