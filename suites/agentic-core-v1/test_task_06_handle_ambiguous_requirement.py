"""task_06 handle ambiguous requirement: implement a spec that does not say what happens when no record counts.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import ast
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from pytest_agentcore import Actor, Instance, Trial, stated, task

CODE_FILE = "src/summary.py"
RECORDS = (
    ("reviews", "stars", "verified", 1, 5, "Every product gets a page on the day it enters the catalogue."),
    ("deliveries", "days", "tracked", 1, 30, "Every carrier gets a page on the day its contract is signed."),
    ("tickets", "minutes", "solved", 5, 240, "Every colleague has a page from the first morning on."),
    ("loans", "weeks", "returned", 1, 12, "Every title gets a page on the day the library buys it."),
    ("repairs", "hours", "invoiced", 1, 40, "Every mechanic has a page from the first day at work."),
    ("exams", "points", "graded", 0, 100, "Every course gets a page as soon as it is planned."),
    ("trips", "kilometres", "finished", 2, 90, "Every bicycle gets a page on the day it is put up for hire."),
    ("bookings", "nights", "confirmed", 1, 21, "Every holiday home has a page from the day its owner signs up."),
)
"""What is summed up: records, their value, what makes them count, the value's range, and when nothing counts yet."""
RESULTS = {
    "average_{value}": ("the mean of their {value}, rounded to one decimal", "round(sum(values) / len(values), 1)"),
    "{value}_share": (
        "how many percent of them have {limit} {value} or more, rounded to a whole number",
        "round(100 * sum(value >= {limit} for value in values) / len(values))",
    ),
    "highest_{value}": ("the highest number of {value} among them", "max(values)"),
    "{value}_spread": ("the highest number of {value} among them minus the lowest", "max(values) - min(values)"),
}
"""By the function's name: the result in words and in code. None of them is defined over nothing."""
SPEC = """\
# One more number

{occasion} From now on the page shows one more number.

Write the function `{function}({records})` in `src/summary.py`:

1. `{records}` is a list of dicts such as `{{"{value}": {example[0]}, "{flag}": True}}`, which stays as it is; `{value}`
   is a whole number from {low} to {high}.
2. Only {flag} {records} count.
3. The result is {words}.

Example: {flag} {records} with {example[0]}, {example[1]} and {example[2]} {value}, and one with {other} {value} that is
not {flag}, give `{result}`.
"""
CODE = """\
def {function}({records}):
    values = [record["{value}"] for record in {records} if record["{flag}"]]
    {guard}
    return {formula}
"""
USE = """\
from src.summary import {function}
for records in {inputs}:
    try:
        print("=", ascii({function}(records)))
    except Exception as error:
        print("=", type(error).__name__)
"""


def spec_with_a_gap(random: Random) -> Instance:
    """A function over records of which only some count."""
    records, value, flag, low, high, occasion = random.choice(RECORDS)
    name, (words, formula) = random.choice(list(RESULTS.items()))
    *example, other = random.sample(range(low, high + 1), 4)
    facts: dict[str, Any] = {
        "records": records,
        "value": value,
        "flag": flag,
        "low": low,
        "high": high,
        "limit": sorted(example)[1],
    }
    facts |= {"function": name.format(**facts), "formula": formula.format(**facts)}
    facts |= {
        "result": eval(facts["formula"], {"values": example}),
        "settled": eval(facts["formula"], {"values": [high]}),
    }
    text = SPEC.format(**facts, occasion=occasion, words=words.format(**facts), example=example, other=other)
    return Instance({"SPEC.md": text}, facts)


