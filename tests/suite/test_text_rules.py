"""The text rules of tasks 06 and 09: labelled texts, the same in other forms, and texts assembled from parts.

The texts were written from the prompts alone, in the manner of ten model families, and labelled before a rule was
tried on any.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from suite_modules import task_module

from pytest_agentcore import plain_lines
from pytest_agentcore.checking.calls import Outcome
from pytest_agentcore.checking.inside.direct import qualified

TASK_06, TASK_09 = task_module(6), task_module(9)
SPECS: Mapping[int, Mapping[str, str]] = {
    1: {"function": "points_share", "records": "exams", "value": "points", "flag": "graded"},
    2: {"function": "nights_share", "records": "bookings", "value": "nights", "flag": "confirmed"},
    3: {"function": "highest_kilometres", "records": "trips", "value": "kilometres", "flag": "finished"},
}
"""The three instances of task 06 for which there are notes."""
FILES: Mapping[int, Mapping[str, Any]] = {
    1: {
        "window": 21,
        "dates": ["2021-09-25", "2021-09-26", "2021-09-27", "2021-09-28", "2021-09-29"],
        "amounts": [4836.25, 2084.25, 8309.25, 2493.75, 8452.25],
    },
    2: {
        "window": 30,
        "dates": ["2019-03-16", "2019-03-17", "2019-03-18"],
        "amounts": [8060.50, 2734.25, 4460.25],
    },
    3: {
        "window": 28,
        "dates": ["2022-11-03", "2022-11-04", "2022-11-05", "2022-11-06", "2022-11-07"],
        "amounts": [9678.75, 3903.75, 5579.25, 3280.25, 6628.75],
    },
}
"""The three of task 09 for which there are reports."""

Judge = Callable[[str, Mapping[str, Any]], str]


def samples(name: str) -> Any:
    """The content of `samples/NAME.json`."""
    return json.loads((Path(__file__).parent / "samples" / f"{name}.json").read_text(encoding="utf-8"))


def verdict_on_report(report: str, sample: Mapping[str, Any]) -> str:
    """What task 09 says of a report on one of the files."""
    try:
        TASK_09.judge(plain_lines(report), FILES[sample["instance"]])
    except AssertionError:
        return "reject"
    return "accept"


def verdict_on_note(note: str, sample: Mapping[str, Any]) -> str:
    """What task 06 says of a note beside the sample's code."""
    facts = SPECS[sample["instance"]]
    value, flag = facts["value"], facts["flag"]
    gaps = [[], [{value: 3, flag: False}], [{value: 3, flag: False}, {value: 5, flag: False}]]
    try:
        lines = list(TASK_06.assumptions(plain_lines(note), facts))
        shown = [outcome(sample["code"], facts["function"], (records,)) for records in gaps]
        runs = [outcome(sample["code"], facts["function"], line.args) for line in lines]
        TASK_06.judge(gaps, shown, lines, runs, facts)
    except AssertionError:
        return "reject"
    return "accept"


@cache
def functions(code: str) -> dict[str, Any]:
    """What a sample's code defines."""
    defined: dict[str, Any] = {"__name__": "summary"}
    exec(code, defined)
    return defined


def outcome(code: str, function: str, args: tuple[Any, ...]) -> Outcome:
    """The outcome of a call, as the sandbox would report it."""
    try:
        return Outcome(functions(code)[function](*args))
    except Exception as error:  # noqa: BLE001 - a sample's code
        return Outcome(None, type(error).__name__, str(error), tuple(map(qualified, type(error).__mro__)))


JUDGES: Mapping[str, Judge] = {"notes": verdict_on_note, "reports": verdict_on_report}


@pytest.fixture(params=JUDGES)
def kind(request: pytest.FixtureRequest) -> str:
    """Notes of task 06, then reports of task 09."""
    return str(request.param)


@cache
def labelled(kind: str) -> list[dict[str, Any]]:
    """The texts of a kind; every label is there often, and every family."""
    return list(samples(kind))


def test_there_are_enough_texts_of_ten_families(kind: str) -> None:
    texts = labelled(kind)

    assert len({sample["text"] for sample in texts}) == len(texts) >= 120
    assert len({sample["family"] for sample in texts}) == 10
    assert min(sum(sample["label"] == label for sample in texts) for label in ("accept", "reject")) >= 60


