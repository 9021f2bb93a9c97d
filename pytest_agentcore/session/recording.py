"""The main process's side of the record: folders, manifests, result lines, verification tables."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import traceback
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore import __version__
from pytest_agentcore.catalogue.entry import settings_of
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.errors import AgentcoreError, RecordError, UsageError
from pytest_agentcore.pack.group import GroupFolder, create_group
from pytest_agentcore.pack.manifest import Manifest, PlannedTrial, Selection, SuiteFacts, utc
from pytest_agentcore.pack.predictions import FENCE, PREDICTIONS, Predictions, parse_predictions
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.resume import Choice, choose, resume
from pytest_agentcore.pack.transcript import judge_crashed, open_attempts
from pytest_agentcore.session.items import why_selected
from pytest_agentcore.session.trials import FINISHED, PREFLIGHT, SPAN, Running, caution
from pytest_agentcore.session.usage import record_errors
from pytest_agentcore.session.verdicts import RECORDED, RESULT
from pytest_agentcore.setup import Setup
from pytest_agentcore.tasks.suite import Suite, task_ids
from pytest_agentcore.trial.result import Prices, TrialKey, TrialResult

PACKAGES = ("jinja2", "jsonschema", "llama-cpp-python", "openai", "pytest", "pytest-xdist")
"""Distributions whose version can change what a campaign does."""


def machine_facts() -> dict[str, Any]:
    """Interpreter, system, processor, memory."""
    system = os.uname()
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": system.sysname,
        "release": system.release,
        "architecture": system.machine,
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def package_versions() -> dict[str, str]:
    """Of `PACKAGES`, those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """The model's name as Linux tells it, else empty."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def foresee(setup: Setup, running: Running, suite: Suite) -> Manifest:
    """All that follows from model, settings and machine; who asks, and for which trials, comes later."""
    settings = running.settings
    return Manifest(
        suite=SuiteFacts.of(suite),
        model=setup.slug,
        requested=setup.entry.name,
        entry=_entry_facts(setup),
        backend=_foreseen(setup),
        policy=setup.policy.value,
        context_load=setup.load,
        sampling={key: value for key, value in asdict(setup.sampling).items() if key not in setup.entry.not_sent},
        seed=settings.seed,
        runs=settings.runs,
        order=settings.order,
        budget=asdict(setup.limit),
        tools=(),
        sandbox=running.sandbox.describe(),
        harness=__version__,
        machine=machine_facts(),
        packages=package_versions(),
        arguments=(),
        planned=(),
        engine={key: value for key, value in settings.engine.items() if key in settings_of(type(setup.engine))},
        group=setup.slug if setup.grouped else "",
        prices=_prices(setup),
        started=utc(datetime.now(UTC)),
    )


def _prices(setup: Setup) -> Prices | None:
    """Of the entry; without any an endpoint's costs are not known, and nothing is paid for what runs here."""
    return setup.entry.prices or (None if setup.entry.base_url else Prices())


def _entry_facts(setup: Setup) -> dict[str, Any]:
    """The registry's entry without the paths of this machine."""
    return {key: value for key, value in asdict(setup.entry).items() if key not in ("path", "argument")}


def _foreseen(setup: Setup) -> dict[str, Any]:
    """What is known of a model before it is loaded."""
    entry = setup.entry
    if not entry.path:
        return {}
    return {
        "file": entry.path.name,
        "quant": entry.quant,
        "device": "in the workers",
        "sha256": file_digest(entry.path),
    }


