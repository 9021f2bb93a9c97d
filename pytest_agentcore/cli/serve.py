"""`agentcore open`: the pages of a results folder in the browser, and how a campaign comes along that is running.

The standard library's server does: one person reads, over loopback, and nothing is written. What keeps others out: it
listens on 127.0.0.1 alone, every address begins with a word that only this process knows, and the host that a request
names is checked, since another site's name may be made to lead here (DNS rebinding).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import time
import webbrowser
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote

from pytest_agentcore.cli.arguments import add_results_place, write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, campaigns, is_being_written
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.live import Watched, version

LOOPBACK = "127.0.0.1"
HTML, JSON, JSONL, SCRIPT = "text/html", "application/json", "application/jsonl", "text/javascript"
SECURE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer; what a page itself may do is said in the page."""
RESTS = 10.0
"""A page that renews itself is made anew once it is this many times as old as it took to make."""
IDLE_SECONDS = 30
"""A connection that asks nothing for so long is closed."""


def add_open(parser: argparse.ArgumentParser) -> None:
    """Add the results folder, the port, and whether a browser is opened."""
    parser.description = (
        "Shows the campaigns of a results folder in the browser, with the progress of those that are running and "
        "transcripts as they grow. It listens on this machine alone, writes nothing, and ends with Ctrl-C."
    )
    add_results_place(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: one that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")


def run_open(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C.

    Raises:
        UsageError: there is no such folder, or the port is taken.
    """
    if not options.results.is_dir():
        raise UsageError(f"{options.results}: there is no such folder; name one in which campaigns lie")
    results = options.results.resolve()
    campaign = results.name if (results / "manifest.json").is_file() else ""
    try:
        server = Server(results.parent if campaign else results, options.port)
    except (OSError, OverflowError) as error:
        raise UsageError(f"--port {options.port}: cannot be used: {error}") from error
    with server:
        address = server.address + (f"c/{quote(campaign)}/" if campaign else "")
        write_lines([address])
        shows = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if shows and not options.no_browser:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.1)


Query = Mapping[str, list[str]]


class Answer(NamedTuple):
    """The answer to a request."""

    kind: str
    content: bytes
    status: HTTPStatus = HTTPStatus.OK


class Server(ThreadingHTTPServer):
    """Answers for one results folder; a thread for each connection, none of which keeps the process alive."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, results: Path, port: int = 0) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, or may not be used.
            OverflowError: it is no port.
        """
        super().__init__((LOOPBACK, port), _Handler)
        self.results, self.word = results, secrets.token_urlsafe(16)
        self.address = f"http://{LOOPBACK}:{self.server_port}/{self.word}/"
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}
        self._watched: dict[str, Watched] = {}
        self._pages: dict[str, tuple[str, float, float, bytes]] = {}
        """By campaign, `""` for all: the version, when it was made, how long that took, the page."""
        self._making = defaultdict[str, Lock](Lock)
        self._lock = Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a reader who has left."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def answer(self, path: str, query: Query) -> Answer:
        """Answer a request by the parts of its path, behind the secret word; everything else is not found."""
        match [unquote(part) for part in path.split("/")]:
            case [""]:
                return self._page("", self._version(), self._index, query)
            case ["live.json"]:
                return _as_json({"version": self._version(), "campaigns": [*map(self._look, self._running())]})
            case ["transcripts", name, attempt] if attempt.endswith(".js") and (folder := self._folder(name)):
                from pytest_agentcore.reports.html.transcripts import script

                file = _transcript(folder, attempt.removesuffix(".js"))
                return Answer(SCRIPT, script(name, file.stem, file).encode("ascii")) if file else NOT_FOUND
            case ["c", name, *rest] if folder := self._folder(name):
                return self._of_campaign(folder, rest, query)
        return NOT_FOUND

    def _of_campaign(self, folder: CampaignFolder, rest: list[str], query: Query) -> Answer:
        match rest:
            case [""]:
                return self._page(folder.id, version(folder), lambda made_of: _report(folder, made_of), query)
            case ["live.json"]:
                return _as_json(self._look(folder))
            case ["data", "transcripts" | "attempts", name] if name.endswith(".jsonl"):
                file, begins = _transcript(folder, name.removesuffix(".jsonl")), (query.get("from") or ["0"])[0]
                if file and begins.isdecimal():
                    with file.open("rb") as opened:
                        opened.seek(min(int(begins[:18]), file.stat().st_size))
                        return Answer(JSONL, opened.read())
        return NOT_FOUND

    def _folder(self, name: str) -> CampaignFolder | None:
        return next((folder for folder in campaigns(self.results) if folder.id == name), None)

    def _running(self) -> list[CampaignFolder]:
        return [folder for folder in campaigns(self.results) if is_being_written(folder)]

    def _version(self) -> str:
        """Name the state of all campaigns, as long as this process lives."""
        return f"{hash(tuple((each.id, version(each)) for each in campaigns(self.results))):x}"

    def _look(self, folder: CampaignFolder) -> dict[str, Any]:
        """Say how far a campaign is, or why nobody can tell."""
        with self._lock:
            watched = self._watched.setdefault(folder.id, Watched(folder))
        try:
            return watched.look()
        except Exception as error:  # noqa: BLE001 - whatever somebody wrote into that folder
            with self._lock:
                self._watched.pop(folder.id, None)
            return {"campaign": folder.id, "version": version(folder), "state": "damaged", "why": _why(error)}

    def _index(self, made_of: str) -> str:
        from pytest_agentcore.reports.html.index import build_index, read_shown
        from pytest_agentcore.reports.rendering import index_page

        return "".join(index_page(build_index(*read_shown(self.results), beside="transcripts"), {}, served=made_of))

    def _page(self, name: str, now: str, make: Callable[[str], str], query: Query) -> Answer:
        """Give a page as it was made, or make it anew where its campaigns have changed.

        A page that renews itself (`rested`) leaves the machine to the campaign for most of the time.
        """
        with self._making[name]:  # whoever asks meanwhile gets the same
            begun = time.monotonic()
            made, at, took, content = self._pages.get(name, ("", 0.0, 0.0, b""))
            if made != now and (not made or "rested" not in query or begun - at > RESTS * took):
                try:
                    content = make(now).encode("utf-8", "backslashreplace")
                except Exception as error:  # noqa: BLE001 - see above
                    return Answer(HTML, self._note(name, _why(error)).encode("utf-8", "backslashreplace"))
                self._pages[name] = now, time.monotonic(), time.monotonic() - begun, content
        return Answer(HTML, content)

    def _note(self, name: str, why: str) -> str:
        """Say what is wrong with a campaign, or with the page over all, and lead to the campaigns."""
        from pytest_agentcore.reports.rendering import note_page

        ids = [] if name else [folder.id for folder in campaigns(self.results)]
        return note_page(name or str(self.results), why, ids)


def _report(folder: CampaignFolder, made_of: str) -> str:
    from pytest_agentcore.reports.rendering import page
    from pytest_agentcore.reports.report import build_report

    return "".join(page(build_report(read_campaign(folder.path)), served=made_of))


def _transcript(folder: CampaignFolder, attempt: str) -> Path | None:
    """Find the transcript of an attempt within its campaign's folder, and nowhere that a link leads to."""
    if not re.fullmatch(r"[\w-]{1,64}", attempt):
        return None
    root = folder.path.resolve()
    for home in (folder.transcripts, folder.attempts):
        file = home / f"{attempt}.jsonl"
        if file.is_file() and file.resolve().is_relative_to(root):
            return file
    return None


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"


def _as_json(value: Any) -> Answer:
    return Answer(JSON, json.dumps(value).encode("ascii"))


NOT_FOUND = Answer(HTML, b"There is nothing here.", HTTPStatus.NOT_FOUND)
FORBIDDEN = Answer(HTML, b"This server answers to its own address alone.", HTTPStatus.FORBIDDEN)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request; there is none that changes anything."""

    server: Server
    timeout = IDLE_SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "agentcore", ""

    def do_GET(self) -> None:
        """Send a page, or what it asks for."""
        asked, _, query = self.path.partition("?")
        word, slash, path = asked.removeprefix("/").partition("/")
        if self.headers.get("Host") not in self.server.hosts:
            answer = FORBIDDEN
        elif not slash or not secrets.compare_digest(word.encode(), self.server.word.encode()):
            answer = NOT_FOUND
        else:
            try:
                answer = self.server.answer(path, parse_qs(query))
            except OSError:  # what was found a moment ago has gone
                answer = NOT_FOUND
        self.send_response(answer.status)
        self.send_header("Content-Type", f"{answer.kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(answer.content)))
        for name, value in SECURE.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: a page asks every second."""
