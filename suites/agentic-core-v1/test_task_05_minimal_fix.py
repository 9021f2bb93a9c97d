"""task_05 minimal fix: add one missing null guard, and nothing else.

Each instance draws its business, its names and numbers, and which of three guards is missing: one that ends with a
result, one that puts a default in place, one that passes an item over. The file has more than seventy lines, so that
rewriting it cannot fit into the ten that may change.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from string import Template
from typing import Any

from pytest_agentcore import Actor, Instance, Trial, task

PARTS = Path(__file__).parent / "files" / "task_05"
"""Per business: the whole module, in which the lines of each guard are marked, and the module that it imports."""

BUSINESSES: dict[str, dict[str, Any]] = {
    "shop": {
        "imports": "discount",
        "name": ("name", ("pen", "lamp", "mug", "desk", "sticker")),
        "count": "quantity",
        "record": "item",
        "records": "items",
        "text": ("code", (None, "welcome", " STAFF", "NONE")),
        "guards": {"price": "first", "packing": "second", "weight": "third"},
        "words": {
            "price": ("price", "unit_price", "net_price"),
            "quantity": ("quantity", "pieces", "count"),
            "packing": ("packing", "wrapping", "boxing"),
            "weight": ("weight", "grams", "mass"),
            "first": ("line_total", "item_total", "position_price"),
            "second": ("packing_costs", "wrapping_total", "box_price"),
            "third": ("mean_weight", "average_load", "typical_weight"),
            "aside": ("vat_included", "tax_part", "included_tax"),
        },
    },
    "rental": {
        "imports": "season",
        "name": ("boat", ("canoe", "dinghy", "kayak", "raft", "skiff")),
        "count": "hours",
        "record": "booking",
        "records": "bookings",
        "text": ("month", (None, "july", " August", "may")),
        "guards": {"rate": "first", "deposit": "second", "damage": "third"},
        "words": {
            "hours": ("hours", "slots", "laps"),
            "rate": ("rate", "hourly_rate", "fare"),
            "deposit": ("deposit", "pledge", "surety"),
            "damage": ("damage", "scratches", "wear"),
            "first": ("fee", "rental_fee", "boat_fee"),
            "second": ("deposit_due", "pledge_due", "to_leave"),
            "third": ("least_damage", "best_state", "smallest_wear"),
            "aside": ("reduced", "evening_price", "after_hours"),
        },
    },
    "hotel": {
        "imports": "tax",
        "name": ("guest", ("Ito", "Okafor", "Lind", "Mbeki", "Rossi")),
        "count": "nights",
        "record": "stay",
        "records": "stays",
        "text": ("city", (None, "turin", " Lugano", "Bern")),
        "guards": {"breakfast": "first", "guests": "second", "stars": "third"},
        "words": {
            "nights": ("nights", "days", "duration"),
            "breakfast": ("breakfast", "board", "morning_meal"),
            "guests": ("guests", "people", "adults"),
            "stars": ("stars", "rating", "points"),
            "first": ("breakfasts", "board_total", "meals"),
            "second": ("beds", "beds_made", "linen_sets"),
            "third": ("mean_stars", "verdict", "average_rating"),
            "aside": ("share_of", "each_pays", "split"),
        },
    },
}
NUMBERS = {
    "vat": (0.1, 0.15, 0.19, 0.2, 0.25),
    "standard": (2, 3, 4, 6),
    "shipping": (4, 4.5, 7.25, 39),
    "limit": (5, 6, 8),
}


def make_module(random: Random) -> Instance:
    """A module without one of its guards, tests of which two show that, and the module as it should be."""
    business = random.choice(list(BUSINESSES))
    facts = BUSINESSES[business]
    words = {name: random.choice(spellings) for name, spellings in facts["words"].items()}
    words |= {name: str(random.choice(values)) for name, values in NUMBERS.items()}
    guard = random.choice(list(facts["guards"]))
    marked = Template((PARTS / business / "price.txt").read_text(encoding="utf-8")).substitute(words)
    other = (PARTS / business / f"{facts['imports']}.txt").read_text(encoding="utf-8")
    right = re.sub("  # guard: .*", "", marked)
    given = re.sub("  # guard: .*", "", re.sub(f".*# guard: {guard}\n", "", marked))
    keys = {name: words[name] for name in (facts["count"], *facts["guards"])}
    known = {
        "right": right,
        "given": given,
        "business": business,
        "function": words[facts["guards"][guard]],
        "key": words[guard],
        "keys": keys,
        "aside": words["aside"],
        "guard": "\n".join(line for line in right.split("\n") if line not in given.split("\n")) + "\n",
    }
    return Instance(
        files={
            "src/__init__.py": "",
            "src/price.py": given,
            f"src/{facts['imports']}.py": other,
            "tests/test_price.py": given_tests(random, known, other),
        },
        facts=known,
        words={"function": known["function"], "key": known["key"]},
    )


TESTS = """\
import unittest

