"""What two campaigns say about each other, as a value and in words."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from results import LOST, PASSED, WRONG, manifest, reply_event, result
from small_packs import campaign, pack, trials_of

from pytest_agentcore.analysis.compare import compare, conditions
from pytest_agentcore.analysis.compare_text import comparison_lines, task_sentence, verdict_sentence
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.manifest import Recheck
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import TranscriptWriter


def test_a_regression_rests_on_all_tasks_together(tmp_path: Path) -> None:
    """No task alone could show it with three runs; five of them together do."""
    good = campaign(tmp_path / "good", a=3, b=3, c=3, d=3, e=2)
    bad = campaign(tmp_path / "bad", a=1, b=0, c=2, d=1, e=1)
    found = compare(good, bad)

    assert found.regression
    assert all(task.p is not None and task.p >= 0.1 for task in found.tasks)
    sentence = verdict_sentence(found)
    assert sentence.startswith("B is worse than A on these tasks: B passed 5/15 (33.3%) and A 14/15 (93.3%)")
    assert not compare(bad, good).regression
    assert verdict_sentence(compare(bad, good)).startswith("B is better than A")


def test_the_difference_is_that_of_the_scores_even_where_trials_repeat(tmp_path: Path) -> None:
    same = [result("a", run, replies_digest="same", **WRONG) for run in (1, 2, 3)]
    one, two = pack(tmp_path / "one", [*same, *trials_of("one", b=3)]), campaign(tmp_path / "two", a=3, b=3)
    found = compare(one, two)
    assert found.test
    assert found.test.difference == pytest.approx(6 / 6 - 3 / 6)


def test_unscored_trials_are_on_neither_side(tmp_path: Path) -> None:
    lost = [result("a", run, **LOST) for run in (1, 2, 3)]
    one = pack(tmp_path / "one", [*lost, *trials_of("one", b=3)])
    two = campaign(tmp_path / "two", a=3, b=0)
    found = compare(one, two)

    assert found.test
    assert found.test.tasks == 1
    assert (found.tasks[0].p, found.tasks[0].difference) == (None, None)
    lines = "\n".join(comparison_lines(found, 120))
    assert "A: 3 unscored" in lines
    assert "points and p: 1 task" in lines


def test_identical_trials_count_once(tmp_path: Path) -> None:
    """A greedy model: thirty trials of ten tasks are ten observations, and the sentence says so."""
    same = [result("a", run, replies_digest="same", **WRONG) for run in range(1, 31)]
    one = pack(tmp_path / "one", [result("a", run, replies_digest=f"{run}") for run in range(1, 31)])
    found = compare(one, pack(tmp_path / "two", same))

    assert found.tasks[0].second.distinct.n == 1
    assert found.tasks[0].p == pytest.approx(1 / 31)
    assert "30/30 against 0/30 (1 distinct)" in task_sentence(found.tasks[0])
    assert "with 30 and 1 distinct runs p cannot be below" in task_sentence(found.tasks[0])
    assert "(identical trials count once: 1 and 30)" in verdict_sentence(found)


def test_a_model_that_passes_in_the_same_words_is_no_worse(tmp_path: Path) -> None:
    """Nine of ten on both sides; one side's passes are word for word the same."""
    varied = [result(t, run, **(WRONG if run == 10 else PASSED)) for t in "abcdef" for run in range(1, 11)]
    same = [
        result(t, run, **(WRONG if run == 10 else PASSED | {"replies_digest": t}))
        for t in "abcdef"
        for run in range(1, 11)
    ]
    found = compare(pack(tmp_path / "one", varied), pack(tmp_path / "two", same))
    assert found.test
    assert found.test.difference == pytest.approx(0)
    assert not found.regression
    assert "No difference is shown: B passed 54/60 (90.0%) and A 54/60 (90.0%)" in verdict_sentence(found)


@pytest.mark.parametrize(("first", "second"), [(3, 0), (0, 3)])
def test_a_tasks_interval_claims_no_more_than_its_p(tmp_path: Path, first: int, second: int) -> None:
    found = compare(campaign(tmp_path / "one", a=first), campaign(tmp_path / "two", a=second)).tasks[0]
    assert found.p == pytest.approx(0.1)
    assert found.interval
    assert found.interval.low < 0 < found.interval.high


