"""Finds the model file that Ollama keeps on disk. Ollama itself is not asked and need not run.

A manifest (`manifests/HOST/NAMESPACE/MODEL/TAG`, an OCI image manifest in JSON) lists layers by media type and digest,
and the layer `sha256:D` is the file `blobs/sha256-D`.
Format: https://github.com/ollama/ollama, docs/faq.mdx and manifest/.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_agentcore.catalogue.entry import LLAMA, ModelEntry, Sampling, Value, read_value, settings_of, slug_of
from pytest_agentcore.errors import UsageError
from pytest_agentcore.untrusted import visible

_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_LAYER = "application/vnd.ollama.image."
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_NAME = re.compile(
    r"(?:(?:(?P<host>[\w.-]+(?::\d+)?)/)?(?P<namespace>[\w.-]+)/)?(?P<model>[\w.-]+)(?::(?P<tag>[\w.-]+))?"
)


def find_in_ollama(name: str, argument: str) -> ModelEntry:
    """The entry of `ollama:NAME`, with the sampling values of Ollama's own entry.

    Raises:
        UsageError: not a name, not on this machine (with the names that are), or not one GGUF file.
    """
    given = os.environ.get("OLLAMA_MODELS", "")
    # without it, where Ollama keeps models for a user and for its service on Linux
    folders = [Path(given)] if given else [Path("~/.ollama/models"), Path("/usr/share/ollama/.ollama/models")]
    folders = [folder.expanduser() for folder in folders]
    found = _NAME.fullmatch(argument)
    if not found or ".." in argument:
        raise UsageError(f"{name}: {argument!r} is no name of Ollama; it reads [[HOST/]NAMESPACE/]MODEL[:TAG]")
    host, namespace = found["host"] or _HOST, found["namespace"] or _NAMESPACE
    inside = Path(host, namespace, found["model"], found["tag"] or _TAG)
    for folder in folders:
        manifest = folder / "manifests" / inside
        if manifest.is_file():
            return _entry(name, argument, folder, _layers(name, manifest))
    have = sorted({known for folder in folders for known in _names(folder)})
    there = (
        f"Ollama has {visible(', '.join(have))}"
        if have
        else f"no model of Ollama's is in {' or '.join(map(str, folders))}"
    )
    raise UsageError(f"{name}: {there}; `ollama pull {argument}` fetches it, and OLLAMA_MODELS names another folder")


def _names(folder: Path) -> Iterator[str]:
    """The models of a folder, as `ollama list` would call them."""
    home = folder / "manifests"
    for manifest in home.glob("*/*/*/*"):
        host, namespace, model, tag = manifest.relative_to(home).parts
        prefix = "" if (host, namespace) == (_HOST, _NAMESPACE) else f"{namespace}/"
        yield f"{'' if host == _HOST else f'{host}/'}{prefix}{model}:{tag}"


def _layers(name: str, manifest: Path) -> dict[str, list[str]]:
    """Digests by what a layer is: `model`, `params`, `template`, `adapter` …"""
    try:
        found: dict[str, list[str]] = {}
        for layer in json.loads(manifest.read_bytes())["layers"]:
            digest = _DIGEST.fullmatch(layer["digest"])
            if digest and layer["mediaType"].startswith(_LAYER):
                found.setdefault(layer["mediaType"].removeprefix(_LAYER), []).append(digest[1])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{name}: {manifest} is no manifest of Ollama's") from error
    return found


def _entry(name: str, argument: str, folder: Path, layers: Mapping[str, list[str]]) -> ModelEntry:
    if len(layers.get("model", ())) != 1 or "adapter" in layers:
        kept = visible(", ".join(layers)) or "nothing"
        raise UsageError(f"{name}: Ollama keeps it as {kept}; only one GGUF file can be read")
    (digest,) = layers["model"]
    path = folder / "blobs" / f"sha256-{digest}"
    if not path.is_file():
        raise UsageError(f"{name}: Ollama's file {path} is missing; `ollama pull {argument}` fetches it again")
    # The values that Ollama's entry sets and that exist here; a file that cannot be read sets nothing.
    sampling: dict[str, Value] = {}
    for params in layers.get("params", ()):
        with contextlib.suppress(OSError, ValueError, AttributeError, UsageError):
            given: dict[str, Any] = json.loads((folder / "blobs" / f"sha256-{params}").read_bytes())
            sampling |= {k: read_value(Sampling, k, v) for k, v in given.items() if k in settings_of(Sampling)}
    slug = slug_of(argument)
    return ModelEntry(name=name, slug=slug, backend=LLAMA, path=path, sha256=digest, tier="Local", sampling=sampling)
