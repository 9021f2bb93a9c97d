"""An endpoint before the first request: its address, its key, and what it says of itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pytest_agentcore.backends.openai.client import EndpointClient, refuses_key
from pytest_agentcore.backends.openai.protocol import FIELDS
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry
from pytest_agentcore.catalogue.resolve import DEFAULT_KEY, api_key_of, checked_url
from pytest_agentcore.errors import BackendError, UsageError
from pytest_agentcore.trial.modes import Cause

MANY_SLOTS = 64
"""Conversations at once where the endpoint does not say how many it takes."""
ONLY_STANDARD = frozenset({"api.openai.com"})
"""Hosts that are known to refuse every field that is not their own."""
_NOT_STANDARD = ("top_k", "min_p", *FIELDS["repeat_penalty"])
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as far as it is known before the first request."""

    base_url: str
    model: str
    """What it calls the model."""
    slots: int
    context: int | None
    """Tokens; None: unknown, and the endpoint's refusal ends a trial."""
    settings: EndpointSettings
    """As they were asked for."""
    left_out: Collection[str]
    """Fields that it is known to refuse when they are sent."""
    never_sent: Collection[str]
    """Fields that are left out because the registry says so, whatever the sampling asks for."""
    facts: Mapping[str, str]
    warning: str

    def describe(self) -> dict[str, Any]:
        """For header and manifest; without user names and passwords."""
        said = {
            "model": self.model,
            "endpoint": shown(self.base_url),
            "context": self.context,
            "device": f"endpoint {shown(self.base_url)}",
            "dialect": "the endpoint's",
            "slots": self.slots,
            "idle_timeout": self.settings.idle_timeout,
            "slowest": self.settings.slowest,
            **self.facts,
        }
        return said | ({"warning": self.warning} if self.warning else {})


def open_endpoint(entry: ModelEntry, settings: EndpointSettings) -> tuple[Endpoint, EndpointClient]:
    """Look whether the endpoint is there, and what it says about its model.

    Raises:
        UsageError: it is not there or refuses the key.
    """
    base_url, model = checked_url(entry.base_url), entry.model or entry.name
    client = EndpointClient(base_url, api_key_of(entry), idle_seconds=settings.idle_timeout)
    try:
        said = _ask(base_url, model, client)
    except BackendError as error:
        client.close()
        sentence = f"{entry.name}: {shown(base_url)}: {error}"
        if refuses_key(error):
            state = "does not take the key in" if api_key_of(entry) else "wants a key; set"
            sentence = f"{entry.name}: {shown(base_url)} {state} {entry.api_key_env or DEFAULT_KEY} ({error})"
            sentence += "; --agentcore-api-key-env names another variable"
        elif error.cause is Cause.backend_unreachable:
            sentence += "; start the server, or correct --agentcore-base-url"
        raise UsageError(sentence) from None
    endpoint = Endpoint(
        base_url=base_url,
        model=model,
        slots=settings.slots or said.slots or MANY_SLOTS,
        context=settings.n_ctx or said.context or entry.context,
        settings=settings,
        left_out=_NOT_STANDARD if urlsplit(base_url).hostname in ONLY_STANDARD else (),
        never_sent=[field for key in entry.not_sent for field in FIELDS.get(key, (key,))],
        facts=said.facts,
        warning=said.warning,
    )
    return endpoint, client


def shown(url: str) -> str:
    """An address without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _Said(NamedTuple):
    """The endpoint's own words about itself."""

    context: int | None = None
    slots: int | None = None
    facts: Mapping[str, str] = {}
    warning: str = ""


def _ask(base_url: str, model: str, client: EndpointClient) -> _Said:
    listed = client.get("/models").get("data")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [str(entry.get("id", "")) for entry in entries]
    found = next((entry for entry in entries if entry.get("id") == model), entries[0] if entries else {})
    if found.get("owned_by") == "llamacpp":
        # llama.cpp's own server tells its file, its slots and the context of one slot
        props = client.get(f"{base_url.partition('?')[0].removesuffix('/v1')}/props")
        context = (props.get("default_generation_settings") or {}).get("n_ctx")
        file, server = PurePosixPath(str(props.get("model_path", ""))).name, str(props.get("build_info", ""))
        told = {key: client.words(value) for key, value in (("file", file), ("server", server)) if value}
        return _Said(
            context=context if isinstance(context, int) else None,
            slots=int(props.get("total_slots") or 0),
            facts={"engine": "llama.cpp server", **told},
        )
    if names and model not in names:
        listed_names = client.words(", ".join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else ""))
        return _Said(warning=f"the endpoint lists no model {model!r}; it has {listed_names}")
    length = found.get("max_model_len")  # vLLM's
    return _Said(context=length if isinstance(length, int) else None)
