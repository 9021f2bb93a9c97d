"""`agentcore export`: what Inspect, Every Eval Ever and Harbor read from an export are the campaign's numbers.

The packages live in an environment of their own (`make exports`): two of them run on Python 3.12 or newer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from packs import many, write_pack
from results import HOSTILE, end_event, manifest, reply_event, start_event, tool_event
from results import result as trial
from tiny import COUNT, HELLO, say, write

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.trial.fold import verdict_event
from pytest_agentcore.trial.result import Prices, TrialResult, dollars
from pytest_agentcore.untrusted import encodable

ROOT = Path(__file__).parents[2]
SIDE = Path(__file__).with_name("exports_side.py")
PYTHON = Path(os.environ.get("AGENTCORE_EXPORTS_PYTHON") or Path(sys.prefix) / "exports" / "bin" / "python")
SAYS = "".join(HOSTILE)
WRITES = re.sub("[\ud800-\udfff]", "", SAYS)
"""The same without halves of surrogate pairs, which no call may hold."""
REPLIES: dict[str, dict[str, Sequence[Any]]] = {
    "task_01": {
        "1": [write("hello.txt", "hello"), say("done")],
        "2": [{"content": SAYS, **write("hello.txt", WRITES)}, {"reasoning": SAYS, "content": "sure"}],
        "3": [{"error": "unreachable", "times": 1}, write("hello.txt", "hello"), say("done")],
        "4": [
            {"text": "<tool_call>{broken</tool_call>"},
            {"tool_calls": [{"name": "fly", "arguments": {}}]},
            say("no"),
        ],
    },
    "task_02": {
        "1": [{"error": "flaky"}],
        "2": [write("count.txt", "0"), say("")],
        "*": [{**write("count.txt", "7"), "repeat": 9}],
    },
}


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python that has the packages of the formats."""
    if not PYTHON.is_file():
        pytest.skip(f"the formats' packages are not installed at {PYTHON}; `make exports` does that")
    return PYTHON


def export_all(python: Path, out: Path, campaigns: Sequence[Path]) -> dict[str, Any]:
    """What the formats' packages say about exports of these campaigns, by campaign and format."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment |= {"PYTHONPATH": str(ROOT), "INSPECT_DISABLE_UPDATE_CHECK": "1"}
    done = subprocess.run(
        [python, SIDE, out, *campaigns], env=environment, capture_output=True, text=True, check=False, cwd=out.parent
    )
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


@pytest.fixture(scope="module")
def exported(
    python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Campaign], dict[str, Any], Path]:
    """Campaigns of every kind, and what the formats' packages say about them."""
    home = tmp_path_factory.mktemp("exports")
    (home / "tiny").mkdir()
    (home / "tiny" / "test_task_01_hello.py").write_text(HELLO)
    (home / "tiny" / "test_task_02_count.py").write_text(COUNT)
    (home / "bot.json").write_text(json.dumps({"replies": REPLIES}))

    def session(*words: str) -> None:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--agentcore-retries=1",
            *words,
            "tiny",
        ]
        subprocess.run(command, cwd=home, capture_output=True, check=False)

    session("--model=scripted:bot.json", "--runs=4", "--results=mixed", "--agentcore-max-turns=4")
    session("--model=scripted:bot.json", "--runs=2", "--results=load", "--agentcore-context-load=400", "-k", "hello")
    for part in (1, 2):
        session("--model=oracle", "--runs=3", f"--shard={part}/2", f"--results=shard{part}")
    shards = [str(next((home / f"shard{part}").iterdir())) for part in (1, 2)]
    assert main(["merge", *shards, "-o", str(home / "made" / "merged")]) == 0
    _priced(home / "made" / "priced")
    _interrupted(home / "made" / "interrupted")
    _edges(home / "made" / "edges")
    places = {name: next((home / name).iterdir()) for name in ("mixed", "load")}
    places |= {path.name: path for path in (home / "made").iterdir()}
    said = export_all(python, home / "out", list(places.values()))
    return (
        {name: read_campaign(path) for name, path in places.items()},
        {name: said[path.name] for name, path in places.items()},
        home / "out",
    )


