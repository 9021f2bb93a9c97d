"""Whatever a model leaves is a value or one readable assertion; what it changed is told, what is protected restored."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checking.conftest import Finish
from pytest_agentcore.checking.readers import MOST_LINES, diff, matches
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.tasks.task import database

READERS: dict[str, Callable[[Trial, str], Any]] = {
    "text": Trial.text,
    "line": Trial.line,
    "int": Trial.int,
    "key=value": lambda trial, path: trial.fields(path, "key={}"),
    "path:name": lambda trial, path: trial.fields(path, "{}:{}"),
    "json": Trial.json,
    "csv": Trial.csv,
    "sqlite": lambda trial, path: trial.sqlite(path).query("SELECT * FROM t"),
}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def huge(path: Path) -> None:
    path.write_bytes(b"1\n")
    os.truncate(path, 80_000_000)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address holds 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


SPECIAL: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "answer is missing"),
    "folder": (Path.mkdir, "answer is a folder, not a file"),
    "link": (lambda path: path.symlink_to("real.txt"), "answer is a symbolic link, not a file"),
    "link out": (lambda path: path.symlink_to("/etc/passwd"), "answer is a symbolic link, not a file"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "answer is a symbolic link, not a file"),
    "link to itself": (lambda path: path.symlink_to("answer"), "answer is a symbolic link, not a file"),
    "fifo": (fifo, "answer is a FIFO, not a file"),
    "socket": (a_socket, "answer is a socket, not a file"),
    "hard link out": (
        lambda path: path.hardlink_to(path.parent.parent / "outside"),
        "answer is a hard link to a file outside the workspace, not a file",
    ),
    "huge": (huge, "answer is too big: 80000000 bytes"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("left", SPECIAL)
def test_no_regular_file_is_an_assertion(finish: Finish, left: str, reader: str) -> None:
    make, sentence = SPECIAL[left]

    def leave(root: Path) -> None:
        (root / "real.txt").write_text("1\n")
        (root.parent / "outside").write_text("1\n")
        make(root / "answer")

    trial = finish(leave=leave)
    with pytest.raises(AssertionError) as caught:
        READERS[reader](trial, "answer")
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 200


MALFORMED: list[tuple[str, bytes, str]] = [
    ("text", b"caf\xe9", "answer is not UTF-8 text: byte 3 cannot be decoded"),
    ("text", bytes(range(256)), "answer is not UTF-8 text"),
    ("line", b"", "answer is empty; one line was asked for"),
    ("line", b" \n\t\n", "answer is empty; one line was asked for"),
    ("line", b"cause=1\ncause=2\n", "answer has 2 lines, one was asked for; it begins `cause=1`"),
    ("int", b"", "answer is empty"),
    ("int", b"35 bytes\n", "answer holds `35 bytes`; one integer and nothing else"),
    ("int", b"3.5", "answer holds `3.5`"),
    ("int", b"1_000", "answer holds `1_000`"),
    ("int", "٣٥".encode(), "answer holds `٣٥`"),
    ("int", b"9" * 5000, "one integer and nothing else"),
    ("int", b"35 or 36", "answer holds `35 or 36`"),
    ("int", b"\x1b[31m35", "answer holds `[31m35`"),
    ("int", b"12,34", "answer holds `12,34`"),
    ("int", b"1,234,56", "answer holds `1,234,56`"),
    ("int", b"1.234", "answer holds `1.234`"),
    ("int", b"12 34", "answer holds `12 34`"),
    ("int", b"12,345 678", "answer holds `12,345 678`"),
    ("int", b"35.0", "answer holds `35.0`"),
    ("int", b"(35)", "answer holds `(35)`"),
    ("int", b'35", "36', "one integer and nothing else"),
    ("int", b"| 35 | 36 |", "answer holds `35 | 36`"),
    ("int", b"35\n\n36", "answer has 2 lines"),
    ("int", b"```\n35\n36\n```", "answer has 2 lines"),
    ("int", b"```", "answer is empty"),
    ("key=value", b"7", "answer holds `7`; one line key=… was asked for"),
    ("key=value", b"key=", "answer holds `key=`"),
    ("key=value", b"key=7 or key=8", "answer holds `key=7 or key=8`"),
    ("key=value", b"key: 7", "answer holds `key: 7`"),
    ("key=value", b"monkey=7", "answer holds `monkey=7`"),
    ("key=value", b"key=" + b"7" * 400, "answer holds `key="),
    ("path:name", b"a:" * 2_000_000, "answer has 4000000 characters: nobody reads that"),
    ("path:name", b"a:" * 9_000, "answer holds `a:a:"),
    ("path:name", b"a.py", "answer holds `a.py`; one line …:… was asked for"),
    ("json", b"", "answer is not JSON"),
    ("json", b"{'a': 1}", "answer is not JSON"),
    ("json", b'{"a": NaN}', "answer is not JSON (NaN is no JSON)"),
    ("json", b"[" * 100_000, "nested too deep"),
    ("json", b"9" * 5000, "answer is not JSON"),
    ("csv", b'a,"b\n', "answer is not CSV"),
    ("csv", b'a,"b"c\n', "answer is not CSV"),
    ("csv", b"a" * 200_000, "answer is not CSV (field larger than field limit"),
    ("sqlite", b"", "answer cannot be queried: no such table: t"),
    ("sqlite", b"SELECT 1", "answer cannot be queried: file is not a database"),
    ("sqlite", b"SQLite format 3\0" + b"\xff" * 4000, "answer cannot be queried"),
    ("sqlite", database("CREATE TABLE other (x)"), "answer cannot be queried: no such table: t"),
    (
        "sqlite",
        database("CREATE VIEW t AS WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT x FROM n"),
        "answer: a query gives more than 100000 rows",
    ),
    ("sqlite", database("CREATE VIEW t AS SELECT zeroblob(900000000)"), "cannot be queried: string or blob too big"),
    (
        "sqlite",
        database(
            "CREATE VIEW t AS WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) "
            "SELECT zeroblob(60000000) FROM n"
        ),
        "answer: a query gives more than 268435456 bytes",
    ),
]


@pytest.mark.parametrize(("reader", "content", "sentence"), MALFORMED)
def test_malformed_content_is_an_assertion(finish: Finish, reader: str, content: bytes, sentence: str) -> None:
    trial = finish({"answer": content})
    with pytest.raises(AssertionError) as caught:
        READERS[reader](trial, "answer")
    assert sentence in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_a_query_without_end_is_an_assertion(finish: Finish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_agentcore.checking.readers.MOST_SECONDS", 0.2)
    endless = "CREATE VIEW t AS WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n) SELECT count(*) FROM n"
    trial = finish({"answer": database(endless)})
    with pytest.raises(AssertionError, match="answer cannot be queried: interrupted"):
        trial.sqlite("answer").query("SELECT * FROM t")


GOOD: list[tuple[str, bytes, Any]] = [
    ("text", "héllo\r\n".encode(), "héllo\r\n"),
    ("text", b"\xef\xbb\xbfmarked", "marked"),
    ("text", b"", ""),
    ("line", b"\n  cause=7 \r\n\n", "cause=7"),
    ("line", b"\xef\xbb\xbfcause=7", "cause=7"),
    ("int", b"35", 35),
    ("int", b" -7\r\n", -7),
    ("int", b"+0\n\n", 0),
    ("int", b"1,234,567", 1234567),
    ("int", "12\u202f345".encode(), 12345),
    ("int", "\uff13\uff15".encode(), 35),
    ("key=value", b"key=7", ("7",)),
    ("key=value", b"\tKEY = 7.\r\n", ("7",)),
    ("key=value", b'key="7"', ("7",)),
    ("path:name", b"./a/b.py : NAME", ("./a/b.py", "NAME")),
    ("path:name", b"`a.py`:`NAME`", ("a.py", "NAME")),
    ("path:name", b"__init__.py:__all__", ("__init__.py", "__all__")),
    ("path:name", b"a/__main__.py:_A_B_", ("a/__main__.py", "_A_B_")),
    ("path:name", rb"a.py:A\_B\_C", ("a.py", "A_B_C")),
    ("json", b'\n{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
    ("csv", b'day,revenue\r\n\r\n"1, or 2","5\n6"\r\n', [["day", "revenue"], ["1, or 2", "5\n6"]]),
    (
        "sqlite",
        database("CREATE TABLE t (x, y); INSERT INTO t VALUES (1, 'é'), (NULL, x'ff')"),
        [(1, "é"), (None, b"\xff")],
    ),
]


@pytest.mark.parametrize(("reader", "content", "value"), GOOD)
def test_good_content_is_a_value(finish: Finish, reader: str, content: bytes, value: Any) -> None:
    assert READERS[reader](finish({"answer": content}), "answer") == value


AROUND = (
    *("`{}`", "``{}``", '"{}"', "'{}'", "**{}**", "*{}*", "_{}_", "\u201c{}\u201d", "\u2018{}\u2019"),
    *("\u00ab {} \u00bb", "**`{}`**", "`'{}'`", "\u00a0{}\u2003", "\u200b{}\ufeff", "\ufeff\ufeff{}"),
    *("\ufeff{}\r\n", "\n\n{}\n\n", "```\n{}\n```\n", "```text\n  {}\n```", "# {}", "- {}", "| {} |"),
    *("<code>{}</code>", "<p>{}</p>\n"),
)


@pytest.mark.parametrize("around", AROUND)
def test_what_is_around_an_answer_is_of_no_account(finish: Finish, around: str) -> None:
    def left(answer: str) -> Trial:
        return finish({"answer": around.format(answer)})

    assert left("35").int("answer") == left("35.").int("answer") == 35
    assert left("key=7").fields("answer", "key={}") == left("Key = 7.").fields("answer", "key={}") == ("7",)
    assert ":".join(left("a/b.py:A_B").fields("answer", "{}:{}")).strip("_") == "a/b.py:A_B"


@pytest.mark.parametrize("line", ["'a', 'b'", '"a"', "**a** **b**", "# a", "say 'a'", "a`", "''", "*"])
def test_a_line_is_read_as_it_stands(finish: Finish, line: str) -> None:
    assert finish({"answer": f"{line}\n"}).line("answer") == line


FITTING: list[tuple[str, Any]] = [
    ('{"a": 1}', None),
    ('{"a": 1}', dict),
    ('{"a": 1, "more": 2}', {"a": int}),
    ('{"a": [1, 2]}', {"a": [int]}),
    ('{"a": [1, 2.5]}', {"a": [float]}),
    ("[]", [str]),
    ("true", bool),
    ("null", None),
]


@pytest.mark.parametrize(("text", "shape"), FITTING)
def test_json_of_the_shape_is_read(finish: Finish, text: str, shape: Any) -> None:
    assert finish({"answer": text}).json("answer", shape) == json.loads(text)


OTHER_SHAPES: list[tuple[str, Any, str]] = [
    ("[1]", dict, "answer is `[1]`, not an object"),
    ('"a"', list, 'answer is `"a"`, not a list'),
    ("true", int, "answer is `true`, not an integer"),
    ("1", bool, "answer is `1`, not true or false"),
    ('{"a": "1"}', {"a": int}, "answer['a'] is `\"1\"`, not an integer"),
    ('{"b": 1}', {"a": int}, "answer has no 'a'"),
    ('{"a": [1, null]}', {"a": [float]}, "answer['a'][1] is `null`, not a number"),
    ("null", {"a": int}, "answer is `null`, not an object"),
]


@pytest.mark.parametrize(("text", "shape", "sentence"), OTHER_SHAPES)
def test_json_of_another_shape_is_an_assertion(finish: Finish, text: str, shape: Any, sentence: str) -> None:
    with pytest.raises(AssertionError) as caught:
        finish({"answer": text}).json("answer", shape)
    assert str(caught.value) == sentence


def test_text_in_a_database_need_not_be_utf8(finish: Finish) -> None:
    trial = finish({"answer": database("CREATE TABLE t (x); INSERT INTO t VALUES (CAST(x'6180' AS TEXT))")})
    assert trial.sqlite("answer").query("SELECT x FROM t") == [("a\ufffd",)]


def test_a_database_is_read_with_its_write_ahead_log(finish: Finish) -> None:
    def leave(root: Path) -> None:
        writer = sqlite3.connect(root / "shop.db")
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES (?)", (7,))
        writer.commit()
        for name in ("shop.db", "shop.db-wal"):
            (root / f"copy-{name}").write_bytes((root / name).read_bytes())
        writer.close()

    trial = finish(leave=leave)
    assert trial.sqlite("copy-shop.db").query("SELECT x FROM t WHERE x = ?", 7) == [(7,)]


@pytest.mark.parametrize(
    "sql", ["DELETE FROM t", "ATTACH 'other.db' AS o", "PRAGMA user_version = 3", "SELECT 1; SELECT 2"]
)
def test_a_query_only_reads(finish: Finish, sql: str) -> None:
    trial = finish({"answer": database("CREATE TABLE t (x)")})
    with pytest.raises((AssertionError, sqlite3.ProgrammingError)):
        trial.sqlite("answer").query(sql)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../outside", "a/../../b", "a\0b"])
def test_a_path_outside_the_workspace_is_the_checkers_mistake(finish: Finish, path: str) -> None:
    with pytest.raises(ValueError, match="is not a path inside the workspace"):
        finish({"a/b": "1"}).text(path)


def test_a_file_below_a_link_is_missing(finish: Finish) -> None:
    def leave(root: Path) -> None:
        (root / "real").mkdir()
        (root / "real" / "answer").write_text("1")
        (root / "out").symlink_to("real")

    trial = finish(leave=leave)
    assert trial.int("real/answer") == 1
    assert not trial.exists("out/answer")
    with pytest.raises(AssertionError, match="out/answer is missing: out is a symbolic link"):
        trial.int("out/answer")


def test_a_file_below_a_file_is_missing(finish: Finish) -> None:
    with pytest.raises(AssertionError, match="answer/below is missing"):
        finish({"answer": "1"}).int("answer/below")


def test_exists_knows_files_and_folders_only(finish: Finish) -> None:
    def leave(root: Path) -> None:
        (root / "link").symlink_to("file")
        fifo(root / "pipe")

    trial = finish({"file": "", "folder/file": ""}, leave=leave)
    assert [path for path in ("file", "folder", "folder/file", "link", "pipe", "none") if trial.exists(path)] == [
        "file",
        "folder",
        "folder/file",
    ]


DIFFS: list[tuple[str, str, int, int]] = [
    ("a\nb\n", "a\nb\n", 0, 0),
    ("", "", 0, 0),
    ("", "a\n", 1, 0),
    ("a\n", "", 0, 1),
    ("a\nb\nc\n", "a\nB\nc\n", 1, 1),
    ("a\nb\n", "a\nx\nb\n", 1, 0),
    ("a\nb\n", "a\nb", 1, 1),
    ("a\nb", "a\nb\n", 1, 1),
    ("a\nb\n", "a\r\nb\r\n", 2, 2),
    ("a\x0cb\u2028c\n", "a\x0cb\u2028d\n", 1, 1),
    ("a\n", "a\n\n", 1, 0),
    ("\n" * 300, "\n" * 300 + "x\n", 1, 0),
    ("a\n" * 500 + "b\n" + "a\n" * 500, "a\n" * 1000, 0, 1),
    ("a\n", "b\n" * (MOST_LINES + 1), MOST_LINES + 1, 1),
]


@pytest.mark.parametrize(("before", "after", "added", "removed"), DIFFS)
def test_diff_counts_lines(before: str, after: str, added: int, removed: int) -> None:
    found = diff(before, after)
    assert (found.added, found.removed, found.changed_lines) == (added, removed, added + removed)


def test_diff_of_a_trial(finish: Finish) -> None:
    trial = finish({"data.csv": "a,b\n1,2"}, given={"data.csv": "a,b\n"})
    assert trial.diff("data.csv").text == "--- given\n+++ final\n@@ -1 +1,2 @@\n a,b\n+1,2\n\\ no newline at the end\n"


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
