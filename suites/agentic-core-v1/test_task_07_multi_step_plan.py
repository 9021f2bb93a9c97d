"""task_07 multi-step plan: four files in order, each of which needs what the write before it reported.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from random import Random
from typing import Any

from pytest_agentcore import Actor, Instance, Trial, task

STEPS = tuple(f"steps/step{number}.txt" for number in (1, 2, 3, 4))
PORTS = ("Málaga", "Århus", "Gijón", "Göteborg", "Mérida", "Besançon", "Tromsø", "Cádiz", "Lübeck", "São Paulo")
GOODS = ("jalapeños", "müsli", "crème brûlée", "piñatas", "pâté", "éclairs", "smørrebrød", "açaí", "rosé", "purée")
TIMES = ("", " today", " at noon", " on Monday", " before dusk")


def four_lines(random: Random) -> Instance:
    """Short lines in which bytes and characters differ, so that a size has to be read and not counted by eye."""
    lines = []
    for port in random.sample(PORTS, 4):
        goods = " and ".join(random.sample(GOODS, random.randint(1, 2)))
        lines.append(f"{port}: {random.randint(8, 1200)} boxes of {goods}{random.choice(TIMES)}")
    return Instance({"plan.txt": "\n".join(lines) + "\n"}, {"lines": lines})


@task(
    prompt="""
        `plan.txt` has four lines. Read it, then write four files with `fs_write`, in this order:

        1. `steps/step1.txt`: line 1 of `plan.txt`.
        2. `steps/step2.txt`: line 2, a space, and the number of bytes that `fs_write` reported for `steps/step1.txt`.
        3. `steps/step3.txt`: line 3, a space, and the number of bytes that it reported for `steps/step2.txt`.
        4. `steps/step4.txt`: line 4, a space, and the number of bytes that it reported for `steps/step3.txt`.

        Each file is one line. Make one call at a time and read its result before you write the next file. For example,
        if line 2 is `Oslo: 5 boxes of tea` and `fs_write` reported 24 bytes for `steps/step1.txt`, then
        `steps/step2.txt` is `Oslo: 5 boxes of tea 24`.
    """,
    files=four_lines,
    tools=("fs_read", "fs_write"),
    artifacts=STEPS,
    protected=("plan.txt",),
)
def test_multi_step_plan(trial: Trial) -> None:
    turns = first_writes((c.turn, c.arguments) for c in trial.calls if c.name == "fs_write" and c.outcome == "ok")
    order = [step for step in turns if step in STEPS]
    assert order == list(STEPS), f"the steps were first written in the order {order}"
    for before, step in pairwise(STEPS):
        assert turns[before] < turns[step], f"{step} was written before the result of {before} could be read"

    expected = trial.facts["lines"]
    assert trial.line(STEPS[0]) == expected[0], f"{STEPS[0]} is not line 1 of plan.txt"
    for (before, step), line in zip(pairwise(STEPS), expected[1:], strict=True):
        size = len(trial.text(before).encode())
        assert trial.line(step) == f"{line} {size}", f"{step} should be `{line} {size}`: {before} has {size} bytes"


def first_writes(writes: Iterable[tuple[int, Mapping[str, Any]]]) -> dict[str, int]:
    """The turn of each file's first write, in order; a path may be absolute in the workspace."""
    first: dict[str, int] = {}
    for turn, arguments in writes:
        path = posixpath.join("/workspace", arguments["path"])
        first.setdefault(posixpath.relpath(path, "/workspace"), turn)
    return first


def reported(result: str) -> str:
    """The number of bytes in what `fs_write` said."""
    found = re.search(r"\d+(?= bytes?)", result)
    return found[0] if found else result


@test_multi_step_plan.oracle
def follow_the_reports(agent: Actor) -> str:
    agent.fs_read("plan.txt")
    tail = ""
    for step, line in zip(STEPS, agent.facts["lines"], strict=True):
        tail = " " + reported(agent.fs_write(step, line + tail))
    return "All four steps are written."


@test_multi_step_plan.alternative
def end_each_file_with_a_newline(agent: Actor) -> None:
    tail = ""
    for step, line in zip(STEPS, agent.facts["lines"], strict=True):
        agent.fs_read("plan.txt")
        tail = " " + reported(agent.fs_write(f"./{step}", f"{line}{tail}\n"))


@test_multi_step_plan.alternative
def correct_a_step_before_going_on(agent: Actor) -> None:
    """Step 1 gets a label that was not asked for; it is rewritten and its second report is the one that counts."""
    first, *rest = agent.facts["lines"]
    agent.fs_write(STEPS[0], f"line 1: {first}")
    tail = reported(agent.fs_write(STEPS[0], first))
    agent.fs_write("steps/step2.txt.bak", "notes")
    for step, line in zip(STEPS[1:], rest, strict=True):
        tail = reported(agent.fs_write(step, f"{line} {tail}"))


@test_multi_step_plan.counterexample
def plan_in_prose(agent: Actor) -> str:
    agent.fs_read("plan.txt")
    return "First I will write steps/step1.txt, then use the reported bytes for steps/step2.txt, and so on."


@test_multi_step_plan.counterexample
def count_characters_instead(agent: Actor) -> None:
    """What a batch that does not wait for the reports would write."""
    text = ""
    for step, line in zip(STEPS, agent.facts["lines"], strict=True):
        text = f"{line} {len(text)}" if text else line
        agent.fs_write(step, text)


@test_multi_step_plan.counterexample
def write_backwards(agent: Actor) -> None:
    """The right content, computed in the head, from the last file to the first."""
    texts = [agent.facts["lines"][0]]
    for line in agent.facts["lines"][1:]:
        texts.append(f"{line} {len(texts[-1].encode())}")
    for step, text in reversed(list(zip(STEPS, texts, strict=True))):
        agent.fs_write(step, text)


@test_multi_step_plan.counterexample
def leave_the_numbers_out(agent: Actor) -> None:
    for step, line in zip(STEPS, agent.facts["lines"], strict=True):
        agent.fs_write(step, line)


@test_multi_step_plan.counterexample
def repeat_the_first_number(agent: Actor) -> None:
    first, *rest = agent.facts["lines"]
    size = reported(agent.fs_write(STEPS[0], first))
    for step, line in zip(STEPS[1:], rest, strict=True):
        agent.fs_write(step, f"{line} {size}")


@test_multi_step_plan.counterexample
def copy_the_example(agent: Actor) -> None:
    first, *rest = agent.facts["lines"]
    agent.fs_write(STEPS[0], first)
    for step, line in zip(STEPS[1:], rest, strict=True):
        agent.fs_write(step, f"{line} 24")


@test_multi_step_plan.counterexample
def stop_after_three_steps(agent: Actor) -> None:
    tail = ""
    for step, line in zip(STEPS[:3], agent.facts["lines"], strict=False):
        tail = " " + reported(agent.fs_write(step, line + tail))


@test_multi_step_plan.counterexample
def write_into_the_wrong_folder(agent: Actor) -> None:
    tail = ""
    for step, line in zip(STEPS, agent.facts["lines"], strict=True):
        tail = " " + reported(agent.fs_write(step.removeprefix("steps/"), line + tail))


@test_multi_step_plan.counterexample
def put_everything_into_each_file(agent: Actor) -> None:
    everything = agent.fs_read("plan.txt")
    for step in STEPS:
        agent.fs_write(step, everything)
