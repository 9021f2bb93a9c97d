"""The one module that knows the openai package: a client, its streams, and its errors as ours."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import json
import os
import queue
import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from pytest_agentcore.backends.base import FinishReason, Request
from pytest_agentcore.backends.openai.charges import (
    Charge,
    EndpointFault,
    charge_of_error,
    error_in,
    plain,
    status_of,
    words_of,
    written_by_model,
)
from pytest_agentcore.errors import BackendError, UsageError
from pytest_agentcore.redact import ScrubbedRecords, Secrets, redact_address
from pytest_agentcore.trial.modes import Cause

Chunk = Mapping[str, Any]
"""A part of a reply, as the protocol has it."""
_PATH = "/chat/completions"
CONNECT_SECONDS = 10.0


class EndpointClient:
    """One endpoint; may be used from several threads."""

    def __init__(self, base_url: str, key: str, secrets: Secrets, *, idle_seconds: float) -> None:
        """Make a client; nothing is sent.

        Args:
            base_url: up to and with `/v1`.
            key: what it is asked with; may be empty.
            secrets: what is in no log from now on, and in no word of the endpoint's.
            idle_seconds: longest silence.

        Raises:
            UsageError: the certificates or the proxy that the environment names cannot be used.
        """
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

        self._openai = openai
        # a proxy of the environment is for the world outside, and it would not find this machine's servers
        local, plain = is_local(base_url), base_url.startswith("http:")
        proxy = "" if local else _proxy_of(base_url)
        self._way = f" (through the proxy {redact_address(proxy)} of the environment)" if proxy else ""
        self._secrets = secrets
        address = urlsplit(base_url)
        user, _, password = map(unquote, address.netloc.rpartition("@")[0].partition(":"))
        try:
            # without TLS there is nothing to verify, and reading the system's certificates takes long; a redirect to
            # an https address is therefore not followed but told
            verify = not plain and _certificates()
            web = openai.DefaultHttpxClient(
                trust_env=not local,
                verify=verify,
                follow_redirects=not plain,
                auth=(user, password) if user or password else None,
            )
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - its package has errors of its own for what it cannot use
            raise UsageError(f"no client can be made{self._way}: {self.words(str(error))}") from None
        self._client = openai.OpenAI(
            base_url=urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", "")),
            default_query=dict(parse_qsl(address.query)),  # the package would put its paths behind it
            api_key=key or "none",  # the client insists on one, local servers look at none
            max_retries=0,
            timeout=openai.Timeout(idle_seconds, connect=min(CONNECT_SECONDS, idle_seconds)),
            http_client=web,
        )
        self._records = ScrubbedRecords(secrets.scrub)

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

    def scrubbed(self, value: Any) -> Any:
        """A text, or JSON with texts in it, without the key and what is secret in the address, whoever wrote it."""
        return self._secrets.hide(value)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._records.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """The package's errors as ours."""
        try:
            yield
        except self._openai.APIStatusError as error:
            raise self._of_status(error) from None
        except self._openai.APIConnectionError as error:
            raise self._of_connection(error) from None
        except self._openai.OpenAIError as error:
            raise self.fault("the endpoint reports an error", str(error)) from None
        except (ValueError, TypeError, RecursionError) as error:  # it sent no JSON, or no chat completion
            raise self.fault("the endpoint's reply cannot be read", str(error)) from None

    def _of_status(self, error: Any) -> EndpointFault:
        body, headers = error.body, error.response.headers
        # the header holds a number of seconds or a date
        wait, header = None, headers.get("retry-after") or ""
        with contextlib.suppress(ValueError):
            wait = max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        with contextlib.suppress(ValueError):
            wait = max(0.0, float(header))
        status, to = int(error.status_code), headers.get("location")
        more = f"; it points to {self.words(to)}" if to else self._way if status >= 407 else ""  # noqa: PLR2004
        body = body or error.response.reason_phrase or error.message
        return self.fault(f"the endpoint answers {status}", body, status, wait, more)

    def _of_connection(self, error: Any) -> EndpointFault:
        """Name certificates and proxies, which the libraries below have words of their own for."""
        chain: list[BaseException] = [error]
        while (below := chain[-1].__cause__ or chain[-1].__context__) and below not in chain:
            chain.append(below)
        said = self.words(str(chain[1] if len(chain) > 1 else error) or type(chain[-1]).__name__)
        for cause in chain:
            if isinstance(cause, ssl.SSLCertVerificationError):
                said = f"its certificate is not trusted ({cause.verify_message}); name its authority's in SSL_CERT_FILE"
                return EndpointFault(f"the endpoint cannot be reached: {said}", Charge.blocked)
            if isinstance(cause, ssl.SSLError) and cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
                said = "it speaks no TLS there; is its address one with http:// instead of https://?"
                return EndpointFault(f"the endpoint cannot be reached: {said}", Charge.blocked)
        refused = any(type(cause).__name__ == "ProxyError" for cause in chain)
        said = f"the endpoint cannot be reached: {said}{self._way}"
        return EndpointFault(said, Charge.blocked if refused else Charge.unreachable)

    def fault(
        self, what: str, body: Any, status: int | None = None, retry_after: float | None = None, more: str = ""
    ) -> EndpointFault:
        """An error of the endpoint in its own words, charged by them.

        Args:
            what: how it came, as the beginning of a sentence.
            body: what the endpoint sent.
            status: of HTTP; one that the body names goes before it.
            retry_after: seconds that the endpoint asked to be left alone for.
            more: what is to stand behind its words.
        """
        whole = words_of(body)
        charge = charge_of_error(whole, status_of(body) or status)
        wrote = self.scrubbed(written_by_model(body, whole))
        said = f"{what}: {self.words(whole)}{more}"
        return EndpointFault(said, charge, retry_after=retry_after, status=status, wrote=wrote)

    def words(self, text: str) -> str:
        """A server's own words in one line, clipped and without secrets."""
        return self._secrets.scrub(plain(text))[:400]


