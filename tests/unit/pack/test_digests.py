"""Whatever file of a pack is edited, cut or deleted, it is named; what the tool does to a pack is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from results import LOST, WRONG, manifest, result
from written import FINISHED, write_campaign, write_evidence

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import RecordError
from pytest_agentcore.pack.digests import Seals, TextDigest, read_digests
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.transcript import set_aside
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.reports.write import write_reports
from pytest_agentcore.session.recording import filing

FIRST, SECOND = result("a", 1), result("a", 2, **WRONG)
REPLACED = result("b", 1, attempt="0" * 8 + "-0000-0000-0000-" + "0" * 12, **LOST)
DIED = result("b", 1, attempt="1" * 8 + "-0000-0000-0000-" + "0" * 12)
THIRD = result("b", 1, attempts=3)
EXPECTED = """+++
schema = 1
model = "tiny"
suite = "agentic-core-v1"
runs = 2
[score]
point = 0.5
+++
"""


@pytest.fixture(params=[True, False], ids=["ended", "killed"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> CampaignFolder:
    """Every file that a pack can have, of a campaign that ended and of one that was killed behind its last trial."""
    (tmp_path / "predictions.md").write_text(EXPECTED)
    filed = filing(tmp_path / "predictions.md", EXPECTED.encode())
    made = manifest([("a", 1), ("a", 2), ("b", 1)], predictions=filed)
    record = CampaignRecord.begin(tmp_path / "results", made, {"predictions.md": EXPECTED.encode()})
    for trial in (FIRST, SECOND, REPLACED, DIED, THIRD):
        write_evidence(record.folder, trial, tmp_path / "scratch", judged=trial is not DIED)
        if trial is not DIED:
            record.add(trial)
    set_aside(record.folder, [record.folder.transcript(DIED.attempt)])
    record.folder.workspace(DIED.attempt).unlink()
    if request.param:
        record.finish(exit_status=0, finished=FINISHED)
        baseline = write_campaign(tmp_path / "before", [FIRST, SECOND])
        write_reports(read_campaign(record.folder.path), read_campaign(baseline.path))
    else:
        record.seals.attempts()
        record.abandon()
    return record.folder


def files(folder: CampaignFolder) -> Iterator[Path]:
    for path in sorted(folder.path.rglob("*")):
        if path.is_file() and path.name != ".lock":
            yield path


def edited(content: bytes) -> bytes:
    """With another letter or digit in its middle."""
    middle = next(n for n in range(len(content) // 2, len(content)) if content[n : n + 1].isalnum())
    return content[:middle] + (b"8" if content[middle : middle + 1] == b"7" else b"7") + content[middle + 1 :]


def names(folder: CampaignFolder) -> set[str]:
    return {problem.file for problem in examine(folder).problems}


def test_every_file_that_is_edited_cut_or_deleted_is_named(folder: CampaignFolder) -> None:
    assert examine(folder).problems == []
    unnamed, seen = [], set()
    for path in files(folder):
        name, before = path.relative_to(folder.path).as_posix(), path.read_bytes()
        seen.add(name)
        for what, content in (("edited", edited(before)), ("cut", before[: len(before) // 2]), ("deleted", None)):
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            unnamed += [f"{name} {what}"] if name not in names(folder) else []
            path.write_bytes(before)
    assert unnamed == []
    assert {"predictions.md", f"data/attempts/{DIED.attempt}.jsonl"} < seen
    assert examine(folder).problems == []


def test_a_line_that_was_taken_from_the_digests_is_named(folder: CampaignFolder) -> None:
    lines = folder.digests.read_bytes().splitlines(keepends=True)
    for number in range(len(lines) - 1):
        folder.digests.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        first = examine(folder).problems[0]
        assert (first.file, first.line) == ("data/digests.jsonl", number + 1)


@pytest.mark.parametrize("place", ["data/results.jsonl", "manifest.json", "transcript", "workspace", "predictions.md"])
def test_a_report_launders_nothing(folder: CampaignFolder, place: str) -> None:
    named = {"transcript": folder.transcript(THIRD.attempt), "workspace": folder.workspace(THIRD.attempt)}
    path = named.get(place, folder.path / place)
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"turns":4', b'"turns":5').replace(b'"seed": 7', b'"seed": 8'))
    if path.read_bytes() == before:
        path.write_bytes(edited(before))

    assert main(["report", str(folder.path)]) == 0

    assert path.relative_to(folder.path).as_posix() in names(folder)


@pytest.mark.parametrize("lines", [1, 3])
def test_deleted_result_lines_stay_named_behind_a_report(tmp_path: Path, lines: int) -> None:
    folder = write_campaign(tmp_path / "results", [FIRST, SECOND, THIRD])
    kept = folder.results.read_bytes().splitlines(keepends=True)[:-lines]
    folder.results.write_bytes(b"".join(kept))

    assert main(["report", str(folder.path)]) == 0

    lacks = [problem for problem in examine(folder).problems if "lacks the line of" in problem.sentence]
    assert [problem.attempt for problem in lacks] == [trial.attempt for trial in (FIRST, SECOND, THIRD)[-lines:]]


def test_emptied_digests_and_verdicts_turned_into_passes(folder: CampaignFolder) -> None:
    folder.digests.write_bytes(b"")
    for path in (folder.results, folder.transcript(SECOND.attempt)):
        path.write_text(path.read_text().replace('"passed":false', '"passed":true'))

    assert main(["report", str(folder.path)]) == 0

    assert "data/digests.jsonl" in names(folder)


def test_a_report_that_was_killed_leaves_a_valid_pack(folder: CampaignFolder) -> None:
    """Its digests were written and its files were not, or only a part of the digests was."""
    before = folder.digests.read_bytes()
    old = {path: path.read_bytes() for path in files(folder)}
    assert main(["report", str(folder.path)]) == 0
    added = folder.digests.read_bytes()[len(before) :].splitlines(keepends=True)
    folder.digests.write_bytes(before + b"".join(added[:-1]))  # all but the line that says that it came to its end
    assert examine(folder).problems == []
    for path in (folder.path / "report.md", folder.path / "report.html"):
        path.unlink()
        if path in old:
            path.write_bytes(old[path])
    assert examine(folder).problems == []
    folder.digests.write_bytes(before + added[0][:40])
    assert main(["report", str(folder.path)]) == 0
    assert examine(folder).problems == []


def test_a_line_that_a_kill_prevented_is_said_to_be(tmp_path: Path) -> None:
    """The digest came, the result line did not; whoever writes next says so, and everything fits again."""
    record = CampaignRecord.begin(tmp_path / "results", manifest([("a", 1), ("a", 2)]))
    for trial in (FIRST, SECOND):
        write_evidence(record.folder, trial, tmp_path / "scratch")
    record.add(FIRST)
    record.seals.result(SECOND)
    record.abandon()
    assert examine(record.folder).problems == []

    assert main(["report", str(record.folder.path)]) == 0
    assert examine(record.folder).problems == []
    again = CampaignRecord(record.folder, record.manifest)
    again.add(SECOND)
    again.finish(exit_status=0, finished=FINISHED)

    assert examine(record.folder).problems == []
    assert [attempt for _, attempt in read_digests(record.folder).results] == [FIRST.attempt, SECOND.attempt]


def test_a_file_that_a_kill_kept_as_it_was_is_said_to_be(folder: CampaignFolder) -> None:
    """A digest whose file never came, and then other lines: the file is still no problem, and an edit of it is."""
    seals = Seals(folder)
    seals.files({"manifest.json": TextDigest.of([b"a manifest that never came"])})
    seals.close()
    assert examine(folder).problems == []

    assert main(["report", str(folder.path)]) == 0
    assert examine(folder).problems == []
    folder.manifest.write_bytes(edited(folder.manifest.read_bytes()))
    assert "manifest.json" in names(folder)


def test_after_what_the_disk_did_not_take_nothing_is_promised(tmp_path: Path) -> None:
    """A full disk, here a folder in the place of the manifest, which stays as it was."""
    record = CampaignRecord.begin(tmp_path / "results", manifest([("a", 1), ("a", 2)]))
    place, before = record.folder.manifest, record.folder.manifest.read_bytes()
    for trial in (FIRST, SECOND):
        write_evidence(record.folder, trial, tmp_path / "scratch")
    record.add(FIRST)
    place.unlink()
    place.mkdir()
    with pytest.raises(RecordError, match="cannot be written"):
        record.revise(warnings=("slow",))
    place.rmdir()
    place.write_bytes(before)

    with pytest.raises(RecordError):
        record.add(SECOND)
    with pytest.raises(RecordError):
        record.finish(exit_status=0, finished=FINISHED)

    assert examine(record.folder).problems == []
    again = CampaignRecord(record.folder, record.manifest)
    again.add(SECOND)
    again.finish(exit_status=0, finished=FINISHED)
    assert examine(record.folder).problems == []


def test_a_table_that_the_disk_did_not_take_is_written_by_the_next_process(tmp_path: Path) -> None:
    """Here a folder lies in its place: some tables are new then, and some as they were."""
    record = CampaignRecord.begin(tmp_path / "results", manifest([("a", 1), ("a", 2)]))
    table = record.folder.verification / "latency_distribution.csv"
    for trial in (FIRST, SECOND):
        write_evidence(record.folder, trial, tmp_path / "scratch")
    record.add(FIRST)
    table.mkdir()
    with pytest.raises(RecordError, match="cannot be written"):
        record.finish(exit_status=0, finished=FINISHED)
    table.rmdir()

    assert examine(record.folder).problems == []
    again = CampaignRecord(record.folder, record.manifest)
    again.add(SECOND)
    again.finish(exit_status=0, finished=FINISHED)
    assert examine(record.folder).problems == []


def test_a_report_into_a_campaign_that_is_being_written_is_refused(
    folder: CampaignFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = lock_campaign(folder)

    assert main(["report", str(folder.path)]) == 2
    assert "wait until it ends, or write the report elsewhere with -o DIR" in capsys.readouterr().err
    assert main(["report", str(folder.path), "-o", str(tmp_path / "elsewhere")]) == 0
    lock.close()


def test_a_pack_without_folders_is_written_all_the_same(folder: CampaignFolder) -> None:
    """Somebody removed what is empty or derived."""
    for place in (folder.verification, folder.workspaces, folder.transcripts):
        shutil.rmtree(place)

    record = CampaignRecord(folder, read_campaign(folder.path).manifest)
    record.finish(exit_status=0, finished=FINISHED)

    assert (folder.verification / "trials.csv").is_file()
    assert folder.workspaces.is_dir()
