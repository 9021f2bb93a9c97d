"""Where model files lie on this machine, Ollama's included."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_agentcore.catalogue.entry import LLAMA, ModelEntry, Sampling, Value, read_value, settings_of, slug_of
from pytest_agentcore.errors import UsageError
from pytest_agentcore.untrusted import visible

DEFAULT_QUANT = "Q4_K_M"
"""Meant where nobody names one, as llama.cpp's `-hf` does."""

_SPELLING = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?::(?P<quant>[\w./ +-]+))?")
_PART = re.compile(r"(?P<stem>.*)-\d{5}-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_QUANT = re.compile(r"(?:^|[-._/])((?:UD-)?(?:I?Q\d\w*|TQ\d\w*|MXFP4\w*|BF16|F16|F32))(?:$|[-./])", re.IGNORECASE)


def spelled(name: str, argument: str) -> ModelEntry:
    """The entry of `hf:REPO[:QUANT]`, QUANT being a quantization or a file's name; its file is not looked for.

    Raises:
        UsageError: not of that form.
    """
    found = _SPELLING.fullmatch(argument)
    if not found or ".." in argument:
        raise UsageError(f"{name}: must read hf:OWNER/REPO, hf:OWNER/REPO:QUANT or hf:OWNER/REPO:FILE.gguf")
    repo, wanted = found["repo"], found["quant"] or ""
    short = re.sub(r"[-_.]gguf$", "", repo.partition("/")[2], flags=re.IGNORECASE)
    file, quant, slug = "", wanted, slug_of(f"{short}-{wanted}")
    if wanted.lower().endswith(".gguf"):
        file, quant, slug = wanted, "", slug_of(wanted.rpartition("/")[2][:-5])
    return ModelEntry(name=name, slug=slug, backend=LLAMA, repo=repo, file=file, quant=quant, tier="Local")


def all_parts(file: str) -> list[str]:
    """All files of a model that is split as `NAME-00001-of-00003.gguf`; usually the one."""
    found = _PART.fullmatch(file)
    if not found:
        return [file]
    return [f"{found['stem']}-{i:05d}-of-{found['count']}.gguf" for i in range(1, int(found["count"]) + 1)]


def choose_file(entry: ModelEntry, names: Iterable[str]) -> str:
    """The file (or first part) that an entry without one means.

    Raises:
        UsageError: there is none of the wanted quantization, or several and none is wanted; lists those there are.
    """
    models, quant = [], entry.quant or DEFAULT_QUANT
    for name in names:
        base = name.rpartition("/")[2].lower()
        # a language model, or its first part: no projector, no importance matrix
        if base.endswith(".gguf") and all_parts(base)[0] == base and not re.search("mmproj|imatrix", base):
            models.append(name)
    fitting = [name for name in models if _quant_of(name).lower() == quant.lower()]
    if fitting:
        return min(fitting, key=len)
    if len(models) == 1 and not entry.quant:
        return models[0]
    if not models:
        raise UsageError(f"{entry.name}: {entry.repo} has no GGUF file; look for a repository whose name ends in -GGUF")
    known = sorted({_quant_of(name) or visible(name) for name in models})
    raise UsageError(f"{entry.name}: {entry.repo} has no {quant}; ask for one of {', '.join(known)}")


def _quant_of(name: str) -> str:
    """`UD-Q4_K_XL` of `Model-UD-Q4_K_XL-00001-of-00002.gguf`; empty where a name has none."""
    part = _PART.fullmatch(name)
    stem = part["stem"] if part else name[: -len(".gguf")]
    found = _QUANT.findall(stem.rpartition("/")[2]) or _QUANT.findall(stem)
    return str(found[-1]) if found else ""


def cache_folder() -> Path:
    """The project's own folder in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "pytest-agentcore"


def model_folders() -> tuple[Path, ...]:
    """Where model files are looked for: $AGENTCORE_MODELS, the user's cache, ./models."""
    given = [Path(part).expanduser() for part in os.environ.get("AGENTCORE_MODELS", "").split(os.pathsep) if part]
    return (*given, cache_folder() / "models", Path("models"))


def find_in_folders(file: str) -> Path | None:
    """A file that the user put into one of `model_folders()`, with or without the folder it has in its repository.

    Of a model in several parts, `file` is the first; it counts as found where all of them lie.
    """
    places = (folder / name for folder in model_folders() for name in (file.rpartition("/")[2], file))
    return next((place for place in places if is_whole(place)), None)


def find_of_repository(entry: ModelEntry) -> Path | None:
    """The file that an entry without one means, of those in `OWNER/REPO` below one of `model_folders()`."""
    for folder in (folder / entry.repo for folder in model_folders()):
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_whole(path)]
        try:
            return folder / choose_file(entry, sorted(names))
        except UsageError:
            continue
    return None


