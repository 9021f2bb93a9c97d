"""`agentcore plan`: runs, time and money."""

from __future__ import annotations

from pathlib import Path

import pytest
from results import PASSED, WRONG, result
from small_packs import pack

from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.stats.power import learned, runs_to_detect
from pytest_agentcore.trial.result import Prices

TASKS = tuple("abcdefghij")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Nine tasks always passed, one never: three runs each, 12.5 s and $0.0022 a trial."""
    trials = [result(task, run, **(WRONG if task == "j" else PASSED)) for task in TASKS for run in (1, 2, 3)]
    pack(tmp_path / "earlier", trials, prices=Prices(reply=11.0))
    return tmp_path / "earlier"


def _plan(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.main(["plan", *map(str, words)]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_without_an_earlier_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    """(1.96 + 0.8416)² · 2 · 0.2475 / (10 · 0.01), the worst case: from 55% to 45%."""
    shown = _plan(capsys, "--detect", "10pp", "--power", "0.8")
    assert "a fall of the pass rate by 10.0 points between two campaigns of 10 tasks" in shown
    assert "assumes that every task passes 55.0% of the time before and 45.0% after" in shown
    assert "39 runs of every task in each of the two: 390 trials a campaign" in shown
    assert "not known: --from CAMPAIGN" in shown


def test_from_an_earlier_campaign_it_knows_variance_seconds_and_prices(
    capsys: pytest.CaptureFixture[str], earlier: Path
) -> None:
    shown = _plan(capsys, "--detect=0.1", "--from", earlier)
    runs, without = (
        int(text.partition(" runs of every task")[0].split()[-1]) for text in (shown, _plan(capsys, "--detect=0.1"))
    )
    assert runs < without / 1.5
    assert f"{10 * runs} trials a campaign" in shown
    assert f"~{round(10 * runs * 12.5 / 60)}m and ${10 * runs * 0.0022:.2f} a campaign (12.5s a trial" in shown
    assert "27/30 of the scored trials passed" in shown


def test_how_long_it_takes_on_workers_follows_from_the_seconds_of_one(
    capsys: pytest.CaptureFixture[str], earlier: Path
) -> None:
    alone = _plan(capsys, "--detect=0.1", "--from", earlier)
    runs = int(alone.partition(" runs of every task")[0].split()[-1])
    shown = _plan(capsys, "--detect=0.1", "--from", earlier, "--workers=10")
    assert f"~{round(runs * 12.5 / 60)}m a campaign on 10 workers (1 trial at a time on each" in shown
    assert "workers" not in alone


@pytest.mark.parametrize("workers", [1, 7, 64, 10_000])
def test_trials_of_uneven_length_end_when_the_last_does(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, workers: int
) -> None:
    lengths = [60.0 * (1 + 9 * (n % 7 == 0)) for n in range(30)]
    trials = [
        result(task, run, seconds=lengths[3 * number + run - 1], **(WRONG if task == "j" else PASSED))
        for number, task in enumerate(TASKS)
        for run in (1, 2, 3)
    ]
    pack(tmp_path / "uneven", trials)
    shown = _plan(capsys, "--detect=0.1", "--from", tmp_path / "uneven", f"--workers={workers}")
    many = 10 * int(shown.partition(" runs of every task")[0].split()[-1])
    # worker by worker and second by second: as whoever is free takes the next
    left = [lengths[n % 30] for n in range(many)][::-1]
    busy, minutes = [0.0] * workers, 0
    while left or any(busy):
        for n, seconds in enumerate(busy):
            busy[n] = seconds or (left.pop() if left else 0.0)
        if any(busy):
            busy, minutes = [max(0.0, seconds - 60.0) for seconds in busy], minutes + 1
    said = shown.partition(" a campaign on ")[0].rpartition("~")[2]
    hours, _, rest = said.rpartition("h")
    found = 60 * int(hours or 0) + int(rest.removesuffix("m") or 0)
    assert abs(found - minutes) <= (1 if "m" in said else 30)


def test_the_earlier_campaign_may_be_one_of_the_two(capsys: pytest.CaptureFixture[str], earlier: Path) -> None:
    shown = _plan(capsys, "--detect=30pp", "--from", earlier)
    assert "with earlier as one of the two: " in shown
    assert "it has too few itself" not in shown
    assert "it has too few itself" in _plan(capsys, "--detect=5pp", "--from", earlier)


def test_what_repeats_itself_is_warned_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [result(task, run, replies_digest=task) for task in TASKS for run in (1, 2, 3)]
    pack(tmp_path / "greedy", trials)
    assert "10 of 30 scored trials were distinct" in _plan(capsys, "--detect=20%", "--from", tmp_path / "greedy")


@pytest.mark.parametrize("detect", ["50pp", "99pp"])
def test_any_change_can_be_planned_without_an_earlier_campaign(capsys: pytest.CaptureFixture[str], detect: str) -> None:
    assert "2 runs of every task" in _plan(capsys, f"--detect={detect}")


def test_a_weak_model_is_asked_about_a_rise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(tmp_path / "weak", [result(task, run, **WRONG) for task in TASKS for run in (1, 2, 3)])
    assert "a rise of the pass rate by 20.0 points" in _plan(capsys, "--detect=20pp", "--from", tmp_path / "weak")


def test_the_runs_are_those_of_the_formula(capsys: pytest.CaptureFixture[str], earlier: Path) -> None:
    runs = runs_to_detect(-0.2, 0.9, learned([task.distinct for task in read_campaign(earlier).figures.tasks]))
    assert f"runs {runs} runs of every task" in _plan(capsys, "--detect=20pp", "--power=0.9", "--from", earlier)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--detect=90pp", "--from={earlier}"), "no room for such a change"),
        (("--detect=10pp", "--from=nowhere"), "no campaign 'nowhere'"),
    ],
)
def test_what_cannot_be_planned(
    capsys: pytest.CaptureFixture[str], earlier: Path, words: tuple[str, ...], why: str
) -> None:
    assert cli.main(["plan", *(word.format(earlier=earlier) for word in words)]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--detect=0",), "'0' must be a difference"),
        (("--detect=10",), "'10' must be a difference"),
        (("--detect=nan",), "'nan' must be a difference"),
        (("--detect=much",), "'much' must be a difference"),
        (("--detect=10pp", "--power=0.4"), "'0.4' must lie between 0.5 and 1"),
        (("--detect=10pp", "--power=100%"), "'100%' must lie between"),
        ((), "--detect"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str) -> None:
    with pytest.raises(SystemExit) as error:
        cli.main(["plan", *words])
    assert error.value.code == 2
    assert why in capsys.readouterr().err


def test_selections_and_empty_campaigns_teach_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(tmp_path / "picked", [result()], selection=Selection(asked=("x",), of="y"))
    assert cli.main(["plan", "--detect=10pp", "--from", str(tmp_path / "picked")]) == 2
    assert "is a selection" in capsys.readouterr().err
    pack(tmp_path / "empty", [], planned=[("a", 1)])
    assert cli.main(["plan", "--detect=10pp", "--from", str(tmp_path / "empty")]) == 2
    assert "no scored trial to learn from" in capsys.readouterr().err
