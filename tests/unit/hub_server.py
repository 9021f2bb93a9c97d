"""A server on loopback that speaks as much of the Hugging Face hub's HTTP as the client uses, and fails on request.

Routes: `/api/models/REPO` lists files, and so does `/tree/COMMIT` below it for the `hf` command;
`/REPO/resolve/REVISION/FILE` answers HEAD with the headers that name commit, digest and size, and GET with the file,
from any offset. Read off huggingface_hub's client code.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0de"


@dataclass(kw_only=True)
class Hub:
    """What the server has, how it fails, and what it was asked."""

    repo: str = "me/Tiny-GGUF"
    files: dict[str, Path] = field(default_factory=dict)
    token: str = ""
    """Wanted of every request, unless empty."""
    cut_once: int | None = None
    """The first body is cut off after so many bytes, the connection dropped."""
    hang_once: int | None = None
    """The first body stops after so many bytes, the connection left open."""
    lies: bool = False
    """Promises the digest of something else."""
    ignores_ranges: bool = False
    etag: str = ""
    """Said instead of the digest, unless empty."""
    store: str = ""
    """Address of another server that files are fetched from, as the real hub sends clients to its storage."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of every request, in their order."""
    tokens: set[str] = field(default_factory=set)
    """Authorization headers that were seen."""
    sent: int = 0
    """Bytes of bodies of files."""
    url: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    hanging: threading.Event = field(default_factory=threading.Event)

    def of(self, method: str) -> list[str]:
        """Ranges of the requests for files by this method."""
        return [wanted for asked, path, wanted in self.asked if asked == method and "/resolve/" in path]


@cache
def digest_of(file: Path) -> str:
    """sha256 of a file that does not change."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer on a free port until the block ends."""

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def environment(hub: Hub, home: Path) -> dict[str, str]:
    """For a client process: this hub, and caches of its own."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN": hub.token,
        "XDG_CACHE_HOME": str(home / "cache"),
        "AGENTCORE_MODELS": str(home / "models"),
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.asked.append((self.command, path, self.headers.get("Range", "")))
        hub.tokens.add(self.headers.get("Authorization", ""))
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._error(401, "RepoNotFound")
        elif path in (f"/api/models/{hub.repo}", f"/api/models/{hub.repo}/revision/main"):
            listed = {"id": hub.repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in hub.files]}
            self._send(json.dumps(listed).encode(), {})
        elif path == f"/api/models/{hub.repo}/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "oid": "0", "size": hub.files[name].stat().st_size} for name in hub.files
            ]
            self._send(json.dumps(tree).encode(), {})
        elif found := re.fullmatch(rf"/{re.escape(hub.repo)}/resolve/(?:main|{COMMIT})/(.+)", path):
            self._file(found[1])
        elif path.startswith((f"/{hub.repo}/", f"/api/models/{hub.repo}")):
            self._error(404, "RevisionNotFound")
        else:
            self._error(404, "RepoNotFound")

    def _file(self, name: str) -> None:
        file = self.hub.files.get(name)
        if file is None:
            self._error(404, "EntryNotFound")
            return
        digest = hashlib.sha256(b"something else").hexdigest() if self.hub.lies else digest_of(file)
        digest = self.hub.etag or digest
        size = file.stat().st_size
        headers = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-ETag": f'"{digest}"',
            "X-Linked-Size": str(size),
            "ETag": f'"{digest}"',
            "Accept-Ranges": "bytes",
        }
        if self.hub.store:
            self._send(b"", headers | {"Location": f"{self.hub.store}{self.path}"}, status=302)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and not self.hub.ignores_ranges else 0
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self._send(file.read_bytes()[start:], headers, status=206 if start else 200)

    def _send(self, body: bytes, headers: Mapping[str, str], *, status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        is_file = "X-Repo-Commit" in headers
        cut, hang = (self.hub.cut_once, self.hub.hang_once) if is_file else (None, None)
        if is_file:
            self.hub.cut_once = self.hub.hang_once = None
        part = body if cut is None and hang is None else body[: cut or hang]
        self.wfile.write(part)
        self.hub.sent += len(part) if is_file else 0
        if hang is not None:
            self.wfile.flush()
            self.hub.hanging.set()
            self.hub.stop.wait(60)
        self.close_connection = len(part) < len(body)

    def _error(self, status: int, code: str) -> None:
        self._send(b"", {"X-Error-Code": code, "X-Error-Message": "no"}, status=status)
