"""The tokens that are drawn are those of llama.cpp's own chain over the whole vocabulary, one by one."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

np = pytest.importorskip("numpy")

from pytest_agentcore.backends.llama.engine import load_library  # noqa: E402 - both need numpy
from pytest_agentcore.backends.llama.sampler import PENALTY_WINDOW, Sampler  # noqa: E402
from pytest_agentcore.catalogue.entry import Sampling  # noqa: E402

pytestmark = pytest.mark.needs("llama_cpp")
SMOLLM2, GEMMA = 49152, 262144
"""Sizes of vocabularies."""


def context(size: int) -> Any:
    return SimpleNamespace(
        library=load_library(), pointer=None, model=SimpleNamespace(vocabulary=SimpleNamespace(size=size))
    )


def texts(size: int) -> Iterator[Any]:
    """Logits as models have them: a few likely tokens over a long tail, sure ones, flat ones and nearly equal ones."""
    random = np.random.default_rng(7)
    for number in range(24 if size < GEMMA else 12):
        logits = random.normal(-4, 1 + number % 4, size).astype(np.float32)
        likely = random.choice(size, 40, replace=False)
        logits[likely] = 12 - random.exponential(1 + number % 5, 40).astype(np.float32) * (number % 3)
        yield logits
    yield random.normal(0, 0.1, size).astype(np.float32)


def of_the_chain(sampling: Sampling, seed: int, size: int) -> Iterator[int]:
    """What llama.cpp draws of each text when it is given every token."""
    library = load_library()
    chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    links = [library.llama_sampler_init_penalties(size, PENALTY_WINDOW, *penalties)]
    if sampling.temperature == 0:
        links += [library.llama_sampler_init_greedy()]
    else:
        links += [library.llama_sampler_init_top_k(sampling.top_k), library.llama_sampler_init_top_p(sampling.top_p, 1)]
        links += [library.llama_sampler_init_min_p(sampling.min_p, 1)]
        links += [library.llama_sampler_init_temp(sampling.temperature), library.llama_sampler_init_dist(seed)]
    for link in links:
        library.llama_sampler_chain_add(chain, link)
    for logits in texts(size):
        kept = np.zeros(size, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
        kept["id"], kept["logit"] = np.arange(size), logits
        data = ctypes.cast(kept.ctypes.data, library.llama_token_data_p)
        array = library.llama_token_data_array(data=data, size=size, selected=-1, sorted=False)
        library.llama_sampler_apply(chain, ctypes.byref(array))
        token = int(kept["id"][array.selected])
        library.llama_sampler_accept(chain, token)
        yield token
    library.llama_sampler_free(chain)


@pytest.mark.parametrize(
    ("sampling", "size"),
    [
        (Sampling(temperature=0.7, top_p=0.95), SMOLLM2),
        (Sampling(temperature=1.5, top_p=0.999), SMOLLM2),
        (Sampling(temperature=1.0, top_p=0.3, min_p=0.05), SMOLLM2),
        (Sampling(temperature=1.0, top_p=0.95), GEMMA),
        (Sampling(temperature=1.0, top_p=0.95, top_k=64), GEMMA),
        (Sampling(temperature=0.7, top_p=0.8, top_k=20, repeat_penalty=1.1), SMOLLM2),
        (Sampling(temperature=0.7, top_p=0.8, top_k=20, repeat_penalty=0.9), SMOLLM2),
        (Sampling(temperature=0.7, top_p=1.0, top_k=500, presence_penalty=0.5), SMOLLM2),
        (Sampling(temperature=0.7, top_p=0.9, repeat_penalty=1.1), SMOLLM2),
        (Sampling(temperature=0.0), SMOLLM2),
        (Sampling(temperature=0.0, repeat_penalty=1.3), SMOLLM2),
        (Sampling(temperature=1.0, top_p=1.0), SMOLLM2),
        (Sampling(temperature=1.0, top_p=0.9, top_k=40), 300),
    ],
)
def test_tokens_are_those_of_the_chain_over_all(sampling: Sampling, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(2):
        with closing(Sampler(context(size), sampling, seed)) as sampler:
            drawn = []
            for logits in texts(size):
                monkeypatch.setattr(sampler, "_logits", lambda _place, logits=logits: logits)
                drawn.append(sampler.draw())
        assert drawn == list(of_the_chain(sampling, seed, size))


def test_what_cannot_be_told_is_left_to_the_chain() -> None:
    logits = np.full(SMOLLM2, -60, dtype=np.float32)
    logits[[9, 4, 7]] = np.log([0.5, 0.25, 0.125])
    for top_p, least, most in ((0.5714, 1, 1), (4 / 7, 1, 2), (0.5715, 2, 2), (6 / 7, 2, 3), (1e-9, 1, 1)):
        with closing(Sampler(context(SMOLLM2), Sampling(temperature=1.0, top_p=top_p), 0)) as sampler:
            ids, *counts = sampler._likely(logits)
            assert list(ids[:3]) == [9, 4, 7]
            assert counts == [least, most]
            assert sampler._is_sure(logits, ids, 2, 2)
            logits[4] = logits[9]  # one of two that are alike is drawn
            assert not sampler._is_sure(logits, ids, 2, 2)
            logits[4] = np.log(0.25)


def test_no_likely_token_is_left_out_wherever_it_stands() -> None:
    random = np.random.default_rng(3)
    falling = -np.linspace(0, 20, GEMMA, dtype=np.float32)
    late = np.full(GEMMA, -60, dtype=np.float32)  # behind so large a sum these add nothing, and are heavier than others
    late[:200_000] = np.log(random.uniform(1e-5, 2.5e-5, 200_000))
    late[200_000:201_000], late[210_000:210_100] = 0, np.log(2.6e-5)
    for logits in (falling, falling[::-1], random.permutation(falling), late):
        for top_p in (0.9, 0.998, 0.99999):
            with closing(Sampler(context(GEMMA), Sampling(temperature=1.0, top_p=top_p), 0)) as sampler:
                ids, _, most = sampler._likely(logits)
            assert most > len(ids) or sorted(logits[ids[:most]]) == sorted(np.sort(logits)[-most:])


def test_few_tokens_are_looked_at() -> None:
    for sampling, most in ((Sampling(temperature=1.0, top_k=64), 300), (Sampling(temperature=0.0), 2)):
        with closing(Sampler(context(GEMMA), sampling, 0)) as sampler:
            found = [sampler._few(logits) for logits in texts(GEMMA) if len(set(np.sort(logits)[-40:])) == 40]
        lengths = [len(ids) for ids in found if ids is not None]
        assert len(lengths) >= 6
        assert max(lengths) <= most
