"""Writes what the terminal shows before, during and after a campaign: pure functions from values to lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_agentcore.format import (
    Line,
    average,
    count,
    duration,
    estimate,
    fraction,
    interval,
    joined,
    labelled_lines,
    latency,
    overlapping,
    percent,
    table,
)
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import Turn
from pytest_agentcore.reports.facts import cautions, counts, facts, named
from pytest_agentcore.reports.tables import failure_notes
from pytest_agentcore.stats.counting import NOT_RUN, by_task, mean
from pytest_agentcore.trial.modes import FailureMode, StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult
from pytest_agentcore.untrusted import clip, clip_middle


def header_lines(manifest: Manifest, folder: Path, width: int = 80, why: str = "") -> list[str]:
    """Say what is about to run, on what and how, and where it is written; warnings last.

    Args:
        manifest: as written at the start.
        folder: the campaign's folder as the user may type it.
        width: columns; only single words such as paths may be wider.
        why: what is continued, or why nothing is; empty when there is nothing to say.
    """
    known = {fact.label: fact.text for fact in facts(manifest)}
    file, context = named(manifest.backend, "file", "quant"), manifest.backend.get("context")
    load = f"context load {manifest.context_load} tokens" if manifest.context_load else ""
    lines = {
        "agentcore": manifest.harness,
        "suite": known["suite"],
        "model": joined([manifest.model, *file, f"context {context}" if context else ""]),
        "device": known["device"],
        "workers": joined(fact.text for fact in facts(manifest) if fact.label == "workers"),
        "policy": joined([known["policy"], load]),
        "rows": known.get("rows", ""),
        "preflight": known.get("preflight", ""),
        "sandbox": known["sandbox"],
        "plan": joined([known["plan"], known["budget"]]),
        "campaign": why,
        "results": str(folder),
    }
    shown = [line for line in lines.items() if line[1]]
    return labelled_lines([*shown, *(("WARNING", warning) for warning in manifest.warnings)], width)


def summary_title(manifest: Manifest) -> str:
    """Name model, policy and sandbox, for the rule above the summary."""
    return joined([manifest.model, f"policy {manifest.policy}", f"sandbox {manifest.sandbox.get('name', '')}"])


def summary_lines(campaign: Campaign, folder: Path, width: int = 80, *, doubts: bool = True) -> list[str]:
    """Say how a campaign ended: a table per task, rates, failures by mode and cause, doubts, where the files are.

    Args:
        campaign: complete or not.
        folder: the campaign's folder as the user may type it.
        width: columns.
        doubts: False where they are shown elsewhere.
    """
    figures, rates = campaign.figures, campaign.figures.overall.rates
    raw = f"{fraction(rates.passed, rates.planned)}  {percent(rates.raw)} of the planned trials passed"
    effective = f"undefined: none of {count(rates.planned, 'planned trial')} was scored"
    if rates.scored:
        shown = f"{fraction(rates.passed, rates.scored)}  {percent(rates.effective)}"
        effective = f"{shown} of the scored trials passed ({fraction(rates.scored, rates.planned)} scored)"
    same, others = (interval(each) if each else "undefined" for each in (figures.same_tasks, figures.other_tasks))
    # the three headline modes always; interrupted and not run when there are any
    modes = [f"{figures.outcomes[mode]} {mode.value}" for mode in FailureMode]
    unended = (StopReason.interrupted.value, NOT_RUN)
    modes += [f"{figures.outcomes[name]} {name}" for name in unended if figures.outcomes[name]]
    lines: list[Line] = [
        ("raw", raw),
        ("effective", effective),
        ("95%", f"{same} for the same tasks again"),
        ("", f"{others} for other tasks like these"),
        ("distinct", f"{count(rates.scored, 'scored trial')}, {figures.overall.distinct.n} distinct"),
        ("failures", joined(modes)),
        *((stated.label, stated.text) for stated in counts(campaign.manifest)),
    ]
    if figures.causes:
        lines.append(("causes", joined(f"{n} {cause}" for (_, cause), n in figures.causes.items())))
    if doubts:
        lines += [(caution.label, caution.text) for caution in cautions(campaign)]
    inside = "manifest.json, data/ (results, transcripts, workspaces), verification/ (CSV)"
    lines += [("files", str(folder)), ("", inside)]
    # means over the scored trials, or over all that were recorded where none was scored
    manifest, grouped, notes = campaign.manifest, by_task(campaign.results, campaign.manifest.tasks), ["notes"]
    rows = [[f"task (policy {manifest.policy})", "passed", overlapping("latency", manifest.parallel), "calls", "turns"]]
    for task in figures.groups:
        effort, is_all = task.effort, task is figures.overall
        means = [latency(effort.seconds.mean), average(effort.tool_calls.mean), average(effort.turns.mean)]
        rows.append(["all" if is_all else task.task, fraction(task.rates.passed, task.rates.planned), *means])
        notes.append("" if is_all else failure_notes(grouped[task.task], task.rates.planned))
    return [*table(rows, notes, width), "", *labelled_lines(lines, width)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of a run that the live line shows."""

    current: TrialKey | None
    """None between trials."""
    turn: int
    """0 before the first request."""
    runs: int
    """Of each task."""
    done: int
    planned: int
    elapsed: float
    """Seconds since the first trial began."""
    remaining: float | None
    """Seconds, None when nothing is known yet."""
    tokens: int = 0
    """Of the reply that is being written."""
    crew: str = ""
    """How many workers run trials elsewhere, in words."""
    crew_done: str = ""
    """What they have done, in words."""
    speed: float = 0.0
    """Tokens a second, of all trials that are at work together."""


