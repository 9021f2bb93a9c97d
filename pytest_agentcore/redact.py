"""Keeps secrets out of what is written down: API keys, tokens, passwords in arguments, addresses and logs."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

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
    | (?<=://)[^/\s?#'"<>]+(?=@)                 # user:password@ in an address
    | (?<=token=)[^&\s]+ | (?<=Bearer\ )[^\s'"]+ | (?<=Basic\ )[A-Za-z0-9+/=_-]{6,}
    | (?<=cookie':\ ')[^']* | (?<=ookie',\ b')[^']*  # in a log of headers
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


_ADDRESS = re.compile(r"(?P<head>[a-z][\w+.-]*://)?(?:[^/?#]*@)?(?P<place>[^?#]*)(?P<query>\?[^#]*)?", re.IGNORECASE)
_PUBLIC_NAME = re.compile(r"(?:api-)?version|model|deployment|region", re.IGNORECASE)
_PUBLIC_VALUE = re.compile(r"v?\d{1,4}(?:\.\d{1,4}){0,3}|\d{4}-\d\d(?:-\d\d)?(?:-preview)?|[a-z]{1,5}", re.IGNORECASE)
"""Names and values in the query of an endpoint's address that are no secrets: versions, dates, short words."""


def _is_public(name: str, value: str) -> bool:
    named_secret = _SECRET_NAME.search(name) or _SECRET_PARAMETER.match(f"?{name}=x")
    return not named_secret and bool(_PUBLIC_NAME.fullmatch(name) or _PUBLIC_VALUE.fullmatch(value))


def redact_address(url: str) -> str:
    """An endpoint's address without user, password, fragment, and whatever in its query is not known to be public."""
    parts = _ADDRESS.match(url)
    assert parts is not None  # every part may be empty
    user = f"{REDACTED}@" if "@" in url[: parts.start("place")] else ""
    shown = []
    for part in (parts["query"] or "?")[1:].split("&"):
        name, equals, value = part.partition("=")
        public = _is_public(unquote(name), unquote(value)) if equals else _is_public("", unquote(part))
        shown.append(part if public or not part else f"{name}={REDACTED}" if equals else REDACTED)
    query = f"?{'&'.join(shown)}" if parts["query"] else ""
    return f"{parts['head'] or ''}{user}{parts['place']}{query}"


def secrets_in(url: str) -> tuple[str, ...]:
    """The secrets of an endpoint's or a proxy's address as they are meant, not as they are encoded."""
    query = [value for name, value in parse_qsl(url.partition("#")[0].partition("?")[2]) if not _is_public(name, value)]
    user = unquote(url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[0])
    name, colon, password = user.partition(":")
    return (*query, user, base64.b64encode(user.encode()).decode(), password if colon else name)


class Secrets:
    """Values that are not to be shown, in whatever spelling: plain, percent-encoded, escaped, or inside of base64."""

    def __init__(self, *values: str) -> None:
        """Note the values.

        Args:
            values: as they are meant; those of fewer than six characters stand in too many words to be looked for,
                and are found by what stands before them alone.
        """
        known = sorted({value for value in values if len(value) >= _SHORTEST}, key=len, reverse=True)
        spelled = [form for value in known for form in ("".join(map(_spelled, value)), *_in_base64(value))]
        self._pattern = re.compile("|".join(spelled)) if spelled else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def scrub(self, text: str) -> str:
        """A text without them, and without what looks like a secret of somebody else's."""
        return str(redact(self._pattern.sub(REDACTED, text) if self._pattern else text))

    def hide(self, value: Any) -> Any:
        """JSON without them and otherwise as it is: what only looks like a secret may be a model's own words."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self._pattern.sub(REDACTED, value)
        if isinstance(value, Mapping):
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.hide, value))
        return value


_SHORTEST = 6


def _spelled(character: str) -> str:
    """A pattern of a character as addresses, JSON, Python and HTML write it."""
    octets, code = character.encode("utf-8", "surrogatepass"), ord(character)
    forms = {
        re.escape(character),
        "(?i:" + "".join(f"%{octet:02x}" for octet in octets) + ")",
        *(("\\+",) if character == " " else ()),
        *((rf"\\{re.escape(character)}",) if character in "\"'\\/" else ()),
        *((f"(?i:&(?:amp|lt|gt|quot|#{code}|#x{code:x});)",) if character in "&<>\"'" else ()),
        *(("".join(rf"\\x{octet:02x}" for octet in octets), rf"\\u{code:04x}") if not character.isascii() else ()),
    }
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})" if len(forms) > 1 else forms.pop()


def _in_base64(secret: str) -> Iterator[str]:
    """Patterns of a secret in the middle of anything that was encoded: three, by where it begins (RFC 4648)."""
    octets = secret.encode("utf-8", "surrogatepass")
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + octets).decode()
        # the characters at both ends share their bits with what stands beside
        inside = encoded[-(-8 * lead // 6) : 8 * (lead + len(octets)) // 6]
        if len(inside) >= _SHORTEST:
            yield inside.translate({ord("+"): r"[+\-]", ord("/"): "[/_]"})


class ScrubbedRecords:
    """Every log record of this process without secrets, whatever takes it, from now until `close`.

    A filter would have to sit on each logger of the libraries below: those of a parent do not see a child's records.
    """

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub: Callable[[str], str] | None = scrub
        self._make = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self._record)

    def _record(self, *words: Any, **named: Any) -> logging.LogRecord:
        record = self._make(*words, **named)
        if self._scrub is None:
            return record
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - anybody's arguments: logging would print them as they are
            text = f"{record.msg} {record.args}"
        if (clean := self._scrub(text)) != text:
            record.msg, record.args = clean, ()
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            if (clean := self._scrub(text)) != text:
                record.exc_info, record.exc_text = None, clean
        return record

    def close(self) -> None:
        """Let records go as they come; who has put another factory around this one keeps it."""
        self._scrub = None
        if logging.getLogRecordFactory() == self._record:
            logging.setLogRecordFactory(self._make)


def redact(value: Any) -> Any:
    """`value` as plain JSON types with every secret replaced; lists of words are read as a command line."""
    if isinstance(value, str):
        return _SECRET_PARAMETER.sub(rf"\g<1>{REDACTED}", _SECRET_TEXT.sub(REDACTED, value))
    if isinstance(value, Mapping):
        return {str(key): _redact_named(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return _redact_words(list(value))
    return value


def _redact_named(name: str, value: Any) -> Any:
    """The value of a field or an option of this name."""
    if isinstance(value, str) and value and _SECRET_NAME.search(name):
        return REDACTED
    return redact_address(value) if isinstance(value, str) and _ADDRESS_NAME.search(name) else redact(value)


_ADDRESS_NAME = re.compile(r"base[-_]url$", re.IGNORECASE)


def _redact_words(words: list[Any]) -> list[Any]:
    """`--api-key=V`, `api_key=V` and `--api-key V` lose their V, and so do addresses of endpoints what is secret."""
    shown: list[Any] = []
    before = ""
    """An option that was given without its value."""
    for word in words:
        name, equals, value = word.partition("=") if isinstance(word, str) else ("", "", "")
        telling = _SECRET_NAME.search(name) or _ADDRESS_NAME.search(name)
        if before and isinstance(word, str) and not word.startswith("-"):
            shown.append(_redact_named(before, word))
        elif value and telling:
            shown.append(f"{name}={_redact_named(name, value)}")
        else:
            shown.append(redact(word))
        before = name if telling and name.startswith("--") and not equals else ""
    return shown
