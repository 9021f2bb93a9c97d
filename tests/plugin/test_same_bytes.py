"""The record of a campaign is the same, byte for byte, whatever pytest was told to show, and wherever."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

import pytest
from tiny import COUNT, HELLO, say, write

CHECKERS = {
    "sets": "assert set(words) == {'alpha', 'beta', 'gamma', 'delta'}",
    "message": "assert not words, [word * 40 for word in words] and sorted(words * 60)",
    "set_message": "assert words == [], set(words)",
    "long_text": "assert trial.text('out.txt') == 'expected line\\n' * 30",
    "both": "assert len(words) > 3 and 'nowhere' in words",
    "address": "assert Thing() == Thing()",
    "nested": "assert {'found': set(words), 'n': 3} == {'found': {'z', 'y', 'x'}}",
    "foreign": "assert trial.text('out.txt') == 'na\xefve \u2192'",
    "false": "assert trial.text('out.txt').startswith('nothing of the kind')",
    "failed": "import pytest; pytest.fail('words: ' + ' '.join(words))",
    "broken": "Path(__file__).with_name('nowhere').read_text()",
    "scratch": "raise RuntimeError(f'{trial._frozen.root}/out.txt and {Thing()}')",
}
"""Ways in which a checker may reject a trial, or break."""
TASK = """
from pathlib import Path
from pytest_agentcore import task

class Thing: ...

@task(prompt="Write.", artifacts=("out.txt",))
def test_{name}(trial):
    words = trial.text("out.txt").split()
    {check}

@test_{name}.oracle
def write_it(agent):
    agent.fs_write("out.txt", "alpha beta \xe9\u2192 gamma")
"""

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SETTINGS: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "colours, narrow": ("--color=yes -v --tb=long --showlocals", {"COLUMNS": "40"}, "."),
    "loud, in CI": ("-vv --full-trace", {"COLUMNS": "300", "CI": "1", "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}, "."),
    "quiet": ("-q --tb=no --no-header --no-summary --import-mode=append", {"PYTHONHASHSEED": "2"}, "suite"),
    "C locale": ("-s --tb=short", C_LOCALE, "."),
    "latin-1": (
        "--tb=native -ra -o verbosity_assertions=2 -o truncation_limit_lines=2",
        {"PYTHONIOENCODING": "latin-1", "TZ": "America/St_Johns"},
        ".",
    ),
    "without a terminal": ("-p no:terminal --import-mode=importlib --rootdir=.", {"PYTHONHASHSEED": "3"}, "suite"),
    "workers, elsewhere": ("-n 1 -vv --tb=line --capture=sys", {}, "below"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite whose checkers reject in every way, and the campaigns of it that are compared with."""
    home = tmp_path_factory.mktemp("bytes")
    (home / "suite").mkdir()
    (home / "below").mkdir()
    (home / "suite" / "test_task_01_hello.py").write_text(HELLO)
    (home / "suite" / "test_task_02_count.py").write_text(COUNT)
    for number, (name, check) in enumerate(CHECKERS.items(), 10):
        source = TASK.format(name=name, check=check)
        (home / "suite" / f"test_task_{number}_{name}.py").write_text(source, encoding="utf-8")
    replies = {"*": [write("out.txt", "one two \xe9\u2192 three\n"), say("done \xe9\u2192")]}
    (home / "bot.json").write_text(json.dumps({"replies": replies}))
    run(home, "plain", "", {}, ".")
    return home


def run(home: Path, results: str, words: str, environment: Mapping[str, str], here: str) -> None:
    models = [f"--model={model}" for model in ("oracle", "null", f"scripted:{home / 'bot.json'}")]
    unset = ("CI", "BUILD_NUMBER", "COLUMNS", "PYTHONHASHSEED", "PY_COLORS", "PYTEST_ADDOPTS")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *models, "--runs=1", *words.split()]
    done = subprocess.run(
        [*command, f"--results={home / 'results' / results}", os.path.relpath(home / "suite", home / here)],
        cwd=home / here,
        env={**kept, **environment},
        capture_output=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, (done.stdout + done.stderr).decode("latin-1")


TIMES = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}(?= \(|`|\.\.\.)"  # an attempt
    r"|\d{4}-\d\d-\d\d[T ][\d:.+]+|\d+(\.\d+(e-\d+)?|e-\d+)"
)
"""What documented fields may differ in between two runs of the same: attempts, moments, seconds and what follows."""


PACKED = re.compile(r'(?<=<script type="text/plain" )id="t-[^"]*">([^<]*)')
"""A transcript as a page holds it."""


def record(pack: Path) -> dict[str, str]:
    """The text of every file by its name, without what may differ."""
    files = [pack / "data" / "results.jsonl", *sorted((pack / "verification").glob("*.csv")), pack / "report.md"]
    texts = {path.name: path.read_text(encoding="utf-8") for path in [*files, pack / "report.html"]}
    page = re.sub("<figure><figcaption>Time of a trial.*?</figure>", "", texts["report.html"], flags=re.DOTALL)
    texts["report.html"] = PACKED.sub(lambda found: zlib.decompress(b64decode(found[1])).decode(), page)
    return {name: TIMES.sub("*", text) for name, text in texts.items()}


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_record_does_not_know_it(home: Path, setting: str) -> None:
    words, environment, here = SETTINGS[setting]
    run(home, setting, words, environment, here)
    plain, other = (sorted((home / "results" / name).iterdir()) for name in ("plain", setting))
    assert [pack.name for pack in plain] == [pack.name for pack in other]
    for one, same in zip(plain, other, strict=True):
        before, after = record(one), record(same)
        for name, text in before.items():
            assert after[name].splitlines() == text.splitlines(), f"{one.name}: {name}"


def test_details_say_what_was_found(home: Path) -> None:
    """As they are recorded, the same for everybody."""
    (pack,) = (path for path in (home / "results" / "plain").iterdir() if "-bot-" in path.name)
    lines = map(json.loads, (pack / "data" / "results.jsonl").read_text().splitlines())
    details = {line["task"].partition("_")[2][3:]: line["detail"] for line in lines}
    assert details["sets"] == ("assert {'one', 'three', 'two', '\xe9\u2192'} == {'alpha', 'beta', 'delta', 'gamma'}")
    assert details["both"] == "assert len(words) > 3 and 'nowhere' in words"
    assert details["false"] == "assert trial.text('out.txt').startswith('nothing of the kind')"
    assert details["address"] == "assert <test_task_15_address.Thing object> == <test_task_15_address.Thing object>"
    assert details["set_message"] == "{'one', 'three', 'two', '\xe9\u2192'}"
    assert details["broken"].endswith("No such file or directory: 'nowhere'")
    assert details["scratch"] == (
        "the checker is broken: RuntimeError: /workspace/out.txt and <test_task_21_scratch.Thing object>"
    )
