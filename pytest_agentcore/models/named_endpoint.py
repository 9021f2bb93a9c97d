"""Which model `--model NAME --agentcore-base-url URL` means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from pytest_agentcore.campaign.redact import redact
from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.entry import ModelEntry, slug_of

ENDPOINT = "openai"
"""The backend's name."""
OPENAI = "https://api.openai.com/v1"
"""What `openai:NAME` means without an address."""
DEFAULT_KEY = "OPENAI_API_KEY"
"""The variable that holds the key where none is named."""


def entry_at(name: str, base_url: str, known: Mapping[str, ModelEntry]) -> ModelEntry:
    """A model at an address. A name of the registry brings its sampling values, policy and, for endpoints, all else.

    Raises:
        UsageError: the address is none, or the name is empty.
    """
    checked_url(base_url)
    if not name:
        raise UsageError(f"{ENDPOINT}: the model's name is missing; give it as {ENDPOINT}:NAME")
    entry = known.get(name)
    if entry and entry.backend == ENDPOINT:
        return replace(entry, base_url=base_url)
    plain = ModelEntry(name=name, slug=slug_of(name), backend=ENDPOINT, base_url=base_url, model=name)
    if entry is None:
        return plain
    return replace(
        plain,
        sampling=entry.sampling,
        sampling_source=entry.sampling_source,
        policy=entry.policy,
        reply_tokens=entry.reply_tokens,
    )


def checked_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        UsageError: it is none.
    """
    if not _is_address(url):
        raise UsageError(f"--agentcore-base-url {redact(url)!r}: must be an address such as http://127.0.0.1:8080/v1")
    return url.rstrip("/")


def checked_variable(name: str) -> str:
    """The name of the environment variable that holds a key.

    Raises:
        UsageError: it can be no variable's name, so that it may be the key itself: it is not repeated.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise UsageError(
            "--agentcore-api-key-env: wants the name of an environment variable that holds the key, such as "
            "OPENAI_API_KEY, not the key itself"
        )
    return name


def api_key_of(entry: ModelEntry) -> str:
    """The key from the environment; empty without one.

    Without a name it is `OPENAI_API_KEY`, and that is sent to https addresses only: a key must not reach whatever
    listens on some port because it happened to be set.

    Raises:
        UsageError: the variable that was named is not set, or what it holds cannot be sent.
    """
    name = checked_variable(entry.api_key_env) if entry.api_key_env else DEFAULT_KEY
    if not entry.api_key_env and urlsplit(entry.base_url).scheme != "https":
        return ""
    key = os.environ.get(name, "")
    if entry.api_key_env and not key:
        raise UsageError(
            f"{entry.name}: the environment variable {name}, which is to hold its key, is not set; set it, or name "
            "another with --agentcore-api-key-env"
        )
    if not all("!" <= character <= "~" for character in key):
        raise UsageError(
            f"{entry.name}: the key in {name} cannot be sent: it holds characters other than visible ASCII ones"
        )
    return key


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that nothing closes, a port that is none
        return False
