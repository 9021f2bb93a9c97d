"""The main process writes down its campaigns: the manifest, predictions on file, results while reports come in."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_agentcore import __version__
from pytest_agentcore.catalogue.entry import settings_of
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.errors import RecordError, UsageError, instead
from pytest_agentcore.pack.folder import GroupFolder, dated_name, make_first_free
from pytest_agentcore.pack.manifest import Manifest, PlannedTrial, Shard, SuiteFacts, utc
from pytest_agentcore.pack.predictions import FENCE, PREDICTIONS, Predictions, parse_predictions
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.resume import Choice, choose, resume
from pytest_agentcore.pack.transcript import judge_crashed, read_transcript
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.items import key_of_id
from pytest_agentcore.session.trials import PREFLIGHT
from pytest_agentcore.setup import Setup
from pytest_agentcore.tasks.suite import Suite, task_ids
from pytest_agentcore.trial.fold import read_attempt
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import Prices, TrialKey, TrialResult

PACKAGES = ("jinja2", "jsonschema", "llama-cpp-python", "openai", "pytest", "pytest-xdist")
"""Distributions whose version can change what a campaign does."""


UNLIKE = (
    "the workers are different machines (manifest.json lists them): seconds may depend on the worker, and so may a "
    "reply where two tokens are equally likely"
)


def machine_facts() -> dict[str, Any]:
    """Interpreter, system, processor (as Linux names it, else empty), memory."""
    system, processors = os.uname(), [""]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        processors = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")] or [""]
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": system.sysname,
        "release": system.release,
        "architecture": system.machine,
        "processor": processors[0],
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def package_versions() -> dict[str, str]:
    """Versions of those of `PACKAGES` that are installed."""
    found = {}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A file of predictions as it was before the first trial."""

    content: bytes
    predictions: Predictions
    filing: Mapping[str, Any]
    """Goes into the manifest, see `filing`."""


