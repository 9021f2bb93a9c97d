"""What the model changed, and what is restored before the check."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from checking.conftest import Finish
from pytest_agentcore.checking.frozen import matches

GIVEN = {"src/price.py": "def total(): ...\n", "tests/test_price.py": "expected = 1\n", "data.csv": "a,b\n"}


def test_changed_names_what_was_added_removed_and_modified(finish: Finish) -> None:
    def leave(root: Path) -> None:
        (root / "data.csv").unlink()
        (root / "src" / "__pycache__").mkdir()
        (root / "src" / "__pycache__" / "price.cpython-311.pyc").write_bytes(b"x")
        (root / ".pytest_cache").mkdir()
        (root / ".pytest_cache" / "README.md").write_text("x")
        (root / "empty").mkdir()

    trial = finish({"src/price.py": "def total(): 1\n", "new.txt": ""}, given=GIVEN, leave=leave)
    assert trial.changed() == {"data.csv", "src/price.py", "new.txt"}
    assert trial.files() == ("new.txt", "src/price.py", "tests/test_price.py")


def test_nothing_changed(finish: Finish) -> None:
    def leave(root: Path) -> None:
        (root / "data.csv").write_text("other\n")
        (root / "data.csv").write_text(GIVEN["data.csv"])

    assert finish(given=GIVEN, leave=leave).changed() == frozenset()


def test_a_link_in_a_files_place_and_a_new_special_file_are_changes(finish: Finish) -> None:
    def leave(root: Path) -> None:
        (root / "data.csv").rename(root / "moved.csv")
        (root / "data.csv").symlink_to("moved.csv")
        os.mkfifo(root / "pipe")

    assert finish(given=GIVEN, leave=leave).changed() == {"data.csv", "moved.csv", "pipe"}


def put_file_for_folder(root: Path) -> None:
    shutil.rmtree(root / "tests")
    (root / "tests").write_text("x")


def put_link_for_folder(root: Path) -> None:
    shutil.rmtree(root / "tests")
    (root / "tests").symlink_to("src")


def put_link_for_file(root: Path) -> None:
    (root / "tests/test_price.py").unlink()
    (root / "tests/test_price.py").symlink_to("../src/price.py")


def put_folder_for_file(root: Path) -> None:
    (root / "tests/test_price.py").unlink()
    (root / "tests/test_price.py/x").mkdir(parents=True)


def put_fifo_for_file(root: Path) -> None:
    (root / "tests/test_price.py").unlink()
    os.mkfifo(root / "tests/test_price.py")


TAMPERING: dict[str, Callable[[Path], object]] = {
    "edited": lambda root: (root / "tests/test_price.py").write_text("expected = 2\n"),
    "removed": lambda root: shutil.rmtree(root / "tests"),
    "added beside": lambda root: (root / "tests/conftest.py").write_text("raise SystemExit(0)\n"),
    "a file for the folder": put_file_for_folder,
    "a link for the folder": put_link_for_folder,
    "a link for the file": put_link_for_file,
    "a folder for the file": put_folder_for_file,
    "a fifo for the file": put_fifo_for_file,
    "unreadable": lambda root: (root / "tests").chmod(0),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_protected_files_are_as_given_and_the_change_is_still_told(finish: Finish, how: str) -> None:
    trial = finish({"src/price.py": "fixed\n"}, given=GIVEN, protected=("tests/*",), leave=TAMPERING[how])
    assert trial.text("tests/test_price.py") == "expected = 1\n"
    assert trial.text("src/price.py") == "fixed\n"
    assert [path for path in trial.files() if path.startswith("tests")] == ["tests/test_price.py"]
    if how != "unreadable" or os.geteuid() != 0:  # root reads it all the same
        assert any(path.startswith("tests") for path in trial.changed())


def test_what_was_given_stays_available(finish: Finish) -> None:
    trial = finish({"data.csv": "changed\n"}, given=GIVEN)
    assert trial.original("data.csv") == "a,b\n"
    with pytest.raises(ValueError, match=r"'nothing\.txt' is not among the given files"):
        trial.original("nothing.txt")


@pytest.mark.parametrize(
    ("path", "pattern", "covered"),
    [
        ("tests/test_a.py", "tests/*", True),
        ("tests/deep/test_a.py", "tests/*", True),
        ("tests/test_a.py", "tests", True),
        ("tests/test_a.py", "tests/", True),
        ("tests_a.py", "tests", False),
        ("conftest.py", "**/conftest.py", True),
        ("a/b/conftest.py", "**/conftest.py", True),
        ("src/price.py", "src/price.py", True),
        ("src/Price.py", "src/price.py", False),
    ],
)
def test_patterns(path: str, pattern: str, covered: bool) -> None:
    assert matches(path, [pattern]) is covered