def _proxy_of(url: str) -> str:
    """The proxy that the environment names for an address; empty for none."""
    parts, proxies = urlsplit(url), getproxies()
    return "" if proxy_bypass(parts.hostname or "") else proxies.get(parts.scheme) or proxies.get("all", "")


def _certificates() -> ssl.SSLContext | bool:
    """The authorities that the environment names, or True for the system's.

    Raises:
        UsageError: they cannot be read.
    """
    file, folder = (
        os.environ.get("SSL_CERT_FILE"),
        os.environ.get("SSL_CERT_DIR"),
    )  # of the latter what is none is empty
    try:
        return ssl.create_default_context(cafile=file, capath=folder) if file or folder else True
    except OSError as error:  # ssl's own errors are some, too
        why = error.strerror or str(error)
        raise UsageError(f"SSL_CERT_FILE names {file!r}, which holds no certificates that can be read: {why}") from None


def refuses_key(error: BackendError) -> bool:
    """Whether the endpoint answered 401 or 403."""
    return isinstance(error, EndpointFault) and error.status in (401, 403) and error.charge is Charge.refused


def is_local(url: str) -> bool:
    """Whether an address is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


_LIFE = re.compile(r"\W*(?:ping|keep-?alive|heartbeat)\W*", re.IGNORECASE)
"""The whole of an event that only says that the server lives."""
_NO_TEXT = re.compile(r":|(?:event|id|retry)\s*:|data\s*:\s*$")
"""Lines of a stream without an event in them."""


class _Decoder:
    """Drops what is no event, keeps a body that holds none, and reads on behind the end of a reply.

    The package's decoder makes an event without data of a comment behind an `id:` line and of a lone `retry:`, which
    the standard says to drop. At `[DONE]` the package would throw the connection away; read to the end of the body it
    serves the next request, without another handshake.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self.complete = False
        """Whether `[DONE]` has come."""
        self.heard = time.monotonic()
        """When anything came last: a comment says that the server lives."""
        self.body = bytearray()
        """What came before the first event."""

    def iter_bytes(self, pieces: Iterator[bytes]) -> Iterator[Any]:
        """The events of a body."""
        streamed = False

        def noted() -> Iterator[bytes]:
            for piece in pieces:
                self.heard = time.monotonic()
                if not streamed:
                    self.body.extend(piece)
                yield piece

        for event in self._decoder.iter_bytes(noted()):
            if event.data.startswith("[DONE]"):
                self.complete = True
                self.body.clear()
                with contextlib.suppress(Exception):  # the reply is here: how the connection ends does not matter
                    deque(pieces, maxlen=0)
                return
            if event.data:
                streamed = True
                self.body.clear()
                yield event


class ChunkStream:
    """The chunks of one reply as plain dicts."""

    def __init__(self, client: EndpointClient, stream: Any) -> None:
        self._client, self._stream = client, stream
        # the package has no way to give it one; it decodes nothing before the first chunk is asked for
        self._events = stream._decoder = _Decoder(stream._decoder)
        self._whole = False

    def __iter__(self) -> Iterator[Chunk]:
        with self._client.errors():
            for event in self._stream._iter_events():  # before the package looks for errors of one shape only
                if _LIFE.fullmatch(event.data) is None and (chunk := self._chunk(event.data)):
                    yield chunk
            # the reply of a server that was asked to stream it and did not, or a page
            lines = self._events.body.decode("utf-8", "replace").splitlines()
            if text := "\n".join(line for line in lines if not _NO_TEXT.match(line)).strip():
                if chunk := self._chunk(text):
                    yield chunk
                self._whole = True

    def _chunk(self, text: str) -> Chunk | None:
        """The part of a reply that an event is; None where it says nothing.

        Raises:
            EndpointFault: it is an error, or no event of the protocol.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            what = "the endpoint's reply cannot be read; it says"
            raise self._client.fault(what, text) from None
        if (failed := error_in(data)) is not None:
            raise self._client.fault("the endpoint reports an error", failed)
        return data if isinstance(data, Mapping) else None

    @property
    def complete(self) -> bool:
        """Whether the endpoint has said that nothing more comes, even though the iterator has not ended yet."""
        return self._events.complete or self._whole

    @property
    def heard(self) -> float:
        """When anything came last, on the monotonic clock."""
        return self._events.heard

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
                else:
                    silent_since = max(silent_since, self._stream.heard if self._stream else 0.0)
                    if time.monotonic() - silent_since >= self._idle_seconds:
                        said = f"the endpoint fell silent: nothing came for {self._idle_seconds:g} seconds"
                        raise EndpointFault(said, Charge.unreachable) from None
                    continue
            if came is None:
                return
            if isinstance(came, BaseException):
                raise came
            yield came
            silent_since = time.monotonic()
        self.cut_short = stop

    @property
    def complete(self) -> bool:
        """Whether the endpoint has said that nothing more comes."""
        return self._stream is not None and self._stream.complete

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
