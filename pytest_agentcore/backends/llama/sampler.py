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


class Sampler:
    """Draws tokens from a context's last logits. Made for one reply, then closed.

    Penalties, then top_k, top_p and min_p, then temperature, then the draw; temperature 0 takes the likeliest.
    """

    def __init__(self, context: Context, sampling: Sampling, seed: int) -> None:
        self._library, self._context = context.library, context
        library, links = context.library, []
        penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
        if penalties != (1.0, 0.0, 0.0):
            size = context.model.vocabulary.size
            links.append(library.llama_sampler_init_penalties(size, PENALTY_WINDOW, *penalties))
        if sampling.temperature == 0:
            links.append(library.llama_sampler_init_greedy())
        else:
            # top_k first: the others sort only what it leaves; and a filter that is off would cost time all the same
            links += [library.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k > 0 else []
            links += [library.llama_sampler_init_top_p(sampling.top_p, 1)] if sampling.top_p < 1 else []
            links += [library.llama_sampler_init_min_p(sampling.min_p, 1)] if sampling.min_p > 0 else []
            links += [library.llama_sampler_init_temp(sampling.temperature), library.llama_sampler_init_dist(seed)]
        params = library.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain = library.llama_sampler_chain_init(params)
        for link in links:
            library.llama_sampler_chain_add(self._chain, link)

    def draw(self, place: int = -1) -> int | None:
        """The token behind one of the last call's, counted as accepted; None when there is none that may come."""
        return int(self._library.llama_sampler_sample(self._chain, self._context.pointer, place))

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
        import numpy as np  # noqa: PLC0415 - slow to import; llama_cpp has loaded it already

        super().__init__(context, sampling, seed)
        self._numpy = np
        self._grammar = self._library.llama_sampler_clone(grammar)
        # the whole vocabulary with its logits, in the layout that samplers work on
        self._size = context.model.vocabulary.size
        self._data = (self._library.llama_token_data * self._size)()
        self._view = np.frombuffer(self._data, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        self._ids = np.arange(self._size, dtype=np.int32)
        self._all = self._library.llama_token_data_array()
        self._one = (self._library.llama_token_data * 1)()

    def draw(self, place: int = -1) -> int | None:
        """See `Sampler.draw`."""
        apply = self._library.llama_sampler_apply
        self._fill(place)
        token = self._choose()
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
        logits = self._library.llama_get_logits_ith(self._context.pointer, place)
        self._view["logit"] = self._numpy.ctypeslib.as_array(logits, (self._size,))
        self._view["id"], self._view["p"] = self._ids, 0.0
        self._all.data, self._all.size, self._all.selected, self._all.sorted = self._data, self._size, -1, False

    def _choose(self) -> int:
        """The token that the chain selects of the candidates; nothing is accepted yet."""
        self._library.llama_sampler_apply(self._chain, ctypes.byref(self._all))
        return int(self._all.data[self._all.selected].id)

    def close(self) -> None:
        """Free it."""
        super().close()
        self._library.llama_sampler_free(self._grammar)
