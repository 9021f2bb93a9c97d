"""Standard output as it may be: in an encoding that knows no arrow, a pipe whose reader has left, not there at all."""

from __future__ import annotations

import codecs
import io
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pytest_agentcore.errors import UsageError

_HANDLER = "pytest_agentcore.readable"
_OURS = "\xb7\u2192\u2026\xd7\u2013\u2212\u2265\u2264"
_PLAIN = dict(zip(_OURS, ("-", "->", "...", "x", "-", "-", ">=", "<="), strict=True))
"""ASCII for what our own sentences are set with: dot, arrow, ellipsis, times, dash, minus, bounds.

Any other character shows as its escape, which misleads nobody.
"""
_RAW_BYTE = range(0xDC80, 0xDD00)
"""Surrogates by which Python keeps bytes of a file's name that are no text."""


def make_readable() -> None:
    """Let both standard streams replace what they cannot encode by readable ASCII, instead of failing."""
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(character: str) -> str:
    code = ord(character)
    escaped = f"\\x{code - 0xDC00:02x}" if code in _RAW_BYTE else character.encode("unicode_escape").decode("ascii")
    return _PLAIN.get(character, escaped)


@contextmanager
def standard_output() -> Iterator[None]:
    """Let a command write what it likes, and write all of it out.

    Raises:
        BrokenPipeError: whoever read the output has seen enough.
        UsageError: where the output goes takes no more.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it; this stays open until the process ends
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    make_readable()
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                write_out(stream)
            except (BrokenPipeError, UsageError):
                # what could not be written would be tried once more, and complained about, while Python exits
                with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
                    os.dup2(nowhere.fileno(), stream.fileno())
                raise


def write_out(stream: TextIO, text: str = "") -> None:
    """Write a text, and all that came before it.

    Raises:
        BrokenPipeError: whoever read it has seen enough.
        UsageError: where it goes takes no more.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"the output cannot be written: {error.strerror or error}") from error


# Where it goes to a log of GitHub Actions, the runner reads it too (https://github.com/actions/runner,
# `ActionCommand.cs`): a command is `::name key=value,…::text` at the beginning of a line, blanks before it not counted,
# or `##[name]text` anywhere in one.

_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)", re.MULTILINE)


def is_runner() -> bool:
    """Whether this process is a step of a job on GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def no_command(text: str) -> str:
    r"""The text of somebody else, so that the runner takes no line of it for a command: `\u003a:error::` for one.

    The escapes are those of JSON, which therefore stays what it was.
    """
    if not is_runner():
        return text
    return _COMMAND.sub(lambda found: r"\u0023" if found[0] == "#" else rf"{found[1]}\u003a", text)


@contextmanager
def commands_stopped(stream: TextIO) -> Iterator[None]:
    """Let the runner take nothing for a command that is written meanwhile; only who knows the token ends that."""
    if not is_runner():
        yield
        return
    token = secrets.token_hex(16)
    write_out(stream, f"\n::stop-commands::{token}\n")  # at once: the runner reads standard error too
    try:
        yield
    finally:
        write_out(stream, f"\n::{token}::\n")
