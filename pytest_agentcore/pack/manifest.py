"""The manifest: everything needed to repeat a campaign, or to see that it cannot be compared with another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Self

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, dated_name
from pytest_agentcore.redact import redact
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.trial.result import Prices, TrialKey
from pytest_agentcore.trial.stored import from_json

MANIFEST_SCHEMA = 1
"""Raised when a field changes its meaning or goes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFacts:
    """The suite as it was, without the path where it lay."""

    name: str
    version: str
    title: str
    digest: str
    """sha256, see `Suite.digest`."""
    system_prompt: str

    @classmethod
    def of(cls, suite: Suite) -> Self:
        """Take the facts from a suite on disk."""
        return cls(**{fact.name: getattr(suite, fact.name) for fact in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTrial:
    """One trial of the plan; the model is the campaign's."""

    task: str
    run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of the equal parts that a plan was divided into; a campaign of it is complete without the others."""

    number: int
    """From 1."""
    of: int
    others: tuple[PlannedTrial, ...] = ()
    """The trials of the other shards: whoever joins shards knows by them what is missing."""

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Why a campaign holds only trials that were picked by how they had ended: it is for looking, not for counting."""

    asked: tuple[str, ...]
    """Words of the command line that picked them: `--agentcore-rerun gave_up_mid_plan`, `--lf`."""
    of: str = ""
    """The campaign whose trials were picked; empty where pytest's own memory picked them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRun:
    """A process that worked on a campaign after the first one, or a campaign that was merged into another."""

    campaign: str
    """Its id then."""
    started: str
    """UTC, ISO 8601 with seconds."""
    recorded: int
    """Trials with a result: when it started, for a resumption; altogether, for a merged campaign."""
    arguments: tuple[str, ...]
    """The command line, secrets replaced."""
    machine: Mapping[str, Any]
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """One time that stored trials were judged anew and the changed verdicts recorded."""

    at: str
    """UTC, ISO 8601 with seconds."""
    suite: str
    """Digest of the suite whose checkers judged."""
    harness: str
    classification: int
    up: int
    """Trials that pass since."""
    down: int
    """Trials that do not pass any more."""
    otherwise: int
    """Trials that fail for another cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One campaign: a model, a harness, a suite, a configuration. No environment variables and no secrets."""

    campaign: str = ""
    """The folder's name; filled in when the folder is made."""
    suite: SuiteFacts
    model: str
    """The slug."""
    requested: str
    """The model as the user wrote it: a registry name, a file, …"""
    entry: Mapping[str, Any] = field(default_factory=dict)
    """The registry's entry, empty without one."""
    backend: Mapping[str, Any]
    """`Backend.describe()`: name, file, quant, context, device, dialect, engine …"""
    policy: str
    sampling: Mapping[str, float]
    seed: int
    """Every trial's seeds are derived from it, the task's id, the run index and the turn."""
    runs: int
    order: str
    """`interleaved` or `by-task`."""
    budget: Mapping[str, float]
    """`turns`, `reply_tokens`, `seconds` for tasks that declare none of their own."""
    tools: tuple[Mapping[str, Any], ...]
    """Name, description and parameters of every tool that a planned task gives."""
    sandbox: Mapping[str, Any]
    """`Sandbox.describe()`."""
    harness: str
    """Version of pytest-agentcore."""
    machine: Mapping[str, Any]
    """See `machine_facts`."""
    packages: Mapping[str, str]
    """Versions by distribution."""
    arguments: tuple[str, ...]
    """The command line, secrets replaced."""
    planned: tuple[PlannedTrial, ...]
    """In the order of the plan."""
    warnings: tuple[str, ...] = ()
    """Sentences the header showed."""
    prices: Prices | None = Prices()
    """None: not known, costs stay empty."""
    preflight: Mapping[str, Any] | None = None
    """None: not made."""
    context_load: int = 0
    """Tokens of earlier conversation that were asked for before each task."""
    group: str = ""
    """Folder of the group: campaigns of one model that were run side by side; empty for a campaign of its own."""
    parallel: int = 1
    """Trials that ran at the same time at most; with more than one their seconds are not comparable."""
    rows: int | None = None
    """Conversations that a model in this process decodes together, whether as many were live or not: replies depend on
    how many rows there are. None for other backends, and while it is still to be decided."""
    rows_reason: str = ""
    """Why as many."""
    workers: tuple[Mapping[str, Any], ...] = ()
    """Kinds of machines that trials ran on with `--agentcore-on`, and how many workers of each were there at the
    same time; checkers ran on `machine`. Empty where all ran there."""
    predictions: Mapping[str, Any] | None = None
    """None: none were filed. Else digest and commit of the file, see docs/predictions.md."""
    started: str
    """UTC, ISO 8601 with seconds."""
    finished: str | None = None
    """None: still running, or killed."""
    exit_status: int | None = None
    """pytest's, after the gate."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """Engine settings as they were asked for; what the backend made of them stands in `backend`."""
    scope: tuple[str, ...] = ()
    """The part of the suite that was asked for: paths below it and the words of `-k`, `-m` and `--deselect`."""
    shard: Shard | None = None
    """None: the whole plan."""
    session: str = ""
    """UUID that the campaigns share which one command began."""
    resumed: tuple[ProcessRun, ...] = ()
    """The processes that continued the campaign."""
    merged: tuple[ProcessRun, ...] = ()
    """The campaigns that were joined to make this one."""
    rechecked: tuple[Recheck, ...] = ()
    """Each time that verdicts were given anew; the result lines before them are kept."""
    audit: Mapping[str, Any] | None = None
    """None: the suite was not audited, or not as it is. Else what `agentcore audit --record` wrote about it."""
    selection: Selection | None = None
    """None: a campaign that counts. Else its trials were picked by their outcome, and it counts nowhere."""

    @property
    def judged_by(self) -> str:
        """Digest of the suite whose checkers gave the verdicts that count."""
        return self.rechecked[-1].suite if self.rechecked else self.suite.digest

    @property
    def keys(self) -> tuple[TrialKey, ...]:
        """The plan as trial keys."""
        return tuple(TrialKey(self.model, trial.task, trial.run) for trial in self.planned)

    @property
    def tasks(self) -> dict[str, int]:
        """Number of planned trials by task, in the order of the names."""
        return dict(sorted(Counter(trial.task for trial in self.planned).items()))

    @property
    def counts(self) -> bool:
        """Whether its rates mean something: compare, leaderboard and resumption leave a selection out."""
        return self.selection is None

    def process_run(self, campaign: str, recorded: int) -> ProcessRun:
        """The process that this manifest tells of, as another campaign's manifest lists it."""
        same: dict[str, Any] = {name: getattr(self, name) for name in ("started", "arguments", "machine", "packages")}
        return ProcessRun(campaign=campaign, recorded=recorded, **same)

    def to_json(self) -> dict[str, Any]:
        """Plain types only; anything that looks like a secret is replaced."""
        data: dict[str, Any] = redact({"schema": MANIFEST_SCHEMA, **asdict(self)})
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            ValueError: another schema version, or a field missing or of another type.
        """
        if data.get("schema") != MANIFEST_SCHEMA:
            raise ValueError(f"schema {data.get('schema')!r} of a manifest: this version reads {MANIFEST_SCHEMA}")
        # older campaigns are of whole plans, on one machine, of suites that nobody audited; nobody counted rows
        later = {"shard": None, "rows": None, "rows_reason": "", "audit": None, "workers": ()}
        return from_json(cls, {**later, **data})


def name_for(manifest: Manifest) -> str:
    """The folder that a campaign gets when it starts, unless the name is taken."""
    policy = [] if manifest.policy == "native" else [manifest.policy]
    load = [f"load{manifest.context_load}"] if manifest.context_load else []
    shard = [f"shard{manifest.shard.number}of{manifest.shard.of}"] if manifest.shard else []
    selection = [] if manifest.counts else ["selection"]
    started = datetime.fromisoformat(manifest.started)
    return dated_name(started, manifest.model, manifest.suite.name, *policy, *load, *shard, *selection)


def utc(moment: datetime) -> str:
    """ISO 8601 with seconds, in UTC; the moment must know its time zone."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def manifest_bytes(manifest: Manifest) -> bytes:
    """The content of `manifest.json`."""
    return f"{json.dumps(manifest.to_json(), indent=2, allow_nan=False)}\n".encode("ascii")


def read_manifest(folder: CampaignFolder) -> Manifest:
    """Read the manifest of a campaign.

    Raises:
        UsageError: there is none, or it cannot be read; names the file.
    """
    try:
        data = json.loads(folder.manifest.read_bytes())
        return Manifest.from_json(data if isinstance(data, dict) else {})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(f"{folder.manifest}: not a manifest of a campaign: {error}") from error
