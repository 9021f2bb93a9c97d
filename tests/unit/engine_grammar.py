"""Asks llama.cpp's own grammar sampler whether a text is a sentence of a grammar; needs a vocabulary, no weights."""

from __future__ import annotations

from typing import Any


def accepts(engine: Any, model: Any, grammar: str, text: str) -> bool:
    """Whether llama.cpp's own grammar sampler lets every token of `text` through, and then the end of the turn."""
    vocab = engine.llama_model_get_vocab(model.model)
    sampler = engine.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
    assert sampler, "llama.cpp refused the grammar"
    try:
        for token in [*model.tokenize(text.encode(), add_bos=False, special=True), model.token_eos()]:
            one = (engine.llama_token_data * 1)(engine.llama_token_data(id=token, logit=1.0, p=0.0))
            candidates = engine.llama_token_data_array(data=one, size=1, selected=-1, sorted=False)
            engine.llama_sampler_apply(sampler, candidates)
            if one[0].logit == float("-inf"):
                return False
            engine.llama_sampler_accept(sampler, token)
        return True
    finally:
        engine.llama_sampler_free(sampler)
