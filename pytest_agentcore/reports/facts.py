"""States how a campaign was run, and what casts doubt on its numbers, for headers and reports alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from pytest_agentcore.analysis.compare import DIGEST_SHOWN
from pytest_agentcore.analysis.rank import AGENTS
from pytest_agentcore.format import count, duration, fraction, joined, percent, score, thousands
from pytest_agentcore.pack.identity import name_machine
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.trial.result import TrialResult

MANIFEST = "manifest.json"
TRIALS = "verification/trials.csv"
LISTED = 10
"""Trials that are named in a sentence, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A sentence of the tool's own, with the file that bears it out. Renderers escape it."""

    text: str
    file: str
    """Of the pack, with `#key` where the file is JSON."""
    label: str = ""
    """What the sentence is about, where it is shown in a list of facts or on a terminal."""


def facts(manifest: Manifest) -> Iterator[Statement]:
    """Say what was run, on what and how, in the order in which a report shows it."""
    suite, backend = manifest.suite, manifest.backend
    dialect, python = backend.get("dialect"), manifest.sandbox.get("python")
    yield _stated("campaign", manifest.campaign, "campaign")
    yield _stated("suite", joined([suite.title, f"digest {suite.digest[:DIGEST_SHOWN]}"]), "suite")
    yield _stated("audit", _audited(manifest), "audit")
    yield _stated("model", joined([manifest.model, *named(backend, "file", "quant", "architecture")]), "backend")
    yield _stated("context", f"{backend['context']} tokens" if backend.get("context") else "not known", "backend")
    yield _stated("device", str(backend.get("device") or "none"), "backend")
    yield _stated("policy", joined([manifest.policy, f"dialect {dialect}" if dialect else ""]), "policy")
    if manifest.context_load:
        yield _stated("context load", f"{manifest.context_load} tokens of earlier conversation", "context_load")
    if manifest.group:
        yield _stated("group", f"{manifest.group}: compared with its other campaigns in ../{manifest.group}/", "group")
    if manifest.preflight:
        yield _stated("preflight", str(manifest.preflight["verdict"]), "preflight")
    yield _stated("sampling", joined(f"{key} {value:g}" for key, value in manifest.sampling.items()), "sampling")
    runs, tasks = count(manifest.runs, "run"), count(len(manifest.tasks), "task")
    # under xdist the plan is known only once the workers have collected
    trials = f"{tasks}, {runs}: {count(len(manifest.planned), 'trial')}" if manifest.planned else f"{runs} of each task"
    yield _stated(
        "plan",
        joined([trials, f"shard {manifest.shard}" if manifest.shard else "", manifest.order, f"seed {manifest.seed}"]),
        "planned",
    )
    budget = manifest.budget
    reply, whole = f"{round(budget['reply_tokens'])} tokens a reply", f"{duration(budget['seconds'])} a trial"
    yield _stated("budget", joined([count(round(budget["turns"]), "turn"), reply, whole]), "budget")
    sandbox = named(manifest.sandbox, "name", "version")
    yield _stated("sandbox", joined([*sandbox, f"python {python}" if python else ""]), "sandbox")
    machine, memory = manifest.machine, manifest.machine.get("memory_bytes")
    system = named(machine, "system", "release", "architecture", "processor")
    system += [count(int(machine.get("processors") or 0), "processor"), f"{memory / 2**30:.0f} GiB" if memory else ""]
    yield _stated("machine", joined([*system, f"Python {machine.get('python')}"]), "machine")
    yield from _workers(manifest)
    if manifest.rows:
        together = count(manifest.rows, "conversation") + " decoded together"
        why = f"({manifest.rows_reason})" if manifest.rows_reason else ""
        yield _stated("rows", joined([f"{together} {why}".strip(), *named(backend, "batching")]), "rows")
    if manifest.parallel > 1:
        yield _stated("parallel", f"{manifest.parallel} trials at a time", "parallel")
    if manifest.resumed:
        yield _stated("resumed", count(len(manifest.resumed), "time"), "resumed")
    if manifest.rechecked:
        last, times = manifest.rechecked[-1], count(len(manifest.rechecked), "time")
        by = "the same suite" if last.suite == suite.digest else f"a suite of digest {last.suite[:DIGEST_SHOWN]}"
        text = f"{times}, last by {by}: {last.up} up, {last.down} down, {last.otherwise} judged otherwise"
        yield _stated("rechecked", text, "rechecked")
    if manifest.merged:
        yield _stated("merged", f"of {count(len(manifest.merged), 'campaign')}", "merged")
    yield from counts(manifest)
    yield _stated("harness", f"pytest-agentcore {manifest.harness}", "harness")
    yield _stated("started", manifest.started, "started")
    yield _stated("finished", manifest.finished or "not yet, or it was killed", "finished")


def _workers(manifest: Manifest) -> Iterator[Statement]:
    """Say on which machines trials ran elsewhere, and what each worker did."""
    for one in manifest.workers:
        batching = one.get("batching", "") if len(manifest.workers) > 1 else ""
        yield _stated("workers", joined([f"{one['workers']} on {name_machine(one)}", batching]), "workers")
        for each in one.get("each", ()):
            if each["trials"]:
                yield _stated("worker", _did(each), "workers")


def _did(worker: Mapping[str, Any]) -> str:
    """Say what a worker did of a campaign."""
    tokens, seconds = worker["reply_tokens"], worker["seconds"]
    speed = f"{tokens / seconds:.3g} tokens a second" if tokens and seconds else ""
    said = [f"{label} {text}" for label, text in _counted(worker["counts"])]
    return joined([f"{worker['worker']}: {count(worker['trials'], 'trial')}", speed, *said])


