"""From what the user gave to settled values: first the options, then every model and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from pytest_agentcore.agent.session import Limit
from pytest_agentcore.backends.base import BackendFactory
from pytest_agentcore.backends.llama.fit import check_cache_types, check_processes
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.catalogue.entry import (
    AGENTS,
    ENDPOINT,
    LLAMA,
    SCRIPTED,
    EndpointSettings,
    EngineSettings,
    ModelEntry,
    Policy,
    Sampling,
    read_settings,
    settings_of,
)
from pytest_agentcore.catalogue.registry import Registry, shipped
from pytest_agentcore.catalogue.resolve import OPENAI, checked_variable, entry_at, resolve
from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.options import OPTIONS, Option, Settings


def settle(given: Callable[[Option[Any]], Any]) -> Settings:
    """Check and freeze; `given` yields an option's value from command line or ini, or None.

    Raises:
        UsageError: a value that cannot be used.
    """
    settings = Settings({option.attribute: _value(option, given(option)) for option in OPTIONS})
    if settings.rerun and max(len(settings.tool_calls), len(settings.context_load)) > 1:
        raise UsageError("--agentcore-rerun picks trials of one campaign: name one policy and one context load")
    return settings


def _value(option: Option[Any], raw: Any) -> Any:
    if option.pairs:
        split: dict[str, str] = {}
        for word in raw or ():
            key, equals, value = word.partition("=")  # a key given twice keeps its last value
            if not (key and equals and value):
                raise UsageError(f"--agentcore-{option.name} {word!r}: must read KEY=VALUE")
            split[key] = value
        return split
    if option.repeatable:
        return tuple(raw or ())
    if raw is None or (raw == "" and option.ini):  # typed, an empty word is a variable of a script that is not set
        return option.default
    if not option.listed:
        return _one_value(option, raw)
    values = tuple(_one_value(option, word.strip()) for word in str(raw).split(","))
    for number, value in enumerate(values):
        if value in values[:number]:
            raise UsageError(f"{option.dest} {raw!r}: {value} stands there twice")
    return values


def _one_value(option: Option[Any], raw: Any) -> Any:
    if option.choices and raw not in option.choices:
        raise UsageError(f"{option.dest} {raw!r}: must be one of {', '.join(option.choices)}")
    if option.or_auto and raw == "auto":
        return None
    try:
        value: Any = option.kind(raw)
    except ValueError as error:
        word = "a whole number" if option.kind is int else "a number" if option.kind is float else str(error)
        word += " or auto" if option.or_auto else ""
        raise UsageError(
            f"{option.dest if option.ini else f'--agentcore-{option.name}'} {raw!r}: must be {word}"
        ) from None
    if option.least is not None and not value >= option.least and not (option.or_zero and value == 0):  # refuses nan
        also = "0 or " if option.or_zero else ""
        raise UsageError(f"--agentcore-{option.name} {value}: must be {also}at least {option.least:g}")
    if option.most is not None and value > option.most:
        raise UsageError(f"--agentcore-{option.name} {value}: must be a number of seconds up to {option.most:g}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A model with every value settled: its own wishes, overridden by what the user said."""

    entry: ModelEntry
    policy: Policy
    sampling: Sampling
    engine: EngineSettings | EndpointSettings
    limit: Limit
    load: int = 0
    """Tokens of earlier conversation before each task."""
    label: str
    """Names the campaign in this session and in item ids: the slug, with policy and depth where there are several."""

    @property
    def slug(self) -> str:
        """Names the model in folders and results."""
        return self.entry.slug

    @property
    def rows(self) -> int | None:
        """Conversations that are decoded together; None where that is no business of this process."""
        return self.engine.rows if isinstance(self.engine, EngineSettings) and self.entry.backend == LLAMA else None

    @property
    def grouped(self) -> bool:
        """The model has other campaigns beside this one."""
        return self.label != self.slug

    @property
    def has_plumbing(self) -> bool:
        """Calls go through a template, a tokenizer or a server: not for agents, nor for scripts."""
        return not self.entry.is_agent and self.entry.backend != SCRIPTED

    def same_model(self, other: Setup) -> bool:
        """Tell whether the model that is loaded for one serves the other too."""
        return self.entry == other.entry and self.engine == other.engine


