"""junit: whose failure it was, how long the trial took, what is known of it; valid XML whatever a model prints."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from tiny import COUNT, HELLO, Script, campaign, result_lines, say, write

from pytest_agentcore.analysis.gate import UNDECIDED

PROPERTIES = {
    "model",
    "task",
    "run",
    "attempt",
    "outcome",
    "failure_mode",
    "cause",
    "attribution",
    "stop_reason",
    "turns",
    "tool_calls",
    "prompt_tokens",
    "cached_tokens",
    "reply_tokens",
    "seconds",
    "policy",
    "sandbox",
    "transcript",
}

BROKEN = HELLO.replace('assert trial.line("hello.txt") == "hello"', 'trial.answer.no_such_method("x")')


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_whose_failure_it_was(pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]) -> None:
    (suite / "test_task_03_broken.py").write_text(BROKEN)
    (suite / "test_task_04_down.py").write_text(HELLO)
    bot = script(
        task_01=[write("hello.txt", "hello"), say("done")],
        task_02=[{**write("count.txt", "many"), "delay": 0.05}, say("done")],
        task_03=[write("hello.txt", "hello"), say("done")],
        task_04=[{"error": "unreachable"}],
    )
    pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--junitxml=j.xml", *words, suite)
    suite_node, cases = _read(pytester)

    assert {name: _verdict(case) for name, case in cases.items()} == {
        "tiny.test_task_01_hello": "",
        "tiny.test_task_02_count": "failure",
        "tiny.test_task_03_broken": "error",
        "tiny.test_task_04_down": "error",
    }
    assert (suite_node.get("tests"), suite_node.get("failures"), suite_node.get("errors")) == ("4", "1", "2")
    for line in result_lines(campaign(pytester)):
        case = cases[f"tiny.test_{line['task']}"]
        shown = _properties(case)
        assert set(shown) == PROPERTIES
        assert {name: shown[name] for name in ("attempt", "task", "outcome")} == {
            name: line[name] for name in ("attempt", "task", "outcome")
        }
        assert shown["cause"] == (line["cause"] or "")
        assert (pytester.path / campaign(pytester) / shown["transcript"].partition("#")[0]).is_file()
        assert float(case.get("time", "")) == pytest.approx(line["seconds"], abs=0.0011)
    assert _properties(cases["tiny.test_task_04_down"])["cause"] == "backend_unreachable"
    assert "no_such_method" in _message(cases["tiny.test_task_03_broken"])


def test_xml_is_valid_whatever_a_model_writes(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    everything = (
        "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x202E, 0xFFFE, 0xFFFF, 0x1F600])) + "]]></failure>&"
    )
    (suite / "test_task_01_hello.py").write_text(
        HELLO.replace(
            'assert trial.line("hello.txt") == "hello"', 'print(got := trial.text("hello.txt")); assert got == ""'
        )
    )
    (suite / "test_task_02_count.py").write_text(
        COUNT.replace("trial.facts", "print(trial.answer); assert trial.facts")
    )
    bot = script(task_01=[write("hello.txt", everything), say(everything)], task_02=[say(everything)])
    pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--junitxml=j.xml", "-ojunit_logging=all", suite)
    _, cases = _read(pytester)
    assert _verdict(cases["tiny.test_task_01_hello"]) == "failure"
    assert r"\x00" in _message(cases["tiny.test_task_01_hello"])


@pytest.mark.parametrize("body", ["raise ValueError('x')", "pytest.skip('no')", "raise SystemExit(0)", "1 / 0"])
def test_a_checker_that_raises_anything_else_is_broken(
    pytester: pytest.Pytester, suite: Path, script: Script, body: str
) -> None:
    (suite / "test_task_01_hello.py").write_text(
        "import pytest\n" + HELLO.replace('assert trial.line("hello.txt") == "hello"', body)
    )
    bot = script(**{"*": [write("hello.txt", "hello"), say("done")]})
    words = ("--runs=1", "--junitxml=j.xml", "tiny/test_task_01_hello.py")
    result = pytester.runpytest(f"--model=scripted:{bot}", *words)
    result.assert_outcomes(errors=1)
    assert result.ret == UNDECIDED
    _, cases = _read(pytester)
    assert _verdict(cases["tiny.test_task_01_hello"]) == "error"
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["cause"], line["attribution"]) == (None, "checker_broken", "harness")


@pytest.mark.parametrize("body", ["pytest.fail('not good')", "assert False, 'not good'"])
def test_a_checker_that_says_no_is_no_error(pytester: pytest.Pytester, suite: Path, script: Script, body: str) -> None:
    (suite / "test_task_01_hello.py").write_text(
        "import pytest\n" + HELLO.replace('assert trial.line("hello.txt") == "hello"', body)
    )
    bot = script(**{"*": [write("hello.txt", "hello"), say("done")]})
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "tiny/test_task_01_hello.py")
    result.assert_outcomes(failed=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["cause"]) == (False, "checker_rejected")
    assert "not good" in line["detail"]


def _read(pytester: pytest.Pytester) -> tuple[ElementTree.Element, dict[str, ElementTree.Element]]:
    """The suite's node and its cases by class name; parsing is the check that the XML is valid."""
    (node,) = ElementTree.parse(pytester.path / "j.xml").getroot()
    return node, {str(case.get("classname")): case for case in node.iter("testcase")}


def _verdict(case: ElementTree.Element) -> str:
    return ",".join(child.tag for child in case if child.tag in ("failure", "error", "skipped"))


def _properties(case: ElementTree.Element) -> dict[str, str]:
    return {str(node.get("name")): str(node.get("value")) for node in case.iter("property")}


def _message(case: ElementTree.Element) -> str:
    return next(str(child.get("message")) for child in case if child.tag in ("failure", "error"))
