"""docs/results-in-python.md: every example runs, from the first to the last, on two campaigns."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from results import LOST, WRONG, events_of, result
from small_packs import pack

from pytest_agentcore.pack.jsonl import to_line

PAGE = Path(__file__).parents[2] / "docs" / "results-in-python.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for model in ("one", "two"):
        trials = [result("a", 1), result("a", 2, **WRONG, policy="native"), result("b", 1, **LOST)]
        folder = pack(tmp_path / "agentcore-results" / model, trials, model=model).folder
        folder.transcripts.mkdir()
        for trial in trials:
            folder.transcript(trial.attempt).write_bytes(b"".join(map(to_line, events_of(trial))))
    names: dict[str, Any] = {}
    shown = []
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        *statements, last = ast.parse(code).body
        exec(compile(ast.Module(statements, []), PAGE.name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), PAGE.name, "eval"), names))
        else:
            exec(compile(ast.Module([last], []), PAGE.name, "exec"), names)
    rates, best, tasks, reasons, paid, wrong_calls, effective = shown
    assert rates.dropna().to_dict() == {("one", "a"): 0.5, ("two", "a"): 0.5}
    assert best["effective_rate"].tolist() == [0.5, 0.5]
    assert tasks.loc["a"].tolist() == [0.5, 0.5]
    assert reasons.to_dict() == {(m, "wrong_answer", "checker_rejected"): 1 for m in ("one", "two")}
    assert paid["seconds"].tolist() == [25.0, 25.0]
    assert wrong_calls.empty
    assert effective == 0.5
    assert names["comparison"].tasks[0].task == "a"