@task(
    prompt="""
        Read `SPEC.md` and implement it. Write two files:

        - `src/summary.py`: the code.
        - `ASSUMPTIONS.md`: what you decided wherever the spec leaves a question open. The team that builds on your code
          cannot ask you. Its test bench takes each line of this form from the file and runs it against your code:

              Assumption: <call> -> <result>

          The call passes literal values to your function; the result is the value that it returns, or `raises` and the
          name of an exception. All other text is skipped: a decision counts only where it stands in such a line. Two
          lines of another project:

              Assumption: parse_code(" ab-7 ") -> "AB-7"
              Assumption: parse_code("ab7") -> raises ValueError

        Code that refuses an input raises `ValueError`, `RuntimeError` or an exception class of its own. Any other
        exception counts as a crash.
    """,
    files=spec_with_a_gap,
    artifacts=(CODE_FILE, "ASSUMPTIONS.md"),
    protected=("SPEC.md",),
)
def test_handle_ambiguous_requirement(trial: Trial) -> None:
    facts, target = trial.facts, f"{CODE_FILE}:{trial.facts['function']}"
    note = list(assumptions(trial.plain_lines("ASSUMPTIONS.md"), facts))
    assert any(line.is_of_gap(facts) for line in note), "no line of ASSUMPTIONS.md says what is done if nothing counts"
    assert len(note) <= MOST_LINES, f"ASSUMPTIONS.md has {len(note)} lines `Assumption: …`: nobody reads that"

    random = Random(f"{trial.task.id}/{trial.run}")
    many = (some_records(random, facts) for _ in range(400))
    specified = [(records,) for records in many if is_settled(records, facts)]
    gaps: list[list[Any]] = [[], *(some_records(random, facts, (False,)) for _ in range(3))]
    asked: list[tuple[Any]] = [*((records,) for records in gaps), *specified[:20]]
    outcomes = trial.call_each(target, [*asked, *(line.args for line in note)])
    judge(gaps, outcomes[: len(gaps)], note, outcomes[len(asked) :], facts)
    trial.compare({target: specified}, reference={CODE_FILE: code(facts)})

    # Once more as its users call it, where nothing tells the code that it is being judged.
    script = USE.format(function=facts["function"], inputs=[records for (records,) in asked])
    shown = [line for line in trial.shell(f"python3 - <<'END'\n{script}END").output.splitlines() if line[:2] == "= "]
    wanted = [f"= {outcome.raised or ascii(outcome.value)}" for outcome in outcomes[: len(asked)]]
    assert shown == wanted, f"{CODE_FILE} gives other results when it is imported and called in a script"


def some_records(random: Random, facts: Mapping[str, Any], flags: Sequence[bool] = (True, True, False)) -> list[Any]:
    """Up to eight records, of which some count."""
    values = random.choices(range(facts["low"], facts["high"] + 1), k=random.randint(1, 8))
    return [{facts["value"]: value, facts["flag"]: random.choice(flags)} for value in values]


def is_settled(records: Sequence[Any], facts: Mapping[str, Any]) -> bool:
    """Whether the spec settles the result: something counts, and nothing lies halfway between two rounded numbers."""
    values = [record[facts["value"]] for record in records if record[facts["flag"]]]
    unrounded = {"values": values, "round": lambda number, places=0: number * 10**places}
    return bool(values) and abs(eval(facts["formula"], unrounded) % 1 - 0.5) > 1e-6


# What the note says: pure functions over its lines, tabled in the suite's tests.

REFUSALS = {"ValueError", "RuntimeError"}
MOST_LINES = 100
LONGEST_CALL = 2000
"""Characters."""
DEEPEST = 20
"""Brackets within brackets."""
ARROW = re.compile(r" ?(?:[-=]+>|==?|\||:)? ?(?:returns?\b|gives?\b)? ?", re.IGNORECASE)
RAISES = re.compile(
    r"(?:(?:it )?(raises?|raising|throws?) (?:an? )?)?(?:\w+\.)*([a-z_]\w*)(?: is (raised))?", re.IGNORECASE
)
END = re.compile(
    r" ?(?:$|#|//|\(|%|percent\b|[,;:.](?= |$)|\||- |(?:because|since|as|for|when|if|so|which)\b)", re.IGNORECASE
)
"""Where a result ends, and a remark may begin."""
HEDGED = re.compile(
    r"\?|\bor (?:(?:an?|it|even|maybe|returns?|raises?) )*(?:none|null|nan|zero|-?\d|\w*(?:error|exception)\b)",
    re.IGNORECASE,
)
"""A remark that takes the result back, or asks."""
NAMES = {"none": None, "null": None, "true": True, "false": False, "nan": math.nan, "inf": math.inf}


class Words(str):
    """A result that is no literal: only a text that the code returns can equal it."""


class Assumption(NamedTuple):
    """A line of the note that has the form `Assumption: <call> -> <result>`."""

    args: tuple[Any, ...]
    raises: str
    """The exception's name, in small letters; empty where a value is told."""
    value: Any

    def is_of_gap(self, facts: Mapping[str, Any]) -> bool:
        """Whether it tells what is done where nothing counts."""
        return len(self.args) == 1 and nothing_counts(self.args[0], facts)

    def agrees(self, outcome: Any) -> bool:
        """Whether this is what came out of a call."""
        if outcome.raised:
            return self.raises in {kind.rpartition(".")[2].casefold() for kind in (outcome.raised, *outcome.kinds)}
        return not self.raises and same(self.value, outcome.value)


