"""Two campaigns side by side: one value, from which the terminal, the report and the gate say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import joined
from pytest_agentcore.pack.figures import Figures
from pytest_agentcore.pack.identity import name_workers
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.stats.chance import PairedTest, agreeing, fisher, holm, mantel_haenszel, paired_permutation
from pytest_agentcore.stats.counting import Rates
from pytest_agentcore.stats.intervals import Interval, difference, exact
from pytest_agentcore.trial.result import TrialResult

DIGEST_SHOWN = 12
"""Characters of a sha256 that are shown; the manifest has all."""
LOOKED_AT = 10
"""Transcripts that are read to see whether a model thinks: one of each of that many tasks."""


class Condition(NamedTuple):
    """Something that both campaigns have and that is not the same in both."""

    name: str
    first: str
    second: str


Known = Mapping[str, Mapping[str, str]]
"""What `conditions_of` gave of campaigns, by their ids."""


def conditions(first: Campaign, second: Campaign, known: Known | None = None) -> Iterator[Condition]:
    """List what differs, in a fixed order. System prompt and tools are named, not quoted."""
    mine, yours = ((known or {}).get(one.folder.id) or conditions_of(one) for one in (first, second))
    for name in dict.fromkeys([*mine, *yours]):
        one, two = mine.get(name, "-"), yours.get(name, "-")
        if one != two:
            yield Condition(name, one, two)
    if first.manifest.suite.system_prompt != second.manifest.suite.system_prompt:
        yield Condition("system prompt", "one", "another")
    # only tools that both gave: which were given at all depends on the tasks that were planned
    tools, others = ({str(tool["name"]): tool for tool in one.manifest.tools} for one in (first, second))
    for name in sorted(tools.keys() & others.keys()):
        if tools[name] != others[name]:
            yield Condition(f"tool {name}", "one", "another")


def conditions_of(campaign: Campaign) -> dict[str, str]:
    """Name the conditions of one campaign, in the order in which differences are told; some transcripts are read."""
    return dict(_conditions(campaign))


def _conditions(campaign: Campaign) -> Iterator[tuple[str, str]]:
    manifest, backend = campaign.manifest, campaign.manifest.backend
    memory = manifest.machine.get("memory_bytes")
    yield "model", manifest.model
    yield "file", _known(backend, "file")
    # a file of the same name may hold other weights
    yield "model's content", str(backend.get("sha256") or manifest.entry.get("sha256") or "-")[:DIGEST_SHOWN]
    yield "quant", _known(backend, "quant")
    yield "policy", manifest.policy
    yield from ((f"sampling {name}", f"{value:g}") for name, value in manifest.sampling.items())
    yield "n_ctx", _known(backend, "context")
    yield "reply ceiling", f"{manifest.budget.get('reply_tokens', 0):g} tokens"
    yield "turns", f"{manifest.budget.get('turns', 0):g}"
    yield "trial timeout", f"{manifest.budget.get('seconds', 0):g} s"
    # whether a reply holds reasoning beside its text: nothing else tells that a template lets the model think
    firsts: dict[str, TrialResult] = {}
    for result in campaign.results:
        if result.turns:
            firsts.setdefault(result.task, result)
    seen: list[bool] = []
    for result in list(firsts.values())[:LOOKED_AT]:
        with suppress(UsageError):  # a transcript that is missing or damaged tells nothing
            events = read_transcript(campaign.folder.transcript(result.attempt))
            replies = [event for event in events if event.get("event") == "reply"]
            seen += [any(reply.get("reasoning") for reply in replies)] if replies else []
    yield "thinking", "-" if not seen else "seen" if any(seen) else "not seen"
    yield "context load", f"{manifest.context_load} tokens"
    yield "backend", _known(backend, "backend", "name")
    yield "dialect", _known(backend, "dialect")
    yield "chat template", _known(backend.get("template") or {}, "sha256")[:DIGEST_SHOWN]
    # as the backend reports them; those that it does not report, as they were asked for
    made = backend.get("engine")
    engine = {**(manifest.engine or {}), **(made if isinstance(made, Mapping) else {})}
    yield from ((f"engine {name}", str(value)) for name, value in sorted(engine.items()) if name != "n_ctx")
    # behind an endpoint the installed version has no part in the replies
    is_loaded = backend.get("backend") == "llama_cpp"
    yield "llama-cpp-python", _known(manifest.packages, "llama-cpp-python") if is_loaded else "-"
    yield "harness", manifest.harness
    sandbox = manifest.sandbox
    confined = " ".join(str(sandbox[name]) for name in ("name", "version") if sandbox.get(name))
    images = (f"{name} {digest[:DIGEST_SHOWN]}" for name, digest in sandbox.get("images", {}).items())
    yield "sandbox", joined([confined, f"Python {sandbox['python']}" if sandbox.get("python") else "", *images])
    yield "suite version", manifest.suite.version
    yield "suite digest", manifest.judged_by[:DIGEST_SHOWN]
    anew = [f"given anew by harness {one.harness}, classification {one.classification}" for one in manifest.rechecked]
    yield "verdicts", anew[-1] if anew else "as they were given"
    yield "seed", str(manifest.seed)
    yield "device", _known(backend, "device")
    here = joined([_known(manifest.machine, "processor"), f"{memory / 2**30:.0f} GiB" if memory else ""])
    yield "machine", name_workers(manifest) or here
    yield "parallel", str(manifest.parallel)
    yield "rows", str(manifest.rows or "-")


def _known(facts: Mapping[str, Any], *names: str) -> str:
    return next((str(facts[name]) for name in names if facts.get(name) not in (None, "")), "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """One task in both campaigns."""

    task: str
    first: Figures
    second: Figures
    difference: float | None
    """Of the effective rates, second minus first; None where one side has no scored trial."""
    interval: Interval | None
    """Of `difference`, for the same task again, over distinct trials; as careful as `p` is."""
    p: float | None
    """Fisher's exact test, two-sided, over distinct trials."""
    least_p: float | None
    """No result with as many distinct trials could have had a smaller p."""
    corrected_p: float | None
    """After Holm, for as many looks as there are tasks with a p."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two campaigns side by side. `first` is the baseline where there is one."""

    first: Campaign
    second: Campaign
    tasks: tuple[TaskComparison, ...]
    """The tasks that both planned, in the order of their names."""
    only_first: tuple[str, ...]
    """Tasks that the second did not plan; they are in no number here."""
    only_second: tuple[str, ...]
    conditions: tuple[Condition, ...]
    """What differs besides the outcome, the model first."""
    same_suite: bool
    """False: forced, and then tasks of one name need not be the same task."""
    test: PairedTest | None
    """The one test that the verdict rests on; None where no task has scored trials on both sides."""

    @property
    def both(self) -> tuple[Rates, Rates]:
        """Rates of the first and of the second, over the tasks that both planned."""
        return Rates.sum(task.first.rates for task in self.tasks), Rates.sum(task.second.rates for task in self.tasks)

    @property
    def regression(self) -> bool:
        """True if the second is significantly worse."""
        return self.test is not None and self.test.significant and self.test.difference < 0


