"""The command as a whole: what it lists, what it loads, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from results import WRONG, manifest, result
from small_packs import pack

from pytest_agentcore.cli import models
from pytest_agentcore.cli.__main__ import COMMANDS, INTERRUPTED, USAGE_ERROR, main
from pytest_agentcore.errors import UsageError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: agentcore {name} [-h]")


EVIL = "\x1b]0;taken\x07\u202e\x9b31m"
ON_PACKS = {
    "list": "list agentcore-results",
    "show": "show",
    "a trial": f"show ONE task_{EVIL}:1",
    "no trial": f"show ONE {EVIL}",
    "validate": "validate ONE TWO",
    "compare": "compare ONE TWO",
    "other suites": "compare ONE TWO --force",
    "the newest": "compare TWO",
    "group": "group ONE TWO",
    "merge": "merge ONE TWO -o whole",
    "leaderboard": "leaderboard ONE TWO agentcore-results",
    "gate": "gate ONE --min-pass-rate 0.9",
    "baseline": "gate ONE --baseline TWO",
    "plan": "plan --detect 20pp --from ONE",
    "recheck": "recheck ONE",
    "export": "export ONE --to atif",
    "report": "report ONE",
    "many": "report agentcore-results",
    "nowhere": f"show {EVIL}",
    "in a model": f"models {EVIL}",
}


@pytest.mark.parametrize("words", ON_PACKS.values(), ids=ON_PACKS)
def test_names_and_words_of_a_foreign_pack_do_nothing_to_a_terminal(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    home, suite = tmp_path / "agentcore-results", manifest().suite
    facts = {"warnings": (EVIL,), "backend": {"name": EVIL, "file": EVIL, "quant": EVIL, "device": EVIL}, "group": EVIL}
    trials = [result(f"task_{EVIL}", run, **WRONG | {"detail": EVIL}) for run in (1, 2)]
    for day, name in enumerate(("ONE", "TWO"), 1):
        mine = replace(suite, name=EVIL, title=EVIL, digest=f"{EVIL}{name}")
        pack(
            home / f"{name}{EVIL}",
            trials,
            model=f"{name}{EVIL}",
            suite=mine,
            started=f"2026-06-0{day}T08:00:00+00:00",
            **facts,
        )
    (home / f"wreck{EVIL}").mkdir()
    (home / f"wreck{EVIL}" / "manifest.json").write_text("{")

    main([f"{word}{EVIL}" if word in ("ONE", "TWO") else word for word in words.split(" ")])
    told = "".join(capsys.readouterr())
    assert told
    assert [character for character in told if not character.isprintable() and character != "\n"] == []


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