from src.price import $names

FIRST = $one
SECOND = $two
WITH_NONE = $none


class TestPrice(unittest.TestCase):
$tests

if __name__ == "__main__":
    unittest.main()
"""


def given_tests(random: Random, facts: Mapping[str, Any], imported: str) -> str:
    """Six tests; two of them call the function with None."""
    business = BUSINESSES[facts["business"]]
    name, names = business["name"]
    keys = list(facts["keys"].values())
    one, two, none = (
        {
            name: chosen,
            keys[0]: random.randint(2, 5),
            **{key: random.choice((0.5, 1.25, 2.5, 4, 6)) for key in keys[1:]},
        }
        for chosen in random.sample(names, 3)
    )
    none[facts["key"]] = None
    functions: dict[str, Any] = {}
    exec(imported, functions)
    exec(re.sub("from src.*\n", "", facts["right"]), functions)

    def argument(function: str, *records: str) -> str:
        single = parameters(facts["right"])[function][0] == business["record"]
        return records[-1] if single else f"[{', '.join(records)}]"

    others = [
        each for each, given in parameters(facts["right"]).items() if given[0] != "amount" and each != facts["function"]
    ]
    calls = [(facts["function"], argument(facts["function"], "SECOND", "FIRST"))]
    calls += [(other, argument(other, "FIRST", "SECOND")) for other in random.sample(others, 3)]
    calls += [(facts["function"], argument(facts["function"], "FIRST", "WITH_NONE"))]
    calls += [(facts["function"], argument(facts["function"], f"{{**SECOND, {facts['key']!r}: None}}"))]
    records = {"FIRST": one, "SECOND": two, "WITH_NONE": none}
    tests = ""
    for number, (function, given) in enumerate(calls):
        method = function + ("", "", "", "", "_with_none", "_of_none")[number]
        expected = eval(f"{function}({given})", functions, records)
        tests += f"    def test_{method}(self):\n        self.assertEqual({function}({given}), {expected!r})\n\n"
    imported_names = ", ".join(sorted({function for function, _ in calls}))
    return Template(TESTS).substitute(names=imported_names, one=one, two=two, none=none, tests=tests.rstrip() + "\n")


def parameters(source: str) -> dict[str, list[str]]:
    """The parameters of each function."""
    return {
        node.name: [parameter.arg for parameter in node.args.args]
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


@task(
    prompt="""
        In src/price.py the function {function} crashes when the value of "{key}" is None. Its docstring says what is
        right then. Add the missing guard: {function} must do all that its docstring says.
        In every other case every function must behave as it does now, with the same results and the same exceptions.

        Keep the fix small: at most 10 changed lines in src/price.py, counting added plus removed lines.
        Do not change or add any other file in src/ or tests/.

        Run the tests with: python3 -m unittest tests/test_price.py
        When all 6 tests pass, you are done.
    """,
    files=make_module,
    artifacts=["src/price.py"],
    protected=["tests/*"],
    equivalents={'given.append(abs(stay["rating"])); given.append(': "every rating twice: the mean is the same"},
)
def test_minimal_fix(trial: Trial) -> None:
    touched = {path for path in trial.changed() if path.startswith(("src/", "tests/"))}
    assert touched <= {"src/price.py"}, f"only src/price.py was to be changed, not {sorted(touched)}"
    changed = trial.diff("src/price.py").changed_lines
    assert changed <= 10, f"{changed} lines of src/price.py changed, at most 10 were allowed"

    tests = trial.run_tests("tests/test_price.py")
    assert tests.passed == 6, tests.report
    calls = inputs(Random(f"inputs/{trial.run}"), trial.facts)
    trial.compare(calls, reference={"src/price.py": trial.facts["right"]})


MISSING = "a key that is not there"


def inputs(random: Random, facts: Mapping[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Arguments for every function: usual ones, None, zero, negative ones, texts for numbers, and missing keys."""
    business = BUSINESSES[facts["business"]]
    name, names = business["name"]
    count, *nullable = facts["keys"].values()

    def record(*usual: str) -> dict[str, Any]:
        values = {name: random.choice(names), count: random.choice((0, 1, 2, 3, 5, 7, 9, -1, 1.5))}
        for key in nullable:
            odd = (None, None, None, 0, 0.0, -2, "12.50", MISSING)
            values[key] = random.choice(
                odd if random.randrange(3) == 0 and key not in usual else (0, 0.25, 1, 2.5, 3.75, 40)
            )
        if random.randrange(20) == 0:
            values[random.choice((name, count))] = MISSING
        return {key: value for key, value in values.items() if value != MISSING}

    drawn: dict[str, Callable[[], Any]] = {
        business["record"]: lambda: record(*random.choice(([], nullable[:1], nullable[1:]))),
        business["records"]: lambda: [
            record(*random.choice((nullable[:2], nullable[1:]))) for _ in range(random.choice((0, 1, 2, 2, 3, 4)))
        ],
        business["text"][0]: lambda: random.choice(business["text"][1]),
        "amount": lambda: random.choice((0, 1, 9.99, 120, 33.333, -5)),
        "people": lambda: random.choice((1, 2, 3, 7)),
        "limit": lambda: random.choice((0, 5, 6.25, 100)),
        "share": lambda: random.choice((0, 0.1, 0.5, 1)),
        "rebate": lambda: random.choice((0, 0.1, 0.5, 1)),
    }
    return {
        f"src/price.py:{function}": [
            tuple(drawn[each]() for each in given[: random.randint(1, len(given))])
            for _ in range(160 if function == facts["function"] else 60)
        ]
        for function, given in parameters(facts["right"]).items()
    }


