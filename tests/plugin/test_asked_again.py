"""A trial is scored once, whichever plugin asks for it again: the first verdict is given back, and it alone counts."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tiny import HELLO, Script, campaign, result_lines, say, write

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.validate import examine

BENT = HELLO.replace(
    '    assert trial.line("hello.txt") == "hello"',
    '    asked = Path("asked")\n'
    '    asked.write_text(asked.read_text() + "x" if asked.exists() else "x")\n'
    '    assert len(asked.read_text()) > 1, "asked for the first time"',
).replace("from pytest_agentcore import task", "from pathlib import Path\nfrom pytest_agentcore import task")
"""Its checker rejects when it is asked for the first time, and accepts from then on."""

RERUNS = ("-p", "rerunfailures", "--reruns", "2")
REPEAT = ("-p", "repeat", "--count", "3")
FLAKY = ("-p", "flaky", "--force-flaky", "--max-runs", "3", "--no-flaky-report")
OWN = """
from _pytest.runner import runtestprotocol
def pytest_runtest_protocol(item, nextitem):
    for _ in range(3):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if all(report.passed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""
"""A plugin that shows the last of three runs only."""
AGAIN = "WARNING    {} ran finished trials again: *"


@pytest.fixture
def bent(pytester: pytest.Pytester) -> Path:
    """A suite with one task, whose checker would accept the second time."""
    folder = pytester.mkdir("bent")
    (folder / "test_task_01_hello.py").write_text(BENT)
    return folder


@pytest.mark.parametrize("ways", [(), ("-n", "2"), ("--agentcore-parallel=4",)], ids=["alone", "workers", "ahead"])
@pytest.mark.parametrize(
    ("plugin", "name", "outcomes"),
    [
        (RERUNS, "pytest-rerunfailures", {"failed": 1, "rerun": 2}),
        (REPEAT, "pytest-repeat", {"failed": 3}),
        (FLAKY, "flaky", {"failed": 1}),
    ],
    ids=["rerunfailures", "repeat", "flaky"],
)
def test_the_first_verdict_counts(  # noqa: PLR0917
    pytester: pytest.Pytester,
    bent: Path,
    plugin: tuple[str, ...],
    name: str,
    outcomes: dict[str, int],
    ways: tuple[str, ...],
) -> None:
    options = ("--model=oracle", "--runs=1", "--min-pass-rate=0.5", "--junitxml=j.xml")
    result = pytester.runpytest(*options, *plugin, *ways, bent)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == outcomes
    result.stdout.fnmatch_lines(["raw * 0/1 *"])
    result.stdout.fnmatch_lines([AGAIN.format(name)])
    assert Path("asked").read_text() == "x"  # neither the checker
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["attempts"], line["detail"].splitlines()[0]) == (False, 1, "asked for the first time")
    folder = CampaignFolder(campaign(pytester))
    assert [path.stem for path in folder.transcripts.iterdir()] == [line["attempt"]]  # nor the model is asked again
    assert not folder.attempts.exists()
    assert examine(folder).problems == []
    assert name in " ".join(json.loads(folder.manifest.read_bytes())["warnings"])
    cases = list(ElementTree.parse("j.xml").getroot().iter("testcase"))
    assert [case.find("failure") is not None for case in cases] == [True] * outcomes["failed"]
    names = [node.get("name") for node in cases[-1].iter("property")]
    assert len(names) == len(set(names))
    assert "asked for the first time" in ElementTree.tostring(cases[-1], "unicode")


def test_reruns_from_the_ini_file(pytester: pytest.Pytester, bent: Path) -> None:
    pytester.makeini("[pytest]\nreruns = 1\n")
    result = pytester.runpytest("-p", "rerunfailures", "--model=oracle", "--runs=1", bent)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"failed": 1, "rerun": 1}
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]


def test_a_plugin_that_shows_the_last_of_its_runs(pytester: pytest.Pytester, bent: Path) -> None:
    pytester.makepyfile(driver=OWN)
    pytester.syspathinsert()
    result = pytester.runpytest("-p", "driver", "--model=oracle", "--runs=1", bent)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([AGAIN.format("driver")])
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]