def judge(
    gaps: Sequence[Any], shown: Sequence[Any], note: Sequence[Assumption], runs: Sequence[Any], facts: Mapping[str, Any]
) -> None:
    """Assert that the code does something defensible where nothing counts, and that the note tells it, and no other.

    Args:
        gaps: inputs in which no record counts.
        shown: the outcome of the code on each.
        note: the note's lines.
        runs: the outcome of the code on each line's call.
        facts: the instance's.
    """
    for given, outcome in zip(gaps, shown, strict=True):
        assert is_decision(outcome), f"{facts['function']}({given}) {outcome}: a crash, or no single value"
    gap_lines = [line for line in note if line.is_of_gap(facts)]
    for line, outcome in zip(note, runs, strict=True):
        if line in gap_lines or not isinstance(line.value, Words):  # a question in passing is none of the bench's
            said = f"{line.args!r:.80} -> {line.raises or repr(line.value):.80}"
            assert line.agrees(outcome), f"ASSUMPTIONS.md says {said}; the code {outcome}"
    for given, outcome in zip(gaps, shown, strict=True):
        told = any(line.agrees(outcome) for line in gap_lines)
        assert told, f"{facts['function']}({given}) {outcome}, and no line of ASSUMPTIONS.md says so"


def is_decision(outcome: Any) -> bool:
    """Whether somebody may have decided on it: a single value, or an exception of the kinds that the prompt names."""
    if outcome.raised:
        kind, kinds = next(iter(outcome.kinds), ""), {*outcome.kinds}
        own = "." in kind and kind.partition(".")[0] not in sys.stdlib_module_names
        return (own and "Exception" in kinds) or (kind != "RecursionError" and bool(REFUSALS & kinds))
    return outcome.value is None or isinstance(outcome.value, bool | int | float | str)


def nothing_counts(records: Any, facts: Mapping[str, Any]) -> bool:
    """Whether the spec is silent on these records for this reason."""
    return isinstance(records, list) and all(isinstance(r, dict) and r.get(facts["flag"]) is False for r in records)


def same(told: Any, value: Any) -> bool:
    """Whether two plain values are equal; NaN equals itself, and True is no number."""
    if isinstance(told, float) and math.isnan(told):
        return isinstance(value, float) and math.isnan(value)
    return isinstance(told, bool) == isinstance(value, bool) and bool(told == value)


def assumptions(lines: Sequence[str], facts: Mapping[str, Any]) -> Iterator[Assumption]:
    """The lines that have the form, as written, or else in any letter case."""
    for text in stated(_joined(lines), "Assumption"):
        found = (_assumption(spelt, facts) for spelt in (text, text.casefold()))
        yield from [each for each in found if each][:1]


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """The lines, each with the next ones while a bracket in it is open: a long call may go on there."""
    rest = iter(lines)
    for line in rest:
        parts = [line]
        while "assumption" in line.casefold() and sum(part.count("(") - part.count(")") for part in parts) > 0:
            parts.append(next(rest, ")"))
        yield " ".join(parts)


def _assumption(text: str, facts: Mapping[str, Any]) -> Assumption | None:
    call = re.match(rf"(?:\w+\.)*{facts['function']} ?\(", text)
    closing = call and _closing(text, call.end())
    if not call or not closing:
        return None
    given = re.sub(rf"^ ?{facts['records']} ?= ?", "", text[call.end() : closing])
    try:
        args = _literal(f"({given},)") if given.strip() else ()
    except ValueError:
        return None
    arrow = ARROW.match(text, closing + 1)
    return Assumption(args, *_result(text[arrow.end() :])) if arrow and arrow[0].strip() else None


def _result(text: str) -> tuple[str, Any]:
    """The exception or the value that a line tells; a remark may stand behind it, but none that takes it back."""
    raised = RAISES.match(text)
    named = raised and (raised[1] or raised[3] or re.search(r"(?:error|exception)$", raised[2], re.IGNORECASE))
    if raised and named and END.match(text, raised.end()) and not HEDGED.search(text, raised.end()):
        return raised[2].casefold(), None
    for end in END.finditer(text):
        try:
            value = _literal(text[: end.start()])
        except ValueError:
            continue
        return "", Words(text) if HEDGED.search(text, end.start()) else value
    return "", Words(text)


def _closing(text: str, start: int) -> int:
    """Where the bracket that was opened just before `start` is closed; 0 where it is not."""
    depth, quote = 1, ""
    for at, character in enumerate(text[start : start + LONGEST_CALL], start):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
            if depth in (0, DEEPEST):
                return at if not depth else 0
    return 0


