"""Summary and annotations of a job on GitHub Actions: what they say, how they are escaped, how large they get."""

from __future__ import annotations

from pathlib import Path

import pytest
from results import GAVE_UP, HOSTILE, LOST, PASSED, WRONG, result
from small_packs import pack

from pytest_agentcore.analysis.gate import GateVerdict
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.github import ANNOTATIONS, SUMMARY_BYTES, annotate, command, summary, write_summary
from pytest_agentcore.trial.result import TrialKey

SHUT = GateVerdict(sentences=("m: 1/4 = 25.0% of the scored trials passed, 0.5 is asked for",), notes=("m: noise",))
LAST = "pass-rate gate: NOT reached · exit code 1: the model did not do what was asked"


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that a job has checked out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))


@pytest.fixture
def mixed(tmp_path: Path) -> Campaign:
    """Trials of one task that passed, were rejected alike twice, and got no score; and one that gave up."""
    trials = [result("a", 1, **PASSED), result("a", 2, **WRONG), result("a", 3, **WRONG), result("a", 4, **LOST)]
    return pack(tmp_path / "results" / "c", [*trials, result("b", 1, **GAVE_UP)])


def test_a_summary_says_rate_interval_verdict_causes_and_folder(mixed: Campaign) -> None:
    lines = summary({"m": mixed}, [SHUT], LAST, SUMMARY_BYTES).splitlines()
    assert lines[1] == f"### {LAST}"
    assert "- m: 1/4 = 25.0% of the scored trials passed, 0.5 is asked for" in lines
    assert "- m: noise" in lines
    (row,) = (line for line in lines if line.startswith("| m | 1/4 |"))
    assert [cell.strip() for cell in row.strip("|").split("|")][2:] == [
        "25.0%",
        row.split("|")[4].strip(),
        "1",
        "`results/c`",
    ]
    assert " to " in row.split("|")[4]
    assert lines[-3:] == [
        "| m | a run 2, 3 | wrong_answer (checker_rejected) | `AssertionError: 5 of 6 tests pass` |",
        "| m | a run 4 | infrastructure_error (backend_unreachable) |  |",
        "| m | b run 1 | gave_up_mid_plan (budget_exhausted) |  |",
    ]


def test_annotations_name_gates_first_and_failures_where_their_checkers_are(mixed: Campaign, tmp_path: Path) -> None:
    places = {
        TrialKey("m", "a", 2): (tmp_path / "tasks" / "test_a.py", 7),
        TrialKey("m", "b", 1): (Path("/lib/b.py"), 3),
    }
    told = list(annotate({"m": mixed}, [SHUT], places, passed=False))
    ours, rejected = (
        "::error title=pytest-agentcore",
        "wrong_answer (checker_rejected): AssertionError: 5 of 6 tests pass",
    )
    assert told == [
        f"{ours}::pass-rate gate: NOT reached: m: 1/4 = 25.0%25 of the scored trials passed, 0.5 is asked for",
        f"{ours},file=tasks/test_a.py,line=7::m: a run 2, 3: {rejected}",
        "::error title=pytest-agentcore::m: a run 4: infrastructure_error (backend_unreachable)",
        "::error title=pytest-agentcore::m: b run 1: gave_up_mid_plan (budget_exhausted)",
    ]
    assert {line.partition(" ")[0] for line in annotate({"m": mixed}, [], {}, passed=True)} == {"::notice"}


@pytest.mark.parametrize("failures", [9, 10, 11, 50])
@pytest.mark.parametrize("gates", [0, 1])
def test_a_step_has_ten_annotations_at_most_and_the_last_says_how_many_are_missing(
    tmp_path: Path, failures: int, gates: int
) -> None:
    many = pack(tmp_path / "c", [result(f"t{n}", 1, **WRONG) for n in range(failures)])
    told = list(annotate({"m": many}, [SHUT] * gates, {}, passed=False))
    assert len(told) == min(failures + gates, ANNOTATIONS)
    named = sum(": wrong_answer" in line for line in told)
    if named < failures:
        assert told[-1].endswith(f"::{failures - named} more failures: the step's summary has them")


def test_what_has_a_meaning_in_a_command_is_escaped(tmp_path: Path) -> None:
    odd = tmp_path / "a,b:c%\r\n.py"
    assert command("error", "50%\r\n::x, y: z", (odd, 3)) == (
        "::error title=pytest-agentcore,file=a%2Cb%3Ac%25%0D%0A.py,line=3::50%25%0D%0A::x, y: z"
    )


@pytest.mark.parametrize("text", [*HOSTILE, "%0A::error::x", "\n::error::x", "##[add-mask]x", "|\n\n# Title <script>"])
def test_no_text_of_a_model_breaks_out_of_its_place(tmp_path: Path, text: str) -> None:
    one = pack(tmp_path / "c", [result("a", 1, **{**WRONG, "detail": text})], model="m")
    (told,) = annotate({text: one}, [], {}, passed=False)
    assert told.isprintable()
    assert told.startswith("::error title=pytest-agentcore::")
    assert "%" not in told.replace("%25", "")
    written = summary({text: one}, [GateVerdict(sentences=(text,))], text, SUMMARY_BYTES)
    assert all(line.isprintable() for line in written.splitlines())
    assert len(written.splitlines()) == len(
        summary({"m": one}, [GateVerdict(sentences=("x",))], "x", 2**20).splitlines()
    )
    assert "<script" not in written.replace("\\<script", "").replace(
        "`" + written.rpartition("`")[0].rpartition("`")[2], ""
    )


def test_a_summary_keeps_to_a_mebibyte_with_what_the_step_has_written_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {**WRONG, "detail": "é" * 1000}
    many = pack(tmp_path / "c", [result(f"task_{n:05}", 1, **words) for n in range(4000)])
    page = tmp_path / "summary.md"
    page.write_text("what another command of this step has written\n" * 10_000)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert write_summary({"m": many}, [], LAST) == ""
    text = page.read_bytes()
    assert SUMMARY_BYTES - 1000 < len(text) <= SUMMARY_BYTES
    assert text.startswith(b"what another command")
    rows = text.decode().count("| wrong_answer (checker_rejected) |")
    assert text.decode().endswith(f"\n\n{4000 - rows} more rows in the reports of the campaigns.\n")
    # nothing at all where not even the head has room: a page of more than a mebibyte is not shown
    page.write_bytes(b"x" * (SUMMARY_BYTES - 100))
    assert "the step's page is full" in write_summary({"m": many}, [], LAST)
    assert page.stat().st_size == SUMMARY_BYTES - 100


@pytest.mark.parametrize("place", ["", "nowhere/summary", ".", "a\0b"])
def test_a_summary_that_cannot_be_written_is_a_sentence(
    mixed: Campaign, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {"GITHUB_STEP_SUMMARY": place})
    said = write_summary({"m": mixed}, [], LAST)
    assert said.startswith("no step summary was written: ") == bool(place)
