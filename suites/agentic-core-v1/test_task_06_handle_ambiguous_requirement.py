"""task_06 handle ambiguous requirement: implement a spec that does not say what happens without verified reviews.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import builtins
import math
import re
from collections.abc import Iterator
from typing import Any

from pytest_agentcore import Actor, Trial, task

FUNCTION = "src/ratings.py:average_rating"


def reviews(*stars: int, unverified: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Verified reviews with these stars, then unverified ones."""
    return [{"stars": s, "verified": True} for s in stars] + [{"stars": s, "verified": False} for s in unverified]


SPECIFIED = (
    (reviews(5, 4, 4, unverified=(1,)), 4.3),
    (reviews(3), 3.0),
    (reviews(1, 2), 1.5),
    (reviews(5, 5, 2, 1, 1, 5), 3.2),
    (reviews(2, 2, 1, unverified=(5, 5, 5)), 1.7),
)
GAP_INPUTS = (reviews(), reviews(unverified=(5, 2)))
LONGEST_NOTE = 20_000
"""Characters."""
LONGEST_PASSAGE = 40
"""Lines."""


@task(
    prompt="""
        Read `SPEC.md` and implement it. Write two files:

        - `src/ratings.py`: the code.
        - `ASSUMPTIONS.md`: the assumptions you made, each with what your code does. The shop team builds on your code
          without asking you, and relies on this note wherever the spec leaves a question open.
    """,
    files="task_06",
    artifacts=("src/ratings.py", "ASSUMPTIONS.md"),
    protected=("SPEC.md",),
)
def test_handle_ambiguous_requirement(trial: Trial) -> None:
    outcomes = trial.call_each(FUNCTION, [(given,) for given, _ in SPECIFIED])
    for (given, average), outcome in zip(SPECIFIED, outcomes, strict=True):
        got = outcome.returned(float)
        assert got == average, f"average_rating({given}) should be {average}, not {got}"

    note = trial.text("ASSUMPTIONS.md")
    assert len(note) <= LONGEST_NOTE, f"ASSUMPTIONS.md has {len(note)} characters: nobody reads that"
    gap = [trial.call(FUNCTION, given) for given in GAP_INPUTS]
    shown = [behaviour(outcome.value, outcome.raised) for outcome in gap]
    for given, mine, other in zip(GAP_INPUTS, shown, reversed(shown), strict=True):
        sentence = f"average_rating({given}) shows {mine!r}; ASSUMPTIONS.md does not tell so, or not only that"
        assert tells(note, mine, other), sentence


# What the code does on the gap's input, and whether the note tells it. Pure functions, tabled in the suite's tests.


def behaviour(value: Any, raised: str) -> str:
    """What the code shows on the gap's input, in a word: `error`, `None`, `zero`, `nan`, or the value's own text.

    Raises:
        AssertionError: a crash (a builtin exception other than ValueError is nobody's decision), or no single value.
    """
    if raised:
        assert raised == "ValueError" or not hasattr(builtins, raised), f"crash without verified reviews: {raised}"
        return "error"
    if isinstance(value, float) and not value.is_integer():
        return "nan" if math.isnan(value) else str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert abs(value) < 1000, "a number without verified reviews that nobody could take for a rating or a marker"
        return str(int(value)) if value else "zero"
    assert value is None or isinstance(value, str | bool), f"no rating and no marker: a {type(value).__name__}"
    return str(value).strip() or "empty string"


def any_of(*alternatives: str, flags: re.RegexFlag = re.I) -> re.Pattern[str]:
    """One pattern out of several."""
    return re.compile("|".join(alternatives), flags)


