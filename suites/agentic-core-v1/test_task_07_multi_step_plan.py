"""task_07 multi-step plan: four files in order, each of which needs what the write before it reported.

Judged are the writes that made the final contents, so placeholders in the right order are worth nothing and an honest
correction costs nothing.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from pytest_agentcore import Actor, Instance, Trial, plain_lines, task

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
        `steps/step2.txt` is `Oslo: 5 boxes of tea 24`. You may correct a file; what counts is that the files got their
        final contents in this order.
    """,
    files=four_lines,
    tools=("fs_read", "fs_write"),
    artifacts=STEPS,
    protected=("plan.txt",),
)
def test_multi_step_plan(trial: Trial) -> None:
    writes = final_writes(trial)
    for step in STEPS:
        assert step in writes, f"{step} was not written with fs_write"
        assert trial.text(step) == writes[step].content.removeprefix("\ufeff"), f"{step} is not what fs_write wrote"
    order = [step for step in writes if step in STEPS]
    assert order == list(STEPS), f"the final contents were written in the order {order}"
    for before, step in pairwise(STEPS):
        known = writes[before].turn < writes[step].turn
        assert known, f"{step} got its final content before the result of {before} could be read"

    sizes = [f" {writes[step].size}" for step in STEPS]
    for step, line, size in zip(STEPS, trial.facts["lines"], ["", *sizes], strict=False):
        assert unquoted(trial.plain_lines(step)) == plain_lines(line + size), f"{step} should be `{line}{size}`"


def unquoted(lines: list[str]) -> list[str]:
    """Lines without quotes around all of one."""
    return [line[1:-1] if line[0] == line[-1] in "\"'" else line for line in lines]


@dataclass(frozen=True)
class Write:
    """A call of `fs_write` that changed a file."""

    turn: int
    content: str
    size: int
    """Bytes, as the tool reported them."""


def final_writes(trial: Trial) -> dict[str, Write]:
    """The write that made each file's final content, by path and in order: the last one that changed it."""
    made: dict[str, Write] = {}
    for call in trial.calls:
        # The tool's own words name the file in one way, however the call spelt its path.
        said = re.fullmatch(r"wrote (\d+) bytes to (.+)", call.result)
        if call.name != "fs_write" or call.outcome != "ok" or not said:
            continue
        write = Write(call.turn, call.arguments["content"], int(said[1]))
        if (last := made.get(said[2])) is None or last.content != write.content:
            made.pop(said[2], None)  # so that the order is that of the last changes
            made[said[2]] = write
    return made


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


@test_multi_step_plan.alternative
def correct_the_second_step_and_all_after_it(agent: Actor) -> None:
    first, second, *rest = agent.facts["lines"]
    size = reported(agent.fs_write(STEPS[0], first))
    for step, line in zip(STEPS[1:], (second, *rest), strict=True):
        agent.fs_write(step, f"{line} 0")
    for step, line in zip(STEPS[1:], (second, *rest), strict=True):
        size = reported(agent.fs_write(step, f"{line} {size}"))


@test_multi_step_plan.alternative
def make_empty_files_first_and_write_the_first_step_twice(agent: Actor) -> None:
    for step in reversed(STEPS):
        agent.fs_write(step, "")
    follow_the_reports(agent)
    agent.fs_write(f"/workspace/{STEPS[0]}", agent.facts["lines"][0])
    agent.fs_read(STEPS[0])


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


def in_the_head(lines: list[str]) -> dict[str, str]:
    """The right contents by path, computed without a report."""
    texts = [lines[0]]
    for line in lines[1:]:
        texts.append(f"{line} {len(texts[-1].encode())}")
    return dict(zip(STEPS, texts, strict=True))


@test_multi_step_plan.counterexample
def write_backwards(agent: Actor) -> None:
    for step, text in reversed(in_the_head(agent.facts["lines"]).items()):
        agent.fs_write(step, text)


@test_multi_step_plan.counterexample
def write_backwards_and_then_the_same_in_order(agent: Actor) -> None:
    write_backwards(agent)
    follow_the_reports(agent)


@test_multi_step_plan.counterexample
def correct_the_first_step_when_all_is_done(agent: Actor) -> None:
    """With a mistake of the same length: the numbers are right, and were reported for something else."""
    texts = in_the_head(agent.facts["lines"])
    agent.fs_write(STEPS[0], texts[STEPS[0]].replace("boxes", "crate"))
    for step in (*STEPS[1:], STEPS[0]):
        agent.fs_write(step, texts[step])


def put_placeholders_first(name: str, text: str, order: tuple[int, ...]) -> Callable[[Actor], None]:
    """A solution that writes this text into the files in order, and then their contents in another order."""

    def solution(agent: Actor) -> None:
        texts = in_the_head(agent.facts["lines"])
        for step in STEPS:
            agent.fs_write(step, text)
        for number in order:
            agent.fs_write(STEPS[number - 1], texts[STEPS[number - 1]])

    solution.__name__ = f"put_placeholders_first_and_then_{name}"
    return solution


for name, text, order in (
    ("write_backwards", "", (4, 3, 2, 1)),
    ("write_the_last_two_first", "to be done\n", (3, 4, 1, 2)),
    ("swap_two", "...", (1, 3, 2, 4)),
):
    test_multi_step_plan.counterexample(put_placeholders_first(name, text, order))


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