def progress_line(progress: Progress, width: int = 80) -> str:
    """`task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left`, never wider than `width`.

    Below 80 columns the trial's name gives way first, then how many are done, then the words.
    """
    done, took = f"{fraction(progress.done, progress.planned)} done", duration(progress.elapsed)
    left = "" if progress.remaining is None else f"{estimate(progress.remaining)} left"
    times, brief = (
        " · ".join(filter(None, [progress.crew, f"{took} elapsed", left])),
        " ".join(filter(None, [took, left])),
    )
    lines = [f"{done} · {times}", f"{done} {brief}", brief]
    if progress.current:
        run = fraction(progress.current.run, progress.runs)
        turn, t = (f" · turn {progress.turn}", f" t{progress.turn}") if progress.turn else ("", "")
        tails = []
        if progress.tokens:
            heard = f"{count(progress.tokens, 'token')}, {progress.speed:.3g} a second"
            tails.append(f" run {run}{turn} · {heard} · {done} · {times}")
            tails.append(f" run {run}{turn} · {progress.tokens} tok {progress.speed:.3g}/s · {done} · {brief}")
        if progress.crew_done:
            more = f"{progress.crew} ({progress.crew_done})"
            tails.append(f" run {run}{turn} · {done} · {joined([more, *times.split(' · ')[1:]])}")
        tails += [f" run {run}{turn} · {done} · {times}", f" run {run}{turn} · {times}", f" r{run}{t} {brief}"]
        # a name is cut to a dozen columns at least: `task_05_min…`
        lines = [clip(progress.current.task, max(12, width - len(tail))) + tail for tail in tails]
        lines.append(f"{t} {brief}".strip())
    return next((line for line in lines if len(line) <= width), clip(lines[-1], width))


def remaining_seconds(finished: Sequence[float], left: int, current: float = 0.0, at_once: int = 1) -> float | None:
    """Mean seconds of the finished trials times those left, less what the current one has had already.

    Args:
        finished: seconds of every finished trial; with none the answer is None.
        left: trials not yet finished, the current ones included.
        current: seconds that the current trial has been running.
        at_once: how many trials run at the same time.
    """
    typical = mean(finished)
    return None if typical is None else max(0.0, typical * left - min(current, typical)) / at_once


TEXT_LINES = 8
"""Of a reply or a tool result."""


def verdict_lines(result: TrialResult) -> list[str]:
    """Write outcome, cause and what ended the trial, two lines."""
    spent = [count(result.turns, "turn"), count(result.tool_calls, "tool call"), latency(result.seconds)]
    return [
        joined([result.outcome, f"cause {result.cause}" if result.cause else "", f"policy {result.policy}"]),
        joined([f"ended by {result.stop_reason}", *spent, f"seed {result.seed}"]),
    ]


def turn_lines(turns: Iterable[Turn], width: int = 80) -> list[str]:
    """Write each turn: the model's words and calls, and the results that it read."""
    lines: list[str] = []
    for turn in turns:
        reply, ran = turn.reply, {result["index"]: result for result in turn.results}
        lines.append(f"turn {turn.number}")
        said = str(reply["content"])
        if not said.strip() and not reply["tool_calls"]:  # without content and calls, what the model wrote at all
            said = str(reply["text"])
        if said := said.strip("\n"):
            lines += _block("says", said)
        elif not reply["tool_calls"]:
            lines.append("  says    (nothing)")
        for index, call in enumerate(reply["tool_calls"]):
            lines.append(f"  calls   {call['name']} {json.dumps(call['arguments'], ensure_ascii=False)}")
            if index in ran:
                lines += _block(ran[index]["outcome"], ran[index]["text"])
        for text in turn.feedback:
            lines += _block("told", text)
    return [clip(line, width) for line in lines]


def brief_turn_lines(turns: Iterable[Turn], width: int) -> list[str]:
    """Write two lines at most for each turn: its words or last call, and what the model read of that."""
    lines: list[str] = []
    for turn in turns:
        reply, calls = turn.reply, turn.reply["tool_calls"]
        said = " ".join(str(reply["content"]).split()) or " ".join(str(reply["text"]).split())
        did = f"says {said or '(nothing)'}"
        if calls:
            before = f"{len(calls)} calls, the last " if len(calls) > 1 else "calls "
            did = f"{before}{calls[-1]['name']} {json.dumps(calls[-1]['arguments'], ensure_ascii=False)}"
        lines.append(f"turn {turn.number} {did}")
        read = [f"{result['outcome']}  {result['text']}" for result in turn.results[-1:]] or [
            f"told  {text}" for text in turn.feedback[-1:]
        ]
        lines += ["       " + " ".join(text.split()) for text in read]
    return [clip(line, width) for line in lines]


def _block(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(clip_middle(text.rstrip("\n"), TEXT_LINES)):
        yield f"  {label if number == 0 else '':<7} {line}"
