"""What the terminal shows before and after a campaign: pure functions from values to lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_agentcore.format import (
    average,
    count,
    duration,
    estimate,
    fraction,
    interval,
    joined,
    labelled,
    latency,
    overlapping,
    percent,
    table,
)
from pytest_agentcore.pack.figures import figures_of
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.transcript import Turn
from pytest_agentcore.stats import (
    NOT_RUN,
    Rates,
    basis,
    by_task,
    cause_counts,
    distinct,
    made_no_call,
    mean,
    outcome_counts,
)
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import TrialKey, TrialResult
from pytest_agentcore.untrusted import clip, clip_middle

DIGEST_SHOWN = 12
"""Characters of a sha256 that are shown; the manifest has all."""

NULL = "null"
"""The agent that does nothing: its silence is no suspicion."""


def header_lines(manifest: Manifest, folder: Path, width: int = 80, why: str = "") -> list[str]:
    """What is about to run, on what and how, and where it is written; warnings last.

    Args:
        manifest: as written at the start.
        folder: the campaign's folder as the user may type it.
        width: columns; only single words such as paths may be wider.
        why: what is continued, or why nothing is; empty when there is nothing to say.
    """
    suite = manifest.suite
    lines = [
        *labelled("agentcore", manifest.harness, width),
        *labelled("suite", joined([suite.title, f"digest {suite.digest[:DIGEST_SHOWN]}"]), width),
        *labelled("model", joined([manifest.model, *_backend(manifest.backend)]), width),
        *labelled("device", str(manifest.backend.get("device") or "none"), width),
        *labelled("policy", _policy(manifest), width),
        *_preflight(manifest, width),
        *labelled("sandbox", _sandbox(manifest.sandbox), width),
        *labelled("plan", _plan(manifest), width),
        *(labelled("campaign", why, width) if why else ()),
        *labelled("results", str(folder), width),
    ]
    return lines + [line for warning in manifest.warnings for line in labelled("WARNING", warning, width)]


def summary_title(manifest: Manifest) -> str:
    """For the rule above the summary: model, policy and sandbox."""
    return joined([manifest.model, f"policy {manifest.policy}", f"sandbox {manifest.sandbox.get('name', '')}"])


def summary_lines(
    manifest: Manifest, results: Sequence[TrialResult], folder: Path, width: int = 80, *, cautions: bool = True
) -> list[str]:
    """How a campaign ended: a table per task, rates, failures by mode and cause, cautions, where the files are."""
    rates = Rates.of(results, len(manifest.planned))
    return [
        *_task_table(manifest, results, width),
        "",
        *labelled("raw", f"{_rate(rates.passed, rates.planned, rates.raw)} of the planned trials passed", width),
        *labelled("effective", _effective(rates), width),
        *_intervals(manifest, results, width),
        *labelled("distinct", f"{count(rates.scored, 'scored trial')}, {distinct(results)} distinct", width),
        *labelled("failures", _modes(results, len(manifest.planned)), width),
        *_causes(results, width),
        *(_cautions(manifest, results, width) if cautions else []),
        *labelled("files", str(folder), width),
        *labelled("", "manifest.json, data/ (results, transcripts, workspaces), verification/ (CSV)", width),
    ]


def _backend(described: Mapping[str, object]) -> Iterable[str]:
    """File, quant, context: those that the backend knows."""
    context = described.get("context")
    named = (described.get("file"), described.get("quant"), f"context {context}" if context else "")
    return (str(value) for value in named if value)


def _policy(manifest: Manifest) -> str:
    dialect = manifest.backend.get("dialect")
    load = f"context load {manifest.context_load} tokens" if manifest.context_load else ""
    return joined([manifest.policy, f"dialect {dialect}" if dialect else "", load])


def _preflight(manifest: Manifest, width: int) -> list[str]:
    return labelled("preflight", str(manifest.preflight["verdict"]), width) if manifest.preflight else []


def _sandbox(described: Mapping[str, object]) -> str:
    python = described.get("python")
    return joined([described.get("name", ""), described.get("version") or "", f"python {python}" if python else ""])


def _plan(manifest: Manifest) -> str:
    """Under xdist the plan is known only once the workers have collected."""
    runs = count(manifest.runs, "run")
    tasks, trials = count(len(manifest.tasks), "task"), count(len(manifest.planned), "trial")
    budget = manifest.budget
    return joined(
        [
            f"{tasks}, {runs}: {trials}" if manifest.planned else f"{runs} of each task",
            manifest.order,
            f"seed {manifest.seed}",
            count(round(budget["turns"]), "turn"),
            f"{round(budget['reply_tokens'])} tokens a reply",
            f"{duration(budget['seconds'])} a trial",
        ]
    )


def _task_table(manifest: Manifest, results: Sequence[TrialResult], width: int) -> list[str]:
    per_task = by_task(results, manifest.tasks)
    rows = [[f"task (policy {manifest.policy})", "passed", overlapping("latency", manifest.parallel), "calls", "turns"]]
    rows += [_task_row(task, manifest.tasks.get(task, 0), found) for task, found in per_task.items()]
    rows.append(_task_row("all", len(manifest.planned), list(results)))
    notes = ["notes", *(_notes(found, manifest.tasks.get(task, 0)) for task, found in per_task.items()), ""]
    return table(rows, notes, width)


def _task_row(name: str, planned: int, results: Sequence[TrialResult]) -> list[str]:
    """Means are over the scored trials, or over all that were recorded where none was scored."""
    _, counted = basis(results)
    return [
        name,
        fraction(sum(result.passed is True for result in results), planned),
        latency(mean([result.seconds for result in counted])),
        average(mean([result.tool_calls for result in counted])),
        average(mean([result.turns for result in counted])),
    ]


def _notes(results: Sequence[TrialResult], planned: int) -> str:
    """Which runs did not pass, by what they died of."""
    runs: dict[str, list[int]] = {}
    for result in results:
        if not result.passed:
            runs.setdefault(_why(result), []).append(result.run)
    notes = [f"run {', '.join(map(str, found))}: {why}" for why, found in runs.items()]
    if planned > len(results):
        notes.append(f"{planned - len(results)} not run")
    return "; ".join(notes)


def _why(result: TrialResult) -> str:
    """The cause; a budget also says which."""
    cause = result.cause or result.outcome
    return f"{cause} ({result.stop_reason})" if cause is Cause.budget_exhausted else str(cause)


def _rate(passed: int, of: int, rate: float | None) -> str:
    return f"{fraction(passed, of)}  {percent(rate)}"


def _effective(rates: Rates) -> str:
    if not rates.scored:
        return f"undefined: none of {count(rates.planned, 'planned trial')} was scored"
    shown = _rate(rates.passed, rates.scored, rates.effective)
    return f"{shown} of the scored trials passed ({fraction(rates.scored, rates.planned)} scored)"


def _intervals(manifest: Manifest, results: Sequence[TrialResult], width: int) -> list[str]:
    """Of the effective rate, each named by its question."""
    found = figures_of(manifest, results)
    same, others = (interval(each) if each else "undefined" for each in (found.same_tasks, found.other_tasks))
    return [
        *labelled("95%", f"{same} for the same tasks again", width),
        *labelled("", f"{others} for other tasks like these", width),
    ]


def _modes(results: Sequence[TrialResult], planned: int) -> str:
    """The three headline modes always; interrupted and not run when there are any."""
    counts = outcome_counts(results, planned)
    modes = [f"{counts[mode]} {mode.value}" for mode in FailureMode]
    others = [f"{counts[name]} {name}" for name in (StopReason.interrupted.value, NOT_RUN) if counts[name]]
    return joined(modes + others)


def _causes(results: Sequence[TrialResult], width: int) -> list[str]:
    counts = cause_counts(results)
    return labelled("causes", joined(f"{n} {cause}" for (_, cause), n in counts.items()), width) if counts else []


def _cautions(manifest: Manifest, results: Sequence[TrialResult], width: int) -> list[str]:
    lines: list[str] = []
    timed_out = sum(result.stop_reason is StopReason.time_limit for result in results)
    if timed_out:
        text = (
            f"{count(timed_out, 'trial')} ended by time_limit, which depends on the machine: on a faster one "
            "the same replies could have passed."
        )
        lines += labelled("CAUTION", text, width)
    if made_no_call(results) and manifest.model != NULL:
        lines += labelled("SUSPECT", _suspicion(manifest, results), width)
    return lines


def _suspicion(manifest: Manifest, results: Sequence[TrialResult]) -> str:
    problems = sum(result.problems for result in results)
    seen = f"{count(problems, 'call')} could not be read or run" if problems else "none was even begun"
    return (
        f"not one trial of {manifest.model} made a tool call that could be run ({seen}). Suspect the harness before "
        f"the model: chat template, dialect or policy (now {manifest.policy}) may not fit it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is."""

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