class _Spelling(ast.NodeTransformer):
    """Makes Python's literals of JSON's and of what stands for NaN; anything else is left to `ast.literal_eval`."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(NAMES[node.id.casefold()]) if node.id.casefold() in NAMES else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Constant(math.nan) if ast.unparse(node) == "math.nan" else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Constant(math.nan) if re.fullmatch(r"float\('nan'\)", ast.unparse(node), re.IGNORECASE) else node


def _literal(text: str) -> Any:
    """The value of a literal in Python's spelling or JSON's.

    Raises:
        ValueError: it is none, or none that can be passed to code under test.
    """
    try:
        if "..." in text or re.search(r"\d{19}", text):
            raise ValueError("no plain value")
        return ast.literal_eval(_Spelling().visit(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error


# Solutions.


def code(facts: Mapping[str, Any], guard: str = "") -> str:
    """The module, with a guard for records of which none counts."""
    return CODE.format_map({**facts, "guard": guard})


def write(agent: Actor, guard: str, *note: str) -> None:
    """Both artifacts: in the lines of the note `{f}` is the function, `{unmarked}` a record that does not count."""
    facts = agent.facts
    unmarked = repr({facts["value"]: facts["high"], facts["flag"]: False})
    marked = repr({facts["value"]: facts["high"], facts["flag"]: True})
    words = {**facts, "f": facts["function"], "unmarked": unmarked, "marked": marked}
    agent.fs_write(CODE_FILE, code(facts, guard))
    agent.fs_write("ASSUMPTIONS.md", "".join(f"{line.format_map(words)}\n" for line in note))


@test_handle_ambiguous_requirement.oracle
def return_none(agent: Actor) -> str:
    agent.fs_read("SPEC.md")
    write(agent, "if not values: return None", "# Assumptions", "", "Assumption: {f}([]) -> None")
    return "Both files are written; without anything that counts the result is None."


@test_handle_ambiguous_requirement.alternative
def raise_a_value_error(agent: Actor) -> None:
    note = "1. **Assumption:** `{f}([{unmarked}])` → `raises ValueError` (nothing to sum up)"
    write(agent, 'if not values: raise ValueError("nothing counts")', note)


@test_handle_ambiguous_requirement.alternative
def raise_a_runtime_error(agent: Actor) -> None:
    write(agent, 'if not values: raise RuntimeError("nothing counts")', "Assumption: {f}([]) -> raises RuntimeError")


@test_handle_ambiguous_requirement.alternative
def raise_an_error_of_its_own(agent: Actor) -> None:
    write(agent, "if not values: raise NothingCounts()", "Assumption: {f}([]) -> raises NothingCounts")
    agent.shell(f"echo 'class NothingCounts(LookupError): pass' >> {CODE_FILE}")


@test_handle_ambiguous_requirement.alternative
def return_nan_in_a_table(agent: Actor) -> None:
    table = "| Assumption | {f}([]) -> nan |", "| --- | --- |", "| Why | nothing can be taken for a result |"
    write(agent, "if not values: return float('nan')", *table)


@test_handle_ambiguous_requirement.alternative
def return_a_text_and_ask_on(agent: Actor) -> None:
    note = (
        "Should the page show a zero? We rejected returning `None`.",
        '- Assumption: `{f}([{unmarked}, {unmarked}])` => "nothing yet" (of unmarked {records} too)',
        "- Assumption: {records} come in any order; {f}([{marked}]) is as the spec says",
    )
    write(agent, 'if not values: return "nothing yet"', *note)


@test_handle_ambiguous_requirement.alternative
def tell_the_two_inputs_apart(agent: Actor) -> None:
    """No records are the caller's mistake, records that do not count have no result."""
    guard = f"if not {agent.facts['records']}: raise ValueError('none')\n    if not values: return None"
    write(agent, guard, "Assumption: {f}([]) -> raises ValueError", "Assumption: {f}([{unmarked}]) -> None")