def is_whole(file: Path) -> bool:
    """Whether a file is there, and where it is one part of a model, all of the parts beside it."""
    return all(file.with_name(part).is_file() for part in all_parts(file.name))


def find_package_file(package_file: str) -> Path | None:
    """A file inside an installed package, found without importing the package; None when it is not installed."""
    package, _, inside = package_file.partition("/")
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((path for path in (Path(folder, inside) for folder in folders) if path.is_file()), None)


def file_digest(path: Path, done: Callable[[float], None] = lambda _part: None) -> str:
    """sha256 of a file; a second call for an unchanged file reads a note in the user's cache instead of the file.

    Args:
        path: of the file.
        done: told now and then which part of the file has been read, 0 … 1.
    """
    note, state = _note_of(path)
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(known, dict) and known.items() >= state.items() and isinstance(known.get("sha256"), str):
            return str(known["sha256"])
    digest, read, room = hashlib.sha256(), 0, memoryview(bytearray(2**20))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(room):
            digest.update(room[:size])
            read += size
            done(read / max(read, path.stat().st_size))
    remember_digest(path, digest.hexdigest(), state)  # that from before: a file that changed meanwhile is read again
    return digest.hexdigest()


def remember_digest(path: Path, digest: str, state: Mapping[str, object] | None = None) -> None:
    """Note what is known of a file (in this state, else as it is now), so that `file_digest` need not read it."""
    note, now = _note_of(path)
    part = note.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        note.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({**(state or now), "sha256": digest}), encoding="utf-8")
        part.replace(note)


def _note_of(path: Path) -> tuple[Path, dict[str, object]]:
    """Where the note on a file lies, and what it must say for the file to be unchanged."""
    path = path.resolve()
    stat = path.stat()
    name = hashlib.sha256(str(path).encode()).hexdigest()[:32]
    state: dict[str, object] = {"path": str(path), "size": stat.st_size, "changed": stat.st_mtime_ns}
    return cache_folder() / "digests" / f"{name}.json", state


# Ollama's model files. Ollama itself is not asked and need not run. A manifest
# (`manifests/HOST/NAMESPACE/MODEL/TAG`, an OCI image manifest in JSON) lists layers by media type and digest, and the
# layer `sha256:D` is the file `blobs/sha256-D`. Format: https://github.com/ollama/ollama, docs/faq.mdx and manifest/.

_HOST, _NAMESPACE = "registry.ollama.ai", "library"
_LAYER = "application/vnd.ollama.image."
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
    inside = Path(host, namespace, found["model"], found["tag"] or "latest")
    for folder in folders:
        manifest = folder / "manifests" / inside
        if manifest.is_file():
            return _entry(name, argument, folder, manifest)
    have: set[str] = set()  # as `ollama list` would call them
    for manifest in (path for folder in folders for path in (folder / "manifests").glob("*/*/*/*")):
        host, namespace, model, tag = manifest.parts[-4:]
        prefix = "" if (host, namespace) == (_HOST, _NAMESPACE) else f"{namespace}/"
        have.add(f"{'' if host == _HOST else f'{host}/'}{prefix}{model}:{tag}")
    there = f"Ollama has {visible(', '.join(sorted(have)))}"
    if not have:
        there = f"no model of Ollama's is in {' or '.join(map(str, folders))}"
    raise UsageError(f"{name}: {there}; `ollama pull {argument}` fetches it, and OLLAMA_MODELS names another folder")


def _entry(name: str, argument: str, folder: Path, manifest: Path) -> ModelEntry:
    layers: dict[str, list[str]] = {}  # digests by what a layer is: `model`, `params`, `template`, `adapter` …
    try:
        for layer in json.loads(manifest.read_bytes())["layers"]:
            found = re.fullmatch(r"sha256[:-]([0-9a-f]{64})", layer["digest"])
            if found and layer["mediaType"].startswith(_LAYER):
                layers.setdefault(layer["mediaType"].removeprefix(_LAYER), []).append(found[1])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{name}: {manifest} is no manifest of Ollama's") from error
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
