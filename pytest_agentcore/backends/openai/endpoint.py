"""An endpoint before the first request: its address, its key, and what it says of itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as far as it is known before the first request."""

    base_url: str
    model: str
    """What it calls the model."""
    slots: int = MANY_SLOTS
    context: int | None = None
    """Tokens; None: unknown, and the endpoint's refusal ends a trial."""
    idle_timeout: float = 300.0
    """Longest silence in seconds, also before a reply begins."""
    slowest: float = 0.1
    """Pieces of text a second below which a deadline is blamed on the endpoint."""
    left_out: Collection[str] = ()
    """Fields that it is known to refuse when they are sent."""
    never_sent: Collection[str] = ()
    """Fields that are left out because the registry says so, whatever the sampling asks for."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    warning: str = ""

    def describe(self) -> dict[str, Any]:
        """For header and manifest; without user names and passwords."""
        said = {
            "model": self.model,
            "endpoint": shown(self.base_url),
            "context": self.context,
            "device": f"endpoint {shown(self.base_url)}",
            "dialect": "the endpoint's",
            "slots": self.slots,
            "idle_timeout": self.idle_timeout,
            "slowest": self.slowest,
            **self.facts,
        }
        return said | ({"warning": self.warning} if self.warning else {})


def open_endpoint(entry: ModelEntry, settings: EndpointSettings) -> tuple[Endpoint, EndpointClient]:
    """Look whether the endpoint is there, and what it says about its model.

    Raises:
        UsageError: it is not there or refuses the key.
    """
    plain = Endpoint(
        base_url=checked_url(entry.base_url),
        model=entry.model or entry.name,
        context=settings.n_ctx,
        idle_timeout=settings.idle_timeout,
        slowest=settings.slowest,
    )
    plain = replace(plain, never_sent=[field for key in entry.not_sent for field in FIELDS.get(key, (key,))])
    client = EndpointClient(plain.base_url, api_key_of(entry), idle_seconds=plain.idle_timeout)
    try:
        seen = _look(plain, client)
    except BackendError as error:
        client.close()
        raise UsageError(_sentence(entry, plain, error)) from None
    return replace(seen, slots=settings.slots or seen.slots, context=seen.context or entry.context), client


def shown(url: str) -> str:
    """An address without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _look(endpoint: Endpoint, client: EndpointClient) -> Endpoint:
    left_out = ("top_k", "min_p", "repeat_penalty", "repetition_penalty")
    if urlsplit(endpoint.base_url).hostname in ONLY_STANDARD:
        endpoint = replace(endpoint, left_out=left_out)
    listed = client.get("/models").get("data")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [str(entry.get("id", "")) for entry in entries]
    found = next((entry for entry in entries if entry.get("id") == endpoint.model), entries[0] if entries else {})
    if found.get("owned_by") == "llamacpp":
        return _llama_server(endpoint, client)
    length = found.get("max_model_len") if endpoint.model in names else None
    warning = ""
    if names and endpoint.model not in names:
        listed_names = client.words(", ".join(names[:5]) + (" …" if len(names) > 5 else ""))  # noqa: PLR2004
        warning = f"the endpoint lists no model {endpoint.model!r}; it has {listed_names}"
    return replace(endpoint, context=endpoint.context or (length if isinstance(length, int) else None), warning=warning)


def _llama_server(endpoint: Endpoint, client: EndpointClient) -> Endpoint:
    """llama.cpp's own server tells its file, its slots and the context of one slot."""
    props = client.get(f"{endpoint.base_url.partition('?')[0].removesuffix('/v1')}/props")
    context = (props.get("default_generation_settings") or {}).get("n_ctx")
    facts = {"file": PurePosixPath(str(props.get("model_path", ""))).name, "server": str(props.get("build_info", ""))}
    return replace(
        endpoint,
        context=endpoint.context or (context if isinstance(context, int) else None),
        slots=int(props.get("total_slots") or endpoint.slots),
        facts={"engine": "llama.cpp server", **{key: client.words(value) for key, value in facts.items() if value}},
    )


def _sentence(entry: ModelEntry, endpoint: Endpoint, error: BackendError) -> str:
    where = f"{entry.name}: {shown(endpoint.base_url)}"
    if refuses_key(error):
        name = entry.api_key_env or DEFAULT_KEY
        state = "does not take the key in" if api_key_of(entry) else "wants a key; set"
        return f"{where} {state} {name} ({error}); --agentcore-api-key-env names another variable"
    if error.cause is Cause.backend_unreachable:
        return f"{where}: {error}; start the server, or correct --agentcore-base-url"
    return f"{where}: {error}"