def test_only_shared_tasks_are_compared_and_the_others_named(tmp_path: Path) -> None:
    found = compare(campaign(tmp_path / "one", a=3, b=3), campaign(tmp_path / "two", b=3, c=3))
    assert [task.task for task in found.tasks] == ["b"]
    assert (found.only_first, found.only_second) == (("a",), ("c",))
    lines = comparison_lines(found)
    assert any("only A planned a" in line for line in lines)
    with pytest.raises(UsageError, match="no task in common"):
        compare(campaign(tmp_path / "three", a=1), campaign(tmp_path / "four", c=1))


def _recheck(suite: str) -> Recheck:
    return Recheck(
        at="2026-06-11T08:00:00+00:00", suite=suite, harness="0.1.0", classification=2, up=0, down=3, otherwise=0
    )


def test_every_condition_of_the_issue_is_named(tmp_path: Path) -> None:
    one = manifest()
    changes = {
        "model": "other",
        "backend": {**one.backend, "quant": "Q8_0", "context": 4096},
        "policy": "lenient",
        "sampling": {**one.sampling, "temperature": 0.0},
        "suite": replace(one.suite, system_prompt="Another."),
        "budget": {**one.budget, "reply_tokens": 1024},
        "harness": "0.2.0",
        "sandbox": {"name": "process"},
    }
    first, second = pack(tmp_path / "one", [result()]), pack(tmp_path / "other", [result()], **changes)
    _write_reply(first, reasoning="")
    _write_reply(second, reasoning="Let me think.")
    found = {c.name: (c.first, c.second) for c in conditions(first, second)}
    assert found == {
        "model": ("tiny", "other"),
        "quant": ("Q4_K_M", "Q8_0"),
        "policy": ("native", "lenient"),
        "sampling temperature": ("0.7", "0"),
        "n_ctx": ("8192", "4096"),
        "reply ceiling": ("4096 tokens", "1024 tokens"),
        "thinking": ("not seen", "seen"),
        "harness": ("0.1.0", "0.2.0"),
        "sandbox": ("bubblewrap 0.8.0 · Python 3.11.2", "process"),
        "system prompt": ("one", "another"),
    }
    assert list(conditions(first, first)) == []


LLAMA = {"backend": "llama_cpp", "sha256": "a" * 64, "template": {"sha256": "c" * 64}, "engine": {"n_batch": 512}}


@pytest.mark.parametrize(
    ("changes", "expected", "confounds"),
    [
        ({"backend": LLAMA | {"sha256": "b" * 64}}, ("model's content", "a" * 12, "b" * 12), False),
        ({"backend": LLAMA | {"template": {"sha256": "d" * 64}}}, ("chat template", "c" * 12, "d" * 12), True),
        ({"backend": LLAMA | {"engine": {"n_batch": 64}}}, ("engine n_batch", "512", "64"), True),
        ({"engine": {"type_k": "q8_0", "n_batch": "512"}}, ("engine type_k", "-", "q8_0"), True),
        ({"packages": {"llama-cpp-python": "0.3.1"}}, ("llama-cpp-python", "0.3.0", "0.3.1"), True),
        ({"tools": ({**manifest().tools[0], "description": "Run."},)}, ("tool shell", "one", "another"), True),
        (
            {"sandbox": {"name": "bubblewrap", "version": "0.9.0", "python": "3.11.2"}},
            ("sandbox", "bubblewrap 0.8.0 · Python 3.11.2", "bubblewrap 0.9.0 · Python 3.11.2"),
            True,
        ),
        (
            {"rechecked": (_recheck(manifest().suite.digest),)},
            ("verdicts", "as they were given", "given anew by harness 0.1.0, classification 2"),
            True,
        ),
        ({"rows": 8}, ("rows", "-", "8"), False),
    ],
    ids=["weights", "template", "engine", "engine-asked", "bindings", "tools", "sandbox", "rechecked", "rows"],
)
def test_what_has_the_same_name_and_is_not_the_same_is_told(
    tmp_path: Path, changes: dict[str, Any], expected: tuple[str, str, str], confounds: bool
) -> None:
    """A candidate.gguf that was quantized anew, a server's next version: nothing else shows them."""
    base: dict[str, Any] = {"backend": LLAMA, "packages": {"llama-cpp-python": "0.3.0"}}
    first = pack(tmp_path / "one", trials_of("one", a=3, b=3, c=3, d=3), **base)
    second = pack(tmp_path / "two", trials_of("two", a=0, b=0, c=0, d=0), **base | changes)

    found = compare(first, second)

    assert [(c.name, c.first, c.second) for c in found.conditions] == [expected]
    assert ("They also differ in" in verdict_sentence(found)) is confounds
    assert "differ in nothing" not in " ".join(comparison_lines(found, 200))