OUTSIDE = (
    *("model", "file", "model's content", "seed", "device", "machine", "backend", "parallel", "rows"),
    *(f"engine {name}" for name in ("threads", "threads_batch", "n_gpu_layers", "main_gpu", "mmap", "mlock")),
)
"""Conditions that are the question itself or, for verdicts, of no account."""


def compare(first: Campaign, second: Campaign, *, force: bool = False, known: Known | None = None) -> Comparison:
    """Compare the tasks that both campaigns planned.

    Args:
        first: the baseline.
        second: what is compared with it.
        force: compare them although their suites differ.
        known: conditions of campaigns that need not be looked for again: who compares many reads transcripts once.

    Raises:
        UsageError: a selection is among them, the suites differ and `force` is not given, or no task is shared.
    """
    check_comparable(first, second.manifest.judged_by, second.manifest.suite.title, force=force)
    check_counts(second)
    others = {task.task: task for task in second.figures.tasks if task.rates.planned}
    pairs = [(task, others[task.task]) for task in first.figures.tasks if task.task in others]
    if not pairs:
        raise UsageError(
            f"{first.folder.id} and {second.folder.id} have no task in common; name two campaigns of one suite"
        )
    found = [fisher(mine.distinct, yours.distinct) for mine, yours in pairs]
    corrected = iter(holm([p for p in found if p is not None]))
    tasks = []
    for (mine, yours), p in zip(pairs, found, strict=True):
        before, now, change, interval = mine.distinct, yours.distinct, None, None
        if mine.rates.effective is not None and yours.rates.effective is not None:
            change = yours.rates.effective - mine.rates.effective
        # exact intervals combined, which differ least from what an exact test says
        if p is not None and (one := exact(before.passed, before.n)) and (two := exact(now.passed, now.n)):
            apart = now.passed / now.n - before.passed / before.n
            interval = agreeing(difference(before.passed / before.n, one, now.passed / now.n, two), apart, p)
        tasks.append(
            TaskComparison(
                task=mine.task,
                first=mine,
                second=yours,
                difference=change,
                interval=interval,
                p=p,
                # the minimal attainable level (Tarone 1990, Biometrics 46, 515): all passed against none passed
                least_p=fisher(before.all(passed=True), now.all(passed=False)),
                corrected_p=None if p is None else next(corrected),
            )
        )
    shared = {task.task for task in tasks}
    return Comparison(
        first=first,
        second=second,
        tasks=tuple(tasks),
        only_first=tuple(task for task in first.manifest.tasks if task not in shared),
        only_second=tuple(task for task in second.manifest.tasks if task not in shared),
        conditions=tuple(conditions(first, second, known)),
        same_suite=first.manifest.judged_by == second.manifest.judged_by,
        # evidence is what the distinct trials are; how far apart the campaigns are, all scored ones say
        test=paired_permutation(
            [(mine.distinct, yours.distinct) for mine, yours in pairs],
            [mantel_haenszel(mine.rates.scored, yours.rates.scored) for mine, yours in pairs],
        ),
    )


def check_comparable(campaign: Campaign, digest: str, title: str, *, force: bool = False) -> None:
    """Refuse a campaign that cannot be compared with one of the suite of this digest.

    Raises:
        UsageError: it is a selection, or of another suite and `force` is not given.
    """
    check_counts(campaign)
    mine, judge = campaign.manifest.suite, campaign.manifest.judged_by
    if judge != digest and not force:
        how = "ran" if judge == mine.digest else "was judged anew by"
        raise UsageError(
            f"{campaign.folder.id} {how} {mine.title} with digest {judge[:12]}, the other {title} with digest "
            f"{digest[:12]}: these are not the same tasks, since prompts, files or checkers are others (agentcore "
            "compare --force compares them all the same)"
        )


def check_counts(campaign: Campaign) -> None:
    """Refuse a campaign whose rates mean nothing.

    Raises:
        UsageError: it is a selection.
    """
    if not campaign.manifest.counts:
        raise UsageError(
            f"{campaign.folder.id} is a selection: its trials were picked by how they had ended, so its rate is no "
            "pass rate and cannot be compared"
        )
