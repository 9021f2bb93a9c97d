"""One model of the session and how it is asked: what makes a campaign, settled before anything costly starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_agentcore.agent.session import Limit
from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.base import BackendFactory, Policy, Sampling
from pytest_agentcore.models.engine import offloads
from pytest_agentcore.models.gguf import check_model
from pytest_agentcore.models.memory import check_memory, default_ctx
from pytest_agentcore.models.registry import ModelEntry, resolve
from pytest_agentcore.models.settings import read_engine, read_sampling
from pytest_agentcore.options import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A model with every value settled: its own wishes, overridden by what the user said."""

    entry: ModelEntry
    policy: Policy
    sampling: Sampling
    engine: Mapping[str, str]
    limit: Limit

    @property
    def slug(self) -> str:
        """Names the model in item ids and folders."""
        return self.entry.slug


def settle_models(settings: Settings, backends: Mapping[str, BackendFactory]) -> tuple[Setup, ...]:
    """The models in the order given.

    Raises:
        UsageError: an unknown model, a wrong engine or sampling value, two models with one slug.
    """
    setups = tuple(_settle(name, settings, backends) for name in settings.models)
    seen: dict[str, str] = {}
    for name, setup in zip(settings.models, setups, strict=True):
        if setup.slug in seen:
            raise UsageError(
                f"--agentcore-model {name}: its slug {setup.slug!r} is also that of {seen[setup.slug]}; "
                "run them one after the other, or rename one file"
            )
        seen[setup.slug] = name
    return setups


def check_files(setups: Sequence[Setup], processes: int = 1) -> None:
    """Refuse files that cannot be loaded, and more processes than memory for them, before anything is loaded.

    Raises:
        UsageError: one sentence about the first file that is broken or too large.
    """
    for setup in setups:
        if setup.entry.backend != "llama_cpp" or setup.entry.path is None:
            continue
        header, engine = check_model(setup.entry.path), read_engine(setup.engine)
        if processes > 1 and not offloads(engine):
            check_memory(header, engine.n_ctx or default_ctx(header), n_ubatch=engine.n_ubatch, processes=processes)


def _settle(name: str, settings: Settings, backends: Mapping[str, BackendFactory]) -> Setup:
    entry = resolve(name, backends=tuple(backends))
    read_engine(dict(settings.engine))
    return Setup(
        entry=entry,
        policy=Policy(settings.tool_calls) if settings.tool_calls else entry.policy or Policy.native,
        sampling=read_sampling(dict(settings.sampling), over=entry.sampling),
        engine=dict(settings.engine),
        limit=Limit(
            turns=settings.max_turns,
            reply_tokens=settings.reply_tokens or entry.reply_tokens or 4096,
            seconds=settings.trial_timeout,
        ),
    )
