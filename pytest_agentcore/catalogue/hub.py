"""Fetches model files from a Hugging Face hub into the hub's own cache. The only module that imports huggingface_hub.

Endpoint, token, cache folder, offline mode and progress bars are the library's: HF_ENDPOINT, HF_TOKEN, HF_HOME,
HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DISABLE_PROGRESS_BARS. Its `hf_hub_download` (read in 2.4) goes on after a dropped
connection but throws the part away when the process ends, and does not look at digests. A model is hours of download
for some, so a part is kept here as `blobs/ETAG.incomplete`, resumed by the library's own `http_get`, checked, renamed
to `blobs/ETAG`, and handed to `hf_hub_download`, which then only has to link it.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import HfApi, HfFileMetadata, constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is httpx2's, before 2.0 httpx's
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get, repo_folder_name, try_to_load_from_cache
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from pytest_agentcore.catalogue.entry import ModelEntry
from pytest_agentcore.catalogue.files import (
    DEFAULT_QUANT,
    all_parts,
    choose_file,
    file_digest,
    find_in_folders,
    model_folders,
    remember_digest,
)
from pytest_agentcore.errors import UsageError
from pytest_agentcore.redact import ScrubbedRecords, Secrets
from pytest_agentcore.untrusted import visible

_SAFE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")
"""Names of a file and a folder in the cache come from the server."""
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def find_in_cache(entry: ModelEntry) -> Path | None:
    """The file (or first part) of an entry in the hub's cache; None unless all of it is there."""
    file = entry.file
    if not file:  # that which it means, of those in the cache
        folder = _repo_folder(entry)
        try:
            commit = (folder / "refs" / (entry.revision or constants.DEFAULT_REVISION)).read_text(encoding="ascii")
            snapshot = folder / "snapshots" / commit.strip()
            file = choose_file(entry, [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*.gguf")])
        except (OSError, UsageError):
            return None
    found = [_cached(entry, part) for part in all_parts(file)]
    return found[0] if all(found) else None


def fetch(entry: ModelEntry, say: Callable[[str], None] = lambda _line: None) -> ModelEntry:
    """Put the file of an entry (all of its parts) on this machine.

    Args:
        entry: one with a `repo`.
        say: is told in a line what is fetched, before it is.

    Raises:
        UsageError: it cannot be had, with the way to get it by hand; or its digest is wrong.
    """
    file = entry.file
    if not file:
        with _explained(entry):
            # One request, where the library's listing tries again for half a minute.
            timeout = constants.DEFAULT_REQUEST_TIMEOUT
            info = HfApi().model_info(entry.repo, revision=entry.revision or None, timeout=timeout)
            file = choose_file(entry, [sibling.rfilename for sibling in info.siblings or ()])
    entry = replace(entry, file=file)
    if found := find_in_folders(file):
        return replace(entry, path=found)
    paths = [_part(entry, part, say) for part in all_parts(file)]
    return replace(entry, path=paths[0])


def by_hand(entry: ModelEntry) -> str:
    """How a file gets here without this machine's network, to a place where it is found."""
    folder, wanted, name = model_folders()[0], shlex.join(all_parts(entry.file)), entry.file.rpartition("/")[2]
    if not entry.file:  # it cannot be known what the file is called
        quant = entry.quant or DEFAULT_QUANT
        spellings = dict.fromkeys((quant, quant.upper(), quant.lower()))
        wanted = " ".join(f'--include "*{spelling}[-./]*gguf"' for spelling in spellings)
        folder, name = folder / entry.repo, "the file"
    revision = f" --revision {shlex.quote(entry.revision)}" if entry.revision else ""
    return (
        f"`hf download {entry.repo} {wanted}{revision} --local-dir {shlex.quote(str(folder))}` fetches it; "
        f"{name} may also be put into {folder}"
    )


def _part(entry: ModelEntry, file: str, say: Callable[[str], None]) -> Path:
    if cached := _cached(entry, file):
        return cached
    with _explained(entry):
        found = get_hf_file_metadata(hf_hub_url(entry.repo, file, revision=entry.revision or None))
        etag = found.etag or ""
        if not _SAFE.fullmatch(etag) or not _SAFE.fullmatch(found.commit_hash or ""):
            raise FileMetadataError
        expected = etag if re.fullmatch("[0-9a-f]{64}", etag) else ""
        if entry.sha256 and expected and entry.sha256 != expected and file == entry.file:
            # said before hours of download, not after them
            raise UsageError(
                f"{entry.name}: {entry.repo} now holds another {file}, its sha256 is {expected}; "
                f"an entry of your own, or hf:{entry.repo}:{file}, takes it all the same"
            )
        blob = _repo_folder(entry) / "blobs" / etag
        part = blob.with_name(f"{etag}.incomplete")
        needed = (found.size or 0) - (part.stat().st_size if part.exists() else 0)
        if needed > (free := shutil.disk_usage(next(path for path in blob.parents if path.exists())).free):
            raise UsageError(
                f"{entry.name}: {_gib(needed)} are to be fetched and {_gib(free)} are free in "
                f"{constants.HF_HUB_CACHE}; HF_HOME names another place"
            )
        size = f" ({_gib(found.size)})" if found.size else ""
        say(visible(f"{entry.name}: fetching {file}{size} from {constants.ENDPOINT}/{entry.repo}"))
        # the hub serves larger files only through hf_xet, which `hf_hub_download` uses
        if found.size is not None and found.size <= constants.MAX_HTTP_DOWNLOAD_SIZE:
            _keep_resumable(entry, file, found, blob, expected)
        path = Path(hf_hub_download(entry.repo, file, revision=entry.revision or None))
    if expected and file_digest(path) != expected:
        path.resolve().unlink()
        raise UsageError(_wrong_digest(entry, file))
    return path


def _keep_resumable(entry: ModelEntry, file: str, found: HfFileMetadata, blob: Path, expected: str) -> None:
    """Put the blob into the cache, going on where an earlier process stopped."""
    blob.parent.mkdir(parents=True, exist_ok=True)
    with blob.with_name(f"{blob.name}.incomplete").open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        if blob.exists():  # another process was quicker while this one waited
            Path(part.name).unlink(missing_ok=True)
            return
        if part.tell() > (found.size or 0):
            part.truncate(0)
        headers, storage, hub = build_hf_headers(), urlsplit(found.location), urlsplit(constants.ENDPOINT)
        if (storage.scheme, storage.hostname, storage.port) != (hub.scheme, hub.hostname, hub.port):
            headers.pop("authorization", None)  # the token is for the hub alone
        resume, size = part.tell(), found.size
        http_get(found.location, part, resume_size=resume, headers=headers, expected_size=size, displayed_filename=file)
        with Path(part.name).open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        if expected and digest != expected:
            Path(part.name).unlink()
            raise UsageError(_wrong_digest(entry, file))
        Path(part.name).rename(blob)
    remember_digest(blob, digest)


@contextmanager
def _explained(entry: ModelEntry) -> Iterator[None]:
    """Raise the library's errors as one sentence that says how to go on; never an address, which may be signed."""
    hub = constants.ENDPOINT
    try:
        if constants.HF_HUB_OFFLINE:
            raise OfflineModeIsEnabled
        with closing(ScrubbedRecords(Secrets().scrub)):  # nor in the logs of the libraries below
            yield
    except (OSError, HTTPError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        login, cut = f"; {_LOGIN}" if status in (401, 403) else "", getattr(error, "strerror", None) or "cut short"
        sentences: tuple[tuple[Any, str], ...] = (
            (GatedRepoError, f"{entry.repo} is gated: accept its terms on the hub, then {_LOGIN}"),
            (RepositoryNotFoundError, f"{hub} shows no repository {entry.repo}; if it is private or gated, {_LOGIN}"),
            (RevisionNotFoundError, f"{entry.repo} has no revision {entry.revision!r}"),
            (RemoteEntryNotFoundError, f"{entry.repo} has no file {entry.file}"),
            (OfflineModeIsEnabled, "its file is not on this machine and HF_HUB_OFFLINE forbids to fetch it"),
            (HfHubHTTPError, f"{hub} answered {status} for {entry.repo}{login}"),
            (FileMetadataError | LocalEntryNotFoundError, f"{hub} does not answer like a Hugging Face hub"),
            (HFValidationError, f"{entry.repo!r} is no name of a repository"),
            (HTTPError, f"{hub} cannot be reached, or the connection broke ({type(error).__name__})"),
            (OSError, f"the file could not be written or read whole ({cut})"),
        )
        why = next(sentence for kind, sentence in sentences if isinstance(error, kind))
        raise UsageError(f"{entry.name}: {why}; {by_hand(entry)}") from error


def _wrong_digest(entry: ModelEntry, file: str) -> str:
    return (
        f"{entry.name}: what arrived of {file} has another sha256 than the hub gives for it; it was thrown away, "
        "try again"
    )


def _cached(entry: ModelEntry, file: str) -> Path | None:
    found = try_to_load_from_cache(entry.repo, file, revision=entry.revision or None)
    return Path(found) if isinstance(found, str) else None


def _repo_folder(entry: ModelEntry) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=entry.repo, repo_type="model")


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
