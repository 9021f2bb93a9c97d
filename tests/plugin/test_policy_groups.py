"""--tool-calls with several policies, and --agentcore-context-load: one session, a campaign each, paired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import Script, campaign, result_lines, say

from pytest_agentcore.cli import __main__ as cli

FENCED = '```json\n{"name": "fs_write", "arguments": {"path": "hello.txt", "content": "hello"}}\n```'


@pytest.fixture
def fenced(script: Script) -> Path:
    """Writes its calls as fenced JSON: task 01 right, task 02 not at all."""
    return script(task_01=[say(FENCED), say("done")], task_02=[say("no idea")])


def folders(pytester: pytest.Pytester) -> dict[str, Path]:
    """The campaigns, by what is behind the suite's name in their folder's."""
    found = sorted((pytester.path / "agentcore-results").glob("*/manifest.json"))
    return {path.parent.name.partition("-tiny")[2].strip("-"): path.parent for path in found}


def manifest(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return read


def test_every_policy_has_its_items_and_its_campaign(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    result = pytester.runpytest(
        "--model", f"scripted:{fenced}", "--runs", "2", "--tool-calls", "native,lenient", "-v", suite
    )
    result.assert_outcomes(passed=2, failed=6)
    result.stdout.fnmatch_lines(
        ["*test_hello[[]bot-native-run1[]]*", "*[[]bot-native-run2[]]*", "*[[]bot-lenient-run1[]]*PASSED*"]
    )
    found = folders(pytester)
    assert list(found) == ["", "lenient"]
    assert [manifest(folder)["policy"] for folder in found.values()] == ["native", "lenient"]
    for folder in found.values():
        assert [(line["task"], line["run"]) for line in result_lines(folder)] == [
            ("task_01_hello", 1),
            ("task_02_count", 1),
            ("task_01_hello", 2),
            ("task_02_count", 2),
        ]
        assert {line["model"] for line in result_lines(folder)} == {"bot"}
    (group,) = {manifest(folder)["group"] for folder in found.values()}
    assert (pytester.path / "agentcore-results" / group).is_dir()


def test_a_single_policy_keeps_its_ids_and_has_no_group(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    result = pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "1", "--tool-calls", "lenient", "-v", suite)
    result.stdout.fnmatch_lines(["*test_hello[[]bot-run1[]]*"])
    assert manifest(campaign(pytester))["group"] == ""


def test_trials_of_a_pair_have_one_seed_and_one_instance(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "2", "--tool-calls", "lenient,constrained", suite)
    pairs = [
        {(line["task"], line["run"]): (line["seed"], line["instance"]) for line in result_lines(folder)}
        for folder in folders(pytester).values()
    ]
    assert len(pairs) == 2
    assert pairs[0] == pairs[1]


def test_the_load_stands_before_the_prompt_and_in_the_record(pytester: pytest.Pytester, suite: Path) -> None:
    seen = pytester.path / "seen.jsonl"
    bot = pytester.path / "bot.py"
    bot.write_text(
        "import json\n"
        "def reply(request):\n"
        f"    with open({str(seen)!r}, 'a') as file:\n"
        "        print(json.dumps([(m.role, m.content, len(m.tool_calls)) for m in request.messages]), file=file)\n"
        "    return 'done'\n"
    )
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "1", "--agentcore-context-load", "0,500", suite)
    plain, _, loaded, again = (json.loads(line) for line in seen.read_text().splitlines())
    assert [role for role, _, _ in plain] == ["system", "user"]
    assert loaded[0] == plain[0]
    assert loaded[-1] == plain[-1]
    assert loaded[1:-1] == again[1:-1]
    assert {role for role, _, _ in loaded} == {"system", "user", "assistant", "tool"}
    assert sum(calls for _, _, calls in loaded) > 2
    found = folders(pytester)
    assert {name: manifest(folder)["context_load"] for name, folder in found.items()} == {"": 0, "load500": 500}
    (first, _) = (
        json.loads(path.read_text().splitlines()[0]) for path in (found["load500"] / "data/transcripts").iterdir()
    )
    assert first["load"]["asked"] == 500
    assert 480 < first["load"]["tokens"] <= 500
    assert first["load"]["counted"] == "tokenizer"
    assert [(m["role"], m["content"]) for m in first["load"]["messages"]] == [(r, c) for r, c, _ in loaded[1:-1]]


def compared(pytester: pytest.Pytester) -> tuple[dict[str, Any], str]:
    """group.json and group.md."""
    (path,) = (pytester.path / "agentcore-results").glob("*-group/group.json")
    return json.loads(path.read_bytes()), path.with_name("group.md").read_text()


def test_the_tax_is_told_apart_from_what_forced_calls_add(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    policies = "constrained,native,lenient"
    result = pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "1", "--tool-calls", policies, suite)
    result.stdout.fnmatch_lines(
        [
            "*bot * group of 3 campaigns*",
            "format tax native 0/2 → lenient 1/2: +50.0 points (95%: * to +*, p 1.00);",
            "           1 gained, 0 lost; first replies equal in 2/2 pairs",
            "forced     lenient 1/2 → constrained 0/2: -50.0 points*",
            "           added by forced calls, which is no tax:*",
            "files      agentcore-results/*-bot-tiny-group",
        ]
    )
    data, page = compared(pytester)
    assert [(step["kind"], step["first"], step["second"]) for step in data["steps"]] == [
        ("tax", "native", "lenient"),
        ("forced", "lenient", "constrained"),
    ]
    tax = data["steps"][0]
    assert (tax["pairs"], tax["alike"], tax["unpaired"], tax["found"]["gained"], tax["found"]["lost"]) == (
        2,
        2,
        0,
        1,
        0,
    )
    assert tax["found"]["interval"]["low"] < 0.5 < tax["found"]["interval"]["high"]
    assert data["depths"] == []
    assert "- **format tax**: native 0/2 → lenient 1/2: +50.0 points" in page
    assert all(f"(../{folder.name}/)" in page for folder in folders(pytester).values())


def test_without_lenient_nothing_is_called_tax(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "1", "--tool-calls", "native,constrained", suite)
    data, page = compared(pytester)
    assert [step["kind"] for step in data["steps"]] == ["mixed"]
    assert "run lenient too to tell them apart" in page


def test_repeated_pairs_count_once(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "3", "--tool-calls", "native,lenient", suite)
    step = compared(pytester)[0]["steps"][0]
    assert (step["pairs"], step["found"]["pairs"], step["found"]["distinct"]) == (6, 6, 2)


def test_depths_are_compared(pytester: pytest.Pytester, suite: Path) -> None:
    bot = pytester.path / "bot.py"
    bot.write_text(
        "def reply(request):\n"
        "    loaded = len(request.messages) > 9\n"
        "    if request.turn == 1 and request.trial.task == 'task_01_hello':\n"
        "        if loaded:\n"
        "            return '<tool_call>{oops</tool_call>'\n"
        "        arguments = {'path': 'hello.txt', 'content': 'hello'}\n"
        "        return {'tool_calls': [{'name': 'fs_write', 'arguments': arguments}]}\n"
        "    return ('<tool_response>42' if request.turn > 1 else 'done <|im_start|>') if loaded else 'done'\n"
    )
    words = ("--agentcore-context-load", "0,400", "--runs", "1")
    result = pytester.runpytest("--model", f"scripted:{bot}", *words, suite)
    result.stdout.fnmatch_lines(
        [
            "context load  passed  leaking  malformed  latency",
            "native 0         1/2      0/2        0/2*",
            "native 400       0/2      2/2        1/2*",
            "load 400   native: pass rate 0.0% (95%: 0.0% to *)",
            "           trials that leak 2/2 (95%: 34.2% to 100.0%)",
            "           0 calls read and 1 malformed in 3 replies",
        ]
    )
    data, page = compared(pytester)
    plain, loaded = data["depths"]
    assert (plain["load"], plain["against_least"], plain["slower"]) == (0, None, None)
    assert loaded["malformed"] == 1
    assert loaded["resembled"] == {"broken_call": 1, "template_tokens": 2}
    assert loaded["counted"] == "tokenizer"
    assert 380 < loaded["reached"][0] <= loaded["reached"][1] <= 400
    assert loaded["against_least"]["difference"] == -0.5
    assert loaded["seconds_interval"]["low"] <= loaded["seconds"] <= loaded["seconds_interval"]["high"]
    assert data["steps"] == []
    assert "## Context load" in page


def test_a_group_can_be_compared_again(
    pytester: pytest.Pytester, suite: Path, fenced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "1", "--tool-calls", "native,lenient", suite)
    before = compared(pytester)
    (folder,) = (pytester.path / "agentcore-results").glob("*-group")
    (folder / "group.json").unlink()
    assert cli.main(["group", str(folder)]) == 0
    assert "format tax" in capsys.readouterr().out
    assert compared(pytester) == before
    assert cli.main(["group", str(folder.parent)]) == cli.USAGE_ERROR


def test_campaigns_of_two_sessions_can_be_grouped(
    pytester: pytest.Pytester, suite: Path, fenced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--tool-calls", "native"), ("--tool-calls", "lenient"), ("--agentcore-seed", "5")):
        pytester.runpytest("--model", f"scripted:{fenced}", "--runs", "1", *words, suite)
    native, other, lenient = sorted((pytester.path / "agentcore-results").iterdir())
    capsys.readouterr()
    assert cli.main(["group", str(native), str(lenient)]) == 0
    assert "format tax native 0/2 → lenient 1/2" in capsys.readouterr().out
    assert cli.main(["group", str(native), str(other)]) == cli.USAGE_ERROR
    assert "not to be grouped with the first campaign: seed: 5 → 0" in capsys.readouterr().err
    assert cli.main(["group", str(native), str(native)]) == cli.USAGE_ERROR


def test_what_a_worker_ran_is_compared_too(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    pytest.importorskip("xdist")
    words = ("--runs", "1", "--tool-calls", "native,lenient", "-n", "1")
    pytester.runpytest("--model", f"scripted:{fenced}", *words, suite)
    assert compared(pytester)[0]["steps"][0]["found"]["gained"] == 1


def test_a_group_is_no_place_to_pick_trials_from(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    words = ("--tool-calls", "native,lenient", "--agentcore-rerun", "wrong_answer")
    result = pytester.runpytest("--model", f"scripted:{fenced}", *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--agentcore-rerun picks trials of one campaign*"])


def test_an_interrupted_group_is_continued(pytester: pytest.Pytester, suite: Path, fenced: Path) -> None:
    words = ("--model", f"scripted:{fenced}", "--runs", "1", "--tool-calls", "native,lenient")
    pytester.runpytest(*words, "-x", suite)
    pytester.runpytest(*words, suite)
    assert list(folders(pytester)) == ["", "lenient"]
    step = compared(pytester)[0]["steps"][0]
    assert (step["pairs"], step["unpaired"]) == (2, 0)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("--tool-calls=native,loose", "*--tool-calls: no 'loose'; there are native, lenient, constrained*"),
        ("--tool-calls=native,native", "*native stands there twice*"),
        ("--agentcore-context-load=0,many", "*'many': must be a whole number*"),
        ("--agentcore-context-load=20", "*--agentcore-context-load 20: must be 0 or at least 300*"),
    ],
)
def test_what_makes_no_group(pytester: pytest.Pytester, suite: Path, word: str, sentence: str) -> None:
    result = pytester.runpytest("--model", "oracle", word, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])


@pytest.mark.model
def test_a_load_without_room_is_said_before_anything_is_written(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest_subprocess(
        *("--model", "smollm2-135m", "--agentcore-engine", "threads=1", "--agentcore-engine", "n_ctx=2048"),
        *("--agentcore-context-load", "0,1500", suite),
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*with a context load of 1500 tokens: a context of 2048 tokens is too small*takes*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_a_load_without_room_in_a_scripts_context_is_said_too(pytester: pytest.Pytester, suite: Path) -> None:
    bot = pytester.path / "bot.json"
    bot.write_text(json.dumps({"context": 2048, "replies": {"*": ["done"]}}))
    words = ("--model", f"scripted:{bot}", "--runs", "1", "--agentcore-context-load")
    result = pytester.runpytest(*words, "0,1900", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*with a context load of 1900 tokens: a context of 2048 tokens is too small: the task's first prompt takes *"]
    )
    assert not (pytester.path / "agentcore-results").exists()
    assert pytester.runpytest(*words, "0,1000", suite).ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.model
def test_the_earlier_conversation_is_evaluated_once_per_set_of_tools(pytester: pytest.Pytester, suite: Path) -> None:
    short = (
        "--agentcore-max-turns=1",
        "--agentcore-reply-tokens=4",
        "--tool-calls=native",
        "--agentcore-preflight=off",
    )
    result = pytester.runpytest_subprocess(
        *("--model", "smollm2-135m", "--agentcore-engine", "threads=1", "--agentcore-engine", "n_ctx=2048"),
        *("--runs", "1", "--agentcore-context-load", "400", "--agentcore-preflight=off", *short, suite),
    )
    result.stdout.fnmatch_lines(["policy     native * context load 400 tokens"])
    folder = campaign(pytester)
    first, second = result_lines(folder)
    assert folder.name.endswith("-load400")
    counts = json.loads((folder / "manifest.json").read_text())["backend"]["counts"]
    assert counts["prompt_tokens_evaluated"] <= 1.05 * counts["prompt_tokens_distinct"]
    assert first["prompt_tokens"] > 400
    assert second["cached_tokens"] > 400
    assert second["prompt_tokens"] - second["cached_tokens"] < 40
