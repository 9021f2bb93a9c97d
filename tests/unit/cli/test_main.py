"""The command as a whole: what it lists, what it loads, and how it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_agentcore.cli import models
from pytest_agentcore.cli.__main__ import COMMANDS, INTERRUPTED, USAGE_ERROR, main
from pytest_agentcore.errors import UsageError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: agentcore {name} [-h]")


def test_all_commands_are_listed_and_none_of_them_is_loaded() -> None:
    script = (
        "import sys; from pytest_agentcore.cli.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([name for name in sys.modules if name.startswith('pytest_agentcore.cli.')])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    *lines, loaded = out.splitlines()
    assert loaded == "['pytest_agentcore.cli.__main__']"
    assert [line.split()[0] for line in lines if line.startswith("    ") and line[4] != " "] == list(COMMANDS)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [(UsageError("no such thing"), USAGE_ERROR, "agentcore: error: no such thing\n"), (KeyboardInterrupt(), 130, "")],
)
def test_an_error_is_a_sentence_and_a_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    says: str,
) -> None:
    def fail(_options: object) -> int:
        raise error

    monkeypatch.setattr(models, "run_models", fail)
    assert main(["models"]) == code
    assert capsys.readouterr().err == says
    assert INTERRUPTED == 130
