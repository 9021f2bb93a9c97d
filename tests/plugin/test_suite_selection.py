"""Which tasks run: the named suite when no path is given, what the path says otherwise; what is wrong with them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tiny import COUNT, HELLO, Script, campaign, say, write

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.tasks.suite import find_suite, task_ids

SHIPPED = 10
HELLO_AND_COUNT = ("task_01_hello", "task_02_count")


@pytest.mark.parametrize(
    "words", [(), ("--suite", "agentic-core-v1"), ("-n", "2")], ids=["default", "named", "workers"]
)
def test_without_a_path_the_named_suite_is_collected_from_anywhere(
    pytester: pytest.Pytester, words: tuple[str, ...]
) -> None:
    pytester.makepyfile("def test_own(): raise RuntimeError('must not run')")
    pytester.makeini("[pytest]\ntestpaths = .\n")
    result = pytester.runpytest("--model=null", "--runs=1", "-k", "task_05 or minimal_fix", *words)
    result.assert_outcomes(failed=1, deselected=0 if "-n" in words else SHIPPED - 1)
    assert campaign(pytester).name.endswith("-null-agentic-core-v1")


def test_the_shipped_suite_has_its_ten_tasks_and_nothing_else(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--model=oracle", "--model=null", "--runs=3", "--co", "-q")
    items = [line for line in result.stdout.lines if "::" in line]
    assert len(items) == len(set(items)) == 2 * 3 * SHIPPED
    assert not any("/files/" in item for item in items)
    assert not (pytester.path / "agentcore-results").exists()


def test_a_folder_with_the_name_of_a_shipped_suite_is_told(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edited copy, and a command that means the shipped suite by the same name."""
    copy = pytester.path / "agentic-core-v1"
    shutil.copytree(find_suite("agentic-core-v1", Path("/nowhere")), copy)
    command = ("--model=oracle", "--runs=1", "--suite=agentic-core-v1", "-k=task_05")
    word = "agentic-core-v1 means the shipped suite (digest "
    assert word not in pytester.runpytest(*command).stdout.str()
    with (copy / "test_task_05_minimal_fix.py").open("a") as file:
        file.write("# edited\n")

    said = pytester.runpytest(*command, "--results=other").stdout.str()

    assert word in " ".join(said.split())
    assert "./agentic-core-v1 means the folder" in " ".join(said.split())
    assert word not in pytester.runpytest(*command[:2], "--suite=./agentic-core-v1", "--results=x").stdout.str()
    assert main(["recheck", str(campaign(pytester, "other")), "--suite", "agentic-core-v1"]) == 0
    assert f"CAUTION   {word}" in capsys.readouterr().out


