"""The one module that knows the openai package: a client, its streams, and its errors as ours."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import json
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pytest_agentcore.backends.base import FinishReason, Request
from pytest_agentcore.errors import BackendError
from pytest_agentcore.redact import REDACTED, redact
from pytest_agentcore.trial.modes import Cause

Chunk = Mapping[str, Any]
"""A part of a reply, as the protocol has it."""
_PATH = "/chat/completions"
CONNECT_SECONDS = 10.0


class EndpointClient:
    """One endpoint; may be used from several threads."""

    def __init__(self, base_url: str, key: str, *, idle_seconds: float) -> None:
        # importing the package makes seventy thousand objects that stay for good. The garbage collector is kept away
        # from them, now and later: going through them over and over, most of all when pytest collects at its end,
        # took an eighth of the processor time of a short campaign
        collects = gc.isenabled()
        gc.disable()
        try:
            import openai  # noqa: PLC0415 - heavy
        finally:
            gc.freeze()
            if collects:
                gc.enable()

        self._openai, self._key = openai, key
        # a proxy of the environment is for the world outside, and it would not find this machine's servers
        local = is_local(base_url)
        plain = local and base_url.startswith("http:")  # no TLS: reading the system's certificates takes long
        web = openai.DefaultHttpxClient(trust_env=not local, verify=not plain, follow_redirects=not plain)
        self._client = openai.OpenAI(
            base_url=base_url.partition("?")[0],
            default_query=dict(parse_qsl(urlsplit(base_url).query)),  # the package would put its paths behind it
            api_key=key or "none",  # the client insists on one, local servers look at none
            max_retries=0,
            timeout=openai.Timeout(idle_seconds, connect=min(CONNECT_SECONDS, idle_seconds)),
            http_client=web,
        )

    def stream(self, body: Mapping[str, Any]) -> ChunkStream:
        """Send a request and open its stream.

        Raises:
            BackendError: see `errors`.
        """
        with self.errors():  # by its path, since the typed call would make an object of every chunk
            kind: Any = self._openai.Stream
            stream = self._client.post(_PATH, body=dict(body), cast_to=object, stream=True, stream_cls=kind[object])
        return ChunkStream(self, stream)

    def ask(self, body: Mapping[str, Any]) -> None:
        """Send a request for the sake of its failure.

        Raises:
            BackendError: see `stream`.
        """
        for tried in (False, True):
            try:
                with self.errors():
                    self._client.post(_PATH, body=dict(body), cast_to=object)
                return
            except BackendError as error:
                # once more where the connection was kept open by this side alone
                if tried or error.cause is not Cause.backend_unreachable:
                    raise

    def get(self, path: str) -> dict[str, Any]:
        """A small JSON object; empty where the server has none there.

        Raises:
            BackendError: the server cannot be reached, or refuses the key.
        """
        try:
            with self.errors():
                found = self._client.get(path, cast_to=object, options={"timeout": CONNECT_SECONDS})
        except BackendError as error:
            if error.cause is Cause.backend_unreachable or refuses_key(error):
                raise
            return {}
        return found if isinstance(found, dict) else {}

    def scrubbed(self, text: str) -> str:
        """Without the key, whoever wrote it."""
        return text.replace(self._key, REDACTED) if self._key else text

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """The package's errors as ours."""
        try:
            yield
        except self._openai.APIStatusError as error:
            raise self._of_status(error) from None
        except self._openai.APIConnectionError as error:
            cause = error.__cause__ or error
            said = f"the endpoint cannot be reached: {self.words(str(cause) or type(cause).__name__)}"
            raise BackendError(said, Cause.backend_unreachable, transient=True) from None
        except self._openai.OpenAIError as error:
            raise BackendError(f"the endpoint reports an error: {self.words(str(error))}", transient=True) from None
        except (ValueError, TypeError) as error:  # what the server sent is no JSON, or no chat completion
            said = f"the endpoint's reply cannot be read: {self.words(str(error))}"
            raise BackendError(said, transient=True) from None

    def _of_status(self, error: Any) -> BackendError:
        # the server's own sentence, where it has the protocol's shape; else whatever it says
        body = error.body
        inner = body.get("error", body) if isinstance(body, Mapping) else body
        if not isinstance(inner, Mapping):
            words = str(inner or error.message)
        elif not (words := " · ".join(str(word) for word in (inner.get("message"), inner.get("code")) if word)):
            # the findings of FastAPI's validation, without the request that it repeats
            details = body["detail"] if isinstance(body.get("detail"), list) else ()
            found = (detail for detail in details if isinstance(detail, Mapping))
            words = " · ".join(f"{detail.get('loc')}: {detail.get('msg')}" for detail in found)
            unsaid = str(error.response.reason_phrase or error.message)
            words = words or (json.dumps(body, ensure_ascii=False) if body else unsaid)
        status = int(error.status_code)
        said = f"the endpoint answers {status}: {self.words(words)}"
        if status in (429, 503, 529) and "insufficient_quota" not in said:  # of OpenAI's, which no waiting mends
            # the header holds a number of seconds or a date
            wait, header = None, error.response.headers.get("retry-after") or ""
            with contextlib.suppress(ValueError):
                wait = max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
            with contextlib.suppress(ValueError):
                wait = max(0.0, float(header))
            return BackendError(said, Cause.backend_overloaded, transient=True, retry_after=wait)
        if status in (408, 502, 504):
            return BackendError(said, Cause.backend_unreachable, transient=True)
        if status >= 500:  # noqa: PLR2004
            return BackendError(said, transient=True)
        if to := error.response.headers.get("location"):
            said += f"; it points to {self.words(to)}"
        return BackendError(said, Cause.backend_refused)

    def words(self, text: str) -> str:
        """A server's own words in one line, clipped and without secrets."""
        return str(redact(self.scrubbed(" ".join(text.split()))))[:400]


