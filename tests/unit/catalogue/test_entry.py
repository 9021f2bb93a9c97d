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
        edges = list(about.metadata["words"])
        if to in (int, float):
            edges = [to(about.metadata["least"]), to(about.metadata["most"])]
        for value in filter(None, (about.default, *edges, about.metadata["off"])):
            read_settings(kind, {key: value})


def test_words_become_values() -> None:
    given = {"n_ctx": "8192", "flash_attn": "on", "mmap": "no", "n_gpu_layers": "-1"}
    settings = read_settings(EngineSettings, given | {"type_k": "Q8_0", "tensor_split": "3, 1"})
    assert settings == EngineSettings(
        n_ctx=8192, flash_attn=True, mmap=False, n_gpu_layers=-1, type_k="q8_0", tensor_split="3, 1"
    )
    assert settings.shares() == (3, 1)


def test_what_is_not_said_stays_at_its_default() -> None:
    sampling = read_settings(Sampling, {"temperature": "0", "top_p": 0.9, "top_k": 5})
    assert sampling == Sampling(temperature=0.0, top_p=0.9, top_k=5)
    assert (sampling.min_p, sampling.repeat_penalty) == (0.0, 1.0)


_NO_SHARES = ("a", "3;1", ",", "3,", "0,0", "-1,2", "nan,1", "inf")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"n_ctxx": "1"}, "did you mean 'n_ctx'"),
        ({"n_ctx": "4k"}, "no whole number"),
        ({"n_ctx": "16"}, "between 512"),
        ({"mmap": "perhaps"}, "no yes or no"),
        ({"quux": "1"}, "there are n_ctx"),
        ({"type_k": "q9_0"}, "type_k=q9_0: must be one of f32, f16, bf16, q8_0"),
        ({"split_mode": "rows"}, "split_mode=rows: must be one of none, layer, row, tensor"),
        ({"type_v": "q8_0", "flash_attn": "no"}, "type_v=q8_0: .* needs flash attention; leave flash_attn=no out"),
        ({"split_mode": "tensor", "flash_attn": "no"}, "split_mode=tensor: needs flash attention"),
        ({"split_mode": "none", "tensor_split": "1,1"}, "with split_mode=none one GPU holds all; name main_gpu"),
        *(({"tensor_split": wrong}, "must be a number from 0 up for each GPU") for wrong in _NO_SHARES),
    ],
)
def test_wrong_engine_settings_are_one_sentence(given: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_settings(EngineSettings, given)


@pytest.mark.parametrize("given", [{"temperature": "-1"}, {"temperature": "nan"}, {"top_p": "2"}, {"top_k": "1.5"}])
def test_wrong_sampling_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        read_settings(Sampling, given)