GAP = any_of(
    r"\b(?:no|zero|0|w/o|without|lacks?|lacking|(?:lack|absence) of|at least one|(?:fewer|less) than (?:one|1)"
    r"|missing(?= (?:\w+ )?reviews)|not (?:\w+ )?any)\s"
    r"(?:(?:any|a|single|of|the|such|valid|verified|matching|qualifying|eligible|usable|customer|buyer|product)\s)*"
    r"(?:reviews?|ratings?|entries|items|verified(?: (?:ones?|reviews?|entries))?)\b",
    r"n't (?:\w+ )?any (?:verified )?(?:reviews?|ratings?)\b",
    r"(?<!non-)(?<!not )(?<!never )(?<!not an )\bempty\b"
    r"(?! (?:[\w-]+ )?(?:strings?|names?|text|comments?|keys?|values?))",
    r"\[\s*\]",
    r"\blen\(\w+\)\s*==\s*0|\b\w*(?:verified|reviews|ratings|count)\s*==\s*0\b",
    r"\bif not \w*(?:reviews|ratings|verified|stars|scores)\b",
    r"\blength (?:of )?(?:0|zero)\b(?![.,]\d)",
    r"\bnone (?:of (?:the|its|them|these|those)\b|(?:are|is) verified)",
    r"\bnot (?:a single|one)\b|\bcount of (?:0|zero)\b(?![.,]\d)",
    r"\bnothing (?:(?:is|was|may be|can be) )?(?:to average|verified|counts|left|remains|qualifies)\b",
    r"\b(?:all|every|only|solely|just|exclusively|entirely) (?:(?:of|the|its|has|have|contains?|reviews?|are|is) )*"
    r"(?:unverified|not verified|non-verified)",
    r"\b(?:never|not|n't) (?:yet )?(?:been )?(?:reviewed|rated)\b",
    r"\b(?:nobody|no one)\b[^.,;\n|]{0,40}\b(?:reviewed|rated|review)\b",
    r"\bha(?:s|ve) none\b|\bbefore (?:any|the first|a) (?:verified )?review\b",
    r"\b(?:not|n't) (?:yet )?(?:received|gotten|got|collected|have|has) (?:yet )?any\b",
    r"\byet to (?:receive|get|collect|have|be)\b",
    r"\b(?:unreviewed|unrated)\b",
    r"\breviews?\b[^.\n|]{0,20}? (?:is|are|equals|==?) (?:0|zero)\b(?![.,]\d)",
    r"\breviews? (?:(?:do|does|did)(?: not|n't) exist|(?:are|is) (?:absent|missing))\b",
    r"\breviews?\s?[:=] ?(?:none|0|zero)\b(?![.,]\d)",
)
"""The ways to name the gap's input."""

ANOTHER_GAP = any_of(
    r"\b(?:review|entry|entries|item|dict)s?\b[^.\n|,;:]{0,20}\b(?:without|lack(?:s|ing)?|(?:with|has|have) no|missing)"
    r" (?:an? |any |the |its )?(?:ratings?|stars?)\b"
)
"""A single review that lacks something; the spec leaves that open too, and it is not what is asked about."""

BEHAVIOURS = {
    "None": any_of(r"\bNone\b", r"\bnull\b", r"\breturn(?:s|ed|ing)? none\b", flags=re.NOFLAG),
    "zero": any_of(r"(?<![\w.,-])0(?:\.0+)?(?![\w%]|[.,]\d)", r"\bzero\b"),
    "nan": any_of(r"\bnan\b", r"\bnot[- ]a[- ]number\b"),
    "error": any_of(r"\w*(?:error|exception)\b", r"\brais(?:e|es|ed|ing)\b", r"\bthrow(?:s|n|ing)?\b"),
    "-1": any_of(r"(?<![\w.)-])-1(?:\.0)?(?![\w.])"),
    "empty string": any_of(r"\bempty string\b"),
}
"""The ways to name what the code does."""

NOISE = any_of(
    r"divi\w+[ -]by[ -](?:zero|0)(?: errors?| exceptions?)?",
    r"ZeroDivisionError",
    r"\b0(?:\.0)? ?(?:to|-|\u2013|and|\.\.) ?5\b",
    r"\b0 (?:failures?|errors?|tests?|warnings?|issues?|problems?)\b",
    r"(?:==|!=|<=?|(?<![=-])>=?)\s*0(?:\.0)?\b",
    r"\b(?:total|sum|count|\w+_(?:total|sum|count))\s*\+?=\s*0(?:\.0)?\b",
    r"\b(?:None|null) or (?=\W*GAP)",
    r"(?<=GAP) (?:list )?or (?:None|null)\b",
)
"""Zeros, errors and Nones that are no behaviour of the function."""

NO_LIST = any_of(r"\b(?:reviews|list|input|argument|parameter) (?:is|are|==) (?:None|null)\b")
"""An input that is not even a list."""

