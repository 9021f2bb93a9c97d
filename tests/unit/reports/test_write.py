"""Files of reports: what lies beside the page over many campaigns, and what becomes of what lay there before."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from packs import many, write_pack
from results import WRONG, manifest, result

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError
from pytest_agentcore.reports import write
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES
from pytest_agentcore.reports.write import write_index


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two campaigns of twelve trials."""
    for name in ("one", "two"):
        write_pack(tmp_path / "there" / name, *many(tasks=3, runs=4))
    return tmp_path / "there"


def test_transcripts_move_into_the_page_when_they_fit_and_what_is_stale_goes(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "out" / "index.html"
    monkeypatch.setattr(write, "PAGE_BYTES", 5_000)  # more than one transcript, less than a campaign's
    assert write_index(results, page) == [page, tmp_path / "out" / "index-data"]
    beside = sorted(page.parent.glob("index-data/*/*.js"))
    assert len(beside) == 24
    assert re.fullmatch(r'agentcoreTranscript\("one/[0-9a-f-]{36}", "[A-Za-z0-9+/=]+"\);\n', beside[0].read_text())
    assert 'id="t-' not in page.read_text()
    mine = page.parent / "index-data" / "one" / "jquery.js"
    mine.write_text("")

    monkeypatch.setattr(write, "PAGE_BYTES", PAGE_BYTES)
    assert write_index(results, page) == [page]
    assert sorted(page.parent.glob("index-data/*/*.js")) == [mine]
    assert page.read_text().count('id="t-') == 24


def test_a_page_that_is_passed_on_names_no_folder_of_this_machine(results: Path, tmp_path: Path) -> None:
    (page,) = write_index(results, tmp_path / "out" / "index.html")

    assert str(tmp_path) not in page.read_text()
    assert '"path":"../there/one"' in page.read_text()


def test_a_transcript_that_is_damaged_or_missing_does_not_keep_the_others_from_being_shown(
    results: Path, tmp_path: Path
) -> None:
    first, second, *_ = sorted((results / "one" / "data" / "transcripts").iterdir())
    first.unlink()
    second.write_bytes(b"{" * 300_000 + b"\n")
    (page,) = write_index(results, tmp_path / "index.html")

    assert re.search(rf'id="t-one/{first.stem}"></script>', page.read_text())
    assert re.search(rf'id="t-one/{second.stem}"></script>', page.read_text())


def test_an_attempt_that_is_no_name_is_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(tmp_path / "there" / "one", manifest([("task_01", 1)]), [result("task_01", 1)])
    lines = tmp_path / "there" / "one" / "data" / "results.jsonl"
    evil = "../../../evil"
    lines.write_text(lines.read_text().replace(result("task_01", 1).attempt, evil))
    (tmp_path / "evil.jsonl").write_text("{}\n")
    monkeypatch.setattr(write, "PAGE_BYTES", -1)
    write_index(tmp_path / "there", tmp_path / "out" / "deep" / "index.html")

    assert [path.name for path in tmp_path.rglob("*.js")] == []


def test_the_command_writes_the_page_for_a_folder_of_campaigns(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(results)]) == 0
    assert capsys.readouterr().out == f"{results / 'index.html'}\n"
    assert main(["report", str(results), "-o", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(tmp_path / "index.html")]
    assert main(["report", str(results / "one"), "-o", str(tmp_path / "alone")]) == 0
    assert (tmp_path / "alone" / "report.html").is_file()


def test_what_cannot_be_asked_of_many_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(results), "--baseline", "one"]) == 2
    assert "--baseline is for one campaign" in capsys.readouterr().err
    assert main(["report", str(results), "-o", str(results / "one" / "manifest.json" / "index.html")]) == 2
    assert "the page cannot be written there" in capsys.readouterr().err
    assert main(["report", f"--results={results}", "-o", str(results / "new.html")]) == 2
    assert f"for one page over many, name the folder they lie in: {results}" in capsys.readouterr().err
    assert not (results / "new.html").exists()


def test_a_folder_of_wrecks_has_no_page(tmp_path: Path) -> None:
    (tmp_path / "wreck").mkdir()
    (tmp_path / "wreck" / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="not a manifest of a campaign"):
        write_index(tmp_path, tmp_path / "index.html")
    with pytest.raises(UsageError, match="holds no campaign"):
        write_index(tmp_path / "nowhere", tmp_path / "index.html")


def test_a_campaign_that_lacks_everything_is_shown(tmp_path: Path) -> None:
    write_pack(tmp_path / "there" / "empty", manifest([], backend={}), [])
    write_pack(tmp_path / "there" / "other", manifest([("task_09", 1)], backend={}), [result("task_09", 1, **WRONG)])
    (page,) = write_index(tmp_path / "there", tmp_path / "index.html")

    assert "nothing is scored" in page.read_text()
