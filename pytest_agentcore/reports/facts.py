"""What was run, as labelled lines, each with the place in the manifest that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.reports.layout import joined
from pytest_agentcore.reports.numbers import count, duration
from pytest_agentcore.reports.report import Fact
from pytest_agentcore.reports.sources import MANIFEST

DIGEST_SHOWN = 12


def facts(campaign: Campaign) -> Iterator[Fact]:
    """Suite, model, policy, sampling, plan, sandbox, machine, times."""
    manifest = campaign.manifest
    suite, backend, machine = manifest.suite, manifest.backend, manifest.machine
    yield _fact("campaign", manifest.campaign, "campaign")
    yield _fact("suite", joined([suite.title, f"digest {suite.digest[:DIGEST_SHOWN]}"]), "suite")
    yield _fact("model", joined([manifest.model, *_named(backend, "file", "quant", "architecture")]), "backend")
    yield _fact("context", _context(backend), "backend")
    yield _fact("device", str(backend.get("device") or "none"), "backend")
    dialect = backend.get("dialect")
    yield _fact("policy", joined([manifest.policy, f"dialect {dialect}" if dialect else ""]), "policy")
    if manifest.context_load:
        yield _fact("context load", f"{manifest.context_load} tokens of earlier conversation", "context_load")
    if manifest.group:
        yield _fact("group", f"{manifest.group}: compared with its other campaigns in ../{manifest.group}/", "group")
    if manifest.preflight:
        yield _fact("preflight", str(manifest.preflight["verdict"]), "preflight")
    yield _fact("sampling", joined(f"{key} {value:g}" for key, value in manifest.sampling.items()), "sampling")
    runs, tasks = count(manifest.runs, "run"), count(len(manifest.tasks), "task")
    plan = [f"{tasks}, {runs}: {count(len(manifest.planned), 'trial')}", manifest.order, f"seed {manifest.seed}"]
    yield _fact("plan", joined(plan), "planned")
    yield _fact("budget", _budget(manifest.budget), "budget")
    yield _fact("sandbox", joined(_named(manifest.sandbox, "name", "version")), "sandbox")
    yield _fact("machine", joined(_machine(machine)), "machine")
    yield from _circumstances(manifest)
    yield _fact("harness", f"pytest-agentcore {manifest.harness}", "harness")
    yield _fact("started", manifest.started, "started")
    yield _fact("finished", manifest.finished or "not yet, or it was killed", "finished")


def _circumstances(manifest: Manifest) -> Iterator[Fact]:
    """What most campaigns have nothing to say about."""
    if manifest.parallel > 1:
        yield _fact("parallel", f"{manifest.parallel} trials at a time", "parallel")
    if manifest.resumed:
        yield _fact("resumed", count(len(manifest.resumed), "time"), "resumed")
    if manifest.rechecked:
        yield _fact("rechecked", _rechecked(manifest), "rechecked")
    if manifest.merged:
        yield _fact("merged", f"of {count(len(manifest.merged), 'campaign')}", "merged")


def _rechecked(manifest: Manifest) -> str:
    last = manifest.rechecked[-1]
    suite = (
        "the same suite" if last.suite == manifest.suite.digest else f"a suite of digest {last.suite[:DIGEST_SHOWN]}"
    )
    times = count(len(manifest.rechecked), "time")
    return f"{times}, last by {suite}: {last.up} up, {last.down} down, {last.otherwise} judged otherwise"


def _fact(label: str, text: str, key: str) -> Fact:
    return Fact(label=label, text=text, file=f"{MANIFEST}#{key}")


def _named(described: Mapping[str, Any], *keys: str) -> list[str]:
    return [str(described[key]) for key in keys if described.get(key)]


def _context(backend: Mapping[str, Any]) -> str:
    return f"{backend['context']} tokens" if backend.get("context") else "not known"


def _budget(budget: Mapping[str, float]) -> str:
    return joined(
        [
            count(round(budget["turns"]), "turn"),
            f"{round(budget['reply_tokens'])} tokens a reply",
            f"{duration(budget['seconds'])} a trial",
        ]
    )


def _machine(machine: Mapping[str, Any]) -> list[str]:
    memory = machine.get("memory_bytes")
    return [
        *_named(machine, "system", "release", "architecture", "processor"),
        count(int(machine.get("processors") or 0), "processor"),
        *([f"{memory / 2**30:.0f} GiB"] if memory else []),
        f"Python {machine.get('python')}",
    ]
