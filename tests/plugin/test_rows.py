"""`--parallel` over a model in this process: as many conversations as rows, and not one token changed by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import Script, campaign, result_lines, say

pytestmark = pytest.mark.model
SMALL = (
    *("--model=smollm2-135m", "--tool-calls=constrained", "--agentcore-preflight=off", "--runs=2"),
    *("--agentcore-engine=threads=1", "--agentcore-engine=n_ctx=1024"),
    *("--agentcore-max-turns=2", "--agentcore-reply-tokens=12"),
)


def run(pytester: pytest.Pytester, results: str, *words: str | Path) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*SMALL, f"--results={results}", *words)


def manifest(pytester: pytest.Pytester, results: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((campaign(pytester, results) / "manifest.json").read_bytes())
    return read


def digests(pytester: pytest.Pytester, results: str) -> dict[tuple[str, int], str]:
    return {(line["task"], line["run"]): line["replies_digest"] for line in result_lines(campaign(pytester, results))}


def test_replies_are_those_of_the_trial_and_the_rows(pytester: pytest.Pytester, suite: Path) -> None:
    # auto: four trials, four rows; all at once
    result = run(pytester, "all", suite)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            "rows  * 4 conversations decoded together (auto: as many as trials)*",
            "*batch-invariant: proven for 4 rows*",
            "prompts *tokens evaluated for *distinct ones*",
        ]
    )
    all_at_once = digests(pytester, "all")
    assert len(all_at_once) == 4
    said = manifest(pytester, "all")
    assert (said["rows"], said["rows_reason"]) == (4, "auto: as many as trials")
    assert said["parallel"] > 1
    assert said["backend"]["batching"] == "batch-invariant: proven for 4 rows"
    counts = said["backend"]["counts"]
    assert counts["prompt_tokens_distinct"] <= counts["prompt_tokens_evaluated"]
    assert counts["prompt_tokens_evaluated"] <= 1.05 * counts["prompt_tokens_distinct"]

    # an explicit number is so many rows, however few trials there are
    run(pytester, "one", "--parallel=4", "-k", "task_02 and run2", suite).assert_outcomes(failed=1, deselected=3)
    assert manifest(pytester, "one")["rows"] == 4
    ((key, alone),) = digests(pytester, "one").items()
    assert all_at_once[key] == alone

    # what is left of a campaign is continued with the rows that it has
    run(pytester, "cut", "--maxfail=1", suite)
    assert len(digests(pytester, "cut")) == 1
    run(pytester, "cut", suite).assert_outcomes(failed=4)
    assert digests(pytester, "cut") == all_at_once
    assert manifest(pytester, "cut")["resumed"]

    # another number of rows is another experiment
    result = run(pytester, "cut", "--parallel=2", f"--agentcore-resume={campaign(pytester, 'cut')}", suite)
    result.stderr.fnmatch_lines(["*cannot be resumed*rows: 4 → 2"])


COUNTING = """
from pytest_agentcore.backends.scripted import ScriptedBackend

ScriptedBackend.counts = lambda self: {"prompt_tokens_evaluated": 7, "prompt_tokens_distinct": 5, "drafted": 0}
"""


@pytest.mark.parametrize(("words", "models"), [((), 1), (("-n", "2"), 2)])
def test_what_models_counted_adds_up(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...], models: int
) -> None:
    pytester.makeconftest(COUNTING)
    model = f"--model=scripted:{script(task_01=[say('done')], task_02=[say('done')])}"

    def counted(*more: str) -> dict[str, int]:
        pytester.runpytest_subprocess(model, "--runs=2", "--results=r", *words, *more, suite)
        found: dict[str, int] = manifest(pytester, "r")["backend"]["counts"]
        return found

    first = counted("-k", "run1")
    opened = first["prompt_tokens_evaluated"] // 7
    assert 1 <= opened <= models  # a worker without a trial opens none
    assert first == {"prompt_tokens_evaluated": 7 * opened, "prompt_tokens_distinct": 5 * opened, "drafted": 0}
    resume = f"--agentcore-resume={campaign(pytester, 'r')}"
    second = counted(resume)
    assert second["prompt_tokens_evaluated"] > first["prompt_tokens_evaluated"]
    assert counted(resume) == second  # nothing was left to run


def test_rows_that_memory_does_not_hold_are_refused_with_what_does(pytester: pytest.Pytester, suite: Path) -> None:
    result = run(pytester, "none", "--parallel=900000", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*900000 KV caches for n_ctx=1024 need *what fits: --agentcore-parallel=*"])
    assert not (pytester.path / "none").exists()
