"""Every durable option has an ini twin; the command line wins; what cannot be used is said in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny import Script, campaign, result_lines, say, write

from pytest_agentcore.options import OPTIONS, Option

INI = {
    "model": "oracle",
    "runs": "2",
    "suite": "tiny",
    "results": "kept",
    "tool-calls": "lenient",
    "min-pass-rate": "1.0",
    "baseline": "earlier",
    "keep-workspaces": "true",
    "sandbox": "process",
    "container": "podman --runtime runc",
    "engine": "n_ctx=2048",
    "sampling": "temperature=0.25",
    "max-turns": "7",
    "reply-tokens": "99",
    "trial-timeout": "60",
    "seed": "5",
    "order": "by-task",
    "retries": "0",
    "base-url": "http://127.0.0.1:9/v1",
    "api-key-env": "NO_SUCH_KEY",
    "parallel": "1",
    "on": "",  # here; test_elsewhere.py has addresses
    "reconnect-timeout": "7",
    "max-infra-errors": "9",
    "context-load": "500",
    "preflight": "off",
    "no-preflight": "true",
    "models-file": "models.toml",
    "predictions": "expected.md",
}


def test_every_option_is_tried() -> None:
    assert set(INI) == {option.name for option in OPTIONS if option.ini}


@pytest.mark.parametrize("kind", ["pytest.ini", "pyproject.toml"])
def test_the_ini_file_alone_says_everything(pytester: pytest.Pytester, suite: Path, kind: str) -> None:
    words = ("--model=oracle", "--runs=1", "--sandbox=process", "--results=before", suite)
    pytester.runpytest(*words).assert_outcomes(passed=2)
    campaign(pytester, "before").rename("earlier")
    lines = {option.dest: INI[option.name] for option in OPTIONS if option.ini}
    _write_ini(pytester, kind, lines)
    (pytester.path / "expected.md").write_text('+++\nschema = 1\nmodel = "oracle"\nsuite = "tiny"\nruns = 2\n+++\n')
    (pytester.path / "models.toml").write_text('[mine]\nfile = "mine.gguf"\n')

    result = pytester.runpytest("--override-ini=cache_dir=.cache")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["pass-rate gate: reached · regression gate: passed · exit code 0: *"])

    manifest = json.loads((campaign(pytester, "kept") / "manifest.json").read_bytes())
    assert [(trial["task"], trial["run"]) for trial in manifest["planned"]] == [
        ("task_01_hello", 1),
        ("task_01_hello", 2),
        ("task_02_count", 1),
        ("task_02_count", 2),
    ]
    assert manifest["budget"] == {"turns": 7, "reply_tokens": 99, "seconds": 60.0}
    facts = (manifest["policy"], manifest["sampling"]["temperature"], manifest["seed"], manifest["sandbox"]["name"])
    assert facts == ("lenient", 0.25, 5, "process")
    assert len([path for path in (campaign(pytester, "kept") / "data" / "workspaces").iterdir() if path.is_dir()]) == 4


def test_the_command_line_wins(pytester: pytest.Pytester, suite: Path) -> None:
    _write_ini(
        pytester,
        "pytest.ini",
        {"agentcore_model": "oracle", "agentcore_runs": "3", "agentcore_results": "kept", "agentcore_seed": "5"},
    )
    result = pytester.runpytest("--model", "null", "--runs=1", "--results=typed", "--agentcore-seed=6", suite)
    result.assert_outcomes(failed=2)
    manifest = json.loads((campaign(pytester, "typed") / "manifest.json").read_bytes())
    assert (manifest["model"], manifest["runs"], manifest["seed"]) == ("null", 1, 6)


def test_an_ini_path_is_relative_to_the_ini_file(pytester: pytest.Pytester, suite: Path) -> None:
    _write_ini(pytester, "pytest.ini", {"agentcore_suite": "tiny", "agentcore_results": "kept"})
    below = pytester.mkdir("below")
    pytester.chdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        result = pytester.runpytest("--model", "oracle", "--runs", "1")
    result.assert_outcomes(passed=2)
    assert len(result_lines(campaign(pytester, "kept"))) == 2


def test_engine_and_sampling_are_repeatable(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[say("no idea")])
    words = [f"--agentcore-sampling={pair}" for pair in ("top_k=5", "temperature=0.5", "top_k=7")]
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "1", *words, suite)
    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    assert (manifest["sampling"]["top_k"], manifest["sampling"]["temperature"]) == (7, 0.5)


WRONG = [
    ("--runs=0", "*--agentcore-runs 0: must be at least 1*"),
    ("--agentcore-max-turns=0", "*--agentcore-max-turns 0: must be at least 1*"),
    ("--agentcore-trial-timeout=-1", "*--agentcore-trial-timeout -1*: must be at least 0.001*"),
    ("--agentcore-trial-timeout=nan", "*--agentcore-trial-timeout nan: must be at least 0.001"),
    ("--runs=abc", "*invalid int value: 'abc'*"),
    ("--tool-calls=loose", "*--tool-calls: no 'loose'; there are native, lenient, constrained*"),
    ("--sandbox=chroot", "*--sandbox: no 'chroot'; there are bubblewrap, container, process*"),
    ("--agentcore-order=random", "*--agentcore-order: no 'random'; there are interleaved, by-task*"),
    ("--agentcore-engine=n_ctxx=4096", "*n_ctxx=4096: there is no key 'n_ctxx'; did you mean 'n_ctx'?*"),
    ("--agentcore-engine=n_ctx=many", "*n_ctx=many: 'many' is no whole number*"),
    ("--agentcore-engine=type_k=q9", "*type_k=q9: must be one of f32, f16, bf16, q8_0,*"),
    ("--agentcore-engine=tensor_split=3;1", "*tensor_split=3;1: must be a number from 0 up for each GPU, e.g. 3,1*"),
    ("--agentcore-engine=n_ctx", "*--agentcore-engine 'n_ctx': must read KEY=VALUE*"),
    ("--agentcore-sampling=heat=1", "*heat=1: there is no key 'heat'*"),
    ("--agentcore-sampling=top_p=2", "*top_p=2: top_p lies between 0 and 1*"),
    ("--agentcore-sampling==1", "*--agentcore-sampling '=1': must read KEY=VALUE*"),
    ("--min-pass-rate=often", "*--min-pass-rate 'often': must be a rate*"),
    ("--min-pass-rate=1.1", "*--min-pass-rate '1.1': must lie between 0 and 1*"),
    ("--suite=nowhere", "*no suite and no directory 'nowhere'*"),
    ("--suite=agentic-core-v2", "*did you mean 'agentic-core-v1'?*"),
]


@pytest.mark.parametrize(("word", "sentence"), WRONG, ids=[word for word, _ in WRONG])
def test_a_wrong_word_is_a_usage_error_and_leaves_nothing(
    pytester: pytest.Pytester, suite: Path, word: str, sentence: str
) -> None:
    paths = () if "suite" in word else (suite,)
    result = pytester.runpytest("--model", "oracle", word, *paths)
    _refused(pytester, result, sentence)


NO_VALUE: Mapping[object, Sequence[str]] = {int: ["abc", "1.5"], float: ["soon"], str: ["rubbish"]}
INI_WRONG = [
    (option.dest, value)
    for option in OPTIONS
    for value in NO_VALUE.get(option.kind, [])
    if option.kind is not str or option.choices
]


@pytest.mark.parametrize(("key", "value"), INI_WRONG)
def test_a_wrong_ini_value_is_a_usage_error_and_leaves_nothing(
    pytester: pytest.Pytester, suite: Path, key: str, value: str
) -> None:
    _write_ini(pytester, "pytest.ini", {key: value})
    result = pytester.runpytest("--model", "oracle", suite)
    _refused(pytester, result, f"*{key} '{value}': must be *")


def test_a_wrong_ini_value_is_no_matter_without_a_model(pytester: pytest.Pytester) -> None:
    _write_ini(pytester, "pytest.ini", {"agentcore_runs": "abc"})
    pytester.makepyfile("def test_own(): pass")
    pytester.runpytest().assert_outcomes(passed=1)


def _refused(pytester: pytest.Pytester, result: pytest.RunResult, sentence: str) -> None:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in result.stderr.lines if line.strip()]
    pytest.LineMatcher(said).fnmatch_lines([sentence])
    assert not any("Traceback" in line for line in (*said, *result.stdout.lines))
    assert not (pytester.path / "agentcore-results").exists()


def _write_ini(pytester: pytest.Pytester, kind: str, values: dict[str, str]) -> None:
    if kind == "pytest.ini":
        pytester.makeini("[pytest]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))
        return
    quoted: dict[str, Any] = {key: [value] if _repeats(key) else value for key, value in values.items()}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in quoted.items())
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n" + lines)


def _repeats(key: str) -> bool:
    return _option(key).repeatable


def _option(key: str) -> Option[Any]:
    return next(option for option in OPTIONS if option.dest == key)
