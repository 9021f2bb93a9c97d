"""What is not the same in two campaigns besides how their trials ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.campaign.transcript import read_transcript
from pytest_agentcore.errors import UsageError
from pytest_agentcore.reports.layout import joined
from pytest_agentcore.trial import TrialResult

_SHOWN = 12
"""Characters of a digest."""
LOOKED_AT = 10
"""Transcripts that are read to see whether a model thinks: one of each of that many tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that both campaigns have and that is not the same in both."""

    name: str
    first: str
    second: str


def conditions(first: Campaign, second: Campaign) -> Iterator[Condition]:
    """What differs, in a fixed order. System prompt and tools are named, not quoted."""
    mine, yours = dict(_conditions(first)), dict(_conditions(second))
    for name in dict.fromkeys([*mine, *yours]):
        one, two = mine.get(name, "-"), yours.get(name, "-")
        if one != two:
            yield Condition(name=name, first=one, second=two)
    if first.manifest.suite.system_prompt != second.manifest.suite.system_prompt:
        yield Condition(name="system prompt", first="one", second="another")
    yield from _tools(first.manifest, second.manifest)


def _conditions(campaign: Campaign) -> Iterator[tuple[str, str]]:
    manifest, backend = campaign.manifest, campaign.manifest.backend
    yield "model", manifest.model
    yield "file", _known(backend, "file")
    yield "model's content", _content(manifest)[:_SHOWN]
    yield "quant", _known(backend, "quant")
    yield "policy", manifest.policy
    yield from ((f"sampling {name}", f"{value:g}") for name, value in manifest.sampling.items())
    yield "n_ctx", _known(backend, "context")
    yield "reply ceiling", f"{manifest.budget.get('reply_tokens', 0):g} tokens"
    yield "turns", f"{manifest.budget.get('turns', 0):g}"
    yield "trial timeout", f"{manifest.budget.get('seconds', 0):g} s"
    yield "thinking", _thinking(campaign)
    yield "context load", f"{manifest.context_load} tokens"
    yield "backend", _known(backend, "backend", "name")
    yield "dialect", _known(backend, "dialect")
    yield "chat template", _known(backend.get("template") or {}, "sha256")[:_SHOWN]
    yield from ((f"engine {name}", str(value)) for name, value in sorted(_engine(manifest).items()))
    yield "llama-cpp-python", _bindings(manifest)
    yield "harness", manifest.harness
    yield "sandbox", joined(_sandbox(manifest.sandbox))
    yield "suite version", manifest.suite.version
    yield "suite digest", manifest.judged_by[:_SHOWN]
    yield "verdicts", _verdicts(manifest)
    yield "seed", str(manifest.seed)
    yield "device", _known(backend, "device")
    yield "parallel", str(manifest.parallel)


def _content(manifest: Manifest) -> str:
    """sha256 of the weights: a file of the same name may hold others."""
    return str(manifest.backend.get("sha256") or manifest.entry.get("sha256") or "-")


def _engine(manifest: Manifest) -> Mapping[str, Any]:
    """What the backend made of the engine settings; of those that it does not tell, what was asked for."""
    made = manifest.backend.get("engine")
    settings = {**(manifest.engine or {}), **(made if isinstance(made, Mapping) else {})}
    return {name: value for name, value in settings.items() if name != "n_ctx"}  # has a name of its own


def _bindings(manifest: Manifest) -> str:
    """What is installed beside an endpoint has no part in its replies."""
    is_loaded = manifest.backend.get("backend") == "llama_cpp"
    return _known(manifest.packages, "llama-cpp-python") if is_loaded else "-"


def _sandbox(sandbox: Mapping[str, Any]) -> Iterator[str]:
    yield " ".join(str(sandbox[name]) for name in ("name", "version") if sandbox.get(name))
    if sandbox.get("python"):
        yield f"Python {sandbox['python']}"


def _verdicts(manifest: Manifest) -> str:
    if not manifest.rechecked:
        return "as they were given"
    last = manifest.rechecked[-1]
    return f"given anew by harness {last.harness}, classification {last.classification}"


def _tools(first: Manifest, second: Manifest) -> Iterator[Condition]:
    """Of the tools that both gave; which were given at all depends on the tasks that were planned."""
    mine, yours = ({str(tool["name"]): tool for tool in manifest.tools} for manifest in (first, second))
    for name in sorted(mine.keys() & yours.keys()):
        if mine[name] != yours[name]:
            yield Condition(name=f"tool {name}", first="one", second="another")


def _known(facts: Mapping[str, Any], *names: str) -> str:
    return next((str(facts[name]) for name in names if facts.get(name) not in (None, "")), "-")


def _thinking(campaign: Campaign) -> str:
    """Whether any reply holds reasoning beside its text: nothing else says whether a template let the model think."""
    firsts: dict[str, TrialResult] = {}
    for result in campaign.results:
        if result.turns:
            firsts.setdefault(result.task, result)
    seen = [found for result in list(firsts.values())[:LOOKED_AT] if (found := _thought(campaign, result)) is not None]
    return "-" if not seen else "seen" if any(seen) else "not seen"


def _thought(campaign: Campaign, result: TrialResult) -> bool | None:
    """Of one trial; None where its transcript is missing or damaged."""
    try:
        replies = [e for e in read_transcript(campaign.folder.transcript(result.attempt)) if e.get("event") == "reply"]
    except UsageError:
        return None
    return any(reply.get("reasoning") for reply in replies) if replies else None