SECONDS = 10.0
"""Git gets so long to answer each question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """The manifest's word on predictions, written before the first trial."""

    file: str
    """Its name."""
    digest: str
    """sha256 of its bytes."""
    committed: bool | None
    """Whether git's HEAD holds exactly these bytes; None: git could not be asked."""
    commit: str = ""
    """The last commit that changed it."""
    committed_at: str = ""
    """Of that commit, ISO 8601: what its author's machine said."""
    note: str = ""
    """Why `committed` is not true."""

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def filing(file: Path) -> Filing:
    """Ask git about a file as it is now."""
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    made = partial(Filing, file=file.name, digest=digest)
    if _git(file, "rev-parse", "--is-inside-work-tree") is None:
        return made(committed=None, note="it is in no git repository, or git is not there")
    held = _git(file, "rev-parse", "--verify", "--quiet", f"HEAD:./{file.name}")
    if not held:
        return made(committed=False, note="it is in no commit")
    if held != _git(file, "hash-object", "--", file.name):
        return made(committed=False, note="it was changed after its last commit")
    commit, _, moment = (_git(file, "log", "-1", "--format=%H %cI", "--", file.name) or "").partition(" ")
    return made(committed=True, commit=commit, committed_at=moment)


def _git(file: Path, *words: str) -> str | None:
    """Its answer without the line's end; None where it failed."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(file.parent.resolve()), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """One file of predictions as it was before the first trial."""

    content: bytes
    predictions: Predictions
    filing: Filing

    def concerns(self, setup: Setup) -> bool:
        """Whether they are about this model, and this policy if they name one."""
        predicted = self.predictions
        is_model = predicted.model in (setup.slug, setup.entry.name)
        return is_model and predicted.policy in ("", setup.policy.value)

    def facts(self, setup: Setup) -> dict[str, Any] | None:
        """For the manifest of the campaign of this model; None where they are not about it."""
        return self.filing.to_json() if self.concerns(setup) else None

    @property
    def kept(self) -> Mapping[str, bytes]:
        """What the pack holds of them, byte for byte, by name."""
        return {PREDICTIONS: self.content}


def find_predictions(asked: Path | None, home: Path, suite: Suite, setups: Iterable[Setup]) -> Filed | None:
    """The file that was asked for, else `predictions.md` in `home` if it is one of ours and about these models.

    Raises:
        UsageError: it cannot be used, names no task of the suite, or was asked for and is about something else.
    """
    file = asked or home / PREDICTIONS
    if asked is None and not _is_ours(file):
        return None
    found = _read(file)
    fits = found.predictions.suite == suite.name and any(found.concerns(setup) for setup in setups)
    if not fits and asked:
        about = " ".join(filter(None, [found.predictions.model, found.predictions.policy]))
        raise UsageError(
            f"--agentcore-predictions {asked}: is about {about} on {found.predictions.suite}, and no campaign of this "
            "run is"
        )
    if not fits:
        return None
    known = task_ids(suite.path)
    for task in found.predictions.tasks:
        if task not in known:
            raise UsageError(f"{file}: tasks.{task}: {suite.name} has no such task; it has {', '.join(known)}")
    return found


def _read(file: Path) -> Filed:
    try:
        content = file.read_bytes()
        predictions = parse_predictions(content.decode("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: predictions cannot be read: {error}") from error
    return Filed(content=content, predictions=predictions, filing=filing(file))


def _is_ours(file: Path) -> bool:
    """A file of this name without front matter is somebody else's."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(FENCE)) == FENCE.encode("ascii")
    except OSError:
        return False


PLAN = "agentcore_plan"
"""Attribute of a process's first report: what it collected, as `PlanLine`s in JSON."""
TOOLS = "agentcore_tools"
"""Attribute beside it: the specs of the tools that the plan's tasks name, which the main process may not know."""
MODELS = "agentcore_models"
"""Attribute of a report: what the models opened so far said of themselves, by slug."""

PlanLine = tuple[str, str, int, tuple[str, ...]]
"""The campaign's label, task id, run index, names of the task's tools."""