def find_predictions(asked: Path | None, home: Path, suite: Suite, setups: Iterable[Setup]) -> Filed | None:
    """The file that was asked for, else `predictions.md` in `home` if it is one of ours and about these models.

    Raises:
        UsageError: it cannot be used, names no task of the suite, or was asked for and is about something else.
    """
    file = asked or home / PREDICTIONS
    try:
        content = file.read_bytes()
        if asked is None and not content.startswith(FENCE.encode("ascii")):
            return None  # a file of this name without front matter is somebody else's
        found = parse_predictions(content.decode("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        if asked is None and isinstance(error, OSError):
            return None
        raise UsageError(f"{file}: predictions cannot be read: {error}") from error
    if found.suite != suite.name or not any(_concerns(found, setup) for setup in setups):
        if asked is None:
            return None
        about = " ".join(filter(None, [found.model, found.policy]))
        raise UsageError(
            f"--agentcore-predictions {asked}: is about {about} on {found.suite}, and no campaign of this run is; "
            "leave it out, or name another file"
        )
    known = task_ids(suite.path)
    for task in found.tasks:
        if task not in known:
            raise UsageError(f"{file}: tasks.{task}: {suite.name} has no such task; {instead(task, known)}")
    return Filed(content=content, predictions=found, filing=filing(file, content))


def _concerns(predictions: Predictions, setup: Setup) -> bool:
    """Tell whether they are about this model, and this policy if they name one."""
    is_model = predictions.model in (setup.slug, setup.entry.name)
    return is_model and predictions.policy in ("", setup.policy.value)


def filing(file: Path, content: bytes) -> dict[str, Any]:
    """Gather what proves when predictions were made: their digest, and whether git's HEAD holds these bytes.

    `committed` is None where git cannot be asked; `note` says why it is not true. `commit` is the last that changed
    the file, `committed_at` what its author's machine said of the time.
    """
    facts = {"file": file.name, "digest": hashlib.sha256(content).hexdigest(), "commit": "", "committed_at": ""}
    if _git(file, "rev-parse", "--is-inside-work-tree") is None:
        return facts | {"committed": None, "note": "it is in no git repository, or git is not there"}
    held = _git(file, "rev-parse", "--verify", "--quiet", f"HEAD:./{file.name}")
    if not held:
        return facts | {"committed": False, "note": "it is in no commit"}
    if held != _git(file, "hash-object", "--", file.name):
        return facts | {"committed": False, "note": "it was changed after its last commit"}
    commit, _, moment = (_git(file, "log", "-1", "--format=%H %cI", "--", file.name) or "").partition(" ")
    return facts | {"committed": True, "note": "", "commit": commit, "committed_at": moment}


GIT_SECONDS = 10.0
"""Git gets so long for each answer: a repository on a slow share must not hold up a session."""


def _git(file: Path, *words: str) -> str | None:
    """Ask git where the file lies; None where it fails. A file-system monitor is not started for one question."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(file.parent.resolve()), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


PlanLine = tuple[str, str, int, tuple[str, ...]]
"""The campaign's label, task id, run index, names of the task's tools."""


def _planned(lines: Iterable[PlanLine], label: str) -> tuple[PlannedTrial, ...]:
    """The plan of one campaign."""
    return tuple(dict.fromkeys(PlannedTrial(task=line[1], run=line[2]) for line in lines if line[0] == label))


WORK = ("worker", "beside", "trials", "reply_tokens", "seconds", "counts")
"""What is a worker's own, not that of its kind of machine; `beside` is how many of the kind were there when it came."""


def _kind(worker: Mapping[str, Any]) -> str:
    return json.dumps(
        {key: value for key, value in worker.items() if key not in (*WORK, "workers", "each")}, sort_keys=True
    )


def _added(each: Sequence[Mapping[str, Any]], one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Put what a worker did beside what others did; what it did in an earlier process is added."""
    before = next((dict(other) for other in each if other["worker"] == one["worker"]), {})
    counts = Counter(before.get("counts", {}))
    counts.update(one.get("counts", {}))
    sums = {key: before.get(key, 0) + one.get(key, 0) for key in ("trials", "reply_tokens", "seconds")}
    others = [other for other in each if other["worker"] != one["worker"]]
    return [*others, {"worker": one["worker"], **sums, "counts": dict(counts)}]


class Recording:
    """Opens a campaign per label and keeps it true while reports come in. Main process only."""

    def __init__(self, experiment: Experiment, asked: Mapping[str, Any], results: Path, filed: Filed | None) -> None:
        """Write nothing yet; every manifest takes the values that were `asked`, packs the predictions about them."""
        self._experiment, self._asked, self._results, self._filed = experiment, asked, results, filed
        self.records: dict[str, CampaignRecord] = {}
        """By label."""
        self.groups: dict[str, GroupFolder] = {}
        """By slug: where a model has several campaigns."""
        self.choices: dict[str, Choice] = {}
        """By label: what is continued, and why nothing is."""
        self.lost: list[str] = []
        """Sentences about what the disk did not take in the end."""
        self._wanted: dict[str, Manifest] = {}
        self._described: set[str] = set()
        self._earlier_workers: dict[str, tuple[Mapping[str, Any], ...]] = {}
        """By label: what the manifest had of workers before this process met any."""
        self._planned: set[str] = set()

    @property
    def campaigns(self) -> dict[str, Campaign]:
        """The campaigns as they are recorded now, by label."""
        return {label: record.campaign for label, record in self.records.items()}

    def choose(self, labels: Iterable[str], plan: Sequence[PlanLine] = ()) -> None:
        """Find the campaigns to continue, and lock them. Nothing is written yet.

        Args:
            labels: of the campaigns.
            plan: all that is going to run, where it is known already.

        Raises:
            UsageError: the named campaign cannot be continued, or another process writes one that would be.
        """
        self._wanted = {label: self._manifest(self._experiment.setups[label], plan) for label in dict.fromkeys(labels)}
        named = self._experiment.settings.resume
        if selection := self._asked["selection"]:
            source = f" of {selection.of}" if selection.of else ""
            why = f"selection by {' '.join(selection.asked)}{source}: for inspection, counted nowhere"
            self.choices = dict.fromkeys(self._wanted, Choice(why=why))
        elif named:
            self.choices = {label: resume(named, self._results, wanted) for label, wanted in self._wanted.items()}
        else:
            self.choices = choose(self._results, self._wanted)
        for label, choice in self.choices.items():
            self._experiment.know(label, choice.earlier.results if choice.earlier else ())
        self._settle_rows(plan)

    def _settle_rows(self, plan: Sequence[PlanLine]) -> None:
        """Decide how many conversations each model in this process decodes together, and write down why."""
        setups, trials = dict(self._experiment.setups), Counter(line[0] for line in plan)
        for label, wanted in self._wanted.items():
            setup, earlier = setups[label], self.choices[label].earlier
            if setup.rows is None or not (setup.entry.path or self._experiment.settings.on):
                continue
            rows, why = setup.rows, "as asked"
            if earlier:
                rows, why = earlier.manifest.rows or 1, earlier.manifest.rows_reason
            elif wanted.rows is None and not plan:
                why = "auto: workers of pytest-xdist run one trial each"
            elif wanted.rows is None:  # campaigns of one model share what is loaded, and its rows
                together = sum(trials[other] for other in trials if setups[other].same_model(setup))
                rows, why = self._experiment.fit(setup, together)
            self._wanted[label] = replace(wanted, rows=rows, rows_reason=why)
            self._experiment.decode_together(label, rows)

    def _manifest(self, setup: Setup, plan: Sequence[PlanLine]) -> Manifest:
        """Make the manifest before anything is loaded: of a model's file that is all that is known."""
        settings, entry, filed = self._experiment.settings, setup.entry, self._filed
        file: dict[str, Any] = {}
        if path := entry.path:
            file = {"file": path.name, "quant": entry.quant, "device": "in the workers", "sha256": file_digest(path)}
        is_predicted = filed and not self._asked["selection"] and _concerns(filed.predictions, setup)
        return Manifest(
            suite=SuiteFacts.of(self._experiment.suite),
            audit=self._experiment.suite.audit,
            model=setup.slug,
            requested=entry.name,
            # the registry's entry without the paths of this machine
            entry={key: value for key, value in asdict(entry).items() if key not in ("path", "argument")},
            backend=file,
            policy=setup.policy.value,
            context_load=setup.load,
            sampling={key: value for key, value in asdict(setup.sampling).items() if key not in entry.not_sent},
            seed=settings.seed,
            runs=settings.runs,
            order=settings.order,
            budget=asdict(setup.limit),
            tools=(),
            sandbox=self._experiment.sandbox.describe(),
            harness=__version__,
            machine=machine_facts(),
            packages=package_versions(),
            planned=_planned(plan, setup.label),
            shard=Shard(number=settings.shard[0], of=settings.shard[1]) if settings.shard else None,
            engine={key: value for key, value in settings.engine.items() if key in settings_of(type(setup.engine))},
            group=setup.slug if setup.grouped else "",
            rows=setup.rows if settings.parallel else None,
            # without prices an endpoint's costs are not known, and nothing is paid for what runs here
            prices=entry.prices or (None if entry.base_url else Prices()),
            predictions=filed.filing if filed and is_predicted else None,
            started=utc(datetime.now(UTC)),
            **self._asked,
        )

    def open(self) -> None:
        """Make or continue the campaigns that were chosen."""
        for label, choice in self.choices.items():
            setup, wanted = self._experiment.setups[label], self._wanted[label]
            if setup.grouped:  # the group that they are run in is made when it is first asked for
                for manifest in (other.earlier.manifest for other in self.choices.values() if other.earlier):
                    if manifest.model == setup.slug and manifest.group:
                        self.groups.setdefault(setup.slug, GroupFolder(self._results / manifest.group))
                if setup.slug not in self.groups:
                    name = dated_name(datetime.now(UTC), setup.slug, wanted.suite.name, "group")
                    self.groups[setup.slug] = GroupFolder(make_first_free(self._results, name))
                wanted = replace(wanted, group=self.groups[setup.slug].id)
            if choice.earlier:
                record = CampaignRecord.go_on(choice, wanted)
                self._experiment.know(label, record.campaign.results)
                made = {TrialKey(label, key.task, key.run): n for key, n in record.attempts.items()}
                self._experiment.attempts |= made
            else:
                kept = {PREDICTIONS: self._filed.content} if self._filed and wanted.predictions else {}
                record = CampaignRecord.begin(self._results, wanted, kept)
            self.records[label], self._experiment.folders[label] = record, record.folder

    def expect(self, lines: Sequence[PlanLine]) -> None:
        """Write down what workers have collected: each may die before its first report, which knows the tools too.

        Raises:
            UsageError: it is not the plan of the campaign that is continued.
        """
        for label, record in self.records.items():
            if not (mine := _planned(lines, label)) or label in self._planned:
                continue
            earlier = self.choices[label].earlier
            before = earlier.manifest.planned if earlier else ()
            if before and {*before} != {*mine} and not self._experiment.settings.resume:
                raise UsageError(
                    f"{record.folder.path}: would be continued, but a plugin or conftest selects other trials than it "
                    "plans; give this run a results folder of its own with --results=DIR"
                )
            record.revise(planned=tuple(dict.fromkeys([*before, *mine])))

    def plan(
        self,
        lines: Sequence[PlanLine],
        specs: Sequence[Mapping[str, Any]],
        others: Iterable[PlannedTrial],
    ) -> None:
        """Write down what is going to run, once; what a continued campaign planned before stays.

        The tools' `specs` come along, since under xdist only workers may know them, and the trials of `others`' shards.
        """
        for label, record in self.records.items():
            mine = [line for line in lines if line[0] == label]
            if mine and label not in self._planned:
                self._planned.add(label)
                used = {name for line in mine for name in line[3]}
                tools = {tool["name"]: tool for tool in record.manifest.tools}
                tools |= {spec["name"]: dict(spec) for spec in specs if spec["name"] in used}
                earlier, shard = self.choices[label].earlier, record.manifest.shard
                planned = dict.fromkeys([*(earlier.manifest.planned if earlier else ()), *_planned(mine, label)])
                shard = replace(shard, others=tuple(others)) if shard else None
                record.revise(planned=tuple(planned), tools=tuple(tools.values()), shard=shard)

    def describe(self, described: Mapping[str, Mapping[str, Any]]) -> None:
        """Write down what the models said of themselves, once each."""
        for label, facts in described.items():
            record = self.records.get(label)
            if record and label not in self._described:
                self._described.add(label)
                earlier = record.manifest.backend.get("counts")
                backend = {**facts, **({"counts": earlier} if earlier else {})}
                made = backend.pop(PREFLIGHT, None)
                caution = "" if made is None or made["passed"] else f"the preflight {made['verdict']}"
                said = [*record.manifest.warnings, *filter(None, [facts.get("warning"), caution])]
                record.revise(backend=backend, preflight=made, warnings=tuple(dict.fromkeys(said)))

    def meet(self, crews: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
        """Write down on which machines each campaign's workers run, equal ones together; say where they are unlike."""
        said: list[str] = []
        for label, workers in ((label, crews[label]) for label in crews if label in self.records):
            record = self.records[label]
            earlier = self._earlier_workers.setdefault(label, record.manifest.workers)
            kinds = {_kind(one): dict(one) for one in earlier}
            for one in workers:
                of_kind = {key: value for key, value in one.items() if key not in WORK}
                kind = kinds.setdefault(_kind(one), {"workers": 0, **of_kind})
                # as many as were there at the same time, in this process or an earlier one
                kind["workers"] = max(kind["workers"], one["beside"] + 1)
                kind["each"] = _added(kind.get("each", ()), {key: one[key] for key in WORK if key in one})
            met = tuple(kinds.values())
            said += [UNLIKE] if len(kinds) > 1 else []
            if met != record.manifest.workers:
                record.revise(workers=met, warnings=tuple(dict.fromkeys([*record.manifest.warnings, *said])))
        return said

    def add(self, result: TrialResult) -> None:
        """Write the result line."""
        label = self._experiment.label_of(result)
        self.records[label].add(result)
        self._note_overlap(label)

    def refuse(self, result: TrialResult) -> TrialResult | None:
        """Give back what is recorded of the trial already and stands, see `CampaignRecord.refuse`."""
        return self.records[self._experiment.label_of(result)].refuse(result)

    def warn(self, label: str, sentence: str) -> None:
        """Write down a doubt about a campaign, once."""
        record = self.records[label]
        if sentence not in record.manifest.warnings:
            record.revise(warnings=(*record.manifest.warnings, sentence))

    def crashed(self, nodeid: str, detail: str, cause: Cause) -> TrialResult | None:
        """The result of the trial that a dead process was running, from its transcript.

        Where it died after the checker had spoken, that verdict stands, though no report has brought it.
        """
        key = key_of_id(nodeid, self.records)
        for record in [self.records[key.model]] if key else []:
            cited = {result.attempt for result in record.campaign.results}
            for path in record.folder.transcripts.glob("*.jsonl"):
                events = [] if path.stem in cited else read_transcript(path)
                if events and key and (events[0].get("task"), events[0].get("run")) == (key.task, key.run):
                    attempt = read_attempt(events)
                    judged = bool(attempt.verdict)
                    return attempt.result() if judged else judge_crashed(record.folder, attempt, detail, cause)
        return None

    def note_overlaps(self) -> None:
        """Write down how many trials overlapped, discarded ones included, before anything is computed."""
        for label in self.records:
            try:
                self._note_overlap(label)
            except RecordError as error:
                self.lost.append(str(error))

    def close(
        self,
        exit_status: int,
        counted: Mapping[str, Mapping[str, int]],
        crews: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> None:
        """Close the campaigns with pytest's exit status, what their models `counted` and `crews` did."""
        try:
            self.meet(crews)
        except RecordError as error:
            self.lost.append(str(error))
        for label, choice in self.choices.items():
            if label not in self.records:
                choice.release()
        for label, record in self.records.items():
            try:
                if label in counted:
                    counts: Counter[str] = Counter(record.manifest.backend.get("counts"))  # of earlier sessions
                    counts.update(counted[label])
                    record.revise(backend={**record.manifest.backend, "counts": dict(counts)})
                record.finish(exit_status=exit_status, finished=datetime.now(UTC))
            except RecordError as error:
                self.lost.append(str(error))
            if not record.manifest.planned and not record.campaign.results:
                shutil.rmtree(record.folder.path)  # workers that collected nothing leave nothing behind

    def _note_overlap(self, label: str) -> None:
        """Write down how many trials overlapped, which may be fewer than were allowed to."""
        record, most = self.records[label], self._experiment.spans.most(label)
        if most > record.manifest.parallel:
            record.revise(parallel=most)
