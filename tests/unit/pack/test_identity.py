"""Which campaigns are the same experiment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from results import manifest

from pytest_agentcore.pack.identity import differences, remarks, summarise

BASE = manifest()

OTHER: list[tuple[dict[str, Any], str]] = [
    ({"model": "small"}, "model: tiny → small"),
    ({"backend": {"sha256": "cd" * 32}}, "model's content: tiny → cdcdcdcdcdcdcdcd"),
    ({"entry": {"dialect": "hermes"}}, "dialect: none → hermes"),
    ({"entry": {"base_url": "https://me:secret@host/v1"}}, "endpoint: none → https://[redacted]@host/v1"),
    ({"suite": replace(BASE.suite, digest="ef" * 32)}, "suite's content: abababababababab → efefefefefefefef"),
    ({"suite": replace(BASE.suite, version="1.1")}, "suite: agentic-core-v1 1.0 → agentic-core-v1 1.1"),
    ({"policy": "lenient"}, "policy: native → lenient"),
    ({"sampling": {**BASE.sampling, "temperature": 0.0}}, "sampling temperature: 0.7 → 0"),
    ({"seed": 8}, "seed: 7 → 8"),
    ({"engine": {"n_ctx": "4096"}}, "context: default → 4096"),
    ({"engine": {"type_k": "q8_0"}}, "cache of keys: default → q8_0"),
    ({"engine": {"type_v": "Q4_0"}}, "cache of values: default → q4_0"),
    ({"engine": {"split_mode": "row"}}, "split: default → row"),
    ({"rows": 8}, "rows: none → 8"),
    ({"context_load": 4000}, "context load: 0 → 4000"),
    ({"budget": {**BASE.budget, "turns": 20}}, "limit of turns: 15 → 20"),
    ({"sandbox": {"name": "process"}}, "sandbox: bubblewrap → process"),
    ({"harness": "0.2.0"}, "harness: 0.1.0 → 0.2.0"),
]


@pytest.mark.parametrize(("changes", "line"), OTHER, ids=[line for _, line in OTHER])
def test_each_of_these_makes_another_experiment(changes: dict[str, Any], line: str) -> None:
    assert differences(BASE, replace(BASE, **changes)) == (line,)


@pytest.mark.parametrize(
    "changes",
    [
        {"runs": 5, "order": "by-task", "arguments": ("--other",), "started": "2027-01-01T00:00:00+00:00"},
        {"machine": {**BASE.machine, "processor": "another"}, "packages": {}, "planned": (), "campaign": "x"},
        {"engine": {"threads": "1", "n_gpu_layers": "0"}, "backend": {**BASE.backend, "context": 4096}},
        {"budget": {"turns": 15.0, "reply_tokens": 4096, "seconds": 3600}},
    ],
)
def test_none_of_these_does(changes: dict[str, Any]) -> None:
    assert differences(BASE, replace(BASE, **changes)) == ()


def test_a_command_that_asks_for_no_rows_takes_those_that_are_there() -> None:
    assert differences(replace(BASE, rows=4), BASE) == ()
    assert differences(replace(BASE, rows=4), replace(BASE, rows=2)) == ("rows: 4 → 2",)


def test_what_can_still_move_a_number_is_a_remark() -> None:
    moved = replace(
        BASE,
        machine={**BASE.machine, "processors": 64},
        packages={**BASE.packages, "llama-cpp-python": "9.9"},
        engine={"threads": "2", "n_ctx": "4096"},
    )

    assert [line.partition(":")[0] for line in remarks(BASE, moved)] == [
        "processors",
        "llama-cpp-python",
        "engine threads",
    ]
    assert remarks(BASE, BASE) == ()


def test_a_long_list_of_differences_is_cut() -> None:
    assert summarise(["a", "b"]) == "a; b"
    assert summarise([*"abcdef"]) == "a; b; c; d; and 2 more"
