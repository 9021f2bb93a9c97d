"""Completion in the real shells: what the tab key brings, and what is loaded for it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from results import result
from small_packs import pack
from test_architecture import HEAVY

from pytest_agentcore.cli.__main__ import COMMANDS, main
from pytest_agentcore.cli.completion import INSTALLED_BY

Tab = Callable[[str], list[str]]
"""Types words and gives what completes the last of them."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two campaigns, models of its own, a suite, and an `agentcore` on the PATH."""
    for name in ("2026-06-10-one", "2026-06-11-two"):
        pack(tmp_path / "agentcore-results" / name, [result("task_05_fix", 1), result("task_06_ask", 2)])
    (tmp_path / "pyproject.toml").write_text('[tool.agentcore.models.mine]\nfile = "x.gguf"\n')
    (tmp_path / "my-suite").mkdir()
    (tmp_path / "my-suite" / "test_task_01_x.py").touch()
    program = tmp_path / "bin" / "agentcore"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pytest_agentcore.cli.__main__ "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ZSHRC = """
autoload -Uz compinit && compinit -u -D
all() { _main_complete; compstate[insert]=all }
zle -C all complete-word all
bindkey -e
bindkey '\\e*' all
precmd() { print -nu $PROMPTED . }
eval "$(agentcore completion zsh)"
"""
"""Completions of all kinds go into the line, as bash's alt-* puts them there."""


@pytest.fixture(params=INSTALLED_BY)
def tab(request: pytest.FixtureRequest, home: Path) -> Iterator[Tab]:
    """An interactive shell with the completion that `agentcore completion` prints for it."""
    shell = str(request.param)
    if not (program := shutil.which(shell)):
        pytest.skip(f"there is no {shell}")
    if shell == "fish":  # which says what it would show
        yield lambda words: _fish(program, words)
        return
    ready, prompted = os.pipe()
    os.set_inheritable(prompted, True)
    (home / ".zshrc").write_text(ZSHRC)
    child, terminal = pty.fork()
    if not child:
        says = {"TERM": "dumb", "PROMPT_COMMAND": f"printf . >&{prompted}", "PROMPTED": str(prompted)}
        plain = {"bash": ["--norc", "--noprofile"], "zsh": ["--no-globalrcs"]}[shell]
        os.execve(program, [shell, *plain, "-i"], {**os.environ, **says, "ZDOTDIR": str(home)})

    def wait() -> None:
        while ready not in (found := select.select([terminal, ready], [], [], 30)[0]):
            assert found, f"{shell} does not come back"
            os.read(terminal, 65536)  # whatever it draws
        os.read(ready, 1)

    def ask(words: str) -> list[str]:
        # alt-* puts all completions into the line; what stands in it then goes to a file
        os.write(terminal, f"{words}\x1b*\x05 > words\x01printf '%s\\n' \n".encode())
        wait()
        return (home / "words").read_text().splitlines()[len(words.split()) - (not words.endswith(" ")) :]

    wait()
    if shell == "bash":
        os.write(terminal, b'eval "$(agentcore completion bash)"\n')
        wait()
    yield ask
    for descriptor in (terminal, ready, prompted):
        os.close(descriptor)
    os.waitpid(child, 0)


def _fish(program: str, words: str) -> list[str]:
    script = "agentcore completion fish | source; complete --do-complete $argv[1]"
    done = subprocess.run([program, "--no-config", "-c", script, words], capture_output=True, text=True, check=True)
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


CASES = {
    "agentcore ": {*COMMANDS},
    "agentcore pref": {"preflight"},
    "agentcore show --": {"--help", "--results", "--json"},
    "agentcore show 2026-06-1": {"2026-06-10-one", "2026-06-11-two"},
    "agentcore show 2026-06-10-one ": {"task_05_fix:1", "task_06_ask:2"},
    "agentcore show 2026-06-10-one task_06": {"task_06_ask:2"},
    "agentcore gate --baseline 2026-06-11": {"2026-06-11-two"},
    "agentcore models smollm2": {"smollm2-135m"},
    "agentcore preflight mine": {"mine"},
    "agentcore selfcheck agentic": {"agentic-core-v1"},
    "agentcore selfcheck my-suite/": {"my-suite/test_task_01_x.py"},
    "agentcore list agentcore-": {"agentcore-results/"},
    "agentcore dialect --dialect her": {"hermes"},
    "agentcore audit --sandbox ": {"bubblewrap", "process"},
}


def test_the_tab_key_completes(tab: Tab) -> None:
    found = {words: {*tab(words)} for words in CASES}
    assert {words: found[words] & wanted for words, wanted in CASES.items()} == CASES
    # a word that was begun is completed by nothing else
    begun = [words for words in CASES if words[-1].isalnum()]
    assert {words: found[words] for words in begun} == {words: CASES[words] for words in begun}


@pytest.mark.parametrize("shell", INSTALLED_BY)
def test_the_code_is_one_that_the_shell_reads(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["completion", shell]) == 0
    code = tmp_path / "code"
    code.write_text(capsys.readouterr().out)
    assert "agentcore" in code.read_text()
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    subprocess.run([shell, "-n", code], check=True)


def test_nothing_heavy_is_loaded_for_it(home: Path) -> None:
    script = (
        "import atexit, os, sys, argcomplete; from pytest_agentcore.cli.__main__ import main\n"
        "tell = lambda code: os.write(1, ' '.join(sys.modules).encode()) and os._exit(0)\n"
        "argcomplete.autocomplete = __import__('functools').partial(argcomplete.autocomplete, exit_method=tell)\n"
        "main()"
    )
    for words in ("agentcore ", "agentcore show 2026", "agentcore models "):
        asked = {"_ARGCOMPLETE": "1", "COMP_LINE": words, "COMP_POINT": str(len(words)), "COMP_TYPE": "9"}
        asked["_ARGCOMPLETE_STDOUT_FILENAME"] = str(home / "found")
        env = os.environ | asked
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        assert {name.partition(".")[0] for name in done.stdout.split()} & HEAVY == set()
        assert (home / "found").read_text()