INSIDE = {
    "the test alone": "        if call.when == 'call' and report.failed:\n            item.runtest()\n",
    "the outcome alone": "        report.outcome = 'passed'\n",
    "a report anew": "        call = pytest.CallInfo.from_call(item.runtest, 'call')\n"
    "        report = item.ihook.pytest_runtest_makereport(item=item, call=call) if call.excinfo else report\n",
}


@pytest.mark.parametrize("order", ["tryfirst", "trylast"])
@pytest.mark.parametrize("what", INSIDE)
def test_a_plugin_that_asks_within_a_report(pytester: pytest.Pytester, bent: Path, what: str, order: str) -> None:
    pytester.makepyfile(
        meddler="import pytest\nbusy = []\n"
        f"@pytest.hookimpl(wrapper=True, {order}=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    report = yield\n"
        "    if call.when == 'call' and report.failed and not busy:\n"
        "        busy.append(1)\n"
        f"        try:\n    {INSIDE[what].replace(chr(10) + '    ', chr(10) + '        ')}"
        "        except BaseException as error:\n            pass\n"
        "        else:\n            report.outcome, report.longrepr = 'passed', None\n"
        "    return report\n"
    )
    pytester.syspathinsert()
    result = pytester.runpytest("-p", "meddler", "--model=oracle", "--runs=1", "--min-pass-rate=0.5", bent)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]
    result.stdout.fnmatch_lines(["raw * 0/1 *", "*1 failed*"])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--keep-duplicates", "bent", "bent"), "--keep-duplicates"),
        (("bent", "link"), "a second name of the same test (*)"),
        (("-n", "2", "bent", "link"), "*"),
        (("-n", "2", "--dist", "each", "bent"), "pytest-xdist"),
    ],
)
def test_what_is_collected_twice_is_scored_once(
    pytester: pytest.Pytester, bent: Path, words: tuple[str, ...], name: str
) -> None:
    Path("link").symlink_to(bent)
    result = pytester.runpytest("--model=oracle", "--runs=1", *words)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["raw * 0/1 *"])
    result.stdout.fnmatch_lines([AGAIN.format(name)])
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]
    assert Path("asked").read_text() == "x"


def test_a_pass_is_given_back_too(pytester: pytest.Pytester, suite: Path) -> None:
    once = HELLO.replace('== "hello"', '== "hello"\n    Path("asked").touch(exist_ok=False)')
    (suite / "test_task_01_hello.py").write_text("from pathlib import Path\n" + once)
    result = pytester.runpytest("--model=oracle", "--runs=1", *REPEAT, suite)
    result.assert_outcomes(passed=6)
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [True, True]


@pytest.mark.parametrize("ways", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_trial_without_a_score_is_run_again(
    pytester: pytest.Pytester, suite: Path, script: Script, ways: tuple[str, ...]
) -> None:
    bot = script(task_01=[{"error": "unreachable", "times": 1}, write("hello.txt", "hello"), say("done")])
    options = (f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", *RERUNS, *ways)
    result = pytester.runpytest(*options, "tiny/test_task_01_hello.py")
    assert result.ret == pytest.ExitCode.OK
    found = result_lines(campaign(pytester))
    assert [(line["passed"], line["attempts"]) for line in found] == [(None, 1), (True, 2)]
    assert "asked again" not in result.stdout.str()
    assert examine(CampaignFolder(campaign(pytester))).problems == []


def test_a_verdict_that_no_report_brought_stands(pytester: pytest.Pytester, bent: Path) -> None:
    """A worker that dies behind its checker, while a plugin holds its reports back, has judged the trial."""
    pytester.makeconftest(
        "import os, pathlib\n"
        "def pytest_runtest_teardown(item):\n"
        "    if not pathlib.Path('died').exists():\n"
        "        pathlib.Path('died').touch()\n"
        "        os._exit(1)\n"
    )
    result = pytester.runpytest("--model=oracle", "--runs=1", *RERUNS, "-n", "2", bent)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]
    assert Path("asked").read_text() == "x"


def test_an_expected_failure_is_expected_again(pytester: pytest.Pytester, bent: Path) -> None:
    marked = BENT.replace("@task(", "@pytest.mark.xfail(raises=AssertionError, strict=True)\n@task(")
    (bent / "test_task_01_hello.py").write_text(f"import pytest\n{marked}")
    pytester.runpytest("--model=oracle", "--runs=1", *REPEAT, bent).assert_outcomes(xfailed=3)
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]
