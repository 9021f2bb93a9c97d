"""Samples one reply: token by token, with everything that can end it."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from pytest_agentcore.models.base import FinishReason, Request
from pytest_agentcore.models.prefix import PrefixCache
from pytest_agentcore.models.vocabulary import Vocabulary


class Draws(Protocol):
    """A sampler."""

    def draw(self) -> int | None:
        """The next token, or None when there can be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What was sampled."""

    text: str
    ids: tuple[int, ...]
    """Without the token that ended the turn."""
    finish: FinishReason
    whole: bool
    """Whether the model ended its turn itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When a reply is over."""

    tokens: Collection[int]
    """Those that end a turn."""
    limit: int
    """Tokens there may be at most."""
    at_limit: FinishReason
    """What reaching that means: the reply's ceiling, or the end of the context."""
    complete: Callable[[str], bool]
    """Whether nothing that belongs to the reply can follow its text."""


def cut_short(request: Request) -> FinishReason | None:
    """Whether the request was cancelled or its time is over."""
    if request.cancel.is_set():
        return FinishReason.cancelled
    return FinishReason.deadline if time.monotonic() > request.deadline else None


def sample_reply(sampler: Draws, cache: PrefixCache, vocabulary: Vocabulary, ends: Ends, request: Request) -> Sampled:
    """Draw tokens behind an evaluated prompt until something ends the reply.

    Text is decoded as it comes; a character split over tokens is handed to `watch` when it is whole.

    Raises:
        BackendError: the engine failed.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    ids: list[int] = []
    text, finish, whole = "", FinishReason.stop, False
    while True:
        token = sampler.draw()
        if token is None or token in ends.tokens:
            whole = token is not None
            break
        ids.append(token)
        piece = decode(vocabulary.piece(token))
        text += piece
        if reason := _over(request, ends, ids, text, piece):
            finish = reason
            break
        cache.append(token)
    if torn := decode(b"", final=True):
        request.watch(torn)
    return Sampled(text=text + torn, ids=tuple(ids), finish=finish, whole=whole)


def _over(request: Request, ends: Ends, ids: list[int], text: str, piece: str) -> FinishReason | None:
    if piece and request.watch(piece):
        return FinishReason.watch
    if piece and ends.complete(text):
        return FinishReason.stop
    if len(ids) >= ends.limit:
        return ends.at_limit
    return cut_short(request)
