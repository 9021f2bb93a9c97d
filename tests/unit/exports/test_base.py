"""What is written where, and what is refused before anything is written."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packs import many, write_pack

from pytest_agentcore.cli.__main__ import USAGE_ERROR, main
from pytest_agentcore.errors import UsageError
from pytest_agentcore.exports import atif, eee, inspect_log
from pytest_agentcore.exports.base import Format, Told, export, require
from pytest_agentcore.pack.read import Campaign, read_campaign


def two_files(campaign: Campaign, _told: Told) -> Mapping[str, Callable[[Path], None]]:
    """A format of one's own, in a package that is always there."""
    return {
        "a.txt": lambda path: path.write_text(campaign.folder.id) and None,
        "inner/b.txt": lambda path: path.write_text("b") and None,
    }


FORMATS = {"inspect": inspect_log.FORMAT, "eee": eee.FORMAT, "atif": atif.FORMAT}
MINE = Format(package="json", python=(3, 10), files=two_files, opened_with="ls {out}")


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """A campaign, and `inspect` as a format that needs nothing."""
    monkeypatch.setattr(inspect_log, "FORMAT", MINE)
    monkeypatch.chdir(tmp_path)
    return read_campaign(write_pack(tmp_path / "there", *many(2, 2)).path)


@pytest.mark.parametrize(
    ("name", "package"), [("inspect", "inspect_ai"), ("eee", "every_eval_ever"), ("atif", "harbor")]
)
def test_without_its_package_a_format_says_what_to_install(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    for version, where in (((3, 11, 7), "in such an environment"), ((3, 12, 1), "")):
        monkeypatch.setattr(sys, "version_info", version)
        with pytest.raises(UsageError, match=rf"^--to {name}: needs the package {package}, .*\[{name}\]'") as refused:
            require(name, FORMATS[name])
        assert (where if FORMATS[name].python > version else "") in str(refused.value)
        assert ("or newer" in str(refused.value)) == (FORMATS[name].python > version)


def test_files_lie_where_the_format_wants_them(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(campaign.folder.path), "--to", "inspect"]) == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"there-inspect: 2 files, of 4 recorded trials \(\d scored\)\nls there-inspect\n", said)
    made = Path("there-inspect")
    assert sorted(path.name for path in made.rglob("*")) == ["a.txt", "b.txt", "inner"]
    assert (made / "a.txt").read_text() == "there"
    assert main(["export", str(campaign.folder.path), "--to", "inspect", "--force", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"] == [str(made / "a.txt"), str(made / "inner" / "b.txt")]
    assert (facts["rates"]["planned"], facts["shown_by"]) == (4, "ls there-inspect")


def test_nothing_is_written_over_unasked(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(campaign.folder.path), "--to", "inspect", "-o", "an out"]
    Path("an out").mkdir()
    (Path("an out") / "a.txt").write_text("mine")
    assert main(words) == USAGE_ERROR
    assert "an out/a.txt: is there already; name another folder with -o, or replace it with --force" in (
        capsys.readouterr().err
    )
    assert [path.name for path in Path("an out").iterdir()] == ["a.txt"]
    assert (Path("an out") / "a.txt").read_text() == "mine"
    assert main([*words, "--force"]) == 0
    assert "ls 'an out'\n" in capsys.readouterr().out
    assert (Path("an out") / "a.txt").read_text() == "there"


@pytest.mark.parametrize(
    ("out", "told", "says"),
    [
        ("there/data", Told(), "there/data: lies inside the campaign"),
        ("x", Told(organization="me"), "has no place for --organization"),
        ("a file/x", Told(), "a file/x: cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_is_refused(campaign: Campaign, out: str, told: Told, says: str) -> None:
    Path("a file").write_text("")
    before = sorted(Path().rglob("*"))
    with pytest.raises(UsageError, match=says):
        export(campaign, "inspect", MINE, Path(out), told)
    assert sorted(Path().rglob("*")) == before


def test_a_campaign_without_a_result_is_refused(tmp_path: Path) -> None:
    empty = read_campaign(write_pack(tmp_path / "empty", many(1, 2)[0], []).path)
    with pytest.raises(UsageError, match="empty: no trial of it has a result yet"):
        export(empty, "mine", MINE, tmp_path / "out", Told())
    assert not (tmp_path / "out").exists()


def test_an_export_that_breaks_leaves_no_half_of_a_file(campaign: Campaign) -> None:
    def breaks(path: Path) -> None:
        path.write_text("half")
        raise ValueError("broken")

    broken = Format(package="json", python=(3, 10), files=lambda _campaign, _told: {"a": breaks}, opened_with="")
    with pytest.raises(ValueError, match="broken"):
        export(campaign, "mine", broken, Path("out"), Told())
    assert list(Path("out").iterdir()) == []
