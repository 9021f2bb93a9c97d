"""What the sentences about two campaigns claim, and what they do not."""

from __future__ import annotations

from pathlib import Path

from results import LOST, WRONG, result
from small_packs import campaign, pack, trials_of

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import looks_sentence, task_sentence, verdict_sentence


def test_what_else_differs_is_part_of_the_verdict(tmp_path: Path) -> None:
    good = campaign(tmp_path / "good", a=3, b=3, c=3, d=3)
    changed = pack(tmp_path / "bad", trials_of("bad", a=0, b=0, c=0, d=0), model="bad", policy="lenient", seed=9)
    assert verdict_sentence(compare(good, changed)).endswith(
        "They also differ in policy: the test cannot say which of these is the reason."
    )
    alone = campaign(tmp_path / "alone", a=0, b=0, c=0, d=0)
    assert "They also differ" not in verdict_sentence(compare(good, alone))


def test_a_difference_that_chance_makes_is_not_claimed(tmp_path: Path) -> None:
    found = compare(campaign(tmp_path / "one", a=3, b=2, c=3), campaign(tmp_path / "two", a=1, b=3, c=3))

    assert not found.regression
    sentence = verdict_sentence(found)
    assert sentence.startswith("No difference is shown: ")
    assert "does not prove them equal" in sentence
    assert "worse" not in sentence
    assert task_sentence(found.tasks[0]) == (
        "a: 3/3 against 1/3: p = 0.40, could be chance; with 3 runs p cannot be below 0.10"
    )
    assert task_sentence(found.tasks[2]) == ""
    assert looks_sentence(found).startswith("3 tasks tested one by one: to count, one needs p = 0.016 or less")


def test_too_few_trials_are_called_too_few(tmp_path: Path) -> None:
    found = compare(campaign(tmp_path / "one", a=3), campaign(tmp_path / "two", a=0))
    assert verdict_sentence(found) == (
        "Too few trials to show anything: B passed 0/3 (0.0%) and A 3/3 (100.0%) of the scored trials on the 1 task "
        "with scored trials in both. Even if all passed against none, p = 0.10."
    )


def test_a_tiny_p_is_said_as_less_than(tmp_path: Path) -> None:
    """With 20 runs on each side even one task can reach a p too small to be worth digits."""
    one = pack(tmp_path / "one", [result("a", run, replies_digest=f"a{run}") for run in range(1, 21)])
    two = pack(tmp_path / "two", [result("a", run, replies_digest=f"b{run}", **WRONG) for run in range(1, 21)])
    found = compare(one, two)

    assert (
        "p < 0.001: if both were equally good, chance alone would make a difference at least this large in fewer than "
        "1 of 1000 comparisons."
    ) in verdict_sentence(found)
    assert task_sentence(found.tasks[0]) == (
        "a: 20/20 against 0/20: p < 0.001, rarely chance if looked at alone; with 20 runs p could be below 0.001"
    )


def test_nothing_scored_on_one_side_says_nothing(tmp_path: Path) -> None:
    one = pack(tmp_path / "one", [result("a", run, **LOST) for run in (1, 2, 3)])
    found = compare(one, campaign(tmp_path / "two", a=3))
    assert verdict_sentence(found) == "Nothing can be said: no task has scored trials in both campaigns."
    assert not found.regression
