"""KEY=VALUE settings."""

from __future__ import annotations

import pytest

from pytest_agentcore.catalogue.entry import (
    AnySettings,
    EndpointSettings,
    EngineSettings,
    Sampling,
    read_settings,
    settings_of,
)
from pytest_agentcore.errors import UsageError


@pytest.mark.parametrize("kind", [Sampling, EngineSettings, EndpointSettings])
def test_what_is_known_of_a_setting_fits_together(kind: type[AnySettings]) -> None:
    for key, (to, about) in settings_of(kind).items():
        assert about.metadata["meaning"]
        if about.default is not None:
            assert type(about.default) is to
        edges = [] if to is bool else [to(about.metadata["least"]), to(about.metadata["most"])]
        for value in filter(None, (about.default, *edges, about.metadata["off"])):
            read_settings(kind, {key: value})


def test_words_become_values() -> None:
    given = {"n_ctx": "8192", "flash_attn": "on", "mmap": "no", "n_gpu_layers": "-1"}
    settings = read_settings(EngineSettings, given)
    assert settings == EngineSettings(n_ctx=8192, flash_attn=True, mmap=False, n_gpu_layers=-1)


def test_what_is_not_said_stays_at_its_default() -> None:
    sampling = read_settings(Sampling, {"temperature": "0", "top_p": 0.9, "top_k": 5})
    assert sampling == Sampling(temperature=0.0, top_p=0.9, top_k=5)
    assert (sampling.min_p, sampling.repeat_penalty) == (0.0, 1.0)


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
        read_settings(EngineSettings, given)


@pytest.mark.parametrize("given", [{"temperature": "-1"}, {"temperature": "nan"}, {"top_p": "2"}, {"top_k": "1.5"}])
def test_wrong_sampling_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        read_settings(Sampling, given)