DENIED = any_of(
    r"(?:\b(?:than|instead of|as opposed to|in place of|unlike|without|never(?: returns)?|no|cannot|against|avoid\w*"
    r"|prevent\w*)"
    r"|\brais(?:es?|ing) (?:no|nothing)"
    r"|\bnot(?![- ]a[- ]number)|n't)\b"
    r"(?:(?!\b(?:and|but|so|then|it|we|I|returns|the (?:result|function|average|rating|code))\b)[^,;:()—→|])*"
    r"(?:(?:, (?:an? )?(?:None|null|NaN|0(?:\.0)?|zero|\w*error|\w*exception))*,? n?or (?:an? )?"
    r"(?:None|null|NaN|0(?:\.0)?|zero|\w*error|\w*exception)\b)?",
    r"\b(?:None|null|NaN|zero|0(?:\.0)?|errors?|exceptions?) (?:is|are|was|will be|would be) (?:not|never)\b",
)
"""What the author says that the code does not do."""

WEIGHED = any_of(
    r"\b(?:whether|could|would|might|may|either|depend|alternativ|option|possib|rejected|discard|open question)",
    r"\bconsider(?!ed)|\b(?:I|we|also) considered\b|\bconsidered[\w ]*:",
    r"\b(?:unclear|unsure|ambigu|unspecified|undefined|silent)",
    r"(?:not|n't) (?:say|defin|stat|specif|mention|cover|address)",
    r"\b(?:mislead|confus|wrong|looks? like|impl(?:y|ies)|suggest|mistake|indistinguish|dishonest|distort|skew|hide)",
)
"""A clause that weighs behaviours instead of stating one."""

REJECTED = any_of(r"\W*(?:\w+ ){0,2}(?:options?|alternatives?|rejected|considered)[\w ]*:")
"""A line that lists what was not done."""

ANNOUNCED = any_of(r"\b(?:options?|alternatives?|possibilities|rejected|considered)\b[\w ]*:\s*$")
"""The end of a line whose list weighs behaviours."""

ELSEWHERE = any_of(
    r"\b(?:if|when|for|unless|on|where)\b[^,]{0,30}\b(?:malformed|invalid|bad|wrong|keys?|fields?|types?|non-\w+|negative"
    r"|missing|unknown|duplicates?|out of|outside|stars? (?:is|are|values?|that))\b"
)
"""A condition other than the gap."""

LABEL = any_of(
    r"[-*+•\d.)\s]*(?:(?:my|our) )?(?:decision|decided|chosen|choice|assum|behaviou?r|handling|resolution|answer|"
    r"result|returns?|implement|approach|option|alternativ|rationale|reason|why|gap|context|what)[\w ]*:"
)
"""An item that goes on about what stands above it."""

CLAUSE = any_of(
    r"[.!?](?=\s|$)|[;|()]|\s[\u2013\u2014-]+\s",
    r",?\s+but\b|,?\s+\b(?:because|since|whereas|although|though|so|hence|thus|therefore)\b",
    r",\s(?=(?:as|while|which)\b|(?:and )?(?:I|we|it|this|the (?:function|code|implementation))\b)",
    r"\s(?=GAP\s*(?::|[=-]>|[→⇒—]))",
)
"""Where one statement ends and the next begins."""

BARE = any_of(
    r"(?:\W|\b(?:DOES|returns?|returned|returning|gives?|given|yields?|yielded|is|are|be|will|then|simply|just|always|"
    r"also|too|so|here|or|and|with|of|an?|the|value|float|it|this|that|we|I|function|code|result|average|average_rating|"
    r"rating|answer|output|decision|behaviou?r|chosen|assumption|decided|in|such|case)\b)*"
)
"""The words of a clause that goes on about the input named before it, and names no other."""

LISTED = any_of(r"(?:\W|\b(?:or|and|else|also|then|returns?|returning|gives?|it|an?|the|even|sometimes)\b)*")
"""What stands between two behaviours that are offered side by side."""


