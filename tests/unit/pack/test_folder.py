"""Campaign folders: names, races, locks."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from written import create_campaign

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import (
    CampaignFolder,
    campaigns,
    dated_name,
    is_being_written,
    lock_campaign,
    slug,
    write_atomically,
)


def test_the_date_is_that_of_utc() -> None:
    late = datetime(2026, 6, 10, 22, 30, tzinfo=timezone(timedelta(hours=-5)))

    assert dated_name(late, "m", "s") == "2026-06-11-m-s"


@pytest.mark.parametrize("text", ["../../etc/passwd", "a/b", "My Suite!", ".hidden", "x" * 300, "naïve\x00\n"])
def test_a_slug_is_always_one_plain_folder_name(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,79}", slug(text))


@pytest.mark.parametrize("text", ["", "..", "///", "漢字"])
def test_a_name_without_letters_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no letter or digit"):
        slug(text)


def test_a_second_campaign_of_a_day_gets_a_suffix_and_nothing_else_is_visible(tmp_path: Path) -> None:
    results = tmp_path / "deep" / "results"
    made = [create_campaign(results, "2026-06-10-m-s").id for _ in range(3)]

    assert made == ["2026-06-10-m-s", "2026-06-10-m-s-2", "2026-06-10-m-s-3"]
    assert sorted(path.name for path in results.iterdir()) == made


def test_campaigns_started_at_once_never_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_campaign(tmp_path, "c").id, range(24)))

    assert len(set(made)) == 24


def test_a_results_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")

    with pytest.raises(UsageError, match="cannot be used as results folder"):
        create_campaign(tmp_path / "results", "c")


def test_only_folders_with_a_manifest_are_campaigns(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    folder = create_campaign(tmp_path, "c")
    folder.manifest.write_text("{}")

    assert [found.path for found in campaigns(tmp_path)] == [folder.path]


def test_a_second_process_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "c")
    lock = lock_campaign(folder)
    assert "another process is writing this campaign" in _take_lock_elsewhere(folder)

    lock.close()

    assert _take_lock_elsewhere(folder) == "taken"


def test_looking_whether_it_is_written_writes_nothing_and_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "c")
    assert not is_being_written(folder)
    assert not folder.lock.exists()
    lock = lock_campaign(folder)
    assert is_being_written(folder)
    lock.close()
    assert not is_being_written(folder)

    with folder.lock.open("rb") as glance:  # somebody looks at the very moment when a session begins
        fcntl.flock(glance, fcntl.LOCK_SH)
        threading.Timer(0.002, fcntl.flock, (glance, fcntl.LOCK_UN)).start()
        lock_campaign(folder).close()


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "c")
    killed = subprocess.run(
        [sys.executable, "-c", f"{_TAKE}\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)", folder.path],
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -9

    lock_campaign(folder).close()


def test_a_replaced_file_leaves_no_draft(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x.csv", b"one")
    write_atomically(tmp_path / "x.csv", b"two", sync=True)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x.csv": b"two"}


_TAKE = """
import sys
from pathlib import Path
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.errors import UsageError
try:
    lock = lock_campaign(CampaignFolder(Path(sys.argv[1])))
    print("taken", end="", flush=True)
except UsageError as error:
    print(error)
"""


def _take_lock_elsewhere(folder: CampaignFolder) -> str:
    return subprocess.run([sys.executable, "-c", _TAKE, folder.path], check=True, capture_output=True, text=True).stdout