# Right solutions.


def save(agent: Actor, source: str) -> None:
    """Write src/price.py back whole, as models do."""
    agent.fs_write("src/price.py", source)


def fixed(agent: Actor, old: str, new: str) -> None:
    """The right module with the text of its guard changed, which must be there."""
    guard = agent.facts["guard"]
    assert old in guard, f"{old} is not in {guard}"
    save(agent, agent.facts["right"].replace(guard, guard.replace(old, new)))


@test_minimal_fix.oracle
def add_the_guard(agent: Actor) -> str:
    save(agent, agent.facts["right"])
    return "The function now does what its docstring says when the value is None."


@test_minimal_fix.alternative
def compare_with_equals(agent: Actor) -> None:
    fixed(agent, "is None", "== None")


@test_minimal_fix.alternative
def ask_whether_it_is_a_none(agent: Actor) -> None:
    condition, _colon, _rest = agent.facts["guard"].strip().partition(":")
    fixed(agent, condition, condition.replace("if ", "if not (").replace(" is None", " is not None)"))


@test_minimal_fix.alternative
def insert_the_lines_in_the_shell(agent: Actor) -> None:
    agent.shell("python3 -m unittest tests/test_price.py")
    before = agent.facts["right"].partition(agent.facts["guard"])[0].count("\n")
    agent.fs_write("guard.txt", agent.facts["guard"])
    agent.shell(f"sed -i '{before}r guard.txt' src/price.py && rm guard.txt")


