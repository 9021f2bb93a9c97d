"""junit's XML as its readers take it: each reads what its documentation and source name, and nothing else.

The table in docs/gate-in-ci.md says the same in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
from tiny import COUNT, HELLO, Script, campaign, say, write

HOSTILE = "many \x1b[31mred\x00\x1b]8;;http://evil\x07 <b>&]]> \ufffe \U0001f600"


@dataclass(frozen=True)
class Seen:
    """What a reader shows of one test."""

    group: str
    name: str
    status: str
    message: str = ""
    text: str = ""
    file: str = ""
    line: int = 0


def jenkins(path: Path) -> list[Seen]:
    """Package and class from `classname`, the details from `message`, the stack trace from the text, an error first.

    Of a failed test 100,000 characters of output are kept, half from each end.
    """
    seen = []
    for case in ElementTree.parse(path).iter("testcase"):
        fault = next((found for tag in ("error", "failure") if (found := case.find(tag)) is not None), None)
        status = "passed" if fault is None else "failed"
        shown = ("", "") if fault is None else (fault.get("message", ""), fault.text or "")
        seen.append(Seen(case.get("classname", ""), case.get("name", ""), status, *shown))
    return seen


def gitlab(path: Path) -> list[Seen]:
    """The suite's name is `classname`; of a failure the text alone; of two tests of one name the first."""
    assert path.suffix == ".xml"
    assert path.stat().st_size < 30 * 2**20
    seen: dict[tuple[str, str], Seen] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        fault = next((found for tag in ("failure", "error") if (found := case.find(tag)) is not None), None)
        group, name = case.get("classname", ""), case.get("name", "")
        status, text = ("success", "") if fault is None else (fault.tag, fault.text or "")
        seen.setdefault((group, name), Seen(group, name, status, "", text, case.get("file", "")))
    return list(seen.values())


def dorny(path: Path) -> list[Seen]:
    """`java-junit`: suites by name, groups by `classname`, the details from the text; `failure` before `error`."""
    seen = []
    for suite in ElementTree.parse(path).getroot():
        assert suite.get("name", "").strip()
        for case in suite.iter("testcase"):
            faults = case.findall("failure") or case.findall("error")
            assert float(case.get("time", "")) >= 0
            status, text = ("failed", faults[0].text or "") if faults else ("success", "")
            seen.append(Seen(case.get("classname", ""), case.get("name", "").strip(), status, "", text))
    return seen


def enricomi(path: Path) -> list[Seen]:
    """Read by junitparser: message and content of the most severe result; `file` and `line` where they are."""
    seen = []
    for suite in junitparser.JUnitXml.fromfile(str(path)):
        cases = list(suite)
        wrong = [result for case in cases for result in case.result]
        assert suite.tests == len(cases)
        assert suite.failures + suite.errors == len(wrong)
        for case in cases:
            status, message, text = "success", "", ""
            for result in case.result:
                status, message, text = str(result._tag), result.message or "", result.text or ""
            place = (case._elem.get("file") or "", int(case._elem.get("line") or 0))
            seen.append(Seen(case.classname, case.name, status, message, text, *place))
    return seen


def mikepenz(path: Path) -> list[Seen]:
    """The annotation's message is `message`, its details the text; file and line from there, or from the text."""
    seen = []
    for case in ElementTree.parse(path).iter("testcase"):
        fault = next((found for tag in ("failure", "error") if (found := case.find(tag)) is not None), None)
        file, line = case.get("file", ""), int(case.get("line") or 0)
        group, text = case.get("classname", ""), "" if fault is None else (fault.text or "").strip()
        if not (file and line):
            file = group.rpartition(".")[2]
            places = re.findall(rf" [^ ]*{re.escape(file)}.*?:(\d+)", text)
            line = int(places[-1]) if places else 1
        status, message = ("success", "") if fault is None else ("failure", fault.get("message", ""))
        seen.append(Seen(group, case.get("name", ""), status, message, text, file, line))
    return seen


READERS = {reader.__name__: reader for reader in (jenkins, gitlab, dorny, enricomi, mikepenz)}
KINDS = [
    ("-ojunit_family=xunit1",),
    ("-ojunit_family=xunit2", "-ojunit_logging=all"),
    ("-ojunit_family=xunit1", "-ojunit_logging=all", "-n", "2"),
    ("-ojunit_family=xunit2", "-n", "2"),
]


