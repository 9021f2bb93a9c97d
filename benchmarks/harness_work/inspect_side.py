"""The same work in Inspect AI; run by benchmarks/harness.py in a virtual environment of its own.

Usage: `inspect_side.py BASE_URL MAX_SAMPLES LOG_DIR`; prints JSON: seconds and CPU seconds in `eval`, how many
samples were right, and how many calls were made.
"""

from __future__ import annotations

import json
import os
import sys
import time

from inspect_ai import Task, eval  # noqa: A004 - the library's name
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import TaskState, generate, use_tools
from inspect_ai.tool import bash
from inspect_ai.util import sandbox
from work import PROMPT, TRIALS


@scorer(metrics=[accuracy()])
def lines_are_two() -> Scorer:
    """Look at the file that the shell calls leave."""

    async def score(_state: TaskState, _target: Target) -> Score:
        text = await sandbox().read_file("lines.txt")
        return Score(value=CORRECT if text.strip() == "2" else INCORRECT)

    return score


def cpu_seconds() -> float:
    """Of this process and its children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> None:
    """Run the evaluation once."""
    base_url, max_samples, log_dir = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    task = Task(
        dataset=[Sample(input=PROMPT, id=str(number)) for number in range(TRIALS)],
        solver=[use_tools(bash()), generate()],
        scorer=lines_are_two(),
        sandbox="local",
    )
    model = get_model("openai/scripted", base_url=base_url, api_key="none", responses_api=False)
    began, cpu_before = time.perf_counter(), cpu_seconds()
    (log,) = eval(task, model=model, max_samples=max_samples, display="none", log_dir=log_dir)
    seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu_before
    right = sum(sample.scores["lines_are_two"].value == CORRECT for sample in log.samples or [])
    calls = sum(message.role == "tool" for sample in log.samples or [] for message in sample.messages)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "right": right, "calls": calls}))


if __name__ == "__main__":
    main()
