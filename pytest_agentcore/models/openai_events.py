"""Takes events out of an endpoint's reply: a stream that keeps to the standard, and a reply that is not streamed."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterator
from typing import Any

DONE = "[DONE]"
"""The protocol's word for the end of a stream."""


def events_of(stream: type[Any]) -> type[Any]:
    """The package's stream with our decoder around its own."""

    class Events(stream[object]):  # type: ignore[misc]
        _decoder: Any

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self._decoder = _Decoder(self._decoder)

        @property
        def complete(self) -> bool:
            return bool(self._decoder.complete)

    return Events


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
            if event.data.startswith(DONE):
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