def test_a_directory_is_a_suite(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makepyfile("def test_own(): raise RuntimeError('must not run')")
    pytester.runpytest("--model=oracle", "--runs=1", f"--suite={suite}").assert_outcomes(passed=2)


def test_a_path_wins_over_the_suite(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model=oracle", "--runs=1", "--suite=agentic-core-v1", "tiny/test_task_02_count.py")
    result.assert_outcomes(passed=1)
    assert campaign(pytester).name.endswith("-oracle-tiny")


OUTSIDE = "*test_task_02_count.py: suite: a campaign is of one suite, here *tiny; run the task by a command of its own*"


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_tasks_of_two_suites_are_refused(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    """The digest, and with it what may be continued, is that of one suite."""
    other = pytester.mkdir("other") / "test_task_02_count.py"
    (suite / "test_task_02_count.py").rename(other)
    result = pytester.runpytest("--model=oracle", "--runs=1", *words, "tiny/test_task_01_hello.py", other)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if words else pytest.ExitCode.INTERRUPTED)
    result.assert_outcomes(errors=1, passed=1 if words else 0)
    result.stdout.fnmatch_lines([OUTSIDE])


def test_a_score_never_outlives_its_checker(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    """Of whatever paths are named together: a changed checker starts a new campaign."""
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[{"error": "gone"}])
    files = ("tiny/test_task_02_count.py", "tiny/test_task_01_hello.py")
    command = (f"--model=scripted:{bot}", "--runs=1", *files)
    pytester.runpytest(*command).assert_outcomes(passed=1, errors=1)
    pytester.runpytest(*command).stdout.fnmatch_lines(["campaign * continues *: 1 of 2 trials are scored"])
    checker = suite / "test_task_01_hello.py"
    checker.write_text(HELLO.replace('== "hello"', '== "nothing of the kind"'))
    result = pytester.runpytest(*command)
    result.stdout.fnmatch_lines(["campaign * new: differs from * in suite's content:*"])
    result.assert_outcomes(failed=1, errors=1)


WAYS = (
    (".", "evals"),
    (".", "evals/agent"),
    ("evals", "."),
    ("evals", "agent/test_task_01_hello.py::test_hello[null-run1]"),
    (".", "evals/agent/test_task_01_hello.py"),
    (".", "link"),
    ("evals/agent", "../../link/test_task_02_count.py"),
    (".", "--suite=evals"),
)
"""Where somebody is, and what is typed there."""


def test_whatever_is_typed_the_suite_is_the_same(pytester: pytest.Pytester, suite: Path) -> None:
    evals = pytester.mkdir("evals")
    suite.rename(evals / "agent")
    (evals / "conftest.py").write_text("def pytest_agentcore_trial_finished(result): pass\n")
    (evals / "README.md").write_text("Notes.\n")
    (pytester.path / "link").symlink_to(evals / "agent")
    suites, scopes = [], []
    for number, (here, word) in enumerate(WAYS):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(pytester.path / here)
            pytester.runpytest("--model=null", "--runs=1", f"--results={pytester.path / str(number)}", word)
        manifest = json.loads((campaign(pytester, str(number)) / "manifest.json").read_bytes())
        suites.append(manifest["suite"])
        scopes.append(manifest["scope"])
    assert suites == [suites[0]] * len(WAYS)
    assert suites[0]["name"] == "agent"
    assert [scope for scope in scopes if scope == ["."]] == [["."]] * 5


def test_a_campaign_goes_on_however_its_trials_are_asked_for(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[{"error": "gone"}])
    pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "tiny", "-k", "hello or count")
    again = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", *sorted(map(str, suite.glob("*.py")))[::-1])
    again.stdout.fnmatch_lines(["campaign * continues *: 1 of 2 trials are scored"])


def test_own_tests_may_be_named_before_the_tasks(pytester: pytest.Pytester, suite: Path) -> None:
    own = pytester.mkdir("own")
    (own / "test_own.py").write_text("def test_own(): pass\n")
    result = pytester.runpytest("--model=oracle", "--runs=1", own, suite)
    result.assert_outcomes(passed=3)
    assert campaign(pytester).name.endswith("-oracle-tiny")


def test_of_two_folders_one_in_the_other_the_outer_is_the_suite(pytester: pytest.Pytester, suite: Path) -> None:
    inner = suite / "inner"
    inner.mkdir()
    (suite / "test_task_02_count.py").rename(inner / "test_task_02_count.py")
    result = pytester.runpytest("--model=oracle", "--runs=1", "tiny/inner", "tiny/inner/..", "tiny")
    result.assert_outcomes(passed=2)
    assert campaign(pytester).name.endswith("-oracle-tiny")


def test_a_linked_task_module_is_its_suites_own(pytester: pytest.Pytester, suite: Path) -> None:
    """The digest is over what the link leads to; a linked folder it does not enter."""
    away = pytester.mkdir("away")
    (suite / "test_task_02_count.py").rename(away / "test_task_02_count.py")
    (suite / "test_task_02_count.py").symlink_to(away / "test_task_02_count.py")
    pytester.runpytest("--model=oracle", "--runs=1", suite).assert_outcomes(passed=2)
    (suite / "test_task_02_count.py").unlink()
    (suite / "linked").symlink_to(away)
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([OUTSIDE])


def test_one_item_can_be_named(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model=oracle", "tiny/test_task_01_hello.py::test_hello[oracle-run2]")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["plan * 1 task, 3 runs: 1 trial *", "raw * 1/1 *"])


def test_collect_only_loads_and_writes_nothing(pytester: pytest.Pytester, suite: Path) -> None:
    """A script that cannot be read would be noticed when it is loaded."""
    (pytester.path / "bad.json").write_text("{")
    before = sorted(pytester.path.rglob("*"))
    result = pytester.runpytest("--co", "-p", "no:cacheprovider", "--model=scripted:bad.json", "--runs=2", "tiny")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*test_hello?bad-run2?*"])
    assert [path for path in sorted(pytester.path.rglob("*")) if "__pycache__" not in path.parts] == before


def test_files_of_tasks_are_never_collected(pytester: pytest.Pytester, suite: Path) -> None:
    inside = suite / "files" / "task_01"
    inside.mkdir(parents=True)
    (inside / "test_of_the_workspace.py").write_text("raise RuntimeError('must not be imported')\n")
    (inside / "conftest.py").write_text("raise RuntimeError('must not be imported')\n")
    for words in (["--model=oracle", "--runs=1"], []):
        result = pytester.runpytest(*words, suite)
        result.assert_outcomes(**({"passed": 2} if words else {"skipped": 2}))


def test_what_a_model_wrote_is_never_collected(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    """It would run on the host, outside the sandbox, and turn the project's own tests red."""
    poison = "raise RuntimeError('must not be imported')\n"
    bot = script(**{"*": [write("conftest.py", poison), write("tests/test_it.py", poison), say("done")]})
    results = suite / "results"
    pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "--keep-workspaces", f"--results={results}", suite)
    (folder,) = results.iterdir()
    assert len(list(folder.rglob("workspaces/*/tests/test_it.py"))) == len(HELLO_AND_COUNT)

    pytester.runpytest().assert_outcomes(skipped=2)
    pytester.runpytest("--model=oracle", "--runs=1", suite).assert_outcomes(passed=2)
    workspaces = folder / "data" / "workspaces"
    for named in (results, folder, workspaces.parent, workspaces):
        result = pytester.runpytest(named)
        assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
        result.stdout.no_fnmatch_line("*must not be imported*")
    assert task_ids(suite) == HELLO_AND_COUNT
    assert main(["selfcheck", str(suite), "--sandbox=process"]) == 0


def test_what_lies_beside_a_folder_named_files_breaks_nothing(pytester: pytest.Pytester) -> None:
    """The project is somebody else's, and so are a dangling link, a folder and a named pipe that look like modules."""
    pytester.makepyfile("def test_own(): pass")
    pytester.mkdir("files").joinpath("test_in_files.py").write_text("def test_in_files(): pass\n")
    (pytester.path / "test_gone.py").symlink_to("nowhere.py")
    (pytester.path / "test_folder.py").mkdir()
    os.mkfifo(pytester.path / "test_pipe.py")
    pytester.runpytest("--ignore=test_gone.py").assert_outcomes(passed=2)


@pytest.mark.parametrize("words", [(), ("--model=oracle", "--runs=1")], ids=["without", "with"])
def test_somebody_elses_attribute_makes_no_task(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    pytester.makepyfile("def test_own(): pass\n\ntest_own.agentcore = 'our core for agents'\n")
    result = pytester.runpytest(*words, ".")
    result.assert_outcomes(**({"passed": 3} if words else {"passed": 1, "skipped": 2}))


def test_nothing_left_to_run_leaves_nothing(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model=oracle", "-k", "nothing_of_the_kind", suite)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (pytester.path / "agentcore-results").exists()


DECLARATIONS = {
    "tools": (HELLO.replace("artifacts", 'tools=("fs_write", "telnet"), artifacts'), "unknown tool 'telnet'*fs_write*"),
    "files": (HELLO.replace("artifacts", 'files="nowhere", artifacts'), "no folder 'nowhere' in *files*"),
    "prompt": (HELLO.replace("Write the word hello into hello.txt.", " "), "is empty*"),
    "checker": (HELLO.replace('assert trial.line("hello.txt") == "hello"', "pass"), "test_hello has no body*"),
    "artifacts": (HELLO.replace('("hello.txt",)', '("../hello.txt",)'), "'../hello.txt' must be relative*"),
    "budget": (HELLO.replace("artifacts", "budget=5, artifacts"), "must be a Budget*and is of type int"),
    "oracle": (HELLO.replace("@test_hello.oracle", ""), "exactly one must be declared, and there is none"),
    "checker ": (HELLO.replace("test_hello", "hello"), "hello must be named test_*, or pytest does not collect it"),
    "id": (HELLO + COUNT, "one module is one task, but it declares test_hello, test_count"),
}


@pytest.mark.parametrize("field", DECLARATIONS)
def test_a_wrong_declaration_is_a_collection_error(pytester: pytest.Pytester, suite: Path, field: str) -> None:
    source, sentence = DECLARATIONS[field]
    (suite / "test_task_03_wrong.py").write_text(source)
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*test_task_03_wrong.py: *{field.strip()}*: {sentence}"])
    assert not (pytester.path / "agentcore-results").exists()


def test_other_tasks_run_on_when_asked_to(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "test_task_03_wrong.py").write_text(DECLARATIONS["tools"][0])
    result = pytester.runpytest("--model=oracle", "--runs=1", "--continue-on-collection-errors", suite)
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_two_modules_with_one_id_are_refused(pytester: pytest.Pytester, suite: Path) -> None:
    other = suite / "other"
    other.mkdir()
    (other / "test_task_01_hello.py").write_text(HELLO)
    result = pytester.runpytest("--model=oracle", "--import-mode=importlib", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*test_task_01_hello.py: id: 'task_01_hello' is also the id of *test_task_01_hello.py*"]
    )
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.parametrize(
    ("toml", "sentence"), [("colour = 1", "*suite.toml: unknown key 'colour'*"), ("name =", "*suite.toml: *")]
)
def test_a_wrong_suite_file_is_a_usage_error(pytester: pytest.Pytester, suite: Path, toml: str, sentence: str) -> None:
    (suite / "suite.toml").write_text(toml)
    result = pytester.runpytest("--model=oracle", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])


def test_what_a_run_leaves_in_the_suite_changes_no_digest(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / ".git").mkdir()
    (suite / "files" / "task_01").mkdir(parents=True)
    digests = []
    for name in (".git/index", "left_by_hand.pyc", "files/task_01/given.txt"):
        result = pytester.runpytest("--model=oracle", "--runs=1", f"--results={suite / 'results'}", suite)
        digests.append(next(line for line in result.stdout.lines if line.startswith("suite ")))
        (suite / name).write_text("x")
    assert len(set(digests)) == 1
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    assert digests[0] not in result.stdout.lines


def test_a_path_of_two_words_that_moved_the_rootdir_is_told(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeini("[pytest]\nagentcore_runs = 1\n")
    inside = pytester.mkdir("project")
    (inside / "pytest.ini").write_text("[pytest]\nagentcore_runs = 2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inside)
        moved = pytester.runpytest("--model=oracle", "--suite", suite)
        kept = pytester.runpytest("--model=oracle", f"--suite={suite}")
    moved.stdout.fnmatch_lines(["WARNING *--suite PATH as two words*", "*write --suite=PATH*"])
    moved.assert_outcomes(passed=2)
    kept.assert_outcomes(passed=4)
    kept.stdout.no_fnmatch_line("WARNING*")
