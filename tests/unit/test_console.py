"""Every command writes readable lines into whatever its output is, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from packs import write_pack
from results import WRONG, manifest, result
from tiny import COUNT, HELLO
from written import write_campaign

from pytest_agentcore.cli.__main__ import COMMANDS, CUT_OFF, USAGE_ERROR, main
from pytest_agentcore.console import no_command

NAME = "caf\xe9 \u2192 \u6f22 \u201cquoted\u201d"
ODD = f"{NAME} \ud800 \u2026 \xb7"
"""What a model may have written; half of a surrogate pair is in no encoding."""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[str]]:
    """The words of each command, over campaigns whose details no narrow encoding can hold."""
    home = tmp_path_factory.mktemp("console")
    suite, template = home / "caf\xe9", home / "template.jinja"
    suite.mkdir()
    (suite / "test_task_01_hello.py").write_text(HELLO, encoding="utf-8")
    (suite / "test_task_02_count.py").write_text(COUNT, encoding="utf-8")
    template.write_text("\u2192 {{ messages[0]['content'] }} \xb7", encoding="utf-8")
    wrong = WRONG | {"detail": ODD}
    one = write_campaign(home / "one", [result("task_01_hello", 1, **wrong)], warnings=(ODD,)).path
    two = write_campaign(home / "two", [result("task_01_hello", 2, **wrong)]).path
    load = write_campaign(home / "load", [result("task_01_hello", 1, context_load=500)], context_load=500).path
    return {
        "audit": ["--list"],
        "completion": ["bash"],
        "compare": [str(one), str(two), "--force"],
        "dialect": [str(template)],
        "export": [str(one), "--to=inspect", "-o", str(home / "{}")],
        "gate": [str(one), "--min-pass-rate=0.5"],
        "group": [str(one), str(load)],
        "leaderboard": [str(one)],
        "list": [str(home)],
        "merge": [str(one), str(two), "-o", str(home / "{}")],
        "models": ["smollm2-135m"],
        "open": [str(home / "{}"), "--no-browser"],
        "plan": ["--detect=10pp"],
        "predict": [NAME, "--suite", str(suite), "-o", str(home / "{}.md")],
        "preflight": [f"={NAME}.gguf"],
        "recheck": [str(one), "--suite", str(suite), "--sandbox=process"],
        "report": [str(one), "-o", str(home / "{}")],
        "sandbox": [],
        "selfcheck": [str(suite / "test_task_01_hello.py"), "--sandbox=process"],
        "show": [str(one), "task_01_hello:1"],
        "validate": [str(one), str(home / "{}")],
        "worker": [f"dask+{NAME}"],
    }


def spelled(name: str, words: Mapping[str, Sequence[str]], way: str) -> list[str]:
    """A command line of its own for each way, since some commands write into new places only."""
    return [name, *(word.replace("{}", f"{name}-{way}") for word in words[name])]


@pytest.mark.parametrize("name", COMMANDS)
def test_it_works_in_a_c_locale(name: str, words: Mapping[str, Sequence[str]]) -> None:
    """Without Python's own ways out of it."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [word.encode() for word in spelled(name, words, "c")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest_agentcore.cli", *command],
        env={**os.environ, **locale},
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1, USAGE_ERROR)
    said = (done.stdout + done.stderr).decode("ascii")
    assert said
    assert "Traceback" not in said
    assert name != "show" or r"\n" not in said


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8", "cp1252"])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_an_encoding_lacks_is_replaced(
    name: str, encoding: str, words: Mapping[str, Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", out)
        assert main(spelled(name, words, encoding)) in (0, 1, USAGE_ERROR)
        out.seek(0)
        said = out.read()
    assert "\ufffd" not in said
    assert ("->" in said or r"\u2192" in said) <= (encoding != "utf-8")
    if name == "show":
        assert {"utf-8": "caf\xe9 \u2192 \u6f22", "ascii": r"caf\xe9 -> \u6f22"}.get(encoding, "caf\xe9 -> ") in said


@pytest.fixture
def closed() -> Iterator[io.TextIOWrapper]:
    """A pipe whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
        yield pipe


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_that_has_left_ends_it_quietly(
    name: str,
    words: Mapping[str, Sequence[str]],
    closed: io.TextIOWrapper,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", closed)
        assert main(spelled(name, words, "pipe")) in (CUT_OFF, USAGE_ERROR)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_it_works_without_any_output(
    name: str, words: Mapping[str, Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under cron, or behind `>&-`."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert main(spelled(name, words, "none")) in (0, 1, USAGE_ERROR)
        for stream in (sys.stdout, sys.stderr):
            stream.close()


@pytest.mark.parametrize("word", ["models", "--help"])
def test_a_full_disk_is_said(word: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "pytest_agentcore.cli", word]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == USAGE_ERROR
    assert done.stderr == "agentcore: error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", r"\u003a:error::x"),
        (" \t::error::x", " \t" + r"\u003a:error::x"),
        ("a\n\n  ::set-output name=x::y", "a\n\n  " + r"\u003a:set-output name=x::y"),
        ("say ##[error]x and ###[error]", r"say \u0023#[error]x and #\u0023#[error]"),
        ("std::vector and a ::b, # [x] ## [y] :", "std::vector and a ::b, # [x] ## [y] :"),
        (json.dumps({"a": "##[error]x", "b": "\\##["}), r'{"a": "\u0023#[error]x", "b": "\\\u0023#["}'),
    ],
)
def test_a_runner_takes_no_foreign_text_for_a_command(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert no_command(text) == text
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert no_command(text) == shown
    if text.startswith("{"):
        assert json.loads(shown) == json.loads(text)


def test_no_command_of_ours_lets_the_runner_read_a_models_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    trial = result("a", 1)
    write_pack(tmp_path / "c", manifest([("a", 1)]), [trial], says="done\n  ::add-mask::x\n##[add-mask]y")
    assert main(["show", str(tmp_path / "c"), "a:1"]) == 0
    out = capsys.readouterr().out
    assert r"\u0023#[add-mask]y" in out
    assert not [line for line in out.splitlines() if line.lstrip().startswith("::") or "##[" in line]
