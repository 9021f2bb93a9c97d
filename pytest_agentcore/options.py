"""Options and ini values → frozen `Settings`. The adders are shared by pytest and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_agentcore.errors import UsageError

Adder = Callable[..., Any]
"""`parser.addoption` of pytest or `parser.add_argument` of argparse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: `--agentcore-<name>`, its bare twin where it has one, and its ini twin `agentcore_<name>`."""

    name: str
    help: str
    default: Any = None
    kind: type[str] | type[int] | type[float] | type[bool] = str
    repeatable: bool = False
    bare: bool = False
    """Whether `--<name>` is offered too, when nobody else has taken it."""
    ini: bool = True
    """Whether it lasts: what is said once for one run only has no ini twin."""
    choices: tuple[str, ...] = ()
    metavar: str = ""
    path: bool = False
    """Takes a path: its two-word form can move pytest's rootdir."""
    listed: bool = False
    """Takes several values with commas between them."""

    @property
    def dest(self) -> str:
        """Attribute on pytest's `config.option`, and the ini key."""
        return f"agentcore_{self.name.replace('-', '_')}"

    def add(self, add: Adder, *spellings: str) -> None:
        """Register under the given spellings. Unset stays None, so that ini and registry can speak."""
        action = "store_true" if self.kind is bool else "append" if self.repeatable else "store"
        extra: dict[str, Any] = {} if self.kind is bool else {"metavar": self.metavar or None, "type": self.kind}
        if self.listed:
            extra["type"] = str
        elif self.choices:
            extra["choices"] = self.choices
        default = f" (default: {self.default})" if self.default not in (None, False, ()) else ""
        add(*spellings, dest=self.dest, action=action, default=None, help=self.help + default, **extra)


OPTIONS = (
    Option(
        name="model",
        repeatable=True,
        bare=True,
        path=True,
        metavar="MODEL",
        help="a name of `agentcore models`, =PATH of a .gguf file, hf:REPO[:QUANT], ollama:NAME, oracle, null or "
        "scripted:FILE; repeatable",
    ),
    Option(name="runs", kind=int, default=3, bare=True, metavar="N", help="trials of every task"),
    Option(
        name="suite",
        default="agentic-core-v1",
        bare=True,
        path=True,
        metavar="SUITE",
        help="name of a shipped suite or =DIR, used when no path is given",
    ),
    Option(
        name="results",
        default="agentcore-results",
        bare=True,
        path=True,
        metavar="DIR",
        help="folder that receives one campaign folder per model",
    ),
    Option(
        name="tool-calls",
        default=(),
        bare=True,
        listed=True,
        choices=("native", "lenient", "constrained"),
        metavar="POLICY[,POLICY...]",
        help="policy: how tool calls are asked for and read, native, lenient or constrained; several are run as one "
        "group (default: the registry's for the model, else native)",
    ),
    Option(
        name="min-pass-rate",
        repeatable=True,
        bare=True,
        metavar="[TASK=]RATE",
        help="fail the run unless this effective pass rate is reached, overall or for one task; repeatable",
    ),
    Option(
        name="baseline",
        path=True,
        metavar="DIR",
        help="fail the run when it is significantly worse than this campaign (see docs/compare.md)",
    ),
    Option(name="keep-workspaces", kind=bool, default=False, bare=True, help="keep final workspaces uncompressed too"),
    Option(
        name="sandbox",
        bare=True,
        choices=("bubblewrap", "process"),
        help="where tools and checkers run (default: bubblewrap; process confines less, see docs/sandbox.md)",
    ),
    Option(
        name="engine",
        repeatable=True,
        metavar="KEY=VALUE",
        help="engine setting, e.g. n_ctx, n_gpu_layers, threads, n_batch, flash_attn; repeatable",
    ),
    Option(
        name="sampling",
        repeatable=True,
        metavar="KEY=VALUE",
        help="sampling value, e.g. temperature, top_p, top_k, min_p, repeat_penalty; repeatable",
    ),
    Option(name="max-turns", kind=int, default=15, metavar="N", help="turns of a trial"),
    Option(
        name="reply-tokens",
        kind=int,
        metavar="N",
        help="ceiling of one reply in tokens, reasoning counted (default: the registry's for the model, else 4096)",
    ),
    Option(name="trial-timeout", kind=float, default=3600.0, metavar="SECONDS", help="wall clock of a trial"),
    Option(name="seed", kind=int, default=0, metavar="N", help="base of every trial's seed"),
    Option(
        name="order",
        default="interleaved",
        choices=("interleaved", "by-task"),
        help="run 1 of every task before run 2 of any, or all runs of a task together",
    ),
    Option(
        name="context-load",
        kind=int,
        default=(),
        listed=True,
        metavar="TOKENS[,TOKENS...]",
        help="tokens of earlier conversation before each task; several depths are run as one group (default: 0)",
    ),
    Option(
        name="preflight",
        default="stop",
        choices=("stop", "warn", "off"),
        help="what happens when tool calls do not get through: no campaign, a warning, or it is not tried",
    ),
    Option(
        name="no-preflight",
        kind=bool,
        default=False,
        help="run the campaign although its preflight failed; the manifest has the verdict (as preflight=warn)",
    ),
    Option(
        name="retries",
        kind=int,
        default=1,
        metavar="N",
        help="further attempts at a trial that ended in an infrastructure error",
    ),
    Option(
        name="base-url",
        metavar="URL",
        help="an OpenAI-compatible endpoint, e.g. http://127.0.0.1:8080/v1; --model is then what it calls the model",
    ),
    Option(
        name="api-key-env",
        metavar="NAME",
        help="environment variable that holds the endpoint's key (default: OPENAI_API_KEY, to https addresses only)",
    ),
    Option(name="parallel", kind=int, default=1, bare=True, metavar="N", help="trials at a time, started in order"),
    Option(
        name="reconnect-timeout",
        kind=float,
        default=300.0,
        metavar="SECONDS",
        help="how long a backend that went away is waited for",
    ),
    Option(
        name="max-infra-errors",
        kind=int,
        default=5,
        metavar="N",
        help="a campaign ends after so many infrastructure errors in a row; what is left of it is not run",
    ),
    Option(
        name="predictions",
        metavar="FILE",
        path=True,
        help="predictions to record and score (default: predictions.md in pytest's rootdir, if it is about the model)",
    ),
    Option(
        name="models-file",
        metavar="FILE",
        path=True,
        help="TOML file of models over those that ship and those of pyproject.toml's [tool.agentcore.models]",
    ),
    Option(
        name="resume",
        ini=False,
        path=True,
        metavar="DIR",
        help="the campaign to continue, by folder or id; by default the newest of the same kind, if it is incomplete",
    ),
    Option(
        name="rerun",
        ini=False,
        repeatable=True,
        metavar="MODE|CAUSE",
        help="run the newest campaign's trials that ended so again, to look at them, in a campaign that counts "
        "nowhere; repeatable",
    ),
)