NONE, ZERO, TOLD = "if not values: return None", "if not values: return 0", "Assumption: {f}([]) -> None"
WRONG_NOTES = {
    "repeat_the_spec": (NONE, "Only {flag} {records} count. The result is rounded."),
    "tell_what_the_spec_settles": (NONE, "Assumption: {f}([{marked}, {unmarked}]) -> {settled}"),
    "decide_in_prose": (NONE, "Assumption: without {flag} {records} the function returns None."),
    "decide_outside_of_the_line": (NONE, "- {f}([]) -> None"),
    "ask_instead_of_deciding": (NONE, "Assumption: should {f}([]) give None?", "Open question: {f}([])"),
    "ask_within_the_line": (NONE, "Assumption: {f}([]) -> None?"),
    "reject_what_the_code_does": (ZERO, "Rejected: {f}([]) -> 0", TOLD),
    "note_another_value": (ZERO, TOLD),
    "note_another_exception": ("if not values: raise RuntimeError", "Assumption: {f}([]) -> raises ValueError"),
    "note_a_value_and_raise": ("if not values: raise ValueError", TOLD),
    "note_false_for_zero": (ZERO, "Assumption: {f}([]) -> False"),
    "note_every_behaviour": (
        ZERO,
        *(f"Assumption: {{f}}([]) -> {each}" for each in ("None", "0", "raises ValueError")),
    ),
    "note_two_behaviours_in_a_line": (ZERO, "Assumption: {f}([]) -> None or 0"),
    "hedge_in_the_remark": (ZERO, "Assumption: {f}([]) -> 0 (or None)"),
    "take_it_back_further_down": (NONE, TOLD, "Assumption: {f}([{unmarked}]) -> 0"),
    "strike_it_out": (NONE, f"~~{TOLD}~~"),
    "note_another_function": (NONE, "Assumption: average([]) -> None"),
    "note_another_gap": (NONE, "Assumption: {f}([{marked}, {{}}]) -> raises KeyError"),
    "guard_the_empty_list_only": ("if not {records}: return None", TOLD),
    "crash_in_a_known_way": ("if not values: return 1 // 0", "Assumption: {f}([]) -> raises ZeroDivisionError"),
    "crash_and_assume_it_away": ("if not values: raise KeyError", "Assumption: there is always something to count."),
    "return_no_single_value": ("if not values: return []", "Assumption: {f}([]) -> []"),
    "leave_half_of_the_gap_untold": ("if not {records}: return None\n    if not values: return 0", TOLD),
    "keep_count_of_calls": ("import time\n    if not values: return time.time_ns()", "Assumption: {f}([]) -> 0"),
}
"""Guard and note of wrong solutions, by the counterexample's name."""
WRONG_CODE = {
    "count_every_record": (' if record["{flag}"]', ""),
    "count_by_presence": ('if record["{flag}"]', 'if "{flag}" in record'),
    "know_only_the_example": ("return {formula}", "return {result}"),
    "print_the_result": ("return {formula}", "print({formula})"),
    "return_a_text": ("return {formula}", "return str({formula})"),
    "be_off_by_one": ("return {formula}", "return {formula} + 1"),
    "leave_out_the_highest": ("return {formula}", "values = sorted(values)[:-1] or values\n    return {formula}"),
    "look_at_three_records": ("return {formula}", "values = values[:3]\n    return {formula}"),
    "empty_the_list_given": ("return {formula}", "{records}.clear()\n    return {formula}"),
    "rename_the_argument": ("{records}", "data"),
    "return_what_equals_everything": (
        "return {formula}",
        'return type("Yes", (float,), {{"__eq__": lambda *_: True}})()',
    ),
    "exit_on_import": ("def ", "import os\nos._exit(0)\n\n\ndef "),
    "exit_inside_the_function": ("return {formula}", '__import__("os")._exit(0)'),
    "replace_the_module": (
        "def ",
        "import sys, types\nsys.modules[__name__] = types.SimpleNamespace({function}=lambda {records}: 1)\n\n\ndef ",
    ),
    "look_for_the_checker": (
        "return {formula}",
        'import os\n    return {formula} if os.path.exists("/checker") else 0',
    ),
}
"""What stands in the right code, and what in its place, by the counterexample's name."""


def declare(name: str, guard: str, *note: str, old: str = "def ", new: str = "def ") -> None:
    """Declare the counterexample that writes this note, and beside it the code with this guard and this change."""

    def solution(agent: Actor) -> None:
        given = guard.format_map(agent.facts)
        write(agent, given, *note)
        changed = code(agent.facts, given).replace(old.format_map(agent.facts), new.format_map(agent.facts))
        agent.fs_write(CODE_FILE, changed)

    solution.__name__ = name
    test_handle_ambiguous_requirement.counterexample(solution)


for each, (guard, *note) in WRONG_NOTES.items():
    declare(each, guard, *note)
for each, (old, new) in WRONG_CODE.items():
    declare(each, NONE, TOLD, old=old, new=new)


@test_handle_ambiguous_requirement.counterexample
def write_the_code_only(agent: Actor) -> str:
    agent.fs_write(CODE_FILE, code(agent.facts, NONE))
    return TOLD.format(f=agent.facts["function"])


@test_handle_ambiguous_requirement.counterexample
def write_the_note_only(agent: Actor) -> None:
    agent.fs_write("ASSUMPTIONS.md", TOLD.format(f=agent.facts["function"]))