def test_a_campaign_that_another_suite_judged_anew_is_one_of_that_suite(tmp_path: Path) -> None:
    one = campaign(tmp_path / "one", a=3)
    two = pack(tmp_path / "two", trials_of("two", a=0), rechecked=(_recheck("cd" * 32),))

    for first, second in ((one, two), (two, one)):
        with pytest.raises(UsageError, match="these are not the same tasks"):
            compare(first, second)
    assert "suite digest" in {c.name for c in compare(one, two, force=True).conditions}
    assert not compare(one, two, force=True).same_suite
    assert not any(c.name == "suite digest" for c in compare(two, two).conditions)


def test_whether_a_model_thinks_is_not_known_without_a_readable_transcript(tmp_path: Path) -> None:
    first, second = pack(tmp_path / "one", [result()]), pack(tmp_path / "other", [result()])
    _write_reply(first, reasoning="Let me think.")
    path = second.folder.transcript(result().attempt)
    path.parent.mkdir()
    path.write_text("damaged\n{}\n")
    assert [(c.name, c.first, c.second) for c in conditions(first, second)] == [("thinking", "seen", "-")]


def _write_reply(of: Campaign, reasoning: str) -> None:
    """The transcript of the campaign's only trial."""
    with closing(TranscriptWriter(of.folder.transcript(of.results[0].attempt))) as record:
        record(reply_event(1, content="done", reasoning=reasoning))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A good campaign and one that is significantly worse."""
    campaign(tmp_path / "good", a=3, b=3, c=3, d=3)
    campaign(tmp_path / "bad", a=0, b=0, c=0, d=0)
    return str(tmp_path / "good"), str(tmp_path / "bad")


@pytest.mark.parametrize(
    ("order", "words", "code"),
    [
        ((0, 1), (), 0),
        ((0, 1), ("--fail-on-regression",), 1),
        ((1, 0), ("--fail-on-regression",), 0),
        ((0, 0), ("--fail-on-regression",), 0),
    ],
)
def test_exit_codes(pair: tuple[str, str], order: tuple[int, int], words: tuple[str, ...], code: int) -> None:
    assert cli.main(["compare", pair[order[0]], pair[order[1]], *words]) == code


@pytest.mark.parametrize("order", [("scored", "lost"), ("lost", "scored"), ("lost", "lost")])
def test_what_cannot_be_tested_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], order: tuple[str, str]
) -> None:
    """As the gate of --agentcore-baseline: no regression is only what was looked for and not found."""
    campaign(tmp_path / "scored", a=3, b=3)
    pack(tmp_path / "lost", [result(task, run, **LOST) for task in "ab" for run in (1, 2, 3)])
    words = [str(tmp_path / name) for name in order]

    assert cli.main(["compare", *words]) == 0
    assert "failed" not in capsys.readouterr().out

    assert cli.main(["compare", *words, "--fail-on-regression"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "verdict Nothing can be said: no task has scored trials in both campaigns." in shown
    assert shown.endswith("failed no test is possible, so --fail-on-regression cannot rule out a regression.")


def test_the_command_itself(pair: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "pytest_agentcore.cli", "compare", *pair, "--fail-on-regression"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "verdict    B is worse than A on these tasks" in done.stdout
    assert done.stderr == ""


def test_other_tasks_under_the_same_name_are_refused_unless_forced(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit(
        tmp_path / "bad",
        suite={**json.loads((tmp_path / "bad/manifest.json").read_text())["suite"], "digest": "c" * 64},
    )
    assert cli.main(["compare", *pair]) == 2
    assert "these are not the same tasks, since prompts, files or checkers are others" in capsys.readouterr().err
    assert cli.main(["compare", *pair, "--force"]) == 0
    shown = capsys.readouterr().out
    assert "CAUTION" in shown
    assert "suite digest: abababababab | cccccccccccc" in shown


@pytest.mark.parametrize("which", ["good", "bad"])
def test_a_selection_is_not_compared(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    _edit(tmp_path / which, selection={"asked": ["wrong_answer"], "of": "x"})
    assert cli.main(["compare", *pair, "--force"]) == 2
    assert f"{which} is a selection" in capsys.readouterr().err


def test_a_missing_campaign_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "nowhere", "nowhere-else"]) == 2
    assert "no campaign 'nowhere'" in capsys.readouterr().err


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
