"""Selfcheck of one task: its solutions are run as a model is, and its checker must tell right from wrong."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from random import Random

from pytest_agentcore.agent.actor import run_solution
from pytest_agentcore.agent.session import Limit
from pytest_agentcore.checks.ask import Opinion, Said, ask, describe, one_line
from pytest_agentcore.checks.mutants import mutants
from pytest_agentcore.checks.witness import Recording, Witness
from pytest_agentcore.format import count, percent
from pytest_agentcore.runner import Finished, Job, run_attempt
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.workspace import freeze, scratch
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.tasks.task import Solution, Task
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialKey


@dataclass(slots=True)
class Examination:
    """A task that was examined: counts of what was tried, and the problems found."""

    task: Task
    instances: int
    spoilt: int = 0
    """How often the checker was shown a right workspace with one artifact spoilt."""
    mutants: int = 0
    """How often it was shown a right workspace with one small change, those left out that are declared to be none."""
    survivors: list[str] = field(default_factory=list)
    """The changes that it accepted."""
    explained: list[str] = field(default_factory=list)
    """Changes that the task declares to be no mistakes, and why."""
    problems: list[str] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)
    """Reasons why the checker may change its mind, those that were noted."""


def examine(suite: Suite, task: Task, *, sandbox: Sandbox, tools: Mapping[str, Tool], instances: int) -> Examination:
    """Try everything that a task declares on its checker.

    Args:
        suite: the task's.
        task: what is examined.
        sandbox: where its solutions and its checker run commands.
        tools: all that are registered, by name.
        instances: how many of them, where the task varies.
    """
    found = Examination(task, instances if task.varies else 1)
    if len(task.oracles) != 1:
        found.problems.append(
            f"oracle: {len(task.oracles)} are declared; exactly one shows that the task can be solved"
        )
    if not task.counterexamples:
        found.problems.append("counterexample: none is declared; show a wrong solution that looks right")
    if not task.artifacts:
        found.problems.append("artifacts: none is declared; name the files that a pass rests on")
    sandbox = sandbox.of(task.id)
    keys = [TrialKey("selfcheck", task.id, run) for run in range(1, found.instances + 1)]
    jobs = [Job(key=key, task=task, suite=suite, sandbox=sandbox, tools=tools, limit=Limit()) for key in keys]
    if problem := unsteady(task, jobs):
        found.problems.append(problem)
        return found
    recording = Recording(sandbox)
    with closing(Witness()) as witness:
        _examine_all(found, jobs, recording, witness)
    return found


def _examine_all(found: Examination, jobs: Sequence[Job], recording: Recording, witness: Witness) -> None:
    """Try every solution on every instance."""
    task = found.task
    right, wrong = "a right solution must be accepted", "a wrong solution must be rejected by an assertion"
    for job in jobs:
        instance = _Instance(found, job, recording, witness, f" (instance {job.key.run})" if task.varies else "")
        instance.examine(None, "null", Said.rejected, "doing nothing must be rejected by an assertion")
        for solution in task.oracles[:1]:
            instance.examine(solution, f"oracle {solution.__name__}", Said.accepted, right, spoil_artifacts=True)
        for solution in task.alternatives:
            instance.examine(solution, f"alternative {solution.__name__}", Said.accepted, right)
        for solution in task.counterexamples:
            instance.examine(solution, f"counterexample {solution.__name__}", Said.rejected, wrong)
        gc.collect()  # nobody else does, see `parsing_in_threads`; what a rejection holds is a workspace each


def unsteady(task: Task, jobs: Sequence[Job]) -> str:
    """Say what is wrong with a task's instances: not made, different each time, or always the same."""
    try:
        digests = [(job.instance().digest(), job.instance().digest()) for job in jobs]
    except Exception as error:  # noqa: BLE001 - a function of the task's
        return f"files: its function raised {one_line(describe(task, error))}"
    for job, (first, second) in zip(jobs, digests, strict=True):
        if first != second:
            return f"files: two draws of instance {job.key.run} differ; all chance must come from the given generator"
    if len(jobs) > 1 and len(set(digests)) == 1:
        return f"files: the first {len(jobs)} instances are all the same; a folder or a dict says that more plainly"
    return ""


