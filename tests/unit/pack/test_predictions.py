"""The front matter of predictions.md: what it may say, and the sentence for what it may not."""

from __future__ import annotations

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.predictions import Expected, parse_predictions

HEAD = 'schema = 1\nmodel = "tiny"\nsuite = "agentic-core-v1"\nruns = 3\n'


def parsed(front: str, head: str = HEAD) -> object:
    return parse_predictions(f"+++\n{head}{front}\n+++\n\nBecause.\n", "expected.md")


def test_everything_that_can_be_predicted() -> None:
    found = parse_predictions(
        f"""+++
{HEAD}policy = "native"
[score]
point = 0.7
range = [0.5, 0.9]
[tasks]
task_01_fix_failing_test = 3
task_05_minimal_fix = [1, 2]
[failure_modes]
wrong_answer = [2, 6]
[cost]
total = [0.1, 0.25]
+++
"""
    )

    assert (found.model, found.policy, found.runs, found.point) == ("tiny", "native", 3, 0.7)
    assert found.range == Expected(0.5, 0.9)
    assert found.tasks == {"task_01_fix_failing_test": Expected(3, 3), "task_05_minimal_fix": Expected(1, 2)}
    assert found.failure_modes == {"wrong_answer": Expected(2, 6)}
    assert found.cost == Expected(0.1, 0.25)


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("[score]\npoint = 70", "expected.md: score.point: must be a number from 0 to 1, not 70"),
        ("[score]\npoint = true", "score.point: must be a number"),
        ("[score]\nrange = [0.9, 0.5]", "score.range: must go from the smaller to the larger number"),
        ("[score]\nrange = [0.1, 0.2, 0.3]", "score.range: must be a number or [from, to]"),
        ("[score]\nguess = 1", "score.guess: is no key here; there are point, range"),
        ("[tasks]\ntask_01 = 4", "tasks.task_01: must be a whole number from 0 to 3, not 4"),
        ("[tasks]\ntask_01 = 1.5", "tasks.task_01: must be a whole number"),
        ("[failure_modes]\nbad_luck = 1", "failure_modes.bad_luck: is no key here; there are wrong_answer"),
        ('[cost]\ntotal = "little"', "cost.total: must be a number"),
        ("tasks = 3", "tasks: must be a table"),
        ("surprise = 1", "surprise: is no key here"),
        ("policy = 3", "policy: must be text"),
        ("[score", "front matter: "),
    ],
)
def test_a_key_that_cannot_be_used_is_named(front: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed(front)
    assert said in str(error.value)


@pytest.mark.parametrize("key", ["schema", "model", "suite", "runs"])
def test_a_key_that_is_missing_is_named(key: str) -> None:
    head = "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith(key))
    with pytest.raises(UsageError, match=f"^expected.md: {key}: must be"):
        parsed("", head)


@pytest.mark.parametrize("text", ["", "# Predictions\n", "+++\nschema = 1\n", "---\nschema: 1\n---\n"])
def test_a_file_without_front_matter(text: str) -> None:
    with pytest.raises(UsageError, match="must begin with front matter"):
        parse_predictions(text)


def test_a_toml_error_has_the_file_s_own_line() -> None:
    with pytest.raises(UsageError, match="line 6"):
        parsed("point = = 1")