LONGEST = 1e9
"""Seconds; more is no time to wait, and an endless time can neither be waited for nor written down."""

LEAST_LOAD = 300
"""Tokens of earlier conversation: a first errand and the closing words take about as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user asked for, checked; None, or nothing in a tuple, means that the model's registry entry decides."""

    models: tuple[str, ...]
    runs: int
    suite: str
    results: str
    tool_calls: tuple[str, ...]
    """Policies, in the order given."""
    min_pass_rate: tuple[str, ...]
    baseline: str | None
    keep_workspaces: bool
    sandbox: Literal["bubblewrap", "process"] | None
    engine: tuple[tuple[str, str], ...]
    sampling: tuple[tuple[str, str], ...]
    max_turns: int
    reply_tokens: int | None
    trial_timeout: float
    seed: int
    order: Literal["interleaved", "by-task"]
    context_load: tuple[int, ...]
    """Depths in tokens, in the order given; none is the depth 0 alone."""
    preflight: Literal["stop", "warn", "off"]
    no_preflight: bool
    retries: int
    resume: str | None
    rerun: tuple[str, ...]
    base_url: str | None
    api_key_env: str | None
    parallel: int
    reconnect_timeout: float
    max_infra_errors: int
    predictions: str | None
    models_file: str | None


def settle(given: Callable[[Option], Any]) -> Settings:
    """Check and freeze; `given` yields an option's value from command line or ini, or None.

    Raises:
        UsageError: a value that cannot be used.
    """
    values = {option.name: _value(option, given(option)) for option in OPTIONS}
    for name, least in _LEAST.items():
        if values[name] is not None and not values[name] >= least:
            raise UsageError(f"--agentcore-{name} {values[name]}: must be at least {least:g}")
        if isinstance(values[name], float) and values[name] > LONGEST:
            raise UsageError(f"--agentcore-{name} {values[name]}: must be a number of seconds up to {LONGEST:g}")
    for depth in values["context-load"]:
        if 0 != depth < LEAST_LOAD:
            raise UsageError(f"--agentcore-context-load {depth}: must be 0 or at least {LEAST_LOAD}")
    if values["rerun"] and max(len(values["tool-calls"]), len(values["context-load"])) > 1:
        raise UsageError("--agentcore-rerun picks trials of one campaign: name one policy and one context load")
    renamed = {name.replace("-", "_"): value for name, value in values.items() if name != "model"}
    renamed["engine"] = pairs("engine", renamed["engine"])
    renamed["sampling"] = pairs("sampling", renamed["sampling"])
    return Settings(models=values["model"], **renamed)


_LEAST: Mapping[str, float] = {
    "runs": 1,
    "max-turns": 1,
    "reply-tokens": 1,
    "trial-timeout": 1e-3,
    "retries": 0,
    "parallel": 1,
    "reconnect-timeout": 0,
    "max-infra-errors": 1,
}


def pairs(name: str, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`KEY=VALUE` words split at the first `=`; a key given twice keeps its last value.

    Raises:
        UsageError: a word without `=`.
    """
    split: dict[str, str] = {}
    for word in values:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise UsageError(f"--agentcore-{name} {word!r}: must read KEY=VALUE")
        split[key] = value
    return tuple(split.items())


def _value(option: Option, raw: Any) -> Any:
    if option.repeatable:
        return tuple(raw or ())
    if raw is None or raw == "":
        return option.default
    if option.listed:
        return _values(option, str(raw))
    return _one_value(option, raw)


def _values(option: Option, raw: str) -> tuple[Any, ...]:
    values = tuple(_one_value(option, word.strip()) for word in raw.split(","))
    for number, value in enumerate(values):
        if value in values[:number]:
            raise UsageError(f"{option.dest} {raw!r}: {value} stands there twice")
    return values


def _one_value(option: Option, raw: Any) -> Any:
    if option.choices and raw not in option.choices:
        raise UsageError(f"{option.dest} {raw!r}: must be one of {', '.join(option.choices)}")
    try:
        return option.kind(raw)
    except ValueError:
        word = {int: "a whole number", float: "a number"}.get(option.kind, "text")
        raise UsageError(f"{option.dest} {raw!r}: must be {word}") from None


def settings_from_json(data: Mapping[str, Any]) -> Settings:
    """The inverse of `dataclasses.asdict` over a JSON trip: lists become tuples again."""

    def tuples(value: Any) -> Any:
        return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value

    return Settings(**{key: tuples(value) for key, value in data.items()})