@pytest.fixture(params=KINDS, ids=" ".join)
def report(request: pytest.FixtureRequest, pytester: pytest.Pytester, suite: Path, script: Script) -> Path:
    """A pass, a wrong answer with hostile text, a broken checker, a dead endpoint; in every family and way to run."""
    (suite / "test_task_02_count.py").write_text(COUNT.replace("    assert", "    print(trial.answer)\n    assert"))
    broken = HELLO.replace('assert trial.line("hello.txt") == "hello"', "trial.no_such_reader()")
    (suite / "test_task_03_broken.py").write_text(broken)
    (suite / "test_task_04_down.py").write_text(HELLO)
    bot = script(
        task_01=[write("hello.txt", "hello"), say("done")],
        task_02=[write("count.txt", HOSTILE), say(HOSTILE)],
        task_03=[write("hello.txt", "hello"), say("done")],
        task_04=[{"error": "unreachable"}],
    )
    options = ("--runs=1", "--tb=short", "--agentcore-retries=0", "--junitxml=j.xml", *request.param)
    pytester.runpytest(f"--model=scripted:{bot}", *options, suite)
    return pytester.path / "j.xml"


def test_every_reader_sees_what_it_reads(report: Path, pytester: pytest.Pytester) -> None:
    _verdicts(report, campaign(pytester).name)
    _places(report)
    _suite(report, campaign(pytester).name)


def _verdicts(report: Path, pack: str) -> None:
    """Verdict, cause, last turns and the transcript's address in the text; the message is short."""
    for name, reader in READERS.items():
        seen = {one.group: one for one in reader(report)}
        assert sorted(seen) == [f"tiny.test_task_0{n}" for n in ("1_hello", "2_count", "3_broken", "4_down")], name
        right, wrong, broken, down = (seen[group] for group in sorted(seen))
        assert right.status in ("passed", "success")
        assert len({wrong.status, broken.status}) == (2 if name in ("gitlab", "enricomi") else 1)
        assert wrong.text.startswith(
            "wrong_answer · cause checker_rejected · policy native\nended by final_answer · 2 turns"
        )
        assert f"agentcore-results/{pack}/data/transcripts/" in wrong.text
        assert "#turn=2\n" in wrong.text
        assert "assert trial.int" in wrong.text
        assert "turn 1\n  calls   fs_write" in wrong.text
        assert "turn 2\n  says    many \\x1b[31mred\\x00\\x1b]8;;http://evil" in wrong.text
        assert broken.text.startswith("infrastructure_error · cause checker_broken")
        assert down.text.startswith("infrastructure_error · cause backend_unreachable")
        for one in (wrong, broken, down):
            assert "\n" not in one.message
            assert len(one.message) < 400
            assert len(one.text) < 65_536  # GitHub's limit for an annotation and for a summary
        if wrong.message:
            assert wrong.message.startswith("count.txt holds `many")
            assert wrong.message.endswith("(checker_rejected)")
            assert "scripted error: unreachable (backend_unreachable)" in down.message


def _places(report: Path) -> None:
    """Readers that look for a file and a line find them."""
    (wrong,) = (one for one in mikepenz(report) if one.group.endswith("count"))
    assert wrong.line > 1
    if wrong.file.endswith(".py"):  # of the family xunit1 alone: there the place of the test, not of the assertion
        assert wrong.file == "tiny/test_task_02_count.py"
        assert {one.file for one in enricomi(report) if one.group.endswith("count")} == {wrong.file}
        assert {one.file for one in gitlab(report) if one.group.endswith("count")} == {wrong.file}


def _suite(report: Path, pack: str) -> None:
    """The suite's properties say what was measured."""
    said = _properties_of_suite(report)
    assert said.pop("suite_digest")[:12].isalnum()
    assert said == {
        "campaign": pack,
        "model": "bot",
        "policy": "native",
        "suite": "tiny",
        "planned": "4",
        "scored": "2",
        "passed": "1",
        "raw": "0.25",
        "effective": "0.5",
        "interval_low": "0.0945",
        "interval_high": "0.9055",
    }


def test_several_campaigns_are_told_apart(pytester: pytest.Pytester, suite: Path) -> None:
    words = ("--model=oracle", "--model=null", "--runs=1", "--min-pass-rate=0", "--junitxml=j.xml", suite)
    pytester.runpytest(*words)
    said = _properties_of_suite(pytester.path / "j.xml")
    assert (said["oracle.effective"], said["null.effective"], said["oracle.model"]) == ("1.0", "0.0", "oracle")
    assert said["gate"] == "pass-rate gate: reached"


def _properties_of_suite(path: Path) -> dict[str, str]:
    (suite,) = ElementTree.parse(path).getroot()
    return {node.get("name", ""): node.get("value", "") for node in suite.findall("properties/property")}
