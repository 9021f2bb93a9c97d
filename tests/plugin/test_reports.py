"""The report that a campaign leaves behind: every number has its file, and nothing a model wrote is markup."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from results import HOSTILE
from tiny import COUNT, HELLO, campaign, say, write

from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.cli.__main__ import CUT_OFF
from pytest_agentcore.pack.figures import EVERY, Figures
from pytest_agentcore.pack.read import read_campaign

VERIFIED = re.compile(r"\((?:verified|ref|transcript): ((?:`[^`]+`(?:, )?)+)\)")
LIST = {"tool_calls": [{"name": "shell", "arguments": {"command": "ls"}}]}


SOURCES = {
    "rates.planned": ("pass_rate_by_task", "planned"),
    "rates.recorded": ("pass_rate_by_task", "recorded"),
    "rates.scored": ("pass_rate_by_task", "scored"),
    "rates.passed": ("pass_rate_by_task", "passed"),
    "rates.raw": ("pass_rate_by_task", "raw_rate"),
    "rates.effective": ("pass_rate_by_task", "effective_rate"),
    "distinct.n": ("pass_rate_by_task", "distinct"),
    "effort.basis": ("latency_distribution", "over"),
    "effort.seconds.mean": ("latency_distribution", "mean_seconds"),
    "effort.seconds.p50": ("latency_distribution", "p50_seconds"),
    "effort.seconds.p95": ("latency_distribution", "p95_seconds"),
    "effort.seconds.least": ("latency_distribution", "min_seconds"),
    "effort.seconds.most": ("latency_distribution", "max_seconds"),
    "effort.turns.mean": ("tool_calls_by_task", "mean_turns"),
    "effort.turns.most": ("tool_calls_by_task", "max_turns"),
    "effort.tool_calls.mean": ("tool_calls_by_task", "mean_tool_calls"),
    "effort.tool_calls.p50": ("tool_calls_by_task", "p50_tool_calls"),
    "effort.tool_calls.most": ("tool_calls_by_task", "max_tool_calls"),
    "effort.model_seconds": ("cost_breakdown", "model_seconds"),
    "effort.tool_seconds": ("cost_breakdown", "tool_seconds"),
    "effort.prompt_tokens": ("cost_breakdown", "prompt_tokens"),
    "effort.cached_tokens": ("cost_breakdown", "cached_tokens"),
    "effort.reply_tokens": ("cost_breakdown", "reply_tokens"),
    "effort.tokens_per_second": ("cost_breakdown", "tokens_per_second"),
    "effort.cost": ("cost_breakdown", "cost_usd"),
    "effort.cost_per_trial": ("cost_breakdown", "cost_per_trial_usd"),
    "effort.cost_per_pass": ("cost_breakdown", "cost_per_pass_usd"),
}
"""Table and column by the way from `Figures` to the value; the row is that of the task, `*` for all of them."""

REPLIES = {
    "task_01_hello": [LIST, LIST, write("hello.txt", "hello"), say("done")],
    "task_02_count": [LIST, say("\n".join(["```", "# heading", "<script>alert(1)</script>", *HOSTILE]))],
}
"""One task passed in a roundabout way, the other failed with a hostile answer."""


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a campaign of a scripted model and one of the oracle, made once."""
    home = tmp_path_factory.mktemp("reports")
    (home / "tiny").mkdir()
    (home / "tiny" / "test_task_01_hello.py").write_text(HELLO)
    (home / "tiny" / "test_task_02_count.py").write_text(COUNT)
    (home / "bot.json").write_text(json.dumps({"replies": REPLIES}))
    models = ("--model", "scripted:bot.json", "--model", "oracle")
    words = ("-p", "no:cacheprovider", *models, "--runs", "2", "--results", "packs", "tiny")
    subprocess.run([sys.executable, "-m", "pytest", *words], cwd=home, check=False, capture_output=True, timeout=120)
    return home / "packs"


@pytest.fixture
def mixed(packs: Path, tmp_path: Path) -> Path:
    """A copy of the scripted model's campaign."""
    (folder,) = packs.glob("*-bot-tiny")
    return Path(shutil.copytree(folder, tmp_path / folder.name))