def progress_line(progress: Progress, width: int = 80) -> str:
    """`task_05_minimal_fix run 2/3 · turn 4 · 12/30 done · 3m12s elapsed · ~6m left`, never wider than `width`.

    Below 80 columns the trial's name gives way first, then how many are done, then the words.
    """
    lines = _spellings(progress, width)
    return next((line for line in lines if len(line) <= width), clip(lines[-1], width))


_NAME = 12
"""What is left of a trial's name at least, if the line has one: `task_05_min…`."""


def _spellings(progress: Progress, width: int) -> list[str]:
    """The same, from long to short; only the name, which is cut, depends on the width."""
    done, took = f"{fraction(progress.done, progress.planned)} done", duration(progress.elapsed)
    left = "" if progress.remaining is None else f"{estimate(progress.remaining)} left"
    long, short = filter(None, [f"{took} elapsed", left]), filter(None, [took, left])
    times, brief = " · ".join(long), " ".join(short)
    if progress.current is None:
        return [f"{done} · {times}", f"{done} {brief}", brief]
    run = fraction(progress.current.run, progress.runs)
    turn, t = (f" · turn {progress.turn}", f" t{progress.turn}") if progress.turn else ("", "")
    tails = [f" run {run}{turn} · {done} · {times}", f" run {run}{turn} · {times}", f" r{run}{t} {brief}"]
    named = [clip(progress.current.task, max(_NAME, width - len(tail))) + tail for tail in tails]
    return [*named, f"{t} {brief}".strip()]


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
    """Outcome, cause and what ended the trial, two lines."""
    spent = [count(result.turns, "turn"), count(result.tool_calls, "tool call"), latency(result.seconds)]
    return [
        joined([result.outcome, f"cause {result.cause}" if result.cause else "", f"policy {result.policy}"]),
        joined([f"ended by {result.stop_reason}", *spent, f"seed {result.seed}"]),
    ]


def turn_lines(turns: Iterable[Turn], width: int = 80) -> list[str]:
    """Each turn: what the model said and called, what it read in return."""
    return [clip(line, width) for turn in turns for line in _turn(turn)]


def _turn(turn: Turn) -> Iterator[str]:
    reply = turn.reply
    yield f"turn {turn.number}"
    said = _said(reply)
    if said:
        yield from _block("says", said)
    elif not reply["tool_calls"]:
        yield "  says    (nothing)"
    ran = {result["index"]: result for result in turn.results}
    for index, call in enumerate(reply["tool_calls"]):
        yield f"  calls   {call['name']} {json.dumps(call['arguments'], ensure_ascii=False)}"
        if index in ran:
            yield from _block(ran[index]["outcome"], ran[index]["text"])
    for text in turn.feedback:
        yield from _block("told", text)


def _said(reply: Event) -> str:
    """The content; without content and calls, what the model wrote at all."""
    content = str(reply["content"])
    if content.strip() or reply["tool_calls"]:
        return content.strip("\n")
    return str(reply["text"]).strip("\n")


def _block(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(clip_middle(text.rstrip("\n"), TEXT_LINES)):
        yield f"  {label if number == 0 else '':<7} {line}"