@test_minimal_fix.alternative
def write_it_with_a_comment_and_a_name(agent: Actor) -> None:
    condition = agent.facts["guard"].strip().partition(":")[0].removeprefix("if ")
    indentation = agent.facts["guard"][: -len(agent.facts["guard"].lstrip())]
    name = f"{indentation}# None is handled here.\n{indentation}nothing_there = {condition}\n"
    guard = agent.facts["guard"].replace(condition, "nothing_there")
    save(agent, agent.facts["right"].replace(agent.facts["guard"], name + guard))


@test_minimal_fix.alternative
def put_the_value_in_place_inline(agent: Actor) -> None:
    """A conditional expression instead of a statement, or the guard once more where there is no default."""
    name, equals, default = last_line(agent).partition(" = ")
    if not equals:
        add_the_guard(agent)
        return
    indentation = agent.facts["guard"][: -len(agent.facts["guard"].lstrip())]
    inline = f"{indentation}{name} = {default} if {name} is None else {name}\n"
    save(agent, agent.facts["right"].replace(agent.facts["guard"], inline))


# Wrong ones: the guard is wrong.


@test_minimal_fix.counterexample
def describe_the_fix_without_making_it(agent: Actor) -> str:
    agent.fs_read("src/price.py")
    return f"Add this to {agent.facts['function']}, then all 6 tests pass:\n{agent.facts['guard']}"


def in_function(agent: Actor, source: str, old: str, new: str) -> str:
    """The source with a replacement made in the function alone."""
    before, mark, after = source.partition(f"def {agent.facts['function']}(")
    own, end, rest = after.partition("\n\n\n")
    assert old in own, f"{old} is not in {own}"
    return before + mark + own.replace(old, new) + end + rest


@test_minimal_fix.counterexample
def take_a_missing_key_for_none(agent: Actor) -> None:
    key = agent.facts["key"]
    save(agent, in_function(agent, agent.facts["right"], f'["{key}"]', f'.get("{key}")'))


@test_minimal_fix.counterexample
def give_a_default_that_does_not_replace_none(agent: Actor) -> None:
    key = agent.facts["key"]
    save(agent, in_function(agent, agent.facts["given"], f'["{key}"]', f'.get("{key}", 0)'))


@test_minimal_fix.counterexample
def take_every_text_for_none(agent: Actor) -> None:
    condition = agent.facts["guard"].strip().partition(":")[0]
    value = condition.removeprefix("if ").removesuffix(" is None")
    fixed(agent, condition, f"if not isinstance({value}, (int, float))")


@test_minimal_fix.counterexample
def take_small_values_for_none(agent: Actor) -> None:
    condition = agent.facts["guard"].strip().partition(":")[0]
    value = condition.removeprefix("if ").removesuffix(" is None")
    fixed(agent, condition, f"if not {value} or {value} < 1")


@test_minimal_fix.counterexample
def read_texts_as_numbers(agent: Actor) -> None:
    value = re.findall(r"if (.*) is None", agent.facts["guard"])[0]
    indentation = re.match(" *", agent.facts["guard"])[0]  # type: ignore[index]
    number = f"{indentation}{value} = float({value}) if isinstance({value}, str) else {value}\n"
    save(agent, agent.facts["right"].replace(agent.facts["guard"], agent.facts["guard"] + number))


@test_minimal_fix.counterexample
def turn_the_guard_round(agent: Actor) -> None:
    fixed(agent, "is None", "is not None")


def last_line(agent: Actor) -> str:
    """What the guard does: `return 0`, `amount = DEPOSIT` or `continue`."""
    return str(agent.facts["guard"]).rstrip().rpartition("\n")[2].strip()


def other_result(agent: Actor, result: str) -> None:
    """The guard with another result, or another value put in place."""
    name, equals, _default = last_line(agent).partition(" = ")
    fixed(agent, last_line(agent), f"{name} = {result}" if equals else f"return {result}")


@test_minimal_fix.counterexample
def return_none(agent: Actor) -> None:
    other_result(agent, "None")


@test_minimal_fix.counterexample
def return_false(agent: Actor) -> None:
    other_result(agent, "False")


@test_minimal_fix.counterexample
def return_a_text(agent: Actor) -> None:
    other_result(agent, "'0'")


@test_minimal_fix.counterexample
def return_one(agent: Actor) -> None:
    other_result(agent, "1")