def test_at_most_one_in_a_hundred_labelled_texts_is_misjudged(kind: str) -> None:
    texts = labelled(kind)
    wrong = [sample["id"] for sample in texts if JUDGES[kind](sample["text"], sample) != sample["label"]]

    assert len(wrong) <= len(texts) // 100, wrong


# Harmless changes of form. Those of a line are made to the lines that state something, and stand bare.

STATEMENT = re.compile(r"^((?:Data|Figure|Assumption)\b ?: ?)([^|`*~<\\$\n]*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)


def each_statement(change: str) -> Callable[[str], str]:
    """A change of form that puts each statement into a template of its label `{0}` and its rest `{1}`."""
    return lambda text: STATEMENT.sub(lambda found: change.format(found[1].strip(), found[2]), text)


def characters(old: str, new: str) -> Callable[[str], str]:
    """A change of form that writes characters otherwise."""
    return lambda text: text.translate(dict.fromkeys(map(ord, old), new))


def wide(text: str) -> str:
    """The text in full-width letters, digits and marks."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and c not in "#>|`-*_<\\~" else c for c in text)


def escaped(text: str) -> str:
    """The statements with a backslash before what Markdown might take for a mark."""
    return STATEMENT.sub(lambda found: found[1] + re.sub(r"([\[\]()#_*.-])", r"\\\1", found[2]), text)


FORMS: Mapping[str, Callable[[str], str]] = {
    "no-break spaces": characters(" ", "\u00a0"),
    "narrow no-break spaces": characters(" ", "\u202f"),
    "figure spaces": characters(" ", "\u2007"),
    "two spaces": each_statement("{0}  {1}"),
    "no-break hyphens": characters("-", "\u2011"),
    "minus signs": characters("-", "\u2212"),
    "en dashes for hyphens": characters("-", "\u2013"),
    "typographic arrows": lambda text: text.replace(" -> ", " \u2192 "),
    "typographic quotes": lambda text: re.sub(r'"(\w+)"', "\u201c\\1\u201d", text),
    "full width": wide,
    "invisible characters": lambda text: re.sub(r"(?<=\w)(?= )", "\u200b\u00ad\u2060", text),
    "byte order mark and CRLF": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "capitals in the label": lambda text: STATEMENT.sub(lambda found: found[1].upper() + found[2], text),
    "bold label": each_statement("**{0}** {1}"),
    "underlined label": each_statement("__{0}__ {1}"),
    "italic line": each_statement("*{0} {1}*"),
    "code span": each_statement("`{0} {1}`"),
    "code fence": each_statement("```text\n{0} {1}\n```"),
    "heading": each_statement("### {0} {1}"),
    "list": each_statement("- {0} {1}"),
    "other list": each_statement("  * {0} {1}"),
    "numbers": each_statement("1. {0} {1}"),
    "task box": each_statement("- [x] {0} {1}"),
    "quotation": each_statement("> {0} {1}"),
    "list in a quotation": each_statement("> - **{0}** {1}"),
    "table": each_statement("| {0} {1} |\n|---|"),
    "table of two columns": each_statement("| **{0}** | {1} |"),
    "picture": each_statement("\u2705 {0} {1}"),
    "escapes": escaped,
    "entities": lambda text: STATEMENT.sub(lambda f: f[1] + html.escape(f[2]).replace(" ", "&nbsp;"), text),
    "paragraph in HTML": each_statement("<p><strong>{0}</strong> {1}</p>"),
    "list in HTML": each_statement("<ul>\n<li><code>{0} {1}</code></li>\n</ul>"),
    "table in HTML": each_statement("<table><tr><td>{0}</td>\n<td>{1}</td></tr></table>"),
    "indented, with blank lines": each_statement("\n    {0} {1}\n\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_harmless_change_of_form_changes_a_verdict(kind: str, form: str) -> None:
    others = [(sample, FORMS[form](sample["text"])) for sample in labelled(kind)]
    others = [(sample, text) for sample, text in others if text != sample["text"]]
    changed = [s["id"] for s, text in others if JUDGES[kind](text, s) != JUDGES[kind](s["text"], s)]

    assert changed == []


def test_at_least_fifteen_changes_of_form_change_many_texts(kind: str) -> None:
    texts = [sample["text"] for sample in labelled(kind)]
    telling = [form for form, change in FORMS.items() if sum(change(text) != text for text in texts) > len(texts) // 4]

    assert len(telling) >= 15


# Texts assembled from parts, of which some assert and others only have the words.

ASSEMBLED = 1500
"""Texts of each kind."""
PROSE = ("questions", "wishes", "rejected", "courtesies")


def filled(part: str, words: Mapping[str, Any]) -> str:
    """A part with words for what stands in angle brackets."""
    return re.sub(r"<([a-z ]+)>", lambda found: str(words[found[1].replace(" ", "_")]), part)


def some(parts: Mapping[str, list[str]], names: Sequence[str], random: Random, most: int = 2) -> list[str]:
    """A few parts of each of these roles, at least one if `most` is below zero."""
    return [part for name in names for part in random.sample(parts[name], random.randint(most < 0, abs(most)))]


RESULTS = {
    "None": "return None",
    "0": "return 0",
    "raises ValueError": "raise ValueError",
    "raises RuntimeError": "raise RuntimeError",
}
"""How a note tells a result, and how code brings it about."""


def assembled_note(parts: Mapping[str, Any], random: Random) -> tuple[str, dict[str, Any], str]:
    """A note, a sample with the code beside it, and the note's label."""
    number, (result, false) = random.choice(list(SPECS)), random.sample(list(RESULTS), 2)
    values, other = (
        parts["values"][str(number)],
        random.choice(parts["values"][str(number)]["other call -> other result"]),
    )
    words = {**values, "call": random.choice(values["call"]), "result": result, "false_result": false}
    words |= {"other_call": other["call"], "other_result": other["result"]}
    told, taken_back = random.random() < 0.6, random.random() < 0.25
    lines = some(parts, (*PROSE, "other", "asserts_prose"), random)
    lines += some(parts, ["asserts" if told else "asserts_unrunnable"], random, -2)
    lines += some(parts, ["taken_back"], random, -1) if taken_back else []
    text = "\n\n".join(filled(line, words) for line in random.sample(lines, len(lines)))
    right = next(
        sample["code"]
        for sample in labelled("notes")
        if sample["instance"] == number and "return None" in sample["code"]
    )
    sample = {"instance": number, "code": right.replace("return None", RESULTS[result])}
    return text, sample, "accept" if told and not taken_back else "reject"


def assembled_report(parts: Mapping[str, Any], random: Random) -> tuple[str, dict[str, Any], str]:
    """A report, the file that it is about, and its label."""
    number = random.choice(list(FILES))
    values = parts["values"][str(number)]
    words = {**values, "number_of_rows": values["rows"], "first_date": values["first"], "last_date": values["last"]}
    words |= {"wrong_first_date": values["wrong_first"], "wrong_last_date": values["wrong_last"]}
    roles = {
        name: random.random() < chance
        for name, chance in {
            "data_wrong": 0.15,
            "asserts_wrong": 0.15,
            "taken_back": 0.15,
            "figures_wrong": 0.15,
            "silent": 0.1,
        }.items()
    }
    lines = some(parts, ["data_wrong" if roles["data_wrong"] else "data_right"], random, -1)
    if not roles["silent"]:
        lines += some(parts, ["asserts_wrong" if roles["asserts_wrong"] else "asserts"], random, -1)
    rest = some(parts, (*PROSE, "other", "prose_caveats", "figures_right"), random)
    for role in ("taken_back", "figures_wrong"):
        rest += some(parts, [role], random, -1) if roles[role] else []
    lines += random.sample(rest, len(rest))
    text = []
    for line in lines:
        wrong = values["highest" if "lowest" in line else "lowest"]
        text.append(filled(line, {**words, "wrong_amount": wrong}))
    return "\n".join(text), {"instance": number}, "reject" if any(roles.values()) else "accept"


ASSEMBLIES = {"notes": assembled_note, "reports": assembled_report}


def test_at_most_two_in_a_hundred_assembled_texts_are_misjudged(kind: str) -> None:
    parts, random = samples(f"{kind}_parts"), Random(kind)
    texts = [ASSEMBLIES[kind](parts, random) for _ in range(ASSEMBLED)]
    wrong = [(text, label) for text, sample, label in texts if JUDGES[kind](text, sample) != label]

    assert len(wrong) <= ASSEMBLED // 50, wrong[:3]
    assert min(sum(label == each for *_, label in texts) for each in ("accept", "reject")) >= ASSEMBLED // 4