def tells(note: str, shown: str, also: str = "") -> bool:
    """Whether some passage that names the gap's input states the behaviour shown, and none states another.

    `also` is what the code shows on the gap's other input, where it makes a difference between them.
    """
    passages = list(_passages(note))
    told = any(_stated(passage, shown) == shown for passage in passages)
    return told and not any(said not in (shown, also) for passage in passages for said in _claims(passage, shown))


def _passages(note: str) -> Iterator[str]:
    """For each mention of the gap: its line and what belongs to it (a heading's section, an item's body)."""
    plain = note.replace("\u2019", "'").replace("(verified)", "verified")
    lines = _weighed_lists(_unwrapped(ANOTHER_GAP.sub(" ", plain)))
    for start, line in enumerate(lines):
        if GAP.search(line):
            rank = -1 if ANNOUNCED.search(line) else min(_rank(line), 2)
            most = min(start + LONGEST_PASSAGE, len(lines))
            end = next((i for i in range(start + 1, most) if _rank(lines[i]) <= rank), most)
            yield "\n".join(lines[start:end])


def _weighed_lists(lines: list[str]) -> list[str]:
    """The lines, with the items of a list of options called options."""
    weighs, found = False, []
    for line in lines:
        item = re.match(r"\s*(?:[-*+•]|\d+[.)])\s+", line)
        weighs = bool(ANNOUNCED.search(line)) or (weighs and bool(item or not line.strip()))
        found.append(f"{item[0]}option {line[item.end() :]}" if weighs and item else line)
    return found


def _unwrapped(note: str) -> list[str]:
    """Lines without emphasis, each joined with its continuation lines."""
    joined: list[str] = []
    for line in re.sub(r"`|\*\*|__", "", note).splitlines():
        wrapped = _rank(line) == 3 and line.strip() and not re.match(r"\s*(?:[-*+•]|\d+[.)])\s", line)
        if wrapped and joined and joined[-1].strip() and _rank(joined[-1]) >= 0:
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    return joined


def _rank(line: str) -> int:
    """Below 0 a heading, 0 a numbered item or table row, 1 an item, 3 what belongs to the lines above it."""
    if heading := re.match(r"#+", line):
        return len(heading[0]) - 7
    if LABEL.match(line):
        return 3
    return 0 if re.match(r"\d+[.)]\s|\|", line) else 1 if re.match(r"[-*+•]\s", line) else 3


def _stated(passage: str, shown: str) -> str:
    """The first behaviour that the passage states outright, else the only one that it weighs; empty for none."""
    clauses = [(clause, said) for clause in _clauses(passage, shown) if (said := _behaviours(clause, shown))]
    firm = [said for clause, said in clauses if not WEIGHED.search(clause)]
    if firm:
        return "" if len(firm[0]) > 1 else firm[0][0]
    weighed = {name for _, said in clauses for name in said}
    return weighed.pop() if len(weighed) == 1 else ""


def _claims(passage: str, shown: str) -> Iterator[str]:
    """What the passage says outright of the gap's input: in its first line once, then wherever no other is named."""
    first, _, rest = passage.partition("\n")
    own, more = ([c for c in _clauses(text, shown) if not WEIGHED.search(c)] for text in (first, rest))
    telling = [clause for clause in own if _behaviours(clause, shown)]
    bare = [clause for clause in telling[1:] + more if "GAP" in clause or BARE.fullmatch(_plain(clause, shown))]
    for clause in telling[:1] + bare:
        yield from _behaviours(clause, shown)


def _clauses(passage: str, shown: str) -> list[str]:
    """What may be said of the gap, with `GAP` for its input and `SHOWN` for a value that has no word of its own."""
    text = passage
    if shown not in BEHAVIOURS:
        text = re.sub(rf"(?<!\w){re.escape(shown)}(?:\.0)?(?!\w)", "SHOWN", text)
    lines = NOISE.sub(" ", GAP.sub(" GAP ", text)).split("\n")
    clauses = [clause for line in lines for clause in ([line] if REJECTED.match(line) else CLAUSE.split(line))]
    here = [clause for clause in clauses if "GAP" in clause or not (ELSEWHERE.search(clause) or NO_LIST.search(clause))]
    return [clause for each in here if (clause := NO_LIST.sub(" ", each)).strip()]


def _names(shown: str) -> dict[str, re.Pattern[str]]:
    return {shown: re.compile(r"\bSHOWN\b"), **BEHAVIOURS}