@dataclass(frozen=True, slots=True)
class _Instance:
    """One instance of a task, on which solutions are tried."""

    found: Examination
    job: Job
    recording: Recording
    witness: Witness
    where: str
    """Which instance, for a task that varies."""

    def examine(
        self, solution: Solution | None, about: str, wanted: Said, rule: str, *, spoil_artifacts: bool = False
    ) -> None:
        """Run a solution as a trial, and note what went wrong with it, or with what its checker says."""
        before = len(self.found.problems)
        finished = run_attempt(
            self.job, lambda instance, session: run_solution(solution, instance.facts, session), _unrecorded
        )
        # what the agent ran may have changed files: only the checker's commands may be answered from memory
        finished = replace(finished, job=replace(finished.job, sandbox=self.recording))
        with closing(finished):
            attempt = finished.attempt
            if attempt.stop_reason is StopReason.interrupted:  # a trial ends by it as by any other reason
                raise KeyboardInterrupt
            if finished.failure:
                raised = finished.failure.__cause__
                described = raised and f"its function raised {one_line(describe(self.job.task, raised))}"
                self._note(about, described or f"could not be run: {finished.failure}")
            self._expect(wanted, finished, about, rule)
            if wanted is Said.rejected:
                return
            # What is accepted must also be able to pass: with tool calls, and within the budget.
            if not attempt.executed:
                self._note(about, "made no tool call, and without one nothing passes")
            if attempt.stop_reason is not StopReason.final_answer and not finished.failure:
                self._note(about, f"was ended by {attempt.stop_reason} ({attempt.detail}), not by its own answer")
            if spoil_artifacts and len(self.found.problems) == before:
                self._spoil_artifacts(finished)
                if self.job.key.run == 1 and len(self.found.problems) == before:
                    self._mutate_artifacts(finished)

    def _spoil_artifacts(self, oracle: Finished) -> None:
        """Show the checker the oracle's workspace with one artifact spoilt, in every way."""
        for artifact in self.job.task.artifacts:
            if not (oracle.frozen.workspace.root / artifact).is_file():
                self._note(f"artifact {artifact}", "is no file of the oracle's final workspace")
                continue
            for name, spoil in RUBBISH.items():
                with self._changed(oracle, artifact, spoil) as spoilt:
                    about = f"artifact {artifact} replaced by {name}"
                    self._expect(Said.rejected, spoilt, about, "that must be rejected by an assertion")
                self.found.spoilt += 1

    def _mutate_artifacts(self, oracle: Finished) -> None:
        """Show the checker the oracle's workspace with one small change, and with artifacts of another instance."""
        task, right, random = self.job.task, oracle.frozen.workspace.root, Random(f"mutants of {self.job.task.id}")
        texts: dict[str, str] = {}
        for artifact in task.artifacts:
            with suppress(UnicodeDecodeError, OSError):
                texts[artifact] = (right / artifact).read_text(encoding="utf-8")
        by_artifact = [mutants(path, text, random) for path, text in texts.items()]
        chosen = [each for row in zip_longest(*by_artifact) for each in row if each][:MOST_MUTANTS]
        for mutant in chosen:
            reason = next((why for part, why in task.equivalents.items() if part in mutant.changed), "")
            if reason:
                self.found.explained.append(f"{mutant} ({reason})")
                continue
            with self._changed(oracle, mutant.path, partial(Path.write_text, data=mutant.text)) as changed:
                self._count(str(mutant), changed)
        if task.varies:
            other = replace(self.job, key=replace(self.job.key, run=2))
            elsewhere = run_attempt(
                other, lambda instance, session: run_solution(task.oracles[0], instance.facts, session), _unrecorded
            )
            with closing(elsewhere), ExitStack() as stack:
                changed = oracle
                for artifact in task.artifacts:
                    content = elsewhere.frozen.workspace.root / artifact
                    if content.is_file():
                        put = partial(Path.write_bytes, data=content.read_bytes())
                        changed = stack.enter_context(self._changed(changed, artifact, put))
                self._count("the artifacts of instance 2", changed)

    def _count(self, about: str, changed: Finished) -> None:
        """Count whether the checker rejects a change."""
        self.found.mutants += 1
        if ask(self.job.task, changed.trial).said is not Said.rejected:
            self.found.survivors.append(about)

    @contextmanager
    def _changed(self, oracle: Finished, artifact: str, change: Spoil) -> Iterator[Finished]:
        """The finished trial, with one artifact of its workspace changed."""
        with scratch("spoilt") as folder:
            copy = freeze(oracle.frozen.workspace, Path(folder) / "live").workspace
            change(copy.root / artifact)
            yield replace(oracle, frozen=freeze(copy, Path(folder) / "frozen"))

    def _expect(self, wanted: Said, finished: Finished, about: str, rule: str) -> None:
        """Note a problem unless the checker says what it should."""
        opinion = self._ask(finished, about)
        if opinion.said is not wanted:
            self._note(about, f"{opinion}; {rule}")

    def _ask(self, finished: Finished, about: str) -> Opinion:
        """Ask the checker, and then ask it again; note each reason to doubt what it says once.

        On further instances of a task, where there can be hardly another one, that is done for two verdicts only.
        """
        self.recording.forget()
        opinion = ask(self.job.task, finished.trial)
        afresh = about.startswith("oracle")
        if self.job.key.run == 1 or afresh or about == "null":
            how = {"afresh": afresh, "briefly": about.startswith(("alternative", "counterexample"))}
            for doubt in self.witness.doubts(finished, opinion.said.value, self.recording, **how):
                if doubt not in self.found.doubts:
                    self.found.doubts.add(doubt)
                    self._note(about, f"the checker {doubt}; the same workspace must always get the same verdict")
        return opinion

    def _note(self, about: str, problem: str) -> None:
        self.found.problems.append(f"{about}{self.where}: {problem}")