def _priced(path: Path) -> None:
    """An endpoint with prices, the hour's too, over two kinds of machines; its model says hostile things."""
    manifest, results = many(3, 4)
    prices = Prices(prompt=2.0, cached=0.5, reply=10.0, hour=1.5, source="a list", date="2026-11-01")
    workers = tuple({"workers": n, "machine": {"processor": f"kind {n}"}, "packages": {}} for n in (1, 2))
    backend = {"backend": "openai", "endpoint": "http://house:80/v1", "context": 8000, "dialect": "the endpoint's"}
    changed = replace(manifest, prices=prices, workers=workers, backend=backend, entry={"model": "maker/made-up"})
    write_pack(path, changed, [replace(each, detail=SAYS if each.detail else "") for each in results], SAYS)


def _edges(path: Path) -> None:
    """A trial whose calls hold everything that JSON can, without known prices, under a name that shells dislike."""
    deep: Any = 1
    for _ in range(90):
        deep = {"x": deep}
    arguments = {"deep": deep, "big": 10**400, "": 1e308, "nul\0key": [[[]], None, True], "half \ud800": "\udfff"}
    one = trial("täsk 01", turns=2, tool_calls=2)
    folder = write_pack(path, manifest([("täsk 01", 1)], prices=None, finished="2026-06-10T09:00:00+00:00"), [one])
    failed = {"number": 1, "cause": "backend_error", "detail": "\ud800", "seconds": 1.0, "waited": None}
    events = [
        {"schema": 1, **start_event(one)},
        reply_event(1, arguments, arguments, content="\0\ud800", reasoning="\udfff"),
        tool_event(1, 0, arguments, "invalid \x00 UTF-8 \ufffd", "refused"),
        tool_event(1, 1, arguments, "x" * 3_000_000, "invalid"),
        reply_event(2),
        {"event": "request_failed", "turn": 3, **failed},
        end_event(),
        verdict_event(True),
    ]
    folder.transcript(one.attempt).write_bytes(b"".join(map(to_line, events)))


def _interrupted(path: Path) -> None:
    """A campaign that was killed: trials are missing, so is a transcript, and the last line of another was torn."""
    manifest, results = many(2, 4)
    folder = write_pack(path, replace(manifest, finished=None), results[:5], "x" * 2**20)
    folder.transcript(results[0].attempt).unlink()
    torn = folder.transcript(results[1].attempt)
    torn.write_bytes(torn.read_bytes()[:-40])


KINDS = ("mixed", "load", "merged", "priced", "interrupted", "edges")


@pytest.mark.parametrize("kind", KINDS)
def test_the_packages_read_back_the_campaigns_numbers(kind: str, exported: Any) -> None:
    campaigns, said, out = exported
    compare(campaigns[kind], said[kind], out)


def compare(campaign: Campaign, said: dict[str, Any], out: Path) -> None:
    """Hold everything that an export says against the campaign, number by number."""
    assert [said[name]["code"] for name in said] == [0, 0, 0], said
    name = campaign.folder.path.name
    compare_inspect(campaign, said["inspect"]["read"])
    assert said["eee"]["read"]["code"] == 0, said["eee"]["read"]["reports"]
    compare_eee(campaign, out / "eee" / name)
    assert set(map(tuple, said["atif"]["read"].values())) == {()}, said["atif"]["read"]
    compare_atif(campaign, out / "atif" / name)


def about(sum_of_dollars: float | None) -> Any:
    """A sum as another Python makes it: newer ones add up with fewer errors."""
    return sum_of_dollars and pytest.approx(sum_of_dollars, rel=1e-12)


def numbers(result: TrialResult) -> tuple[int, int, int]:
    return result.prompt_tokens, result.cached_tokens, result.reply_tokens