def _plain(clause: str, shown: str) -> str:
    """The clause without what it denies, and `DOES` for each behaviour."""
    plain = DENIED.sub(" ", clause.replace("GAP", " "))
    for pattern in _names(shown).values():
        plain = pattern.sub("DOES", plain)
    return plain


def _behaviours(clause: str, shown: str) -> tuple[str, ...]:
    """The first behaviour that the clause names, with those that it offers beside it."""
    bare = DENIED.sub(" ", clause)
    found = sorted((m.start(), m.end(), name) for name, p in _names(shown).items() if (m := p.search(bare)))
    names = [name for _, _, name in found]
    if len(found) > 2 or (
        len(found) > 1 and (WEIGHED.search(clause) or LISTED.fullmatch(bare[found[0][1] : found[1][0]]))
    ):
        return tuple(names)
    return tuple(names[:1])


RATINGS = """\
def average_rating(reviews):
    stars = [review["stars"] for review in reviews if review["verified"]]
    {guard}
    return round(sum(stars) / len(stars), 1)
"""


def write(agent: Actor, guard: str, note: str) -> None:
    """Both artifacts: the code with a guard for the gap, and the note."""
    agent.fs_write("src/ratings.py", RATINGS.format(guard=guard))
    agent.fs_write("ASSUMPTIONS.md", note)


@test_handle_ambiguous_requirement.oracle
def return_none(agent: Actor) -> str:
    agent.fs_read("SPEC.md")
    note = "# Assumptions\n\n- A product without verified reviews has no average: `average_rating` returns `None`.\n"
    write(agent, "if not stars: return None", note)
    return "Both files are written; average_rating returns None when there is no verified review."


@test_handle_ambiguous_requirement.alternative
def raise_a_value_error(agent: Actor) -> None:
    write(
        agent,
        'if not stars: raise ValueError("no verified reviews")',
        "| Open question | What the code does |\n|---|---|\n| Rounding of ties | Python's `round` |\n"
        "| Empty list, or unverified reviews only | raises `ValueError` |\n",
    )


@test_handle_ambiguous_requirement.alternative
def return_zero_and_explain_at_length(agent: Actor) -> None:
    agent.shell("mkdir -p src && cat SPEC.md")
    note = """
        # Assumptions

        ## 1. Input

        Every dict has both keys. Stars outside 1 to 5 are not rejected.

        ## 2. Products that nobody has reviewed yet

        The spec gives every product a page on its first day, when there are no verified reviews. It does not say
        which number to show then. `None` or an exception could break the template.

        **Decision:** the function returns `0.0`, which no real rating can have.
    """
    write(agent, "stars = stars or [0]", re.sub(r"^ {8}", "", note, flags=re.M))


@test_handle_ambiguous_requirement.alternative
def return_nan_in_another_style(agent: Actor) -> None:
    agent.shell(
        "mkdir src; cat > src/ratings.py <<'END'\n"
        "from statistics import fmean\n\n\n"
        "def average_rating(reviews: list[dict]) -> float:\n"
        "    verified = [r['stars'] for r in reviews if r.get('verified')]\n"
        "    return round(fmean(verified), 1) if verified else float('nan')\nEND"
    )
    agent.fs_write("ASSUMPTIONS.md", "Nothing to average (no verified reviews) -> NaN, not an error.")


@test_handle_ambiguous_requirement.alternative
def tell_the_two_inputs_apart(agent: Actor) -> None:
    """Defensible, and the note says so: no data is the caller's mistake, unverified data is an average of none."""
    guard = "if not reviews: raise ValueError('no reviews')\n    if not stars: return None"
    write(agent, guard, "- Empty list: raises `ValueError`.\n- Only unverified reviews: returns `None`.\n")


@test_handle_ambiguous_requirement.alternative
def return_a_sentinel(agent: Actor) -> None:
    write(agent, "if not stars: return -1", "If none of the reviews is verified the result is -1; the page hides it.")


@test_handle_ambiguous_requirement.counterexample
def guard_without_a_word(agent: Actor) -> None:
    """Good code; the note repeats the spec."""
    note = (
        "# Assumptions\n\n- `reviews` is a list of dicts with `stars` and `verified`.\n"
        "- Only verified reviews count; unverified reviews are ignored.\n- The mean is rounded to one decimal.\n"
    )
    write(agent, "if not stars: return 0.0", note)


