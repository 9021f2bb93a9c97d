"""KEY=VALUE settings."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pytest_agentcore.catalogue.entry import (
    ENGINE_KEYS,
    SAMPLING_KEYS,
    EngineSettings,
    Sampling,
    read_engine,
    read_sampling,
)
from pytest_agentcore.errors import UsageError


def test_every_setting_has_a_key() -> None:
    assert {f.name for f in fields(EngineSettings)} == ENGINE_KEYS.keys()
    assert {f.name for f in fields(Sampling)} == SAMPLING_KEYS.keys()


def test_words_become_values() -> None:
    settings = read_engine({"n_ctx": "8192", "flash_attn": "on", "mmap": "no", "n_gpu_layers": "-1"})
    assert settings == EngineSettings(n_ctx=8192, flash_attn=True, mmap=False, n_gpu_layers=-1)


def test_sampling_lies_in_three_layers() -> None:
    sampling = read_sampling({"temperature": "0"}, {"temperature": 0.2, "top_p": 0.9})
    assert sampling == Sampling(temperature=0.0, top_p=0.9)
    assert read_sampling({"top_k": "5"}, sampling) == Sampling(temperature=0.0, top_p=0.9, top_k=5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"n_ctxx": "1"}, "did you mean 'n_ctx'"),
        ({"n_ctx": "4k"}, "no whole number"),
        ({"n_ctx": "16"}, "between 512"),
        ({"mmap": "perhaps"}, "no yes or no"),
        ({"quux": "1"}, "known keys: n_ctx"),
    ],
)
def test_wrong_engine_settings_are_one_sentence(given: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_engine(given)


@pytest.mark.parametrize("given", [{"temperature": "-1"}, {"temperature": "nan"}, {"top_p": "2"}, {"top_k": "1.5"}])
def test_wrong_sampling_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        read_sampling(given)