def compare_inspect(campaign: Campaign, read: dict[str, Any]) -> None:
    figures, manifest = campaign.figures, campaign.manifest
    log = read["log"]
    (score,) = log["results"]["scores"]
    metrics = {name: metric["value"] for name, metric in score["metrics"].items()}
    rates = figures.overall.rates
    wanted = {"accuracy": rates.effective, "raw_rate": rates.raw}
    for question, interval in (("same_tasks", figures.same_tasks), ("other_tasks", figures.other_tasks)):
        if interval:
            wanted |= {f"{question}_low": interval.low, f"{question}_high": interval.high}
    assert metrics == wanted
    assert (score["scored_samples"], log["results"]["total_samples"]) == (rates.scored, rates.planned)
    is_whole = rates.recorded == rates.planned
    assert log["status"] == ("success" if is_whole else "cancelled")
    effort = figures.overall.effort
    usage = log["stats"]["model_usage"][manifest.model]
    assert usage["input_tokens"] + usage["input_tokens_cache_read"] == effort.prompt_tokens
    assert (usage["input_tokens_cache_read"], usage["output_tokens"]) == (effort.cached_tokens, effort.reply_tokens)
    assert usage["total_cost"] == about(effort.cost)
    assert log["eval"]["metadata"]["campaign"] == manifest.campaign
    assert log["eval"]["metadata"]["workers"] == list(manifest.workers)

    samples = {(row["id"], row["epoch"]): row for row in read["samples"]}
    assert samples.keys() == {(result.task, result.run) for result in campaign.results}
    assert sum(row["score_checker"] == "C" for row in read["samples"]) == rates.passed
    for result in campaign.results:
        row = samples[result.task, result.run]
        assert row.get("score_checker") == {True: "C", False: "I", None: None}[result.passed]
        assert bool(row["error"]) == (not result.scored)
        assert (row["metadata_cause"], row["metadata_attempts"]) == (result.cause, result.attempts)
        assert row["total_tokens"] == result.prompt_tokens + result.reply_tokens
        assert row["turn_count"] == result.turns
        assert isclose(row["total_time"], result.seconds, abs_tol=1e-9)
    shown = 0
    for sample in read["whole"]:
        models = [event for event in sample["events"] if event["event"] == "model"]
        roles = [message["role"] for message in sample["messages"]]
        turns = [(message["metadata"] or {"turn": 0})["turn"] for message in sample["messages"]]
        assert len(models) == sum(role == "assistant" and turn > 0 for role, turn in zip(roles, turns, strict=True))
        # Inspect's data frame has the messages that a model event has: those up to the last reply
        shown += len(roles) - roles[::-1].index("assistant") if models else 0
    assert len(read["messages"]) == shown
    (row,) = read["evals"]
    assert isclose(row["score_headline_value"], rates.effective or 0, abs_tol=1e-9)


def compare_eee(campaign: Campaign, folder: Path) -> None:
    (aggregate,) = folder.glob("data/*/*/*/*.json")
    (rows_file,) = folder.glob("data/*/*/*/*_samples.jsonl")
    record = json.loads(aggregate.read_bytes())
    rows = [json.loads(line) for line in rows_file.read_bytes().split(b"\n") if line]
    figures, suite = campaign.figures, campaign.manifest.suite.name
    found = {each["evaluation_name"]: each["score_details"] for each in record["evaluation_results"]}
    scored = {f"{suite}/{each.task}": (each, each.wilson) for each in figures.tasks if each.rates.scored}
    assert found.keys() == {suite, *scored}
    for name, (each, interval) in {suite: (figures.overall, figures.same_tasks), **scored}.items():
        said = found[name]
        assert said["score"] == each.rates.effective
        ends = said["uncertainty"]["confidence_interval"]
        assert interval
        assert (ends["lower"], ends["upper"]) == (interval.low, interval.high)
        assert said["uncertainty"]["num_samples"] == each.distinct.n
        details = {key: json.loads(value) for key, value in said["details"].items()}
        assert (details["planned"], details["scored"]) == (each.rates.planned, each.rates.scored)
        assert details["raw_rate"] == each.rates.raw
        assert details["reply_tokens"] == each.effort.reply_tokens
        assert details.get("cost") == about(each.effort.cost)
    results = {f"{each.task}:{each.run}": each for each in campaign.results if each.scored}
    assert [row["sample_id"] for row in rows] == list(results)
    for row in rows:
        result, usage = results[row["sample_id"]], row["token_usage"]
        assert row["evaluation"]["is_correct"] is result.passed
        assert (usage["input_tokens"], usage["input_tokens_cache_read"], usage["output_tokens"]) == numbers(result)
        assert row["metadata"]["attempt"] == result.attempt


def compare_atif(campaign: Campaign, folder: Path) -> None:
    trajectories = {path.name: json.loads(path.read_bytes()) for path in folder.iterdir()}
    assert trajectories.keys() == {f"{each.task}-run{each.run}.json" for each in campaign.results}
    prices = campaign.manifest.prices
    for result in campaign.results:
        one = trajectories[f"{result.task}-run{result.run}.json"]
        final = one["final_metrics"]
        totals = (final["total_prompt_tokens"], final["total_cached_tokens"], final["total_completion_tokens"])
        assert totals == numbers(result)
        assert final.get("total_cost_usd") == (dollars(result, prices) if prices else None)
        trial = {key: value for key, value in one["extra"]["trial"].items() if key != "failed_requests"}
        assert encodable(result.to_json()) == {**dict.fromkeys(result.to_json()), **trial}
        assert one["extra"]["campaign"]["rates"]["effective_rate"] == campaign.figures.overall.rates.effective
        assert one["session_id"] == result.attempt


