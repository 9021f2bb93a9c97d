"""Picks the next token: every value pinned, seeded, and under a grammar where there is one."""

from __future__ import annotations

import ctypes
import math
from typing import Any

from pytest_agentcore.backends.llama.engine import Context
from pytest_agentcore.catalogue.entry import Sampling
from pytest_agentcore.errors import BackendError

PENALTY_WINDOW = 64
"""Sampled tokens that the penalties look back on; the prompt is not penalised."""


_CANDIDATE = [("id", "i4"), ("logit", "f4"), ("p", "f4")]
"""llama.cpp's `llama_token_data`."""


class Sampler:
    """Draws tokens from a context's last logits. Made for one reply, then closed.

    Penalties, then top_k, top_p and min_p, then temperature, then the draw; temperature 0 takes the likeliest.

    Among several rows sampling must not take longer than decoding. What costs is top_p over a whole vocabulary, which
    llama.cpp sorts by and by: here only tokens are sorted that can be among those which together have that probability.
    """

    def __init__(self, context: Context, sampling: Sampling, seed: int) -> None:
        import numpy as np  # noqa: PLC0415 - slow to import; llama_cpp has loaded it already

        self._numpy, self._size = np, context.model.vocabulary.size
        self._library, self._context = context.library, context
        library, links = context.library, []
        penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
        plain = penalties == (1.0, 0.0, 0.0)
        is_narrow = plain and sampling.top_k == 0 and 0 < sampling.top_p < 1 and sampling.temperature > 0
        self._top_p = sampling.top_p if is_narrow and context.rows > 1 else None
        if not plain:
            size = context.model.vocabulary.size
            links.append(library.llama_sampler_init_penalties(size, PENALTY_WINDOW, *penalties))
        if sampling.temperature == 0:
            links.append(library.llama_sampler_init_greedy())
        else:
            # top_k first: the others sort only what it leaves; and a filter that is off would cost time all the same
            links += [library.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k > 0 else []
            links += (
                [library.llama_sampler_init_top_p(sampling.top_p, 1)] if sampling.top_p < 1 and not self._top_p else []
            )
            links += [library.llama_sampler_init_min_p(sampling.min_p, 1)] if sampling.min_p > 0 else []
            links += [library.llama_sampler_init_temp(sampling.temperature), library.llama_sampler_init_dist(seed)]
        params = library.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain = library.llama_sampler_chain_init(params)
        for link in links:
            library.llama_sampler_chain_add(self._chain, link)

    def draw(self, place: int = -1) -> int | None:
        """The token behind one of the last call's, counted as accepted; None when there is none that may come."""
        if self._top_p is None:
            return int(self._library.llama_sampler_sample(self._chain, self._context.pointer, place))
        token = self._pick(self._logits(place), self._top_p)
        self._library.llama_sampler_accept(self._chain, token)
        return token

    def _logits(self, place: int) -> Any:
        logits = self._library.llama_get_logits_ith(self._context.pointer, place)
        return self._numpy.ctypeslib.as_array(logits, (self._size,))

    def _pick(self, logits: Any, top_p: float) -> int:
        """The token that the chain selects of the likeliest ones that together have the probability `top_p`."""
        np = self._numpy
        weights = np.exp(logits - logits.max())
        total = weights.sum(dtype=np.float64)
        # tokens below this weight have less than 1 - top_p together, so none of them is needed
        likely = np.flatnonzero(weights >= (1 - top_p) * total / self._size)
        likely = likely[np.argsort(-weights[likely], kind="stable")]
        needed = np.searchsorted(np.cumsum(weights[likely], dtype=np.float64), top_p * total) + 1
        candidates = np.zeros(min(needed, len(likely)), dtype=_CANDIDATE)
        candidates["id"] = likely[:needed]
        candidates["logit"] = logits[candidates["id"]]
        size = len(candidates)
        data = (self._library.llama_token_data * size).from_buffer(candidates)
        array = self._library.llama_token_data_array(data=data, size=size, selected=-1, sorted=True)
        self._library.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def close(self) -> None:
        """Free it."""
        self._library.llama_sampler_free(self._chain)


def parse_grammar(context: Context, gbnf: str) -> Any:
    """A sampler that stands at the beginning of a GBNF grammar: many replies clone it, and its maker frees it.

    Raises:
        BackendError: llama.cpp does not accept the grammar.
    """
    start = context.library.llama_sampler_init_grammar(context.model.vocabulary.pointer, gbnf.encode(), b"root")
    if not start:
        raise BackendError(f"llama.cpp does not accept the grammar: {context.model.log.problem()}")
    return start


class GrammarSampler(Sampler):
    """Draws only what a grammar allows.

    Filtering the whole vocabulary by a grammar costs as much as a pass through a small model, so a token is drawn
    freely first and only that one is checked; when the grammar refuses it, the whole vocabulary is filtered and the
    draw is repeated. llama.cpp's own tools do the same.
    """

    def __init__(self, context: Context, sampling: Sampling, seed: int, grammar: Any) -> None:
        super().__init__(context, sampling, seed)
        np = self._numpy
        self._grammar = self._library.llama_sampler_clone(grammar)
        # the whole vocabulary with its logits, in the layout that samplers work on
        self._data = (self._library.llama_token_data * self._size)()
        self._view = np.frombuffer(self._data, dtype=_CANDIDATE)
        self._ids = np.arange(self._size, dtype=np.int32)
        self._all = self._library.llama_token_data_array()
        self._one = (self._library.llama_token_data * 1)()

    def draw(self, place: int = -1) -> int | None:
        """See `Sampler.draw`."""
        apply = self._library.llama_sampler_apply
        if self._top_p is None:
            self._fill(place)
            token = self._choose()
        else:
            token = self._pick(self._logits(place), self._top_p)
        self._one[0].id, self._one[0].logit, self._one[0].p = token, 0.0, 0.0
        one = self._library.llama_token_data_array(data=self._one, size=1, selected=-1, sorted=False)
        apply(self._grammar, ctypes.byref(one))
        if self._one[0].logit == -math.inf:  # the grammar refuses it
            self._fill(place)
            apply(self._grammar, ctypes.byref(self._all))
            if self._view["logit"].max() == -math.inf:
                return None
            token = self._choose()
        self._library.llama_sampler_accept(self._grammar, token)
        self._library.llama_sampler_accept(self._chain, token)
        return token

    def _fill(self, place: int) -> None:
        """Make every token a candidate again, by the logits behind a token of the last call."""
        self._view["logit"] = self._logits(place)
        self._view["id"], self._view["p"] = self._ids, 0.0
        self._all.data, self._all.size, self._all.selected, self._all.sorted = self._data, self._size, -1, False

    def _choose(self) -> int:
        """The token that the chain selects of the candidates; nothing is accepted yet."""
        if self._top_p is not None:
            return self._pick(self._view["logit"], self._top_p)
        self._library.llama_sampler_apply(self._chain, ctypes.byref(self._all))
        return int(self._all.data[self._all.selected].id)

    def close(self) -> None:
        """Free it."""
        super().close()
        self._library.llama_sampler_free(self._grammar)
