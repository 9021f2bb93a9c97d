"""Orders and answers: a line of JSON and bytes behind it, never a pickled object; and the suite as it travels.

No key of an endpoint is ever in one: a worker has the variable that holds it, or refuses.
"""

from __future__ import annotations

import io
import json
import platform
import posixpath
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_agentcore import __version__
from pytest_agentcore.agent.session import Limit
from pytest_agentcore.catalogue.entry import (
    ENDPOINT,
    LLAMA,
    EndpointSettings,
    EngineSettings,
    ModelEntry,
    Policy,
    Sampling,
)
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.catalogue.resolve import DEFAULT_KEY, api_key_of
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.redact import secrets_in
from pytest_agentcore.sandbox.workspace import scratch
from pytest_agentcore.setup import Setup
from pytest_agentcore.tasks.contents import contents
from pytest_agentcore.tasks.suite import Suite
from pytest_agentcore.trial.result import Prices

SENT = ("seed", "parallel", "preflight", "no_preflight", "retries", "reconnect_timeout", "keep_workspaces")
"""The options that say how a worker runs trials; all others are read here."""


def versions() -> dict[str, str]:
    """Name the versions that a session and its workers must have alike, since results could differ by them."""
    python = f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])}"
    return {"pytest-agentcore": __version__, "Python": python}


def refuse_others(told: Mapping[str, Any]) -> None:
    """Raise UsageError where this worker's versions are not those of an order's session."""
    for name, found in versions().items():
        if told["versions"][name] != found:
            wanted = told["versions"][name]
            raise UsageError(f"this worker has {name} {found}, and the session {wanted}; install the same on both")


def wrap(header: Mapping[str, Any], content: bytes = b"") -> bytes:
    """An order or an answer as it travels."""
    return to_line(header) + content


def unwrap(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The inverse of `wrap`."""
    line, _, content = data.partition(b"\n")
    return json.loads(line), content


def describe_setup(setup: Setup) -> dict[str, Any]:
    """A campaign as a worker is told of it, in plain types.

    Raises:
        UsageError: an endpoint's address holds a secret, which must not be sent around.
    """
    entry = setup.entry
    if any(secrets_in(entry.base_url)):
        raise UsageError(
            f"{entry.name}: the endpoint's address holds a secret, and orders to workers hold none; name a variable "
            "that every worker has with --agentcore-api-key-env"
        )
    # without a name of its own the key is sent where it is set, and so the worker must have it too
    keyed = entry.backend == ENDPOINT and (entry.api_key_env or (DEFAULT_KEY if api_key_of(entry) else ""))
    path = entry.path
    sha256 = file_digest(path) if path and entry.backend == LLAMA else entry.sha256
    return {
        "entry": {**asdict(entry), "path": str(path) if path else None, "sha256": sha256},
        "policy": setup.policy.value,
        "sampling": asdict(setup.sampling),
        "engine": asdict(setup.engine),
        "limit": asdict(setup.limit),
        "load": setup.load,
        "label": setup.label,
        "key_in": keyed or "",
    }


def read_setup(told: Mapping[str, Any]) -> Setup:
    """The inverse of `describe_setup`; the entry's path is that of the session's machine."""
    entry, engine = dict(told["entry"]), told["engine"]
    entry["path"] = Path(entry["path"]) if entry["path"] else None
    entry["policy"] = Policy(entry["policy"]) if entry["policy"] else None
    entry["prices"] = Prices(**entry["prices"]) if entry["prices"] else None
    entry["not_sent"] = tuple(entry["not_sent"])
    return Setup(
        entry=ModelEntry(**entry),
        policy=Policy(told["policy"]),
        sampling=Sampling(**told["sampling"]),
        engine=EndpointSettings(**engine) if entry["backend"] == ENDPOINT else EngineSettings(**engine),
        limit=Limit(**told["limit"]),
        load=told["load"],
        label=told["label"],
    )


def zip_suite(suite: Suite, setups: Iterable[Setup] = ()) -> bytes:
    """The files that the suite's digest is over, and those of models that are no GGUF files, which are scripts.

    Raises:
        UsageError: with these files alone the suite has another digest, so that no worker could tell that it is this.
    """
    files = contents(suite.path)
    # modules above the suite's folder belong to it where its tasks import them: it travels with so many folders above
    depth = max(PurePosixPath(name).parts.count("..") for name in files)
    home = PurePosixPath("suite", *suite.path.resolve().parts[len(suite.path.resolve().parts) - 1 - depth :])
    placed = {posixpath.normpath(home / name): content for name, content in files.items()}
    for setup in setups:
        if setup.entry.path and setup.entry.backend != LLAMA:
            placed[f"script/{setup.slug}/{setup.entry.path.name}"] = setup.entry.path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = str(home).encode()
        for name, content in sorted(placed.items()):
            # without a date: equal content gives equal bytes
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    with scratch("suite") as folder:
        if Suite.load(unzip_suite(packed.getvalue(), Path(folder))).digest != suite.digest:
            raise UsageError(
                f"{suite.path}: cannot run elsewhere: its digest changes when nothing but its own files is there; put "
                "the modules that its tasks import beside them"
            )
    return packed.getvalue()


def unzip_suite(packed: bytes, folder: Path) -> Path:
    """Lay the files out below a folder, and return the suite's own.

    Raises:
        ValueError: a path leads out of the folder.
        OSError: the disk does not take them.
    """
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for name in (*archive.namelist(), archive.comment.decode()):
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise ValueError(f"{name!r} leads out of the archive")
        archive.extractall(folder)
        return (folder / archive.comment.decode()).resolve()