def test_inspects_own_command_dumps_a_log(python: Path, exported: Any) -> None:
    campaigns, _, out = exported
    (log,) = (out / "inspect" / campaigns["mixed"].folder.id).iterdir()
    command = [python.with_name("inspect"), "log", "dump", log]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(dumped)["status"] == "success"


def test_replaced_attempts_are_no_samples_and_failed_requests_are_told(exported: Any) -> None:
    campaigns, said, _ = exported
    assert len(list(campaigns["mixed"].folder.attempts.iterdir())) == 2
    samples = said["mixed"]["inspect"]["read"]["samples"]
    assert len(samples) == 8
    (lost,) = [row for row in samples if row["error"]]
    assert (lost["id"], lost["epoch"], lost["metadata_attempts"]) == ("task_02_count", 1, 2)
    assert lost["error"].startswith("backend_error: ")
    assert "flaky" in lost["metadata_failed_requests"]


def test_hostile_text_comes_back_whole(exported: Any) -> None:
    """NUL, escapes, bidi marks, all ends of lines; half a surrogate pair, which UTF-8 has not, is spelled out."""
    campaigns, said, out = exported
    told = encodable(SAYS)
    assert "\\ud800" in told
    sample = next(
        one for one in said["mixed"]["inspect"]["read"]["whole"] if (one["id"], one["epoch"]) == ("task_01_hello", 2)
    )
    (call,) = sample["messages"][2]["tool_calls"]
    assert call["arguments"]["content"] == WRITES
    assert sample["messages"][2]["content"].strip() == told.strip()
    reasoning, text = sample["messages"][4]["content"]
    assert (reasoning["reasoning"].strip(), text["text"].strip()) == (told.strip(), "sure")
    path = out / "atif" / campaigns["mixed"].folder.id / "task_01_hello-run2.json"
    step = json.loads(path.read_bytes())["steps"][2]
    assert step["tool_calls"][0]["arguments"]["content"] == WRITES
    assert path.read_bytes().isascii()


def test_an_interrupted_campaign_says_so(exported: Any) -> None:
    _, said, _ = exported
    for name in ("inspect", "eee", "atif"):
        text = said["interrupted"][name]["said"]
        assert "of 5 recorded trials" in text
        assert "3 of 8 planned trials have no result yet" in text
        assert "1 recorded trial without a transcript" in text
    whole = said["interrupted"]["inspect"]["read"]["whole"]
    sizes = [len(json.dumps(sample["messages"])) for sample in whole]
    assert sizes.count(len("[]")) == 1  # the trial whose transcript is gone
    assert max(sizes) > 2**21


def test_the_page_shows_what_the_commands_say(python: Path, tmp_path: Path) -> None:
    """Every command of docs/exports.md with its output, and the validators that it names."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    paths = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def run(command: str) -> str:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\$ agentcore (.*)\n((?:[^$`].*\n)+)", page, re.MULTILINE)
    assert len(shown) == 3
    for words, output in shown:
        assert run(f"{python} -m pytest_agentcore.cli.__main__ {words}") == output
        last = output.splitlines()[-1]
        if not last.startswith("inspect view"):  # which serves until it is stopped
            run(last)


@pytest.mark.model
def test_a_campaign_of_a_real_model(pytester: pytest.Pytester, suite: Path, python: Path) -> None:
    pytester.runpytest_subprocess(
        *("--model=smollm2-135m", "--agentcore-preflight=off", "--runs=2", "--agentcore-engine=n_ctx=1024"),
        *("--agentcore-engine=threads=1", "--agentcore-max-turns=3", "--agentcore-reply-tokens=48", suite),
    )
    (place,) = (pytester.path / "agentcore-results").iterdir()
    campaign = read_campaign(place)
    assert campaign.figures.overall.effort.reply_tokens > 0
    said = export_all(python, pytester.path / "out", [place])
    compare(campaign, said[place.name], pytester.path / "out")
    (record,) = (pytester.path / "out").glob("eee/*/data/*/*/*/*.json")
    assert record.parent.parts[-2:] == ("unstated", "smollm2-135m")
