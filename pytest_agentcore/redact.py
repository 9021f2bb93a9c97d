"""Keeps secrets out of what is written down: API keys, tokens, passwords in arguments and addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"""
    (?:^-*|[-_])
    (?: (?:api|access|auth|private)[-_]?key | (?:api|access|auth|bearer|hf|hub)[-_]?token
      | secret | passw(?:or)?d | credentials? | authorization )$
    | ^-*(?:key|token)$
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""An option or field that holds a secret: `--api-key`, `hf_token`; not `reply-tokens`, `eos_token` or `cache_key`."""

_SECRET_TEXT = re.compile(
    r"""
    \b(?:sk|pk|rk|hf|ghp|gho|ghs|glpat|xox[abps]|github_pat|AKIA|ASIA|AIza|nvapi|gsk)[-_]?[A-Za-z0-9_-]{16,}
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)           # user:password@ in an address
    | (?<=token=)[^&\s]+ | (?<=Bearer\ )\S+
    """,
    re.VERBOSE,
)
"""The forms in which well-known providers hand out keys, and secrets inside addresses."""

_SECRET_PARAMETER = re.compile(
    r"([?&;](?:[\w.-]{0,40}[-_.])?(?:api|x)?(?:key|token|secret|passw(?:or)?d|pwd|sig|signature|auth|credentials?)=)"
    r"[^&;#\s'\"]+",
    re.IGNORECASE,
)
"""A secret in the query of an address: `?key=`, `&api_key=`, `?subscription-key=`, `&sig=`."""


def redact(value: Any) -> Any:
    """`value` as plain JSON types with every secret replaced; lists of words are read as a command line."""
    if isinstance(value, str):
        return _SECRET_PARAMETER.sub(rf"\g<1>{REDACTED}", _SECRET_TEXT.sub(REDACTED, value))
    if isinstance(value, Mapping):
        return {
            str(key): REDACTED if isinstance(item, str) and item and _SECRET_NAME.search(str(key)) else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return _redact_words(list(value))
    return value


def _redact_words(words: list[Any]) -> list[Any]:
    """`--api-key=V`, `api_key=V` and `--api-key V` lose their V."""
    shown: list[Any] = []
    after_secret_name = False
    for word in words:
        name, equals, value = word.partition("=") if isinstance(word, str) else ("", "", "")
        secret = bool(_SECRET_NAME.search(name))
        if after_secret_name and isinstance(word, str) and not word.startswith("-"):
            shown.append(REDACTED)
        elif secret and value:
            shown.append(f"{name}={REDACTED}")
        else:
            shown.append(redact(word))
        after_secret_name = secret and not equals and name.startswith("--")
    return shown
