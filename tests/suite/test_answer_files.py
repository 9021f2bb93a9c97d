"""Tasks 03, 04, 07, 08 and 10: a harmless change of form never changes the verdict on an answer file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from suite_modules import declared, instance, played, task_module, verdict, write

from pytest_agentcore.runner import Finished

FORMS = (
    *("{}", "{}\n", "{}\r\n", "\n\n{}\n\n", "  {}\t\n", "\ufeff{}\n", "\u00a0{}\u202f", "\u200b{}\u2060"),
    *("`{}`", "``{}``", "```\n{}\n```\n", "```text\n{}\n```", '"{}"', "'{}'\n", "\u201c{}\u201d", "\u00ab{}\u00bb"),
    *("**{}**", "*{}*", "_{}_", "**`{}`**", "# {}\n", "- {}\n", "> {}", "| {} |", "<code>{}</code>", "<b>{}</b>\n"),
)
ENDINGS = ("{}.", "{}.\n", "**{}**.", '"{}."')
"""Of no account where a line does not stand in the prompt or the given files."""


def answers(number: int, run: int) -> tuple[str, list[str]]:
    """The right line of a task's one answer file, and wrong ones."""
    facts = instance(number, run).facts
    if number == 3:
        right, other = (f"cause={event}" for event in (facts["cause"], facts["readings"]["first_error"]))
        return right, [other, right[6:], f"{right} {other}", f"{right},{other[6:]}", f"cause:{right[6:]}", f"{right}0"]
    if number == 4:
        right, places = facts["origin"], facts["readings"]
        path, name = right.split(":")
        wrong = [
            places["second name"],
            places["same name elsewhere"],
            name,
            path,
            f"{path}:{name.lower()}",
            f"{path}={name}",
        ]
        return right, [*wrong, f"{right} or {places['second name']}", f"x{right}", f"{right}_X"]
    right, others = (
        (facts["answers"]["right"], facts["answers"]["fan_out_over_payments"])
        if number == 10
        else (facts["readings"]["bytes"], facts["readings"]["characters"])
    )
    words = [f"{right} bytes", f"the total is {right}", f"{right}.0", f"{right}, {others}", f"{right} or {others}"]
    return f"{right}", [f"{others}", f"{right + 1}", f"-{right}", f"{right}\n{others}", f"{right}0", *words]


def judge(finished: Finished, content: str) -> bool:
    """Whether the checker accepts the one artifact with this content."""
    task, trial = finished.job.task, finished.trial  # opened before the file changes, which is what its digest is for
    (finished.frozen.workspace.root / task.artifacts[0]).write_bytes(content.encode())
    try:
        task.checker(trial)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.parametrize("number", [3, 4, 8, 10])
def test_form_decides_nothing(number: int, run: int) -> None:
    right, wrong = answers(number, run)
    (artifact,) = declared(task_module(number)).artifacts
    with closing(played(number, run, [[("fs_read", {"path": "."})], [write(artifact, "-")]])) as finished:
        assert [form for form in (*FORMS, *ENDINGS) if not judge(finished, form.format(right))] == []
        assert [
            (form, each) for form in (*FORMS, *ENDINGS) for each in wrong if judge(finished, form.format(each))
        ] == []


Measure = Callable[[str], int]
STEPS = task_module(7).STEPS
WAYS: dict[str, tuple[bool, Measure, str, list[int]]] = {
    "right": (True, lambda content: len(content.encode()), "{} {}", [0, 1, 2, 3]),
    "characters counted": (False, len, "{} {}", [0, 1, 2, 3]),
    "one too many": (False, lambda content: len(content.encode()) + 1, "{} {}", [0, 1, 2, 3]),
    "no number": (False, len, "{}", [0, 1, 2, 3]),
    "number first": (False, lambda content: len(content.encode()), "{1} {0}", [0, 1, 2, 3]),
    "backwards": (False, lambda content: len(content.encode()), "{} {}", [3, 2, 1, 0]),
    "two swapped": (False, lambda content: len(content.encode()), "{} {}", [0, 2, 1, 3]),
}
"""Whether it is right, what is taken for the size of the file before, the line, and the order of writing."""


@pytest.mark.parametrize("way", WAYS)
def test_form_decides_nothing_about_steps(way: str) -> None:
    right, measure, line, order = WAYS[way]
    for form in FORMS:
        texts: list[str] = []
        for each in instance(7, 1).facts["lines"]:
            texts.append(form.format(line.format(each, measure(texts[-1])) if texts else each))
        turns = [[write(STEPS[number], texts[number])] for number in order]
        assert (verdict(7, 1, turns) == "") is right, form