class Recording:
    """Opens a campaign per model and keeps it true while reports come in."""

    def __init__(self, running: Running, suite: Suite, results: Path, arguments: Iterable[str]) -> None:
        self._running, self._suite, self._results = running, suite, results
        self._arguments = tuple(arguments)
        self.campaigns: dict[str, CampaignRecord] = {}
        """By label."""
        self.groups: dict[str, GroupFolder] = {}
        """By slug: where a model has several campaigns."""
        self.warnings: list[str] = []
        self.scope: tuple[str, ...] = ()
        """What of the suite the command line asks for."""
        self.selection: Selection | None = None
        """Set when trials were picked by how they had ended."""
        self.filed: Filed | None = None
        """Predictions that are on file."""
        self.lost: list[str] = []
        """Sentences about what the disk did not take in the end."""
        self.choices: dict[str, Choice] = {}
        """What is continued, and why nothing is."""
        self._wanted: dict[str, Manifest] = {}
        self._session = str(uuid.uuid4())
        self._described: set[str] = set()
        self._specs: dict[str, dict[str, Any]] = {}
        self._planned: set[str] = set()

    @property
    def at_once(self) -> int:
        """Trials that may run at the same time."""
        return self._running.at_once

    def choose(self, labels: Iterable[str] = ()) -> None:
        """Find the campaigns to continue, and lock them. Nothing is written yet.

        Raises:
            UsageError: the named campaign cannot be continued, or another process writes one that would be.
        """
        setups = {label: self._running.setups[label] for label in dict.fromkeys(labels) or self._running.setups}
        self._wanted = {label: self._manifest(setup) for label, setup in setups.items()}
        named = self._running.settings.resume
        if self.selection:
            self.choices = dict.fromkeys(setups, Choice(why=why_selected(self.selection)))
        elif named:
            self.choices = {label: resume(named, self._results, wanted) for label, wanted in self._wanted.items()}
        else:
            self.choices = choose(self._results, self._wanted)
        for label, choice in self.choices.items():
            self._running.recorded |= {
                TrialKey(label, result.task, result.run): result for result in choice.results if result.scored
            }

    def open(self, plan: Sequence[PlanLine] = ()) -> None:
        """Make or continue the campaigns that were chosen: with the plan where this process collected."""
        for label, choice in self.choices.items():
            wanted = replace(self._wanted[label], group=self._group(self._running.setups[label]))
            if choice.earlier:
                self.campaigns[label] = CampaignRecord.go_on(choice, wanted)
                self._take_over(label, self.campaigns[label])
            else:
                kept = self.filed.kept if self.filed and wanted.predictions else {}
                self.campaigns[label] = CampaignRecord.begin(self._results, wanted, kept)
            self._running.folders[label] = self.campaigns[label].folder
        self.take_plan(plan)

    def _take_over(self, label: str, campaign: CampaignRecord) -> None:
        """What is not run again, and how often the rest was tried."""
        keyed = {TrialKey(label, key.task, key.run): result for key, result in campaign.recorded.items()}
        self._running.recorded |= keyed
        self._running.earlier |= {TrialKey(label, key.task, key.run): n for key, n in campaign.attempts.items()}

    def take_plan(self, plan: Sequence[PlanLine]) -> None:
        """Write down what is going to run, once; what a continued campaign planned before stays."""
        if not plan:
            return
        known = {name: asdict(tool.spec) for name, tool in self._running.tools.items()} | self._specs
        for slug, campaign in self.campaigns.items():
            lines = [line for line in plan if line[0] == slug]
            if lines and slug not in self._planned:
                self._planned.add(slug)
                before = campaign.manifest
                asked = [PlannedTrial(task=line[1], run=line[2]) for line in lines]
                used = {name for line in lines for name in line[3]} | {str(tool["name"]) for tool in before.tools}
                campaign.revise(
                    planned=tuple(dict.fromkeys([*before.planned, *asked])),
                    tools=tuple(spec for name, spec in known.items() if name in used),
                )

    def _group(self, setup: Setup) -> str:
        """Id of the group that the campaign is run in, made when it is first asked for; empty for none."""
        if not setup.grouped:
            return ""
        continued = [choice.earlier.manifest for choice in self.choices.values() if choice.earlier]
        for manifest in continued:
            if manifest.model == setup.slug and manifest.group:
                self.groups.setdefault(setup.slug, GroupFolder(self._results / manifest.group))
        if setup.slug not in self.groups:
            self.groups[setup.slug] = create_group(self._results, setup.slug, self._suite.name, datetime.now(UTC))
        return self.groups[setup.slug].id

    def take_models(self, described: Mapping[str, Mapping[str, Any]]) -> None:
        """Write down what the models said of themselves, once each."""
        for slug, facts in described.items():
            campaign = self.campaigns.get(slug)
            if campaign and slug not in self._described:
                self._described.add(slug)
                backend = dict(facts)
                made = backend.pop(PREFLIGHT, None)
                said = [*campaign.manifest.warnings, *filter(None, [facts.get("warning"), caution(made)])]
                campaign.revise(backend=backend, preflight=made, warnings=tuple(dict.fromkeys(said)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a report carries; tryfirst, so that nothing is shown that is not on the disk."""
        with record_errors():
            self._specs = {spec["name"]: spec for spec in getattr(report, TOOLS, ())} | self._specs
            self.take_plan([tuple(line) for line in getattr(report, PLAN, ())])
            self.take_models(getattr(report, MODELS, {}))
        data = getattr(report, RESULT, None)
        if data is not None and not hasattr(report, RECORDED):
            result = TrialResult.from_json(data)
            if span := getattr(report, SPAN, None):
                self._running.spans.take(TrialKey(self._running.label_of(result), result.task, result.run), *span)
            self._running_hook(result)

    @pytest.hookimpl(tryfirst=True)
    def pytest_agentcore_trial_finished(self, result: TrialResult) -> None:
        """The plugin's own use of the hook: write the result line."""
        with record_errors():
            label = self._running.label_of(result)
            self.campaigns[label].add(result)
            self._note_overlap(label)

    @property
    def broken(self) -> tuple[str, ...]:
        """Sentences about others' code that broke where no trial can bear it."""
        return tuple(self._running.broken)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember where the hook is called."""
        self._config = config

    def pytest_keyboard_interrupt(self) -> None:
        """An interrupted trial never gets a report; what is known of it is recorded all the same."""
        session = self._config.pluginmanager.get_plugin("session")
        for item in getattr(session, "items", ()):
            finished = item.stash.get(FINISHED, None)
            if finished and not finished.judged:
                with suppress(
                    RecordError, pytest.exit.Exception
                ):  # this may be what has ended the session: the trial runs again
                    self._running_hook(finished.interrupt())
                finished.close()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the campaigns with the exit status that pytest is going to return."""
        if self._running.broken and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for slug, choice in self.choices.items():
            if slug not in self.campaigns:
                choice.release()
        for label, campaign in self.campaigns.items():
            try:
                self._note_overlap(label)
                campaign.finish(exit_status=int(session.exitstatus), finished=datetime.now(UTC))
            except RecordError as error:
                self.lost.append(str(error))
            if not campaign.manifest.planned and not campaign.results:
                shutil.rmtree(campaign.folder.path)  # workers that collected nothing leave nothing behind

    def _note_overlap(self, label: str) -> None:
        """Write down how many trials overlapped, which may be fewer than were allowed to."""
        campaign, most = self.campaigns[label], self._running.spans.most(label)
        if most > campaign.manifest.parallel:
            campaign.revise(parallel=most)

    def crashed(self, nodeid: str, detail: str) -> TrialResult | None:
        """The result of the trial that a dead process was running, from its transcript."""
        for campaign in self.campaigns.values():
            for attempt in open_attempts(campaign.folder):
                if attempt.start["nodeid"] == nodeid:
                    return judge_crashed(campaign.folder, attempt, detail)
        return None

    def _running_hook(self, result: TrialResult) -> None:
        """Tell everybody, ourselves first: whatever another implementation does, the line is on the disk."""
        try:
            self._config.hook.pytest_agentcore_trial_finished(result=result, config=self._config)
        except AgentcoreError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's hook, and the trials that follow are to be run
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{last.filename}, line {last.lineno}"
            self._running.broken.append(
                f"pytest_agentcore_trial_finished broke for {result.key}: {type(error).__name__}: {error} ({where})"
            )

    def _manifest(self, setup: Setup) -> Manifest:
        return replace(
            foresee(setup, self._running, self._suite),
            arguments=self._arguments,
            warnings=tuple(self.warnings),
            scope=self.scope,
            session=self._session,
            selection=self.selection,
            predictions=self.filed.facts(setup) if self.filed and not self.selection else None,
        )