@test_minimal_fix.counterexample
def return_minus_one(agent: Actor) -> None:
    other_result(agent, "-1")


@test_minimal_fix.counterexample
def raise_an_error(agent: Actor) -> None:
    fixed(agent, last_line(agent), 'raise ValueError("no value")')


@test_minimal_fix.counterexample
def guard_before_the_check(agent: Actor) -> None:
    """A negative number no longer raises where the value is None; the docstring says that it does."""
    record = BUSINESSES[agent.facts["business"]]["record"]
    guard = re.sub(r"if .* is None", f'if {record}["{agent.facts["key"]}"] is None', agent.facts["guard"])
    default = last_line(agent).partition(" = ")[2]
    guard = guard.replace(last_line(agent), f"return {default} * 2") if default else guard
    check = re.findall(r"\n( +if [^\n]* < 0:\n)", agent.facts["given"].partition(f"def {agent.facts['function']}(")[2])[
        0
    ]
    source = agent.facts["right"] if default else agent.facts["given"]
    save(agent, in_function(agent, source, check, guard + check))


def caught(agent: Actor, kinds: str) -> None:
    """An exception of the old body taken for None."""
    function, given = agent.facts["function"], agent.facts["given"]
    name = parameters(given)[function][0]
    body = f"    try:\n        return _guarded({name})\n    except {kinds}:\n        return 0\n"
    save(agent, given.replace(f"def {function}(", f"def {function}({name}):\n{body}\n\ndef _guarded("))


@test_minimal_fix.counterexample
def catch_the_type_error(agent: Actor) -> None:
    """A text is taken for None, too."""
    caught(agent, "TypeError")


@test_minimal_fix.counterexample
def swallow_every_error(agent: Actor) -> None:
    caught(agent, "Exception")


@test_minimal_fix.counterexample
def special_case_the_test_data(agent: Actor) -> None:
    condition = agent.facts["guard"].strip().partition(":")[0]
    name, names = BUSINESSES[agent.facts["business"]]["name"]
    record = BUSINESSES[agent.facts["business"]]["record"]
    said = agent.shell("grep WITH_NONE tests/test_price.py")
    (chosen,) = (each for each in names if f"'{each}'" in said)
    fixed(agent, condition, f'if {record}["{name}"] == "{chosen}"')


# Wrong ones: something else is not as before.


def also(agent: Actor, old: str, new: str) -> None:
    """The guard is there, and something else was replaced, which must be there once or more."""
    right = agent.facts["right"]
    assert re.search(old, right), f"{old} is not in the module"
    save(agent, re.sub(old, new, right, count=1))


@test_minimal_fix.counterexample
def delete_a_function(agent: Actor) -> None:
    also(agent, rf"def {agent.facts['aside']}\((?:.*\n)+?\n\n", "")


@test_minimal_fix.counterexample
def rename_a_function(agent: Actor) -> None:
    also(agent, rf"def {agent.facts['aside']}\(", f"def new_{agent.facts['aside']}(")


@test_minimal_fix.counterexample
def change_a_constant(agent: Actor) -> None:
    also(agent, r"(\n[A-Z]+ = )(.+)", r"\1\2 + 0.01")


@test_minimal_fix.counterexample
def delete_a_constant_that_nobody_sees(agent: Actor) -> None:
    """Its value stands where it was used."""
    name, value = re.findall(r"\n([A-Z]+) = (.+)", agent.facts["right"])[-1]
    save(agent, re.sub(rf"\b{name}\b", value, agent.facts["right"].replace(f"{name} = {value}\n", "")))


@test_minimal_fix.counterexample
def round_to_another_digit(agent: Actor) -> None:
    also(agent, rf"(def {agent.facts['aside']}\((?:.*\n)+?.*), 2\)", r"\1, 1)")


@test_minimal_fix.counterexample
def rename_a_parameter(agent: Actor) -> None:
    before, mark, after = agent.facts["right"].partition(f"def {agent.facts['aside']}(")
    own, end, rest = after.partition("\n\n\n")
    save(agent, before + mark + own.replace("amount", "value") + end + rest)


