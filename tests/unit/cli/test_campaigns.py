"""Commands over campaigns: which one is meant, and what is said where none is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packs import write_pack
from results import WRONG, manifest, result
from small_packs import campaign, pack, trials_of

from pytest_agentcore.cli.__main__ import main

TAKE_CAMPAIGNS = (
    "compare",
    "export",
    "gate",
    "group",
    "leaderboard",
    "merge",
    "plan",
    "recheck",
    "report",
    "show",
    "validate",
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three campaigns in `there`: names and dates are in other orders, and the oldest was continued last."""
    home = tmp_path / "there"
    pack(home / "b", trials_of("b", task_05_minimal_fix=1, task_10_sql=2), started="2026-06-02T10:00:00+00:00")
    pack(home / "c", trials_of("c", task_05_minimal_fix=3), started="2026-06-01T10:00:00+00:00")
    pack(home / "a", [result("task_01_x", 1, **WRONG)], started="2026-06-03T10:00:00+00:00")
    return home


@pytest.mark.parametrize("name", TAKE_CAMPAIGNS)
def test_every_command_that_takes_campaigns_takes_the_folder_they_lie_in(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert "--results DIR" in capsys.readouterr().out


def test_the_newest_campaign_is_meant_where_none_is_named(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"--results={results}"
    assert main(["show", place]) == 0
    assert "task_01_x" in capsys.readouterr().out
    assert main(["report", place]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(results / "a" / "report.html")
    main(["validate", place])
    assert capsys.readouterr().out.splitlines()[-1].startswith("a: ")
    assert main(["plan", "--detect=50pp", "--from", place]) in (0, 2)
    assert "a" in "".join(capsys.readouterr())
    assert main(["leaderboard", place]) == 0


def test_the_newest_is_said_wherever_it_is_taken(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"--results={results}"
    for words in (
        ["show"],
        ["show", "task_01:1"],
        ["report"],
        ["validate"],
        ["gate", "--min-pass-rate=1"],
        ["recheck"],
    ):
        main([*words, place])
        assert "agentcore: the newest campaign is a\n" in capsys.readouterr().err
    main(["plan", place, "--detect=50pp", "--from"])
    assert "agentcore: the newest campaign is a\n" in capsys.readouterr().err
    main(["compare", "--force", place])
    assert f"agentcore: the newest of {results}: b and a\n" in capsys.readouterr().err
    main(["show", "a", place])
    assert capsys.readouterr().err == ""


def test_the_newest_is_not_compared_with_itself(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a", f"--results={results}"]) == 2
    assert "a is the newest campaign itself; name the one to compare it with" in capsys.readouterr().err


def test_campaigns_are_listed_with_their_state_and_those_that_cannot_be_read(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (results / "z").mkdir()
    (results / "z" / "manifest.json").write_text("{")
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["list", str(results)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["begun", "model", "quant", "done", "rate", "95%", "interval", "state", "campaign,", "suite"]
    assert [line.split()[-4] for line in lines[:3]] == ["c", "b", "a"]  # the oldest first
    assert "6/6   50.0%" in lines[1]
    assert lines[3].startswith("damaged    ")
    assert "z/manifest.json" in "".join(lines[3:])
    assert main(["list", str(results / "z")]) == 2
    assert "holds no campaign; name another results folder" in capsys.readouterr().err


def test_compare_takes_the_two_newest(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(results / "d", task_05_minimal_fix=2, task_10_sql=2)
    assert main(["compare", "b", "d", "--force", f"--results={results}"]) == 0
    named = capsys.readouterr().out
    for folder, started in (("b", "2026-07-01"), ("d", "2026-07-02")):
        file = results / folder / "manifest.json"
        text = file.read_text()
        at = text.index('"started":')
        file.write_text(text[:at] + f'"started": "{started}T10:00:00+00:00"' + text[text.index(",", at) :])
    assert main(["compare", "--force", f"--results={results}"]) == 0
    assert capsys.readouterr().out == named


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["b", "task_05"], "the runs there are task_05_minimal_fix:1, task_05_minimal_fix:2, task_05_minimal_fix:3"),
        (["b", "task_05:9"], "the runs there are task_05_minimal_fix:1, task_05_minimal_fix:2, task_05_minimal_fix:3"),
        (["b", "task_11:1"], "did you mean 'task_10_sql'? (give an attempt's first characters"),
        (["b", "tsk_10_sql"], "did you mean 'task_10_sql'? (give"),
        (["task_01"], "the runs there are task_01_x:1"),
        (["bb"], "no campaign 'bb': it is neither a campaign's folder nor the id of one in"),
    ],
)
def test_what_is_no_trial_is_answered_with_those_there_are(
    words: list[str], says: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", *words, f"--results={results}"]) == 2
    assert says in capsys.readouterr().err


def test_a_campaign_of_nearly_that_name_is_named(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(results / "2026-06-10-gemma-4-12b", task_05_minimal_fix=2)
    assert main(["show", "2026-06-10-gema-4-12b", f"--results={results}"]) == 2
    assert "did you mean '2026-06-10-gemma-4-12b'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["show"], ["report"], ["gate", "--min-pass-rate=1"], ["validate"], ["recheck"], ["compare"], ["group"]]
)
def test_without_any_campaign_a_sentence_says_what_to_name(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "agentcore-results" in error
    assert "--results" in error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["shwo"], "no 'shwo'; did you mean 'show'?"),
        (["recheck", "x", "--sandbox=bubblewarp"], "argument --sandbox: no 'bubblewarp'; did you mean 'bubblewrap'?"),
        (["show", "--reslts=x"], "unrecognized argument --reslts; did you mean '--results'?"),
        (["selfcheck", "--instances=x"], "'x' must be a whole number from 1"),
    ],
)
def test_a_misspelt_command_choice_or_option_is_answered_with_the_nearest(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert says in capsys.readouterr().err


READS = (
    *("list", "show there/one", "show there/one task_a:1", "report there/one", "report there", "group there/one two"),
    *("compare there/one two", "leaderboard there", "export there/one --to inspect -o log"),
)


def spoilt(whole: dict[str, object], key: str, number: int) -> str:
    """The same with a key left out, or with a value that it cannot have."""
    kept = {name: part for name, part in whole.items() if name != key}
    return json.dumps([kept, {**whole, key: None}, {**whole, key: "x"}, {**whole, key: 7}][number % 4])


def test_whatever_is_wrong_with_an_event_or_a_manifest_is_said_and_not_stumbled_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trial = result("task_a", 1, turns=1)
    for home, policy in (("there/one", "native"), ("two", "lenient")):
        write_pack(tmp_path / home, manifest([("task_a", 1)], campaign=home[-3:], policy=policy), [trial])
    transcript = tmp_path / "there" / "one" / "data" / "transcripts" / f"{trial.attempt}.jsonl"
    about = tmp_path / "there" / "one" / "manifest.json"
    events, facts = [json.loads(line) for line in transcript.read_text().splitlines()], json.loads(about.read_text())

    for at, event in enumerate(events):
        for number, key in enumerate(event):
            lines = [spoilt(one, key, number) if one is event else json.dumps(one) for one in events]
            transcript.write_text("".join(f"{line}\n" for line in lines))
            for words in READS[1:3]:
                assert main(words.split()) in (0, 2), (words, at, key)
    transcript.write_text("".join(f"{json.dumps(event)}\n" for event in events[:-1]) + "{}\n")
    assert main(READS[2].split()) == 2
    assert f"{transcript.name}: line {len(events)}: breaks its schema" in capsys.readouterr().err
    transcript.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    for number, key in enumerate(("budget", "audit", "policy", "backend", "sandbox", "preflight", "workers")):
        about.write_text(spoilt(facts, key, number))
        for words in READS:
            assert main(words.split()) in (0, 2), (words, key)
