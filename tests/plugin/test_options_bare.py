"""Bare spellings are ours only where nobody else wants them; the long ones always are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import campaign

from pytest_agentcore.options import OPTIONS

THEIRS = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--model", default="theirs", help="the model of a car")

@pytest.fixture
def car(request):
    return request.config.getoption("--model")
"""

CAR = "def test_car(car): assert car == {!r}\n"

BARE = [f"--{option.name}" for option in OPTIONS if option.bare]


@pytest.fixture(params=["root conftest", "conftest of an argument", "conftest of testpaths", "plugin"])
def owner(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> tuple[str, ...]:
    """Somebody with a `--model` of their own, and the words that make pytest find them."""
    cars = pytester.mkdir("cars")
    match request.param:
        case "root conftest":
            pytester.makeconftest(THEIRS)
        case "plugin":
            pytester.makepyfile(their_plugin=THEIRS)
            pytester.syspathinsert()
        case _:
            (cars / "conftest.py").write_text(THEIRS)
    if request.param == "conftest of testpaths":
        pytester.makeini("[pytest]\ntestpaths = cars\n")
    return {"plugin": ("-p", "their_plugin"), "conftest of an argument": ("cars",)}.get(request.param, ())


def test_their_option_stays_theirs(pytester: pytest.Pytester, owner: tuple[str, ...]) -> None:
    (pytester.path / "cars" / "test_car.py").write_text(CAR.format("oracle"))
    result = pytester.runpytest(*owner, "--model=oracle")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*agentcore *")
    assert not (pytester.path / "agentcore-results").exists()

    said = pytester.runpytest(*owner, "--help").stdout
    said.fnmatch_lines(["*--model=MODEL*the model of a car*"])
    said.fnmatch_lines(["*--agentcore-model=MODEL*"])
    said.fnmatch_lines(["*--runs*trials of every task*"])


def test_both_can_be_given(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(THEIRS)
    (suite / "test_car.py").write_text(CAR.format("oracle"))
    result = pytester.runpytest("--model=oracle", "--agentcore-model=null", "--runs=1", suite)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.no_fnmatch_line("*belongs to*")


def test_a_value_that_went_to_somebody_else_is_said(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(THEIRS.replace("--model", "--runs"))
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        ["WARNING*--runs belongs to another plugin or conftest here; ours is", "*--agentcore-runs"]
    )


def test_a_model_of_the_ini_file_beside_their_option(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(THEIRS)
    pytester.makeini("[pytest]\nagentcore_model = null\nagentcore_runs = 1\n")
    result = pytester.runpytest("--model=oracle", suite)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["WARNING*--model belongs to *"])


def test_a_task_without_our_model_says_which_spelling_to_use(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(THEIRS)
    result = pytester.runpytest("--model=oracle", "-rs", suite)
    result.assert_outcomes(skipped=2)
    said = "--model belongs to another plugin or conftest here; a task needs a model: pytest --agentcore-model *"
    result.stdout.fnmatch_lines([f"*: {said}"])
    gated = pytester.runpytest("--model=oracle", "--min-pass-rate=1", suite)
    assert gated.ret == pytest.ExitCode.USAGE_ERROR
    gated.stderr.fnmatch_lines(["*--model belongs to another plugin or conftest here; add --agentcore-model*"])


@pytest.mark.parametrize("words", [("--model", "oracle"), ("--model=oracle",), ("--agentcore-model=oracle",)])
def test_free_names_are_ours(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    pytester.runpytest(*words, "--runs", "1", suite).assert_outcomes(passed=2)


def test_names_in_addopts_are_ours_too(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeini("[pytest]\naddopts = --model=oracle --runs=1 --results=elsewhere\n")
    pytester.runpytest(suite).assert_outcomes(passed=2)
    assert campaign(pytester, "elsewhere").name.endswith("-oracle-tiny")


def test_names_in_a_file_of_words_are_ours_too(pytester: pytest.Pytester, suite: Path) -> None:
    """pytest takes `@FILE` for the words in it, one a line."""
    (pytester.path / "more.txt").write_text("--runs\n1\n")
    (pytester.path / "words.txt").write_text("--model=oracle\n@more.txt\n")
    pytester.runpytest("@words.txt", suite).assert_outcomes(passed=2)


@pytest.mark.parametrize("words", [("--help",), ("--markers",), ("--help", "-n", "2")], ids=" ".join)
@pytest.mark.parametrize("where", ["typed", "ini"])
def test_what_only_shows_pytest_works_with_a_model(pytester: pytest.Pytester, where: str, words: tuple[str]) -> None:
    """With the ini twin of `--model` a failure would be everybody's."""
    pytester.makeini("[pytest]\nagentcore_model = oracle\n" if where == "ini" else "[pytest]\n")
    before = sorted(pytester.path.iterdir())
    result = pytester.runpytest("-p", "no:cacheprovider", *words, *(["--model=oracle"] if where == "typed" else []))
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*agentcore*"])
    assert sorted(pytester.path.iterdir()) == before


def test_the_cache_is_shown_with_a_model(pytester: pytest.Pytester) -> None:
    assert pytester.runpytest("--cache-show", "-n", "2", "--model=oracle").ret == pytest.ExitCode.OK
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.parametrize("words", [("--fixtures",), ("--fixtures-per-test",), ("--fixtures", "-n", "2")], ids=" ".join)
def test_fixtures_are_listed_with_a_model(pytester: pytest.Pytester, suite: Path, words: tuple[str]) -> None:
    result = pytester.runpytest(*words, "--model=oracle", suite)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["trial*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_help_shows_every_spelling(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest("--help").stdout.str()
    assert [name for name in BARE if f"  {name}" not in text and f", {name}" not in text] == []
    assert [option.name for option in OPTIONS if f"--agentcore-{option.name}" not in text] == []
    assert [option.dest for option in OPTIONS if option.ini and option.dest not in text] == []


@pytest.mark.parametrize("theirs", [False, True])
def test_names_reach_the_workers(pytester: pytest.Pytester, suite: Path, theirs: bool) -> None:
    """Their option has their value in the workers, and ours does not come twice."""
    if theirs:
        pytester.makeconftest(THEIRS)
        (suite / "test_car.py").write_text(CAR.format("volvo"))
    words = ["--model=volvo", "--agentcore-model=oracle"] if theirs else ["--model=oracle"]
    result = pytester.runpytest(*words, "--runs=1", "-n", "2", suite)
    result.assert_outcomes(passed=3 if theirs else 2)


def test_a_projects_own_trial_fixture_stays_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def trial():
            return "mine"

        def test_mine(trial):
            assert trial == "mine"

        @pytest.mark.parametrize("trial", [1, 2])
        def test_numbers(trial):
            assert trial in (1, 2)
        """
    )
    pytester.runpytest().assert_outcomes(passed=3)
    pytester.runpytest("--model=oracle", pytester.path).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("word", "near"),
    [("--agentcore-rus", "--agentcore-runs"), ("--agentcore-parralel=3", "--agentcore-parallel")],
)
def test_a_misspelt_option_is_answered_with_the_nearest(pytester: pytest.Pytester, word: str, near: str) -> None:
    result = pytester.runpytest(word)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    name = word.partition("=")[0]
    result.stderr.fnmatch_lines([f"ERROR: {name}: there is no such option; did you mean '{near}'?"])