def test_every_citation_leads_to_a_file_and_a_turn(mixed: Path) -> None:
    text = (mixed / "report.md").read_text(encoding="utf-8")

    cited = [file for found in VERIFIED.findall(text) for file in re.findall("`([^`]+)`", found)]
    assert len(cited) > 10
    for address in cited:
        file, _, anchor = address.partition("#")
        assert (mixed / file).is_file(), address
        if anchor.startswith("turn="):
            turns = {json.loads(line).get("turn") for line in (mixed / file).read_bytes().splitlines()}
            assert int(anchor.removeprefix("turn=")) in turns
        elif anchor:
            assert anchor in json.loads((mixed / file).read_bytes())


def test_every_block_with_a_number_is_followed_by_the_file_that_holds_it(mixed: Path) -> None:
    text = (mixed / "report.md").read_text(encoding="utf-8")
    prose = re.sub(r"^ *(`{3,})text\n.*?^ *\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks = [block for block in prose.split("\n\n") if block.strip()]

    for block, after in zip(blocks, [*blocks[1:], ""], strict=True):
        numbers = re.search(r"\d", re.sub(r"`[^`]*`", "", block))
        about_the_document = block.startswith(("#", "  - ", "What is quoted"))
        if numbers and not about_the_document:
            assert VERIFIED.search(block) or VERIFIED.fullmatch(after.strip()), block


def test_every_number_stands_in_the_file_that_it_is_said_to_stand_in(mixed: Path) -> None:
    found = read_campaign(mixed)
    figures = found.figures
    for way, (table, column) in SOURCES.items():
        with (mixed / "verification" / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            rows = {row["task"]: row[column] for row in csv.DictReader(file)}
        assert set(rows) == {EVERY, "task_01_hello", "task_02_count"}
        for each in (figures.overall, *figures.tasks):
            written, value = rows[each.task], _value(each, way)
            assert (float(written) if isinstance(value, float | int) else written) == (
                pytest.approx(value, abs=6e-4) if isinstance(value, float | int) else value or ""
            ), way


def _value(figures: Figures, way: str) -> float | str | None:
    value: object = figures
    for name in way.split("."):
        value = getattr(value, name)
    assert value is None or isinstance(value, int | float | str)
    return value


def test_what_a_model_wrote_stays_text(mixed: Path) -> None:
    text = (mixed / "report.md").read_text(encoding="utf-8")

    assert "\x1b" not in text
    assert "\u202e" not in text
    outside = re.sub(r"^ *(`{3,})text\n.*?^ *\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in outside
    assert "alert(1)" in text


def test_detectors_look_at_passed_trials_too(mixed: Path) -> None:
    with (mixed / "verification" / "detectors.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    hits = [(row["task"], row["outcome"], row["turn"]) for row in rows if row["detector"] == "tool_call_redundancy"]
    assert hits == [(EVERY, "", ""), ("task_01_hello", "passed", "1"), ("task_01_hello", "passed", "1")]


def test_nothing_that_is_not_known_is_claimed(mixed: Path) -> None:
    text = (mixed / "report.md").read_text(encoding="utf-8")

    assert "**[Unobserved]**" in text
    assert "**[Speculation]**" not in text
    assert "No predictions were filed before the first trial" in text


def test_a_report_that_fails_is_a_warning_and_the_run_stands(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(
        """
        import pathlib

        def pytest_agentcore_trial_finished(result, config):
            for path in pathlib.Path("agentcore-results").glob("*/data/transcripts/*.jsonl"):
                path.write_text("no json\\n")
        """
    )
    result = pytester.runpytest("--model", "oracle", "--runs", "1", suite)

    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["WARNING*no report was written*"])
    assert not (campaign(pytester) / "report.md").exists()


def test_written_again_elsewhere_it_is_the_same_and_the_campaign_is_left_alone(mixed: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in mixed.rglob("*") if path.is_file()}

    assert cli.main(["report", str(mixed), "-o", str(tmp_path / "out")]) == 0

    assert {path: path.read_bytes() for path in mixed.rglob("*") if path.is_file()} == before
    assert (tmp_path / "out" / "report.md").read_bytes() == before[mixed / "report.md"]
    for path in (tmp_path / "out" / "verification").iterdir():
        assert path.read_bytes() == before[mixed / "verification" / path.name]


def test_with_a_baseline_it_compares_and_without_one_that_goes_away(packs: Path, mixed: Path) -> None:
    (good,) = packs.glob("*-oracle-tiny")

    assert cli.main(["report", str(mixed), "--baseline", str(good)]) == 0
    text = (mixed / "report.md").read_text(encoding="utf-8")
    assert f"## Compared with `{good.name}`" in text
    assert "| `task_02_count` | 2/2 | 0/2 | -100.0 |" in text
    assert (mixed / "verification" / "comparison.csv").is_file()

    assert cli.main(["report", str(mixed)]) == 0
    assert "Compared with" not in (mixed / "report.md").read_text(encoding="utf-8")
    assert not (mixed / "verification" / "comparison.csv").exists()


def test_it_stands_among_the_campaigns_of_its_results_folder_under_its_own_policy(packs: Path, tmp_path: Path) -> None:
    (folder,) = packs.glob("*-bot-tiny")
    for name, policy in (("2026-01-01-rival-tiny", "native"), ("2026-01-01-other-tiny-lenient", "lenient")):
        rival = Path(shutil.copytree(folder, tmp_path / name))
        manifest = (
            (rival / "manifest.json").read_text().replace('"bot"', f'"{policy}-rival"').replace(folder.name, name)
        )
        (rival / "manifest.json").write_text(manifest.replace('"policy": "native"', f'"policy": "{policy}"'))
    for name, limit in (("2026-01-01-short-tiny", '"turns": 3'), ("2026-01-01-open-tiny", '"turns": 15')):
        other = Path(shutil.copytree(folder, tmp_path / name)) / "manifest.json"
        changed = other.read_text().replace(folder.name, name).replace('"turns": 15', limit)
        other.write_text(changed.replace('"name": "bubblewrap"', '"name": "process"'))
    (tmp_path / "2026-01-01-broken-tiny").mkdir()
    (tmp_path / "2026-01-01-broken-tiny" / "manifest.json").write_text("{")
    mine = Path(shutil.copytree(folder, tmp_path / folder.name))

    assert cli.main(["report", str(mine)]) == 0

    section = (mine / "report.md").read_text().partition("## Where it sits on the leaderboard")[2].partition("\n## ")[0]
    ranked = re.findall(r"^\| (\d) \| (\S+) \| 2/4", section, re.MULTILINE)
    assert ranked == [("1", "bot"), ("1", "**bot**"), ("1", "native-rival")]
    assert section.count("| sandbox process |") == 1
    page = (mine / "report.html").read_text()
    assert page.count(">sandbox process</td>") == 1


def test_show_is_the_same_in_the_terminal(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(mixed)]) == 0

    shown = capsys.readouterr().out
    assert "2/4" in shown
    assert re.search(r"^failed +task_02_count:1 · \w+ · turn 2 · [0-9a-f]{8}$", shown, re.MULTILINE)
    assert "tool_call_redundancy 2/4 trials" in shown


@pytest.mark.parametrize(
    "word",
    ["task_02_count:2", "task_02:2", "task_02_count[bot-run2]", "tiny/test_task_02_count.py::test_count[bot-run2]"],
)
def test_show_a_trial_turn_by_turn(mixed: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(mixed), word]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("task_02_count[bot-run2]\n")
    assert "    Write the number of lines of data.txt into count.txt.\n" in shown
    assert re.search(r"^turn 1.*\n  calls shell \{\"command\": \"ls\"\}\n  ok, 0\.\ds:\n", shown, re.MULTILINE)
    assert "    <script>alert(1)</script>\n" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_show_a_trial_by_its_attempt(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt = read_campaign(mixed).results[0].attempt

    assert cli.main(["show", str(mixed), attempt[:13]]) == 0
    assert f"data/transcripts/{attempt}.jsonl" in capsys.readouterr().out


def test_a_passed_trial_has_no_cause(packs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = packs.glob("*-oracle-tiny")

    assert cli.main(["show", str(folder), "task_01:1"]) == 0
    assert "           passed · policy native\n" in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_error(mixed: Path) -> None:
    command = [sys.executable, "-m", "pytest_agentcore.cli", "show", str(mixed), "task_02:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == CUT_OFF


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("task_0:1", "means 2 trials of"),
        ("task_09:1", "is no recorded trial of"),
        ("task_01:7", "is no recorded trial of"),
        ("deadbeef", "is no recorded trial of"),
        ("nonsense", "is no recorded trial of"),
    ],
)
def test_a_word_that_means_no_trial_or_several(
    mixed: Path, word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["show", str(mixed), word]) == cli.USAGE_ERROR
    assert said in capsys.readouterr().err