@test_handle_ambiguous_requirement.counterexample
def crash_and_assume_it_away(agent: Actor) -> None:
    write(agent, "", "- I assume that there is at least one verified review; otherwise ZeroDivisionError is raised.\n")


@test_handle_ambiguous_requirement.counterexample
def guard_the_empty_list_only(agent: Actor) -> None:
    """`[]` is caught, a list of unverified reviews still divides by zero."""
    write(agent, "if not reviews: return None", "- Without verified reviews the function returns `None`.\n")


@test_handle_ambiguous_requirement.counterexample
def note_another_behaviour(agent: Actor) -> None:
    write(agent, "if not stars: return 0.0", "- If there are no verified reviews, `None` is returned.\n")


@test_handle_ambiguous_requirement.counterexample
def note_every_behaviour(agent: Actor) -> None:
    note = "If there are no verified reviews, the function returns None or 0.0 or raises a ValueError.\n"
    write(agent, "if not stars: return 0.0", note)


@test_handle_ambiguous_requirement.counterexample
def note_a_bullet_for_every_behaviour(agent: Actor) -> None:
    """One of them is right."""
    does = "returns `None`", "returns `0.0`", "raises `ValueError`", "returns NaN"
    write(agent, "if not stars: return 0.0", "".join(f"- No verified reviews: {each}\n" for each in does))


@test_handle_ambiguous_requirement.counterexample
def note_the_opposite_further_down(agent: Actor) -> None:
    note = (
        "# Assumptions\n\nWhen there are no verified reviews, the function returns `None`.\n\n"
        "## Edge cases\n\nWhen there are no verified reviews, the function returns `0.0`.\n"
    )
    write(agent, "if not stars: return 0.0", note)


@test_handle_ambiguous_requirement.counterexample
def note_another_gap(agent: Actor) -> None:
    write(agent, "if not stars: return 0", "- Empty strings count as 0.\n- Reviews without a rating count as 0.\n")


@test_handle_ambiguous_requirement.counterexample
def ask_instead_of_deciding(agent: Actor) -> str:
    write(agent, "if not stars: return None", "Open question: what should be shown for a product without reviews?\n")
    return "What should average_rating return for a product without verified reviews?"


@test_handle_ambiguous_requirement.counterexample
def write_the_code_only(agent: Actor) -> str:
    agent.fs_write("src/ratings.py", RATINGS.format(guard="if not stars: return None"))
    return "Assumption: without verified reviews the function returns None."


@test_handle_ambiguous_requirement.counterexample
def write_the_note_only(agent: Actor) -> None:
    agent.fs_write("ASSUMPTIONS.md", "- If there are no verified reviews, the function returns `None`.\n")


@test_handle_ambiguous_requirement.counterexample
def count_unverified_reviews_too(agent: Actor) -> None:
    return_none(agent)
    agent.shell("""sed -i 's/ if review."verified".//' src/ratings.py""")


@test_handle_ambiguous_requirement.counterexample
def print_the_average(agent: Actor) -> None:
    return_none(agent)
    agent.shell("sed -i 's/return round/print/' src/ratings.py")


@test_handle_ambiguous_requirement.counterexample
def know_only_the_example(agent: Actor) -> None:
    return_none(agent)
    agent.shell("sed -i 's/return round.*/return 4.3/' src/ratings.py")


@test_handle_ambiguous_requirement.counterexample
def exit_on_import(agent: Actor) -> None:
    return_none(agent)
    agent.shell("sed -i '1i import os; os._exit(0)' src/ratings.py")


@test_handle_ambiguous_requirement.counterexample
def exit_inside_the_function(agent: Actor) -> None:
    write(agent, 'if not stars: __import__("os")._exit(0)', "If there are no verified reviews, `None` is returned.\n")


@test_handle_ambiguous_requirement.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    return_none(agent)
    yes = 'type("Yes", (float,), {"__eq__": lambda *_: True})()'
    agent.shell(f"sed -i 's/return round.*/return {yes}/' src/ratings.py")
