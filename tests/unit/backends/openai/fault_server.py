"""An OpenAI-compatible server on loopback: a made-up model that streams, and every fault that a real one can have.

The model counts a word as a token and is the same for the same prompt and seed. A test gives it other words with
`say`, and faults for the requests to come with `faults`: each is used up by one request, in order.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = re.compile(r"\s*\S+|\s+")
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

Fault = Callable[["Handler", dict[str, Any]], bool]
"""Misbehaves on one request; True: that was all of the answer."""


@dataclass(kw_only=True)
class Said:
    """What the model says."""

    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    """Names and raw arguments."""


@dataclass(kw_only=True)
class FaultServer:
    """The server's state; tests look at it and change it."""

    say: Callable[[dict[str, Any]], Said] | None = None
    context: int = 1024
    key: str = ""
    """The one it wants; empty: any."""
    model: str = "made-up"
    truncates_at: int | None = None
    """Tokens of prompt beyond which the oldest messages are dropped without a word."""
    unknown: tuple[str, ...] = ()
    """Fields that are refused."""
    usage: bool = True
    owner: str = "tests"
    props: dict[str, Any] = field(default_factory=dict)
    """What llama.cpp's server says of itself."""
    keeps: bool = False
    """Whether a connection serves further requests: replies come in chunks of HTTP/1.1 then."""
    connections: int = 0
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """What stood in each request's `Authorization`."""
    times: list[float] = field(default_factory=list)
    """When each came, on the monotonic clock."""
    most_at_once: int = 0
    gone: int = 0
    """Replies whose reader went away."""
    url: str = ""
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: list[list[str]] = field(default_factory=list)

    @contextmanager
    def running(self, port: int = 0) -> Iterator[FaultServer]:
        """Serve on a free port of loopback, or on the given one."""
        handler = type("Bound", (Handler,), {"state": self})
        server = _Server(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            server.cut_all()
            thread.join()

    @contextmanager
    def counted(self, request: dict[str, Any]) -> Iterator[None]:
        """While a request is answered."""
        with self._lock:
            self.requests.append(request)
            self.times.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def next_fault(self) -> Fault | None:
        """The fault of this request."""
        with self._lock:
            return self.faults.popleft() if self.faults else None

    def answer(self, request: dict[str, Any]) -> Said:
        """The model's whole reply."""
        if self.say:
            return self.say(request)
        if request.get("tool_choice") == "required":
            done = any(message["role"] == "tool" for message in request["messages"])
            name, arguments = ("finish", {"answer": "done"}) if done else ("fs_read", {"path": "notes.txt"})
            return Said(calls=((name, json.dumps(arguments)),))
        rng = random.Random(f"{json.dumps(request['messages'])}{request.get('seed')}")
        return Said(content=" ".join(rng.choice(WORDS) for _ in range(60)))

    def prompt(self, request: dict[str, Any]) -> list[str]:
        """Tokens of the conversation, as many as the server keeps."""
        messages = list(request["messages"])
        tokens = _tokens("".join(map(_rendered, messages)) + "\n<assistant>")
        while self.truncates_at and len(tokens) > self.truncates_at and len(messages) > 1:
            del messages[1]
            tokens = _tokens("".join(map(_rendered, messages)) + "\n<assistant>")
        return tokens[-self.truncates_at :] if self.truncates_at else tokens

    def cached(self, prompt: list[str], reply: list[str]) -> int:
        """Tokens of the longest prefix that an earlier request had, its reply included."""
        with self._lock:
            found = max((_common(prompt, seen) for seen in self._seen), default=0)
            self._seen.append([*prompt, *reply])
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self._lines: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        self._lines.append(line)
        self.RequestHandlerClass.state.connections += 1  # type: ignore[attr-defined]
        return line, address

    def cut_all(self) -> None:
        """Break every connection: a server that goes away takes those along that are kept open."""
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that goes away is no news here."""


class Handler(BaseHTTPRequestHandler):
    """Answers `GET …/models` and `POST …/chat/completions`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: FaultServer

    def do_GET(self) -> None:
        if not self.key_is_right():
            return
        if self.path.partition("?")[0].endswith("/models"):
            self.send(
                {
                    "object": "list",
                    "data": [
                        {"id": self.state.model, "owned_by": self.state.owner, "max_model_len": self.state.context}
                    ],
                }
            )
        elif self.path.endswith("/props"):
            self.send(self.state.props)
        else:
            self.refuse(404, "no such path")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.paths.append(self.path)
        self.state.keys.append(self.headers.get("Authorization", ""))
        with self.state.counted(request):
            fault = self.state.next_fault()
            if fault and fault(self, request):
                return
            if self.key_is_right():
                self.reply(request)

    def key_is_right(self) -> bool:
        """Refuses others."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.state.key and given != self.state.key:
            self.refuse(401, f"Incorrect API key provided: {given}")
            return False
        return True

    def reply(self, request: dict[str, Any], *, pause: float = 0.0, stop_after: int | None = None) -> None:
        """Stream what the model says.

        Args:
            request: as it came.
            pause: seconds before each piece.
            stop_after: pieces after which the connection is cut.
        """
        state = self.state
        if refused := [field for field in state.unknown if field in request]:
            self.refuse(400, f"Unrecognized request argument supplied: {refused[0]}")
            return
        prompt = state.prompt(request)
        if len(prompt) >= state.context:
            self.refuse(400, f"the request exceeds the available context size ({len(prompt)} of {state.context})")
            return
        deltas = list(_deltas(state.answer(request)))
        limit = min(request.get("max_tokens", request.get("max_completion_tokens", 10**6)), state.context - len(prompt))
        finish = "length" if len(deltas) > limit else "tool_calls" if "tool_calls" in deltas[-1] else "stop"
        deltas = deltas[:limit]
        self.begin()
        for number, delta in enumerate(deltas):
            if number == stop_after:
                self.cut()
                return
            time.sleep(pause)
            self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if state.usage:
            said = "".join(delta.get("content", "") for delta in deltas)
            cached = state.cached(prompt, _tokens(f" {said}"))
            self.event(
                {
                    "choices": [],
                    "usage": {
                        "prompt_tokens": len(prompt),
                        "completion_tokens": len(deltas),
                        "prompt_tokens_details": {"cached_tokens": cached},
                    },
                }
            )
        self.end()

    def begin(self) -> None:
        """The head of a stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if self.state.keeps:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def event(self, data: Any) -> None:
        """One chunk; text is sent as it is."""
        text = data if isinstance(data, str) else json.dumps({"id": "r", "object": "chat.completion.chunk", **data})
        line = f"data: {text}\n\n".encode()
        try:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line) if self.state.keeps else line)
            self.wfile.flush()
        except OSError:
            self.state.gone += 1
            raise

    def end(self) -> None:
        """The last line, and the end of the body."""
        self.event("[DONE]")
        if self.state.keeps:
            self.wfile.write(b"0\r\n\r\n")

    def send(self, data: Mapping[str, Any], status: int = 200, **headers: str) -> None:
        """A whole JSON object."""
        content = json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        """An error in the protocol's words."""
        self.send({"error": {"message": message, "type": "invalid_request_error"}}, status, **headers)

    def cut(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Stay silent."""


def status(code: int, message: str = "on purpose", **headers: str) -> Fault:
    """An error answer."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.refuse(code, message, **headers)
        return True

    return fault


def answer(code: int, data: Mapping[str, Any], **headers: str) -> Fault:
    """Any JSON under any status."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.send(data, code, **headers)
        return True

    return fault


def raw(*events: Any) -> Fault:
    """A stream of these events."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.begin()
        for event in events:
            handler.event(event)
        handler.end()
        return True

    return fault


def unended(*events: Any) -> Fault:
    """A stream of these events that ends without `[DONE]`."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.begin()
        for event in events:
            handler.event(event)
        handler.close_connection = True
        return True

    return fault


def whole(content: str, kind: str = "application/json") -> Fault:
    """A body that is no stream at all."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content.encode())))
        handler.end_headers()
        handler.wfile.write(content.encode())
        return True

    return fault


def dropped(after: int = 3) -> Fault:
    """The connection is reset in the middle of a reply."""

    def fault(handler: Handler, request: dict[str, Any]) -> bool:
        handler.reply(request, stop_after=after)
        return True

    return fault


def hang(released: threading.Event, after_head: bool = False) -> Fault:
    """Nothing comes until the test lets go."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        if after_head:
            handler.begin()
        released.wait(60)
        return True

    return fault


def after_the_end(then: Callable[[Handler], object]) -> Fault:
    """A whole reply and `[DONE]`, and then something else than the end of the body."""

    def fault(handler: Handler, _request: dict[str, Any]) -> bool:
        handler.begin()
        handler.event({"choices": [{"index": 0, "delta": {"content": "done"}, "finish_reason": "stop"}]})
        handler.event("[DONE]")
        then(handler)
        return True

    return fault


def drip(pause: float) -> Fault:
    """The reply comes, slowly."""

    def fault(handler: Handler, request: dict[str, Any]) -> bool:
        handler.reply(request, pause=pause)
        return True

    return fault


def no_fault(_handler: Handler, _request: dict[str, Any]) -> bool:
    """A request that is answered well, between others."""
    return False


def _deltas(said: Said) -> Iterator[dict[str, Any]]:
    for piece in _tokens(said.reasoning):
        yield {"reasoning_content": piece}
    for piece in _tokens(said.content):
        yield {"content": piece}
    for index, (name, arguments) in enumerate(said.calls):
        head = {"index": index, "id": f"srv{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [head]}
        for piece in _tokens(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    if not (said.reasoning or said.content or said.calls):
        yield {"content": ""}


def _rendered(message: Mapping[str, Any]) -> str:
    calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    return f"\n<{message['role']}> {message.get('content') or ''}{calls}"


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def _common(one: list[str], other: list[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
