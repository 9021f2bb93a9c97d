"""A campaign that was stopped goes on: what is scored stays and is reported, the rest runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tiny import Script, result_lines, say, write

from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.sandbox.workspace import PREFIX

DONE = [write("hello.txt", "hello"), say("done")]
WRONG = [write("count.txt", "none"), say("done")]


def packs(pytester: pytest.Pytester) -> list[Path]:
    """Campaign folders, by name."""
    return sorted((pytester.path / "agentcore-results").iterdir())


def manifest_of(pack: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pack / "manifest.json").read_bytes())
    return found


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_same_command_goes_on(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    bot = script(task_01=DONE, task_02=WRONG)
    command = (f"--model=scripted:{bot}", "--runs=2", suite)
    assert pytester.runpytest(*command, "--maxfail=1").ret == pytest.ExitCode.TESTS_FAILED
    (pack,) = packs(pytester)
    first = result_lines(pack)
    assert [line["passed"] for line in first] == [True, False]

    result = pytester.runpytest(*command, "-v", "--junitxml=j.xml", "--min-pass-rate=task_01=1.0", *words)

    result.assert_outcomes(passed=2, failed=2)
    assert result.ret == pytest.ExitCode.OK  # the gate sees the trial that an earlier process recorded, too
    result.stdout.fnmatch_lines(
        [f"campaign   continues {pack.name}: 2 of 4 trials are scored", "raw * 2/4 *", "pass-rate gate: reached · *"]
    )
    result.stdout.fnmatch_lines_random(
        ["*test_hello?bot-run1? PASSED (recorded)*" if not words else "*PASSED (recorded)*test_hello?bot-run1?*"]
    )
    assert packs(pytester) == [pack]
    lines = result_lines(pack)
    assert lines[:2] == first
    assert sorted((line["task"], line["run"]) for line in lines[2:]) == [("task_01_hello", 2), ("task_02_count", 2)]
    (node,) = ElementTree.parse(pytester.path / "j.xml").getroot()
    assert (node.get("tests"), node.get("failures"), node.get("errors")) == ("4", "2", "0")
    recorded = [found.get("value") for found in node.findall(".//property[@name='recorded']")]
    assert recorded == ["true", "true"]
    manifest = manifest_of(pack)
    assert [sitting["recorded"] for sitting in manifest["resumed"]] == [2]
    assert (len(manifest["planned"]), manifest["exit_status"]) == (4, 0)


def test_a_recorded_failure_says_what_it_said_and_fails_again(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    command = (f"--model=scripted:{script(task_02=WRONG)}", "--runs=2", "-k", "task_02", suite)
    pytester.runpytest(*command, "--maxfail=1")

    result = pytester.runpytest(*command, "--maxfail=1", "-rf")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "count.txt holds `none`; one integer*",
            "(recorded on *; not run again)",
            "wrong_answer: checker_rejected · *",
            "turn 2 *",
            "*#turn=2",
        ]
    )


def test_nothing_left_to_run_loads_no_model(pytester: pytest.Pytester, suite: Path) -> None:
    bot = pytester.makepyfile(
        bot="""
        from pathlib import Path
        with Path("loaded.txt").open("a") as log:
            log.write("loaded\\n")
        def reply(request):
            return "no idea"
        """
    )
    command = (f"--model=scripted:{bot}", "--runs=1", suite)
    pytester.runpytest(*command).assert_outcomes(failed=2)
    (pack,) = packs(pytester)
    assert (pytester.path / "loaded.txt").read_text() == "loaded\n"

    result = pytester.runpytest(*command, f"--agentcore-resume={pack}")

    result.assert_outcomes(failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert (pytester.path / "loaded.txt").read_text() == "loaded\n"
    assert manifest_of(pack)["backend"]["backend"] == "scripted"


def test_after_a_complete_campaign_a_new_one_starts(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", suite)
    (first,) = packs(pytester)
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.stdout.fnmatch_lines([f"campaign   new: {first.name} is complete"])
    assert [len(result_lines(pack)) for pack in packs(pytester)] == [2, 2]
    assert [manifest_of(pack)["resumed"] for pack in packs(pytester)] == [[], []]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--agentcore-seed=5",), "seed: 0 → 5"),
        (("--tool-calls=lenient",), "policy: native → lenient"),
        (("--agentcore-max-turns=3",), "limit of turns: 15 → 3"),
        (("--runs=3",), "runs: 2 → 3"),
        (("-k", "task_02"), "trials asked for: . → . -k task_02"),
    ],
)
def test_another_experiment_or_plan_starts_a_new_one_and_says_why(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...], said: str
) -> None:
    command = (f"--model=scripted:{script(task_02=WRONG)}", "--runs=2", suite)
    pytester.runpytest(*command, "--maxfail=1")
    (first,) = packs(pytester)
    before = tree(first)

    result = pytester.runpytest(*command, *words)

    result.stdout.re_match_lines([rf"campaign   new: differs from {first.name} in"])
    assert said in " ".join(" ".join(result.outlines).split())
    assert len(packs(pytester)) == 2
    assert tree(first) == before


def test_unscored_trials_run_again_and_their_attempts_are_kept(pytester: pytest.Pytester, suite: Path) -> None:
    bot = pytester.makepyfile(
        bot="""
        from pathlib import Path
        def reply(request):
            if request.trial.task.startswith("task_02") and not Path("came").exists():
                Path("came").touch()
                raise ConnectionError("flaky")
            return {"tool_calls": [{"name": "shell", "arguments": {"command": "echo hello > hello.txt"}}]}
        """
    )
    command = (f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", "--agentcore-max-turns=1", suite)
    pytester.runpytest(*command).assert_outcomes(passed=1, errors=1)
    (pack,) = packs(pytester)
    lost = result_lines(pack)[-1]

    pytester.runpytest(*command).assert_outcomes(passed=1, failed=1)

    campaign = read_campaign(pack)
    assert campaign.has_ended
    again = {result.task: result for result in campaign.results}["task_02_count"]
    assert (lost["attempts"], again.attempts) == (1, 2)
    kept = CampaignFolder(pack)
    assert [path.stem for path in kept.attempts.iterdir()] == [lost["attempt"]]
    assert {path.stem for path in kept.transcripts.iterdir()} == {result.attempt for result in campaign.results}
    starts = [json.loads(path.read_text().splitlines()[0]) for path in pack.glob("data/*/*.jsonl")]
    assert sorted((start["task"], start["number"]) for start in starts) == [
        ("task_01_hello", 1),
        ("task_02_count", 1),
        ("task_02_count", 2),
    ]


@pytest.mark.parametrize("several", [("--model=oracle",), ("--tool-calls=native,lenient",)], ids=["models", "group"])
def test_a_command_that_began_several_goes_on_with_all(
    pytester: pytest.Pytester, suite: Path, script: Script, several: tuple[str, ...]
) -> None:
    bot = script(task_01=DONE, task_02=WRONG)
    command = (*several, f"--model=scripted:{bot}", "--runs=2", str(suite))
    pytester.runpytest(*command, "--maxfail=1")
    before = [pack.name for pack in packs(pytester)]

    result = pytester.runpytest(*command, "-v")

    assert [pack.name for pack in packs(pytester)] == before
    result.assert_outcomes(**({"passed": 6, "failed": 2} if "model" in several[0] else {"passed": 4, "failed": 4}))
    manifests = [manifest_of(pack) for pack in packs(pytester) if (pack / "manifest.json").is_file()]
    assert len({manifest["session"] for manifest in manifests}) == 1
    assert [len(manifest["resumed"]) for manifest in manifests] == [1, 1]


def test_a_named_campaign_takes_further_runs(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", suite)
    (pack,) = packs(pytester)

    result = pytester.runpytest("--model=oracle", "--runs=3", f"--agentcore-resume={pack.name}", suite)

    result.assert_outcomes(passed=6)
    assert packs(pytester) == [pack]
    campaign = read_campaign(pack)
    assert (campaign.manifest.runs, len(campaign.manifest.planned), len(campaign.results)) == (3, 6, 6)
    assert campaign.has_ended
    again = pytester.runpytest("--model=oracle", "--runs=1", "-k", "task_01", f"--agentcore-resume={pack}", suite)
    again.assert_outcomes(passed=1, deselected=1)
    assert read_campaign(pack).manifest.planned == campaign.manifest.planned


def test_a_named_campaign_of_another_kind_is_refused_with_the_difference(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", suite)
    (pack,) = packs(pytester)
    before = tree(pack)

    words = ("--agentcore-seed=5", "--agentcore-max-turns=3")
    result = pytester.runpytest("--model=oracle", *words, f"--agentcore-resume={pack}", suite)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*another experiment*: seed: 0 → 5; limit of turns: 15 → 3"])
    assert tree(pack) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--agentcore-resume=nowhere",), "*no campaign 'nowhere'*"),
        (
            ("--model=null", "--agentcore-resume=nowhere"),
            "*continues one campaign, but 2 models was asked for; leave it out, or ask for one",
        ),
        (("--lf", "--agentcore-resume=nowhere"), "*continues one campaign, but a selection*"),
    ],
)
def test_what_cannot_be_resumed_is_a_sentence(
    pytester: pytest.Pytester, suite: Path, words: tuple[str, ...], sentence: str
) -> None:
    result = pytester.runpytest("--model=oracle", *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.fixture
def stopped(pytester: pytest.Pytester, suite: Path) -> tuple[Path, tuple[Any, ...]]:
    """A campaign of which one trial ran, and the command that goes on with it."""
    command = ("--model=oracle", "--runs=2", suite)
    stop = (
        "import pytest\ndef pytest_runtest_logreport(report):\n    if report.when == 'teardown': pytest.exit('enough')"
    )
    pytester.makeconftest(stop)
    pytester.runpytest(*command)
    (pytester.path / "conftest.py").unlink()
    (pack,) = packs(pytester)
    return pack, command


def test_a_pack_without_its_folders_is_resumed(
    pytester: pytest.Pytester, stopped: tuple[Path, tuple[Any, ...]]
) -> None:
    pack, command = stopped
    scored = len(result_lines(pack))
    for name in ("verification", "data/workspaces"):
        shutil.rmtree(pack / name)

    result = pytester.runpytest(*command, f"--agentcore-resume={pack}")

    result.assert_outcomes(passed=4)
    assert len(result_lines(pack)) == 4 > scored > 0
    assert (pack / "verification" / "trials.csv").is_file()
    assert {problem.file.split("/")[1] for problem in examine(CampaignFolder(pack)).problems} == {"workspaces"}


def test_a_damaged_campaign_is_passed_over_and_that_is_said(
    pytester: pytest.Pytester, stopped: tuple[Path, tuple[Any, ...]]
) -> None:
    pack, command = stopped
    manifest = pack / "manifest.json"
    manifest.write_text(manifest.read_text()[:-200])

    result = pytester.runpytest(*command)

    said = " ".join(" ".join(result.stdout.lines).split())
    assert f"campaign {pack.name} was passed over: {manifest}: not a manifest of a campaign" in said.replace("- ", "-")
    assert [folder.name for folder in packs(pytester)] == [pack.name, f"{pack.name}-2"]


@pytest.mark.parametrize("named", [True, False])
def test_a_campaign_whose_manifest_was_edited_is_not_continued(
    pytester: pytest.Pytester, stopped: tuple[Path, tuple[Any, ...]], named: bool
) -> None:
    """Whoever continues it writes the manifest anew, and what was edited would be found no more."""
    pack, command = stopped
    manifest = pack / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"started": "20', '"started": "19'))
    before = tree(pack)

    result = pytester.runpytest(*command, *([f"--agentcore-resume={pack}"] if named else []))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*manifest.json: line * was changed after it was written: a campaign whose manifest *"]
    )
    assert tree(pack) == before


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_second_process_is_refused(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    command = (f"--model=scripted:{script(task_02=WRONG)}", "--runs=2", suite)
    pytester.runpytest(*command, "--maxfail=1")
    (pack,) = packs(pytester)
    lock = lock_campaign(CampaignFolder(pack))
    before = tree(pack)

    result = pytester.runpytest(*command, *words)
    lock.close()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{pack.name}: another process is writing this campaign; wait until it ends*"])
    assert tree(pack) == before


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_collecting_only_touches_nothing(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    command = (f"--model=scripted:{script(task_02=WRONG)}", "--runs=2", suite)
    pytester.runpytest(*command, "--maxfail=1")
    (pack,) = packs(pytester)
    before = tree(pack)

    pytester.runpytest(*command, "--co", *words)

    assert packs(pytester) == [pack]
    assert tree(pack) == before


def test_what_a_killed_process_left_in_the_temporary_folder_is_removed(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(pytester.mkdir("temporary")))
    left = pytester.path / "temporary" / f"{PREFIX}killed" / "trial-1" / "live" / "workspace"
    left.mkdir(parents=True)
    pytester.runpytest("--model=oracle", "--runs=1", suite).assert_outcomes(passed=2)
    (own,) = (pytester.path / "temporary").iterdir()
    assert (own.name != f"{PREFIX}killed", list(own.iterdir())) == (True, [])
