"""Models of the user's own: [tool.agentcore.models] and --agentcore-models-file, from name to cost."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tiny import Script, campaign, say, write


@pytest.fixture
def bot(script: Script) -> Path:
    """A script that passes the first task."""
    return script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[say("no idea")])


def entry(bot: Path, *more: str, table: str = "") -> str:
    return "\n".join((f"[{table}my-bot]", 'backend = "scripted"', f'path = "{bot.name}"', *more, ""))


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_an_entry_of_the_project_runs_under_its_name(
    pytester: pytest.Pytester, suite: Path, bot: Path, workers: tuple[str, ...]
) -> None:
    more = ("sampling = { temperature = 0.3 }", "prices = { hour = 3600 }", 'policy = "lenient"', 'tier = "Shelf"')
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n" + entry(bot, *more, table="tool.agentcore.models."))
    result = pytester.runpytest("--model", "my-bot", "--runs", "1", *workers, suite)
    result.assert_outcomes(passed=1, failed=1)
    folder = campaign(pytester)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (manifest["model"], manifest["policy"], manifest["sampling"]["temperature"]) == ("my-bot", "lenient", 0.3)
    assert (manifest["entry"]["origin"], manifest["entry"]["tier"]) == ("pyproject.toml", "Shelf")
    assert manifest["prices"]["hour"] == 3600.0
    with (folder / "verification" / "cost_breakdown.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    assert float(row["cost_usd"]) == pytest.approx(float(row["seconds"]), abs=0.002)


def test_a_file_of_models_lies_over_the_projects(pytester: pytest.Pytester, suite: Path, bot: Path) -> None:
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n" + entry(Path("gone.json"), table="tool.agentcore.models."))
    (pytester.path / "mine.toml").write_text(entry(bot))
    result = pytester.runpytest("--model", "my-bot", "--runs", "1", "--agentcore-models-file=mine.toml", suite)
    result.assert_outcomes(passed=1, failed=1)


def test_a_file_that_the_ini_names_lies_beside_it(pytester: pytest.Pytester, suite: Path, bot: Path) -> None:
    pytester.makeini("[pytest]\nagentcore_models_file = mine.toml\n")
    (pytester.path / "mine.toml").write_text(entry(bot))
    below = pytester.mkdir("below")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        result = pytester.runpytest("--model", "my-bot", "--runs", "1", "-n", "1", suite)
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('[my-bot]\npath = "x.gguf"\nprize = 1\n', "*mine.toml.my-bot: unknown key 'prize'; did you mean 'prices'?*"),
        ('[my-bot]\npath = "x.gguf"\n', "*my-bot: there is no file *x.gguf, which mine.toml names*"),
        ('[my-bott]\npath = "x.gguf"\n', "*no model 'my-bot'; did you mean 'my-bott'?*"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    pytester: pytest.Pytester, suite: Path, toml: str, sentence: str
) -> None:
    (pytester.path / "mine.toml").write_text(toml)
    result = pytester.runpytest("--model", "my-bot", "--agentcore-models-file=mine.toml", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert not (pytester.path / "agentcore-results").exists()


def test_a_repositorys_file_in_the_ini_is_not_the_one_beside_it(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeini("[pytest]\nagentcore_model = hf:me/Tiny-GGUF:tiny.gguf\n")
    (pytester.path / "tiny.gguf").write_bytes(b"GGUF")
    result = pytester.runpytest("--co", "-q", suite)
    result.stdout.fnmatch_lines(["*test_hello[[]tiny-run1[]]"])


def test_a_backend_that_nobody_registered_names_entry_and_file(pytester: pytest.Pytester, suite: Path) -> None:
    (pytester.path / "mine.toml").write_text('[my-bot]\nbackend = "vllm"\n')
    result = pytester.runpytest("--model", "my-bot", "--agentcore-models-file=mine.toml", suite)
    result.stderr.fnmatch_lines(
        ["ERROR: mine.toml: my-bot.backend: no 'vllm'; there are llama_cpp, openai, scripted; a plugin adds others"]
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "agentcore-results").exists()