def _unrecorded(_event: object) -> None:
    """Take an event of a trial that nobody keeps."""


Spoil = Callable[[Path], object]
"""Puts something else where the right artifact lies."""

MOST_MUTANTS = 24
"""Mutants of a task's artifacts that are tried, drawn by its id."""
HUGE = 20 * 1024 * 1024
"""Bytes; more than any reader takes."""


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside.txt").write_text("1\n", encoding="utf-8")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _other_json(path: Path) -> None:
    """Write JSON that parses and is of another type than the right one, if that is JSON at all."""
    try:
        right = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        right = None
    path.write_text('[{"unexpected": null}]' if isinstance(right, dict) else '{"unexpected": [null]}', encoding="utf-8")


RUBBISH: Mapping[str, Spoil] = {
    "missing": Path.unlink,
    "empty": partial(Path.write_bytes, data=b""),
    "a blank line": partial(Path.write_bytes, data=b"\n"),
    "binary": partial(Path.write_bytes, data=b"\0" + Random("rubbish").randbytes(4096)),
    "huge": partial(Path.write_bytes, data=(b"#" * 63 + b"\n") * (HUGE // 64)),
    "JSON null": partial(Path.write_bytes, data=b"null\n"),
    "JSON of another type": _other_json,
    "a folder": _folder,
    "a symbolic link": lambda path: path.symlink_to(path.rename(f"{path}.aside").name),  # to the right content
    "a named pipe": _fifo,
}


def task_lines(found: Examination, width: int) -> Iterator[str]:
    """Write the line of one task, its id padded to `width`, and its problems below it."""
    task = found.task
    counts = (
        count(found.instances, "instance"),
        count(len(task.alternatives), "alternative"),
        count(len(task.counterexamples), "counterexample"),
        count(found.spoilt, "spoilt artifact"),
        *([_strength(found)] if found.mutants else ()),
    )
    yield f"{task.id:<{width}}  {'weak' if found.problems else 'ok':<4}  {', '.join(counts)}"
    for problem in found.problems:
        yield f"    {problem}"
    yield from (f"    accepted mutant: {one_line(survivor)}" for survivor in found.survivors)


def as_json(found: Examination) -> dict[str, object]:
    """Give what was found about a task, in plain types only."""
    lists = {name: list(getattr(found, name)) for name in ("survivors", "explained", "problems")}
    counts = {name: getattr(found, name) for name in ("instances", "spoilt", "mutants")}
    declared = {name: len(getattr(found.task, name)) for name in ("alternatives", "counterexamples")}
    return {"task": found.task.id, "weak": bool(found.problems), **counts, **declared, **lists}


def _strength(found: Examination) -> str:
    """Say how many mutants a checker rejects."""
    rejected = found.mutants - len(found.survivors)
    explained = f", {len(found.explained)} explained" if found.explained else ""
    return f"strength {percent(rejected / found.mutants)} ({rejected} of {count(found.mutants, 'mutant')}{explained})"


def summary(examined: Sequence[Examination], unusable: int) -> str:
    """The last line."""
    weak = sum(bool(found.problems) for found in examined)
    said = f"{count(len(examined), 'task')}, {weak or 'none'} weak"
    return f"{said}, {count(unusable, 'module')} not usable" if unusable else said