def settle_models(
    settings: Settings, backends: Mapping[str, BackendFactory], registry: Registry | None = None
) -> tuple[Setup, ...]:
    """The campaigns to run, in the order of the models given; those of one model differ in policy and depth.

    A model's file may still have to be fetched.

    Args:
        settings: what the user asked for.
        backends: factories by name.
        registry: models by name; only those that ship without it.

    Raises:
        UsageError: an unknown model, a wrong engine or sampling value, two models with one slug.
    """
    setups = [(name, setup) for name in settings.models for setup in _settle(name, settings, backends, registry)]
    seen: dict[str, str] = {}
    for name, setup in setups:
        if setup.label in seen:
            raise UsageError(
                f"--agentcore-model {name}: its slug {setup.slug!r} is also that of {seen[setup.label]}; "
                "run them one after the other, or rename one file"
            )
        seen[setup.label] = name
    return tuple(setup for _, setup in setups)


def check_files(setups: Sequence[Setup], processes: int = 1) -> None:
    """Refuse files that cannot be loaded, and more processes than memory for them, before anything is loaded.

    Raises:
        UsageError: one sentence about the first file that is broken, too large or loaded with what it cannot do.
    """
    for setup in setups:
        if setup.entry.backend != LLAMA or setup.entry.path is None:
            continue
        header, engine = check_model(setup.entry.path), setup.engine
        if isinstance(engine, EngineSettings):
            check_cache_types(header, engine)
            if processes > 1:
                check_processes(header, engine, processes)


def _settle(
    name: str, settings: Settings, backends: Mapping[str, BackendFactory], registry: Registry | None
) -> Iterator[Setup]:
    """A campaign for every policy and depth; agents know neither and have one."""
    # With an address given every name is the endpoint's, but for those that mean no endpoint in any case.
    word, colon, _ = name.partition(":")
    elsewhere = name in AGENTS or (colon and word in backends and word != ENDPOINT)
    if elsewhere or not (settings.base_url or word == ENDPOINT):
        entry = resolve(name, backends=tuple(backends), registry=registry, elsewhere=bool(settings.on))
    else:
        entry = entry_at(
            name.removeprefix(f"{ENDPOINT}:"), settings.base_url or OPENAI, shipped() if registry is None else registry
        )
    if entry.backend == ENDPOINT and settings.api_key_env:
        entry = replace(entry, api_key_env=checked_variable(settings.api_key_env))
    if not entry.is_agent and entry.backend not in backends:
        near = instead(entry.backend, sorted(backends))
        raise UsageError(f"{entry.origin}: {entry.name}.backend: no {entry.backend!r}; {near}; a plugin adds others")
    # with several models some of the engine values may be for the others
    kinds: list[type[EngineSettings | EndpointSettings]] = [EngineSettings, EndpointSettings]
    own, other = kinds[::-1] if entry.backend == ENDPOINT else kinds
    foreign = settings_of(other).keys() - settings_of(own).keys() if len(settings.models) > 1 else set()
    engine = read_settings(own, {key: value for key, value in settings.engine.items() if key not in foreign})
    if isinstance(engine, EngineSettings) and entry.backend == LLAMA and settings.parallel:
        engine = replace(engine, rows=settings.parallel)
    for key in settings.sampling:
        if key in entry.not_sent:
            raise UsageError(
                f"--agentcore-sampling {key}: {entry.name} takes none: its registry entry has {key} under not_sent"
            )
    sampling = read_settings(Sampling, {**entry.sampling, **settings.sampling})
    limit = Limit(
        turns=settings.max_turns,
        reply_tokens=settings.reply_tokens or entry.reply_tokens or 4096,
        seconds=settings.trial_timeout,
    )
    policies = tuple(map(Policy, settings.tool_calls)) or (entry.policy or Policy.native,)
    depths = settings.context_load or (0,)
    if entry.is_agent:
        policies, depths = policies[:1], (0,)
    for policy, depth in product(policies, depths):
        parts = [entry.slug, policy.value if len(policies) > 1 else "", f"load{depth}" if len(depths) > 1 else ""]
        yield Setup(
            entry=entry,
            policy=policy,
            load=depth,
            label="-".join(filter(None, parts)),
            sampling=sampling,
            engine=engine,
            limit=limit,
        )
