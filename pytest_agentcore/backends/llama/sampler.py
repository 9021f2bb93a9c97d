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
_BLOCKS = 512
_ROUNDED = 0.9
"""What is left, at least, of a sum of up to a million weights when each addition rounds 24 bits down."""
_MARGIN = 1e-5
"""By how much a sum of probabilities may be another than llama.cpp's, whose exponential rounds otherwise."""


class Sampler:
    """Draws tokens from a context's last logits. Made for one reply, then closed.

    Penalties, then top_k, top_p and min_p, then temperature, then the draw; temperature 0 takes the likeliest. Tokens
    are those that llama.cpp's chain draws from the whole vocabulary. Looking at all of that may take as long as
    decoding, so here the chain is given only tokens that can come through its first filter.
    """

    def __init__(self, context: Context, sampling: Sampling, seed: int) -> None:
        import numpy as np  # noqa: PLC0415 - slow to import; llama_cpp has loaded it already

        self._numpy, self._size = np, context.model.vocabulary.size
        self._library = library = context.library
        self._context, links = context, []
        penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
        plain, lifting = penalties == (1.0, 0.0, 0.0), penalties[0] < 1 or min(penalties[1:]) < 0
        most = 1 if sampling.temperature == 0 else sampling.top_k
        self._most = most + (0 if plain else PENALTY_WINDOW) if most > 0 and not lifting else 0
        """So many of the likeliest tokens are enough, penalties or not; 0 where that is not known."""
        self._top_p, self._nucleus = sampling.top_p, None
        self._blocks = np.zeros((_BLOCKS, -(-self._size // _BLOCKS)), dtype="f4")
        """For the weights of all tokens: getting so much memory for every token takes as long as filling it."""
        if not plain:
            links.append(library.llama_sampler_init_penalties(self._size, PENALTY_WINDOW, *penalties))
        if sampling.temperature == 0:
            links.append(library.llama_sampler_init_greedy())
        else:
            # top_k first: the others sort only what it leaves; and a filter that is off would cost time all the same
            links += [library.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k > 0 else []
            if sampling.top_p < 1:
                nucleus = library.llama_sampler_init_top_p(sampling.top_p, 1)
                if plain and not most and sampling.top_p > 0:
                    self._nucleus = nucleus
                else:
                    links.append(nucleus)
            links += [library.llama_sampler_init_min_p(sampling.min_p, 1)] if sampling.min_p > 0 else []
            links += [library.llama_sampler_init_temp(sampling.temperature), library.llama_sampler_init_dist(seed)]
        params = library.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain = library.llama_sampler_chain_init(params)
        for link in links:
            library.llama_sampler_chain_add(self._chain, link)

    def draw(self, place: int = -1) -> int | None:
        """The token behind one of the last call's, counted as accepted; None when there is none that may come."""
        token = self._pick(self._logits(place))
        self._library.llama_sampler_accept(self._chain, token)
        return token

    def _logits(self, place: int) -> Any:
        logits = self._library.llama_get_logits_ith(self._context.pointer, place)
        return self._numpy.ctypeslib.as_array(logits, (self._size,))

    def _pick(self, logits: Any) -> int:
        """The token that the chain selects; nothing is accepted yet."""
        if not self._nucleus:
            return self._select(self._chain, logits, self._few(logits) if self._most else None)
        ids, least, most = self._likely(logits)
        is_sure = least == most <= len(ids) and self._numpy.diff(logits[ids[: most + 1]]).all()
        if is_sure or self._is_sure(logits, ids, least, most):
            return self._select(self._chain, logits, ids[:least], is_sorted=True)
        return self._select(self._chain, logits, None, self._nucleus)

    def _is_sure(self, logits: Any, ids: Any, least: int, most: int) -> bool:
        """Whether the least and the most of the likely tokens give the same one, and no other is as likely as that."""
        found = set()
        for count in (least, most) if most <= len(ids) else ():
            chain = self._library.llama_sampler_clone(self._chain)  # so that the chain's own chance is not used up
            found.add(self._select(chain, logits, ids[:count], is_sorted=True))
            self._library.llama_sampler_free(chain)
        return len(found) == 1 and (logits[ids[: most + 1]] == logits[found.pop()]).sum() == 1

    def _select(self, chain: Any, logits: Any, ids: Any, first: Any = None, *, is_sorted: bool = False) -> int:
        kept, array = self._candidates(logits, ids)
        if first:
            self._library.llama_sampler_apply(first, ctypes.byref(array))
        array.sorted = array.sorted or is_sorted
        self._library.llama_sampler_apply(chain, ctypes.byref(array))
        return int(kept["id"][array.selected])

    def _candidates(self, logits: Any, ids: Any = None) -> tuple[Any, Any]:
        """Tokens (None: all of them) as samplers take them: as an array of numpy and as one of llama.cpp over it."""
        kept = self._numpy.zeros(self._size if ids is None else len(ids), dtype=_CANDIDATE)
        kept["id"] = self._numpy.arange(self._size) if ids is None else ids
        kept["logit"] = logits if ids is None else logits[ids]
        data = ctypes.cast(kept.ctypes.data, self._library.llama_token_data_p)
        return kept, self._library.llama_token_data_array(data=data, size=len(kept), selected=-1, sorted=False)

    def _few(self, logits: Any) -> Any:
        """The likeliest tokens, as many as can come through top_k and some more; None: all may.

        How llama.cpp sorts equals depends on all that it sorts.
        """
        np, width = self._numpy, self._size // _BLOCKS
        if self._most > _BLOCKS or not width:
            return None
        # so many blocks have a token that is no less than this, so no token below it is among so many
        largest = logits[: _BLOCKS * width].reshape(_BLOCKS, width).max(axis=1)
        ids = np.flatnonzero(logits >= np.partition(largest, -self._most)[-self._most])
        return ids if self._most == 1 or len(np.unique(logits[ids])) == len(ids) else None

    def _likely(self, logits: Any) -> tuple[Any, int, int]:
        """Likely tokens in order, and how many of them have the probability top_p: at least, and at most."""
        np, top_p, blocks = self._numpy, self._top_p, self._blocks
        weights = blocks.reshape(-1)[: self._size]
        np.exp(np.subtract(logits, logits.max(), out=weights), out=weights)
        # llama.cpp adds all weights one after the other, and its rounding shows. That takes longer than all else here,
        # but one of less than half the last place of the sum before it (of 24 bits) adds nothing, and most are such
        sums = blocks.sum(axis=1)
        before = (np.add.accumulate(sums) - sums) * (_ROUNDED * 2**-25)
        ids = np.flatnonzero(blocks >= before[:, None])
        weights = blocks.reshape(-1)[ids]
        total = np.add.accumulate(weights)[-1]
        # sorting takes long too, so no more than are needed; all below the last weight have less than 1 - top_p. Below
        # what the whole sum would not feel some were left out
        for smallest in (1e-2, 1e-3, 1e-4, 1e-5, (1 - top_p) * total / self._size):
            likely = np.flatnonzero(weights >= max(smallest, total * 2**-25))
            if weights[likely].sum() > (top_p + 2 * _MARGIN) * total:
                break
        likely = likely[np.argsort(-logits[ids[likely]])]  # equals as they come: a token that has one is not sure
        reached = np.add.accumulate(weights[likely] / total)
        least, most = np.searchsorted(reached, [top_p - _MARGIN, top_p + _MARGIN])
        return ids[likely], int(least) + 1, int(most) + 1

    def close(self) -> None:
        """Free it."""
        self._library.llama_sampler_free(self._chain)
        if self._nucleus:
            self._library.llama_sampler_free(self._nucleus)


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
        self._grammar = self._library.llama_sampler_clone(grammar)

    def draw(self, place: int = -1) -> int | None:
        """See `Sampler.draw`."""
        logits = self._logits(place)
        token = self._pick(logits)
        if self._allowed(logits, [token])[0] == -math.inf:
            allowed = self._allowed(logits)
            if allowed.max() == -math.inf:
                return None
            token = self._pick(allowed)
        self._library.llama_sampler_accept(self._grammar, token)
        self._library.llama_sampler_accept(self._chain, token)
        return token

    def _allowed(self, logits: Any, ids: Any = None) -> Any:
        """The logits of tokens, minus infinity where the grammar refuses one."""
        kept, array = self._candidates(logits, ids)
        self._library.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return kept["logit"].copy()

    def close(self) -> None:
        """Free it."""
        super().close()
        self._library.llama_sampler_free(self._grammar)
