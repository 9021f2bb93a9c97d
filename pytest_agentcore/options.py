"""Every option, once: its spellings, what it takes, and the attribute of `Settings` that holds its value.

pytest loads this module in every run, so it imports nothing of ours and builds no dataclass, which would compile code.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, NoReturn, Self, TypeVar, overload

Adder = Callable[..., Any]
"""`parser.addoption` of pytest or `parser.add_argument` of argparse."""

LONGEST = 1e9
"""Seconds; more is no time to wait, and an endless time can neither be waited for nor written down."""

LEAST_LOAD = 300
"""Tokens of earlier conversation: a first errand and the closing words take about as many."""

SANDBOXES = ("bubblewrap", "container", "process")

Value = TypeVar("Value")


def read_shard(text: str) -> tuple[int, int]:
    """Read `2/5`, the second of five parts, as (2, 5)."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise ValueError("K/N, the K-th of N parts, such as 2/5")
    return number, of


def read_runs(text: str) -> tuple[int, ...]:
    """Read `1,4-7` as (1, 4, 5, 6, 7)."""
    runs: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last:
            raise ValueError("run indices from 1, such as 1,4-7")
        runs |= {*range(first, last + 1)}
    return tuple(sorted(runs))


class Option(Generic[Value]):
    """`--agentcore-<name>`, its bare twin where it has one, its ini twin `agentcore_<name>`, its place in `Settings`.

    Args:
        help: what `--help` says of it; the default is added.
        kind: makes a value of a word, or raises ValueError; a function of ours says in it what the word must be.
        default: its value when it is not given; None leaves it to the model's registry entry, but for a list and a
            flag, which are empty and off.
        name: how it is spelled, where that differs from the attribute's name.
        bare: `--<name>` is offered too, when nobody else has taken it.
        ini: it has an ini twin; what is said once for one run only has none.
        repeatable: it may be given several times.
        listed: it takes several values with commas between them.
        pairs: it takes `KEY=VALUE`, and may be given several times.
        path: it takes a path, whose two-word form can move pytest's rootdir.
        choices: the only words that it takes.
        least: the smallest value.
        most: the greatest value.
        or_zero: 0 is taken too, though it is less than the least.
        or_auto: `auto` is taken too, and is the default: the value is None, and what comes of it is decided later.
        metavar: stands for the value in `--help`, where its kind does not say enough.
    """

    def __init__(
        self,
        help: str,  # noqa: A002 - argparse calls it so
        kind: Callable[[str], Any] = str,
        *,
        default: Any = None,
        name: str = "",
        bare: bool = False,
        ini: bool = True,
        repeatable: bool = False,
        listed: bool = False,
        pairs: bool = False,
        path: bool = False,
        choices: tuple[str, ...] = (),
        least: float | None = None,
        most: float | None = None,
        or_zero: bool = False,
        or_auto: bool = False,
        metavar: str = "",
    ) -> None:
        unset = () if listed else False if kind is bool else None
        self.help, self.kind, self.default = help, kind, unset if default is None else default
        self.name, self.bare, self.ini, self.path = name, bare, ini, path
        self.repeatable, self.listed, self.pairs = repeatable or pairs, listed, pairs
        usual = "KEY=VALUE" if pairs else "DIR" if path else "N" if kind is int else "SECONDS" if kind is float else ""
        self.metavar = metavar or usual
        self.choices, self.least, self.most = choices, least, most
        self.or_zero, self.or_auto = or_zero, or_auto

    def __set_name__(self, owner: type[Settings], attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute.replace("_", "-")

    @property
    def dest(self) -> str:
        """Attribute on pytest's `config.option`, and the ini key."""
        return f"agentcore_{self.name.replace('-', '_')}"

    def add(self, add: Adder, *spellings: str) -> None:
        """Register under the given spellings. Unset stays None, so that ini and registry can speak."""
        action = "store_true" if self.kind is bool else "append" if self.repeatable else "store"
        extra: dict[str, Any] = {} if self.kind is bool else {"metavar": self.metavar or None, "type": str}
        if self.kind in (int, float) and not (self.listed or self.or_auto):
            extra["type"] = self.kind
        elif self.choices:
            extra |= {"type": self._checked, "metavar": self.metavar or f"{{{','.join(self.choices)}}}"}
        default = f" (default: {self.shown})" if self.shown else ""
        add(*spellings, dest=self.dest, action=action, default=None, help=self.help + default, **extra)

    def _checked(self, given: str) -> str:
        for word in given.split(",") if self.listed else [given]:
            if word.strip() not in self.choices:
                from pytest_agentcore.errors import instead  # noqa: PLC0415 - only for whoever mistypes

                raise argparse.ArgumentTypeError(f"no {word!r}; {instead(word, self.choices)}")
        return given

    @property
    def shown(self) -> str:
        """The default, where it says something."""
        return "auto" if self.or_auto else "" if self.default in (None, False, (), "") else str(self.default)

    @overload
    def __get__(self, settings: None, owner: type[Settings]) -> Self: ...

    @overload
    def __get__(self, settings: Settings, owner: type[Settings]) -> Value: ...

    def __get__(self, settings: Settings | None, owner: type[Settings]) -> Self | Value:
        if settings is None:
            return self
        value: Value = settings.values[self.attribute]
        return value

    def __set__(self, settings: Settings, value: NoReturn) -> None:
        raise AttributeError(f"{self.attribute} is settled")


class Settings:
    """The user's options, checked. None, or nothing in a tuple, means that the model's registry entry decides."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Take checked values by attribute, as `settle` makes them; plain types, so that they can go to a worker."""
        self.values = values

    def replace(self, **changes: Any) -> Settings:
        """The same with some values changed."""
        return Settings({**self.values, **changes})

    models: Option[tuple[str, ...]] = Option(
        "a name of `agentcore models`, =PATH of a .gguf file, hf:REPO[:QUANT], ollama:NAME, oracle, null or "
        "scripted:FILE; repeatable",
        name="model",
        repeatable=True,
        bare=True,
        path=True,
        metavar="MODEL",
    )
    runs: Option[int] = Option("trials of every task", int, default=3, bare=True, least=1)
    run_indices: Option[tuple[int, ...]] = Option(
        "only the trials of these run indices, e.g. 1,4-7",
        read_runs,
        default=(),
        name="run",
        ini=False,
        metavar="RUNS",
    )
    shard: Option[tuple[int, int] | None] = Option(
        "only the K-th of N equal parts of the trials, for `agentcore merge` to join",
        read_shard,
        bare=True,
        ini=False,
        metavar="K/N",
    )
    suite: Option[str] = Option(
        "a shipped suite's name or =DIR, used when no path is given",
        default="agentic-core-v1",
        bare=True,
        path=True,
        metavar="SUITE",
    )
    results: Option[str] = Option(
        "folder that receives one campaign folder per model", default="agentcore-results", bare=True, path=True
    )
    tool_calls: Option[tuple[str, ...]] = Option(
        "policy: how tool calls are asked for and read, native, lenient or constrained; several are run as one "
        "group (default: the registry's for the model, else native)",
        bare=True,
        listed=True,
        choices=("native", "lenient", "constrained"),
        metavar="POLICY[,POLICY...]",
    )
    min_pass_rate: Option[tuple[str, ...]] = Option(
        "fail the run unless this effective pass rate is reached, overall or for one task; repeatable",
        repeatable=True,
        bare=True,
        metavar="[TASK=]RATE",
    )
    baseline: Option[str | None] = Option(
        "fail the run when it is significantly worse than this campaign (see docs/compare.md)", path=True
    )
    keep_workspaces: Option[bool] = Option("keep final workspaces uncompressed too", bool, bare=True)
    sandbox: Option[Literal["bubblewrap", "container", "process"] | None] = Option(
        "where tools and checkers run (default: bubblewrap, or container for suites that name an image; process "
        "confines less, see docs/sandbox.md)",
        bare=True,
        choices=SANDBOXES,
    )
    container: Option[str] = Option(
        'the engine of --sandbox container, with its own options, e.g. "podman --runtime runc" (default: podman or '
        "docker, whichever answers)",
        default="",
        metavar="ENGINE",
    )
    engine: Option[Mapping[str, str]] = Option(
        "engine setting, e.g. n_ctx, n_gpu_layers, threads, n_batch, flash_attn; repeatable", pairs=True
    )
    sampling: Option[Mapping[str, str]] = Option(
        "sampling value, e.g. temperature, top_p, top_k, min_p, repeat_penalty; repeatable", pairs=True
    )
    max_turns: Option[int] = Option("turns of a trial", int, default=15, least=1)
    reply_tokens: Option[int | None] = Option(
        "ceiling of one reply in tokens, reasoning counted (default: the registry's for the model, else 4096)",
        int,
        least=1,
    )
    trial_timeout: Option[float] = Option("most seconds of a trial", float, default=3600.0, least=1e-3, most=LONGEST)
    seed: Option[int] = Option("number from which every trial's seed is derived", int, default=0)
    order: Option[Literal["interleaved", "by-task"]] = Option(
        "all tasks' run 1 before any run 2, or all runs of a task together",
        default="interleaved",
        choices=("interleaved", "by-task"),
    )
    context_load: Option[tuple[int, ...]] = Option(
        "tokens of earlier conversation before each task; several depths are run as one group (default: 0)",
        int,
        listed=True,
        metavar="TOKENS[,TOKENS...]",
        least=LEAST_LOAD,
        or_zero=True,
    )
    preflight: Option[Literal["stop", "warn", "off"]] = Option(
        "when tool calls do not get through: stop the session, only warn, or do not check",
        default="stop",
        choices=("stop", "warn", "off"),
    )
    no_preflight: Option[bool] = Option("run the campaign even if its preflight failed (same as preflight=warn)", bool)
    retries: Option[int] = Option(
        "further attempts at a trial that ended in an infrastructure error", int, default=1, least=0
    )
    base_url: Option[str | None] = Option(
        "an OpenAI-compatible endpoint, e.g. http://127.0.0.1:8080/v1; --model is then what it calls the model",
        metavar="URL",
    )
    api_key_env: Option[str | None] = Option(
        "environment variable that holds the endpoint's key (default: OPENAI_API_KEY, to https addresses only)",
        metavar="NAME",
    )
    parallel: Option[int | None] = Option(
        "trials at a time; auto is 1, or for a model in this process as many as fit in memory, at most 8 on a GPU and "
        "4 on a CPU",
        int,
        bare=True,
        least=1,
        or_auto=True,
        metavar="N|auto",
    )
    on: Option[str | None] = Option(
        "where trials run: dask://HOST:PORT, a Dask scheduler with workers started by `agentcore worker`, or "
        "dask://local[:N], N workers on this machine; --agentcore-parallel is then per worker (default: here)",
        metavar="ADDRESS",
    )
    reconnect_timeout: Option[float] = Option(
        "how long to wait for a backend that went away", float, default=300.0, least=0, most=LONGEST
    )
    max_infra_errors: Option[int] = Option(
        "end a campaign after this many infrastructure errors in a row",
        int,
        default=5,
        least=1,
    )
    predictions: Option[str | None] = Option(
        "predictions to record and score (default: predictions.md in pytest's rootdir, if it is about the model)",
        metavar="FILE",
        path=True,
    )
    models_file: Option[str | None] = Option(
        "TOML file of models; overrides those that ship and those in pyproject.toml's [tool.agentcore.models]",
        metavar="FILE",
        path=True,
    )
    resume: Option[str | None] = Option(
        "the campaign to continue, by folder or id; by default the newest of the same kind, if it is incomplete",
        ini=False,
        path=True,
    )
    rerun: Option[tuple[str, ...]] = Option(
        "run again the newest campaign's trials that ended this way, for inspection, in a campaign that counts "
        "nowhere; repeatable",
        ini=False,
        repeatable=True,
        metavar="MODE|CAUSE",
    )


OPTIONS: tuple[Option[Any], ...] = tuple(option for option in vars(Settings).values() if isinstance(option, Option))
"""In the order in which `--help` shows them."""