def refuses_key(error: BackendError) -> bool:
    """Whether the endpoint answered 401 or 403."""
    return error.cause is Cause.backend_refused and any(f"answers {status}:" in str(error) for status in (401, 403))


def is_local(url: str) -> bool:
    """Whether an address is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Decoder:
    """Drops what is no event, and takes the reply of a server that was asked to stream it and did not.

    The package's decoder makes an event without data of a comment behind an `id:` line and of a lone `retry:`, which
    the standard says to drop, and nothing at all of a plain JSON object. At `[DONE]` the package would throw the
    connection away; read to the end of the body it serves the next request, without another handshake.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self.complete = False
        """Whether `[DONE]` has come."""

    def iter_bytes(self, pieces: Iterator[bytes]) -> Iterator[Any]:
        """The events of a body."""
        kept, streamed = bytearray(), False

        def noted() -> Iterator[bytes]:
            for piece in pieces:
                if not streamed:
                    kept.extend(piece)
                yield piece

        for event in self._decoder.iter_bytes(noted()):
            if event.data.startswith("[DONE]"):
                self.complete = True
                with contextlib.suppress(Exception):  # the reply is here: how the connection ends does not matter
                    deque(pieces, maxlen=0)
                return
            if event.data:
                streamed = True
                yield event
        if not streamed and kept.lstrip().startswith(b"{"):
            with contextlib.suppress(ValueError):
                line = json.dumps(json.loads(kept))
                yield from self._decoder.iter_bytes(iter([f"data: {line}\n\n".encode()]))


class ChunkStream:
    """The chunks of one reply as plain dicts."""

    def __init__(self, client: EndpointClient, stream: Any) -> None:
        self._client, self._stream = client, stream
        # the package has no way to give it one; it decodes nothing before the first chunk is asked for
        self._events = stream._decoder = _Decoder(stream._decoder)

    def __iter__(self) -> Iterator[Chunk]:
        with self._client.errors():
            for chunk in self._stream:
                if isinstance(chunk, Mapping):
                    yield chunk

    @property
    def complete(self) -> bool:
        """Whether the endpoint has said that nothing more comes, even though the iterator has not ended yet."""
        return self._events.complete

    def close(self) -> None:
        """Give the connection back, or close it where the reply was not read to its end; on the thread that reads."""
        self._stream.close()

    def abort(self) -> None:
        """Cut the connection, which wakes up a thread that waits for bytes of it."""
        with contextlib.suppress(OSError, KeyError, AttributeError):
            line = self._stream.response.extensions["network_stream"].get_extra_info("socket")
            line.shutdown(socket.SHUT_RDWR)


class Pump:
    """Opens a stream and reads it on a thread of its own, so that cancel and deadline are noticed in its silence."""

    def __init__(self, open_stream: Callable[[], ChunkStream], request: Request, idle_seconds: float) -> None:
        """Prepare; nothing is opened before the first chunk is asked for.

        Args:
            open_stream: called on the reading thread.
            request: whose cancel and deadline count.
            idle_seconds: longest silence.
        """
        self.cut_short: FinishReason | None = None
        """Why the chunks ended early: the request was cancelled or its deadline passed while nothing came."""
        self._open, self._request, self._idle_seconds = open_stream, request, idle_seconds
        self._come: queue.SimpleQueue[Chunk | BaseException | None] = queue.SimpleQueue()
        self._stream: ChunkStream | None = None
        self._over = threading.Event()

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks of the stream.

        Raises:
            BackendError: the endpoint fell silent.
            BaseException: whatever opening or reading the stream raised.
        """
        threading.Thread(target=self._read, daemon=True, name="agentcore-endpoint").start()
        silent_since = time.monotonic()
        while not (stop := self._request.cut_short()):
            now = time.monotonic()
            # never more than a tenth of a second, to see whether the request was cancelled
            left = min(self._idle_seconds - (now - silent_since), 0.1, self._request.deadline - now)
            came: Chunk | BaseException | None = None
            try:
                came = self._come.get(timeout=max(0.0, left))
            except queue.Empty:
                if self._stream is not None and self._stream.complete:
                    # it may have sent something since the queue was found empty; else this is its end, which `close`
                    # cuts: a server that ends its stream properly has had the time of the wait to do so
                    with contextlib.suppress(queue.Empty):
                        came = self._come.get_nowait()
                elif time.monotonic() - silent_since >= self._idle_seconds:
                    said = f"the endpoint fell silent: nothing came for {self._idle_seconds:g} seconds"
                    raise BackendError(said, Cause.backend_unreachable, transient=True) from None
                else:
                    continue
            if came is None:
                return
            if isinstance(came, BaseException):
                raise came
            yield came
            silent_since = time.monotonic()
        self.cut_short = stop

    def close(self) -> None:
        """Stop reading; where more would have come the server sees the connection go."""
        if not self._over.is_set():
            self._over.set()
            if self._stream is not None:
                self._stream.abort()

    def _read(self) -> None:
        end: BaseException | None = None
        try:
            self._stream = self._open()
            for chunk in self._stream if not self._over.is_set() else ():
                if self._over.is_set():
                    break
                self._come.put(chunk)
        except Exception as error:  # noqa: BLE001 - border: it is raised again on the thread that waits for it
            end = error
        finally:
            self._over.set()
            self._come.put(end)
            if self._stream is not None:
                self._stream.close()