def counts(manifest: Manifest) -> Iterator[Statement]:
    """Say what a model had to evaluate, here or on all workers, and what came of drafts."""
    for label, text in _counted(manifest.backend.get("counts") or {}):
        yield _stated(label, text, "backend")


def _counted(counted: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if distinct := counted.get("prompt_tokens_distinct"):
        evaluated = counted["prompt_tokens_evaluated"]
        text = f"{thousands(evaluated)} tokens evaluated for {thousands(distinct)} distinct ones"
        yield "prompts", f"{text} ({percent(evaluated / distinct)})"
    if drafted := counted.get("drafted"):
        yield "drafts", f"{score(counted['accepted'], drafted)} tokens taken as drafted"


def overlapping(results: Sequence[TrialResult]) -> list[TrialResult]:
    """The trials during which another one may have run, as far as whole seconds tell, in the order of their begin."""
    begun = sorted(results, key=lambda result: result.started)
    begins = [datetime.fromisoformat(result.started).timestamp() for result in begun]
    found, latest = [], 0.0  # when the last of those before was over
    for begin, after, result in zip(begins, [*begins[1:], inf], begun, strict=True):
        end = begin + 1 + result.seconds
        if begin < latest or after < end:
            found.append(result)
        latest = max(latest, end)
    return found


def _stated(label: str, text: str, key: str) -> Statement:
    return Statement(label=label, text=text, file=f"{MANIFEST}#{key}")


def _audited(manifest: Manifest) -> str:
    """Say what came of the attacks on the suite, if anybody attacked it as it is."""
    audit = manifest.audit
    if audit is None:
        return "not audited"
    outcome = f"{audit['passed']} of {count(audit['attacks'], 'attack')} passed"
    voided = f"{audit['voided']} left no verdict" if audit["voided"] else ""
    return joined([outcome, voided, f"attackers {audit['attackers'][:DIGEST_SHOWN]}", f"sandbox {audit['sandbox']}"])


def named(described: Mapping[str, Any], *keys: str) -> list[str]:
    """Give the values of those keys that are there."""
    return [str(described[key]) for key in keys if described.get(key)]


def cautions(campaign: Campaign) -> Iterator[Statement]:
    """Say what of the results makes a reader doubt them: the clock ended trials, or no call was ever made."""
    manifest, effort = campaign.manifest, campaign.figures.overall.effort
    if effort.timed_out:
        text = (
            f"{count(effort.timed_out, 'trial')} ended by time_limit, which depends on the machine: on a faster one "
            "the same replies could have passed."
        )
        yield Statement(label="CAUTION", text=text, file=TRIALS)
    scored = [result for result in campaign.results if result.scored]
    if scored and manifest.model not in AGENTS and not any(result.tool_calls for result in scored):
        begun = count(effort.problems, "call")
        seen = f"{begun} could not be read or run" if effort.problems else "none was even begun"
        text = (
            f"not one trial of {manifest.model} made a tool call that could be run ({seen}). Suspect the harness "
            f"before the model: chat template, dialect or policy (now {manifest.policy}) may not fit it."
        )
        yield Statement(label="SUSPECT", text=text, file=TRIALS)


def warnings(campaign: Campaign) -> Iterator[Statement]:
    """Say what casts doubt on the numbers: what the manifest warns of, and what the results show."""
    manifest, overall = campaign.manifest, campaign.figures.overall
    yield from (_stated("CAUTION", text, "warnings") for text in manifest.warnings)
    if manifest.finished is None:
        yield _stated("CAUTION", "the campaign has no end: it is still running, or its process was killed", "finished")
    if manifest.rechecked:
        changed = count(sum(one.up + one.down + one.otherwise for one in manifest.rechecked), "verdict")
        by = "after the trials"
        if manifest.judged_by != manifest.suite.digest:
            digests = f"{manifest.judged_by[:DIGEST_SHOWN]} instead of {manifest.suite.digest[:DIGEST_SHOWN]}"
            by = f"by the checkers of another suite than the trials were run with (digest {digests})"
        yield _stated("CAUTION", f"verdicts were given anew {by}: {changed} changed", "rechecked")
    if manifest.selection:
        text = "its trials were picked by how they had ended: these rates mean nothing and are compared with nothing"
        yield _stated("CAUTION", text, "selection")
    if manifest.preflight and not manifest.preflight["passed"]:
        text = f"the preflight failed and the campaign was run anyway: {manifest.preflight['verdict']}"
        yield _stated("CAUTION", text, "preflight")
    if manifest.parallel > 1:
        text = f"up to {manifest.parallel} trials ran at the same time: seconds also depend on the load"
        yield _stated("CAUTION", text, "parallel")
    is_unproven = manifest.parallel > 1 and "not on this build" in str(manifest.backend.get("batching"))
    if met := overlapping(campaign.results) if is_unproven else []:
        those = ", ".join(f"{result.task}:{result.run}" for result in met[:LISTED]) + ", …" * (len(met) > LISTED)
        text = (
            f"on this build a row's logits depend on the others: {fraction(len(met), len(campaign.results))} trials "
            f"overlapped and cannot be repeated bit by bit: {those}"
        )
        yield _stated("CAUTION", text, "backend")
    yield from cautions(campaign)
    scored, distinct = overall.rates.scored, overall.distinct.n
    if distinct < scored and manifest.model not in AGENTS:
        text = f"{scored} scored trials are {distinct} distinct ones: the others repeat an earlier run word for word"
        yield Statement(label="CAUTION", text=text, file="verification/pass_rate_by_task.csv")
