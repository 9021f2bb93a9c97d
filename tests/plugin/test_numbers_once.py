"""When a session ends, gates, tables, terminal and reports share the figures, and read nothing that it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from tiny import Script, say, write

from pytest_agentcore.analysis import rank
from pytest_agentcore.pack import read
from pytest_agentcore.session.lifecycle import CampaignSession


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each function was called once the last trial was over."""
    counted: Counter[str] = Counter()
    is_over = False

    def count(name: str, modules: Iterable[Any]) -> None:
        for module in modules:
            real = getattr(module, name)

            @wraps(real)
            def counting(*words: Any, real: Any = real) -> Any:
                counted[name] += is_over
                return real(*words)

            monkeypatch.setattr(module, name, counting)

    def over(self: CampaignSession, session: pytest.Session) -> Any:
        nonlocal is_over
        is_over = True
        yield from finish(self, session)

    finish = CampaignSession.pytest_sessionfinish
    monkeypatch.setattr(CampaignSession, "pytest_sessionfinish", pytest.hookimpl(wrapper=True, trylast=True)(over))
    count("figures_of", [read])
    count("read_results", [read])
    count("read_manifest", [read, rank])
    return counted


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_figures_are_computed_once_per_campaign(
    pytester: pytest.Pytester, suite: Path, script: Script, calls: Counter[str], workers: tuple[str, ...]
) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[say("no idea")])
    models = ("--model=oracle", f"--model=scripted:{bot}")
    result = pytester.runpytest(*models, "--runs=2", "--min-pass-rate=0.5", *workers, suite)
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(["report *report.html", "pass-rate gate: reached · exit code 0: *"])
    assert calls == {"figures_of": 2}


def test_a_baseline_costs_its_own_figures_and_a_group_none(
    pytester: pytest.Pytester, suite: Path, script: Script, calls: Counter[str]
) -> None:
    bot = script(**{"*": [write("hello.txt", "hello"), say("done")]})
    words = (f"--model=scripted:{bot}", "--runs=1", suite)
    pytester.runpytest_subprocess(*words, "--results=before")
    (before,) = (pytester.path / "before").iterdir()
    result = pytester.runpytest(*words, "--tool-calls=native,lenient", f"--agentcore-baseline={before}")
    result.stdout.fnmatch_lines(["*group of 2 campaigns*", "regression gate: *"])
    assert (calls["figures_of"], calls["read_results"]) == (3, 0)