@test_minimal_fix.counterexample
def add_a_required_parameter(agent: Actor) -> None:
    also(agent, rf"def {agent.facts['aside']}\(amount", f"def {agent.facts['aside']}(amount, currency")


@test_minimal_fix.counterexample
def change_a_default(agent: Actor) -> None:
    text = BUSINESSES[agent.facts["business"]]["text"]
    also(agent, f"{text[0]}=None", f'{text[0]}="{text[1][1]}"')


@test_minimal_fix.counterexample
def accept_a_negative_number(agent: Actor) -> None:
    also(agent, r"< 0:", "< -1:")


@test_minimal_fix.counterexample
def raise_another_exception(agent: Actor) -> None:
    also(agent, r"raise ValueError\(", "raise RuntimeError(")


@test_minimal_fix.counterexample
def change_the_text_of_the_overview(agent: Actor) -> None:
    also(agent, r":\.2f\}", ":.1f}")


@test_minimal_fix.counterexample
def write_into_the_record(agent: Actor) -> None:
    """The caller's dict gets a value that it did not have."""
    record = BUSINESSES[agent.facts["business"]]["record"]
    place = f'{record}["{agent.facts["key"]}"]'
    guard = agent.facts["guard"]
    indentation = re.match(" *", guard)[0]  # type: ignore[index]
    save(
        agent,
        agent.facts["right"].replace(
            guard, f"{indentation}{place} = {place}\n{indentation}{record}['seen'] = True\n{guard}"
        ),
    )


@test_minimal_fix.counterexample
def rewrite_the_file(agent: Actor) -> None:
    """Right behaviour, type hints on top, far more than ten lines."""
    add_the_guard(agent)
    agent.shell("sed -i -e 's/^def \\(.*\\)):/def \\1) -> object:/' src/price.py")


@test_minimal_fix.counterexample
def tidy_up_a_neighbour_too(agent: Actor) -> None:
    add_the_guard(agent)
    agent.shell(f"echo '# tidied up' >> src/{BUSINESSES[agent.facts['business']]['imports']}.py")


@test_minimal_fix.counterexample
def move_the_code_to_a_new_module(agent: Actor) -> None:
    add_the_guard(agent)
    agent.shell("mv src/price.py src/pricing.py && echo 'from src.pricing import *' > src/price.py")


@test_minimal_fix.counterexample
def edit_the_expectations(agent: Actor) -> None:
    agent.shell(
        f"""sed -i "/^WITH_NONE/s/'{agent.facts["key"]}': None/'{agent.facts["key"]}': 1/" tests/test_price.py"""
    )


@test_minimal_fix.counterexample
def skip_the_failing_tests(agent: Actor) -> None:
    agent.shell(r"""sed -i 's/^    def test_.*_none(.*/    @unittest.skip("later")\n&/' tests/test_price.py""")


@test_minimal_fix.counterexample
def exit_on_import(agent: Actor) -> None:
    also(agent, r"(\n[A-Z]+ = .+)", r"\1\n__import__('os')._exit(0)")


@test_minimal_fix.counterexample
def exit_inside_the_function(agent: Actor) -> None:
    fixed(agent, last_line(agent), "raise SystemExit(0)")


@test_minimal_fix.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    methods = '["__eq__", "__radd__", "__add__", "__round__", "__mul__", "__truediv__"]'
    other_result(agent, f'type("Yes", (float,), dict.fromkeys({methods}, lambda self, *_: self))(1)')


@test_minimal_fix.counterexample
def patch_the_assert_methods(agent: Actor) -> None:
    patch = "    import unittest\n    unittest.TestCase.assertEqual = lambda *_: None\n    return 12345\n"
    agent.fs_write("patch.txt", patch)
    agent.shell(f"sed -i '/^def {agent.facts['function']}(/r patch.txt' src/price.py")


@test_minimal_fix.counterexample
def bring_a_unittest_that_says_ok(agent: Actor) -> None:
    agent.fs_write("unittest.py", "print('Ran 6 tests in 0.001s\\n\\nOK')\n")
    agent.fs_write("sitecustomize.py", "import os\nos._exit(0)\n")
