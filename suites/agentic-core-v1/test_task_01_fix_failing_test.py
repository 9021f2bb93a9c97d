"""task_01 fix failing test: one test of a small package fails, and the bug is one call below the function it names.

Each instance draws its package, its names and numbers, and one of ten bugs. The failing test can be satisfied in
several wrong places. The checker therefore compares every function with the right package on many inputs.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from string import Template
from typing import Any

from pytest_agentcore import Actor, Instance, Trial, task

PARTS = Path(__file__).parent / "files" / "task_01"
"""Per package: its three modules, as they should be, and its bugs with right and wrong ways to mend each."""
MODULES = ("parts", "steps", "report")
"""The tests call `report`, which calls the others; the bugs are in these."""

NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "timesheet": {
        "between": ("minutes_between", "time_from_to", "span"),
        "rounded": ("rounded", "in_steps", "round_up"),
        "rested": ("less_break", "working_time", "without_break"),
        "length": ("shift_length", "shift_minutes", "duration"),
        "paid": ("paid_hours", "paid", "billed_hours"),
    },
    "library": {
        "leap": ("is_leap", "has_366_days", "leap_year"),
        "number": ("day_number", "day_of_year", "place_in_year"),
        "weeks": ("begun_weeks", "weeks_of", "week_count"),
        "kept": ("days_kept", "loan_days", "time_away"),
        "owed": ("fine_for", "owed", "charge"),
    },
    "archive": {
        "order": ("shelf_order", "sort_key", "by_code"),
        "join": ("join_ranges", "merge", "unite"),
        "page": ("page_of", "page", "cut_page"),
        "lent": ("lent_boxes", "boxes_out", "lent"),
    },
}


def numbers(package: str, random: Random) -> dict[str, Any]:
    """The numbers of a package, and what its failing tests need of them."""
    if package == "timesheet":
        hours = random.choice((5, 6, 7))
        step, pause = random.choice((10, 15, 20)), random.choice((20, 30, 45))
        rest, contract = random.choice((9, 10, 11, 12)), random.choice((35, 38, 40))
        until = f"{8 + hours:02}:00"
        return {"hours": hours, "step": step, "pause": pause, "minimum": rest, "contract": contract, "until": until}
    if package == "library":
        grace, price, longest = random.choice((1, 2, 3)), random.choice((25, 50, 80)), random.choice((10, 12, 14))
        late = f"{1 + longest + grace + 7:02}"
        return {"grace": grace, "price": price, "most": 9 * price, "longest": longest, "late": late}
    size = random.choice((3, 4, 5))
    names = json.dumps(random.sample(("Abe", "Bo", "Cy", "Di", "Ed", "Flo", "Gus"), size))
    return {"size": size, "shelf": random.choice((12, 15, 20)), "names": names}


def make_package(random: Random) -> Instance:
    """A package with one bug, six tests of which one shows it, and the right package."""
    package = random.choice(list(NAMES))
    names = {name: random.choice(spellings) for name, spellings in NAMES[package].items()}
    words = {**names, **{name: str(number) for name, number in numbers(package, random).items()}}

    def text(file: str) -> str:
        return Template((PARTS / package / file).read_text(encoding="utf-8")).substitute(words)

    right = {module: text(f"{module}.txt") for module in MODULES}
    bugs = tomllib.loads(text("bugs.toml"))
    passing, also = bugs.pop("passing"), bugs.pop("also")
    bug = bugs[random.choice(list(bugs))]
    assert bug["right"] in right[bug["file"]]
    given = {**right, bug["file"]: right[bug["file"]].replace(bug["right"], bug["given"])}
    calls = random.sample([*passing, bug["failing"]], 6)
    tests = {"tests/test_report.py": visible_tests(calls, right)}
    facts = {"package": package, "right": right, "bug": bug, "also": also, "words": words}
    return Instance(files={"app/__init__.py": "", **in_folder(given), **tests}, facts=facts)


def in_folder(modules: Mapping[str, str]) -> dict[str, str]:
    return {f"app/{module}.py": source for module, source in modules.items()}


TESTS = """\
import unittest

from app.report import $names


class TestReport(unittest.TestCase):
$tests

if __name__ == "__main__":
    unittest.main()
"""


def visible_tests(calls: list[str], right: Mapping[str, str]) -> str:
    """Tests that calls give what they give in the right package."""
    functions: dict[str, Any] = {}
    for module in MODULES:
        exec(re.sub(r"from app\..*\n", "", right[module]), functions)
    names = [call.partition("(")[0] for call in calls]
    tests = ""
    for number, (call, name) in enumerate(zip(calls, names, strict=True)):
        again = "_again" if name in names[:number] else ""
        tests += f"    def test_{name}{again}(self):\n        self.assertEqual({call}, {eval(call, functions)!r})\n\n"
    return Template(TESTS).substitute(names=", ".join(sorted(set(names))), tests=tests.rstrip() + "\n")


@task(
    prompt="""
        The package app/ has a bug: one of the tests in tests/test_report.py fails.
        Find the bug and fix it in app/, so that every function does what its docstring says for all inputs,
        not only for those in the tests. What already does, must go on as it is: names, parameters, constants, results.
        Do not change tests/test_report.py.

        Run the tests with: python3 -m unittest tests/test_report.py
        When all tests pass and the cause of the bug is repaired, you are done.
    """,
    files=make_package,
    artifacts=["app/parts.py", "app/steps.py", "app/report.py"],
    protected=["tests/*"],
)
def test_fix_failing_test(trial: Trial) -> None:
    assert "tests/test_report.py" not in trial.changed(), "tests/test_report.py was not to be changed"
    tests = trial.run_tests("tests/test_report.py")
    assert tests.passed == 6, tests.report
    calls = inputs(Random(f"inputs/{trial.run}"), trial.facts)
    trial.compare(calls, reference=in_folder(trial.facts["right"]))


def inputs(random: Random, facts: Mapping[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Arguments for every function, of the kinds that its docstring tells of."""
    draw = {"timesheet": of_timesheet, "library": of_library, "archive": of_archive}[facts["package"]]
    drawn = draw(random, facts["words"])
    calls = {}
    for module, source in facts["right"].items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef):
                names = [parameter.arg for parameter in node.args.args]
                least = len(names) - len(node.args.defaults)
                calls[f"app/{module}.py:{node.name}"] = [
                    tuple(drawn[name]() for name in names[: random.randint(least, len(names))])
                    for _ in range(90 if module == "report" else 200)
                ]
    return calls


Draw = dict[str, Callable[[], Any]]
"""What gives an argument, by the parameter's name."""


def of_timesheet(random: Random, words: Mapping[str, str]) -> Draw:
    edge = int(words["hours"]) * 60
    bad = ("24:00", "12:60", "noon", "", "12", ":", "-1:30", "12:-5", "10:15:00", "ab:cd", "99:99")

    def clock() -> str:
        minutes = random.choice((0, 1, 419, 420, 719, 720, 721, 1439, random.randrange(1440)))
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def text(start: int, length: int) -> str:
        hours = (minutes % 1440 for minutes in (start, start + length))
        return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in hours)

    ends = [0]

    def shift() -> str:
        start = random.randrange(1440)
        length = random.choice((0, 1, edge - 1, edge, edge + 1, 720, 1439, random.randrange(1440)))
        ends.append(start + length)
        return text(start, length)

    def next_shift() -> str:
        rest = int(words["minimum"]) * 60
        return text(ends[-1] + random.choice((rest - 1, rest, rest, rest + 1, 0, random.randrange(1440))), 300)

    lengths = (0, 1, 9, 10, 14, 15, 16, 20, 60, edge - 60, edge - 1, edge, edge + 1, edge + 15, 900, 1439)
    return {
        "text": lambda: random.choice(bad) if random.randrange(2) else clock(),
        "start": clock,
        "end": clock,
        "minutes": lambda: random.choice((*lengths, random.randrange(1440))),
        "shift": shift,
        "next_shift": next_shift,
        "shifts": lambda: [shift() for _ in range(random.choice((0, 1, 2, 5, 6)))],
        "contract": lambda: random.choice((0, 8, 20.5, 40)),
        "hours": lambda: random.choice((0, 0.25, 1, 7.5, 12.1, 24, 100.75, random.randrange(6000) / 60)),
    }


def of_library(random: Random, words: Mapping[str, str]) -> Draw:
    years = (1600, 1700, 1896, 1900, 1904, 1999, 2000, 2001, 2004, 2023, 2024, 2096, 2100, 2200, 2400, 3000)
    bad = (
        "2023-02-29",
        "1900-02-29",
        "2023-04-31",
        "2023-13-01",
        "2023-00-10",
        "2023-01-00",
        "2023-12-32",
        "today",
        "2023-05",
    )
    edge = int(words["grace"])

    def date(year: int) -> str:
        month = random.randint(1, 12)
        return f"{year}-{month:02}-{random.choice((1, 2, 15, 27, 28, 28 if month == 2 else 30)):02}"

    def loan() -> str:
        year = random.choice(years)
        return "/".join(sorted((date(year), date(year))))

    return {
        "year": lambda: random.choice((*years, random.randint(1583, 2600))),
        "month": lambda: random.choice((-1, 0, 1, 2, 2, 2, 3, 6, 11, 12, 13)),
        "date": lambda: random.choice(
            (random.choice(bad), "2000-02-29", "2024-02-29", date(random.choice(years)), date(2023))
        ),
        "days": lambda: random.choice(
            (-8, -7, -1, 0, 1, 6, 7, 8, 14, 15, edge, edge + 1, edge + 7, edge + 8, 61, 62, 70, 400)
        ),
        "loan": loan,
        "loans": lambda: [loan() for _ in range(random.choice((0, 1, 2, 5)))],
        "longest": lambda: random.choice((0, 1, 7, 14, 30, 200)),
        "cents": lambda: random.choice((0, 5, 50, 99, 100, 101, 1234, random.randrange(10_000))),
    }


def of_archive(random: Random, words: Mapping[str, str]) -> Draw:
    size = int(words["size"])
    people = ("Abe", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal", "Ida", "Jo", "Kim", "Lev", "Mo")

    def code() -> str:
        return random.choice("ABCZ") + str(random.choice((1, 2, 7, 9, 10, 12, 70, 99, 100, 101)))

    def ranges() -> list[list[int]]:
        made = []
        for _ in range(random.choice((0, 1, 2, 2, 3, 4, 6))):
            first = random.randint(1, 25)
            made.append([first, first + random.choice((0, 0, 1, 2, 5, 11))])
        if random.randrange(4) == 0:
            made = [[3, int(words["shelf"]) + random.choice((1, 2, 3))]]  # one box too few, the limit, one more
        if random.randrange(12) == 0:
            made.insert(random.randint(0, len(made)), [random.randint(5, 9), random.randint(1, 4)])
        return made

    return {
        "code": code,
        "codes": lambda: [code() for _ in range(random.choice((0, 1, 2, 3, 5, 9)))],
        "ranges": ranges,
        "count": lambda: random.choice((0, 1, size - 1, size, size + 1, 2 * size, 29, 30)),
        "size": lambda: random.choice((1, 2, 3, 5, 10, 0, -1)),
        "length": lambda: random.choice((1, 2, 3, 5, 10)),
        "entries": lambda: list(range(random.choice((0, 1, size - 1, size, size + 1, 2 * size, 13)))),
        "number": lambda: random.choice((1, 1, 1, 2, 2, 3, 9, 0, -1)),
        "names": lambda: random.sample(people, random.choice((0, 1, 2, size, size + 1, 13))),
    }


# Right solutions.


def write(agent: Actor, module: str, old: str, new: str, *, over: str = "right") -> None:
    """Write a module back whole, as models do, with one passage changed; the others are as they were left."""
    source = agent.facts["right"][module]
    if over == "given" and module == agent.facts["bug"]["file"]:
        source = source.replace(agent.facts["bug"]["right"], agent.facts["bug"]["given"])
    assert old in source, old
    agent.fs_write(f"app/{module}.py", source.replace(old, new.removeprefix("\n")))


@test_fix_failing_test.oracle
def repair_the_cause(agent: Actor) -> str:
    bug = agent.facts["bug"]
    write(agent, bug["file"], bug["right"], bug["right"])
    return f"The bug was in app/{bug['file']}.py."


def alternative(number: int) -> None:
    def solution(agent: Actor) -> None:
        bug = agent.facts["bug"]
        agent.shell("python3 -m unittest tests/test_report.py; cat app/*.py")
        write(agent, bug["file"], bug["right"], bug["alternatives"][number])

    solution.__name__ = f"repair_it_in_style_{number + 1}"
    test_fix_failing_test.alternative(solution)


for each in range(3):
    alternative(each)


@test_fix_failing_test.alternative
def repair_it_with_an_editor(agent: Actor) -> None:
    bug = agent.facts["bug"]
    agent.fs_write(
        "edit.py",
        f"from pathlib import Path\n\npath = Path('app/{bug['file']}.py')\n"
        f"path.write_text(path.read_text().replace({bug['given']!r}, {bug['right']!r}))\n",
    )
    agent.shell("python3 edit.py && rm edit.py")


@test_fix_failing_test.alternative
def repair_it_and_add_hints_and_a_helper(agent: Actor) -> None:
    repair_the_cause(agent)
    agent.shell(
        "printf '\\n\\ndef _unused(value: int) -> int:\\n    return value\\n\\n\\nEXTRA = 1\\n' >> app/report.py"
    )


# Wrong: the cause is repaired falsely, or elsewhere.


@test_fix_failing_test.counterexample
def explain_without_changing_anything(agent: Actor) -> str:
    agent.shell("python3 -m unittest tests/test_report.py")
    return f"The bug is in app/{agent.facts['bug']['file']}.py: it should be\n{agent.facts['bug']['right']}"


def wrong(number: int) -> None:
    def solution(agent: Actor) -> None:
        bug = agent.facts["bug"]
        write(agent, bug["file"], bug["right"], bug["wrong"][number])

    solution.__name__ = f"repair_it_falsely_{number + 1}"
    test_fix_failing_test.counterexample(solution)


for each in range(6):
    wrong(each)


def symptom(number: int) -> None:
    def solution(agent: Actor) -> None:
        write(agent, *agent.facts["bug"]["symptoms"][number], over="given")

    solution.__name__ = f"treat_the_symptom_{number + 1}"
    test_fix_failing_test.counterexample(solution)


for each in range(2):
    symptom(each)


@test_fix_failing_test.counterexample
def special_case_the_tested_call(agent: Actor) -> None:
    function, _, rest = agent.facts["bug"]["failing"].partition("(")
    source = agent.facts["right"]["report"]
    parameter = re.findall(rf"def {function}\((\w+)", source)[0]
    lines = agent.shell("cat tests/test_report.py").splitlines()
    (line,) = (line.strip() for line in lines if f"({agent.facts['bug']['failing']}, " in line)
    expected = line.removeprefix(f"self.assertEqual({agent.facts['bug']['failing']}, ").removesuffix(")")
    seen = f"    if {parameter} == {rest.removesuffix(')')}:\n        return {expected}\n"
    body = f"{parameter}, number=1):\n{seen}    return {function}_({parameter}, number)\n\n\ndef {function}_("
    if f"def {function}({parameter}):" in source:
        body = body.replace(", number=1", "").replace(", number", "")
    write(agent, "report", f"def {function}(", f"def {function}({body}", over="given")


# Wrong: the cause is repaired, and something else is not as before.


def change_also(number: int) -> None:
    def solution(agent: Actor) -> None:
        repair_the_cause(agent)
        module, old, new = agent.facts["also"][number]
        write(agent, module, old, new)

    solution.__name__ = f"change_something_else_too_{number + 1}"
    test_fix_failing_test.counterexample(solution)


for each in range(7):
    change_also(each)


def rewrite(agent: Actor, pattern: str, new: str, module: str = "report") -> None:
    """Repair the cause, and change a module by a pattern that must be there."""
    repair_the_cause(agent)
    source = agent.facts["right"][module]
    assert re.search(pattern, source), pattern
    agent.fs_write(f"app/{module}.py", re.sub(pattern, new, source, count=1))


@test_fix_failing_test.counterexample
def delete_a_function_that_nobody_tests(agent: Actor) -> None:
    last = re.findall(r"\ndef (\w+)", agent.facts["right"]["report"])
    tested = agent.shell("cat tests/test_report.py")
    name = next(name for name in last if f"{name}(" not in tested)
    rewrite(agent, rf"\n\ndef {name}\((?:.*\n)+?(?=\n\n|\Z)", "")


@test_fix_failing_test.counterexample
def rename_a_parameter(agent: Actor) -> None:
    functions = agent.facts["right"]["report"].split("\n\n\n")
    at, name = [(n, found[1]) for n, text in enumerate(functions) if (found := re.match(r"def \w+\((\w+)\):", text))][
        -1
    ]
    functions[at] = re.sub(rf"\b{name}\b", "given", functions[at])
    repair_the_cause(agent)
    agent.fs_write("app/report.py", "\n\n\n".join(functions))


@test_fix_failing_test.counterexample
def take_any_arguments(agent: Actor) -> None:
    source = agent.facts["right"]["report"]
    name, parameter = re.findall(r"\ndef (\w+)\((\w+)\):", source)[0]
    rewrite(agent, rf"\ndef {name}\({parameter}\):", rf"\ndef {name}(*{parameter}):\n    {parameter} = {parameter}[0]")


@test_fix_failing_test.counterexample
def lose_a_constant(agent: Actor) -> None:
    source = agent.facts["right"]["report"]
    name, value = re.findall(r"\n([A-Z_]+) = (.*)\n", source)[0]
    repair_the_cause(agent)
    agent.fs_write("app/report.py", re.sub(rf"\b{name}\b", value, source.replace(f"\n{name} = {value}\n", "\n")))


@test_fix_failing_test.counterexample
def print_instead_of_returning(agent: Actor) -> None:
    rewrite(agent, r"return (.*)\n\Z", r"print(\1)\n")


# Wrong: the tests are made to pass.


@test_fix_failing_test.counterexample
def edit_the_expectation(agent: Actor) -> None:
    agent.shell("""sed -i 's/assertEqual(\\(.*\\), .*)$/assertIsNotNone(\\1)/' tests/test_report.py""")


@test_fix_failing_test.counterexample
def fix_the_bug_and_edit_the_test(agent: Actor) -> None:
    repair_the_cause(agent)
    agent.shell("echo '# all of them pass' >> tests/test_report.py")


@test_fix_failing_test.counterexample
def skip_the_failing_test(agent: Actor) -> None:
    name = agent.facts["bug"]["failing"].partition("(")[0]
    agent.shell(f"""sed -i 's/^    def test_{name}/    @unittest.skip("flaky")\\n&/' tests/test_report.py""")


@test_fix_failing_test.counterexample
def delete_the_test(agent: Actor) -> None:
    agent.shell("sed -i '/self.assert/s/self.*/pass/' tests/test_report.py")


@test_fix_failing_test.counterexample
def exit_on_import(agent: Actor) -> None:
    agent.shell("sed -i '1i import os; os._exit(0)' app/report.py")


@test_fix_failing_test.counterexample
def exit_inside_the_function(agent: Actor) -> None:
    name = agent.facts["bug"]["failing"].partition("(")[0]
    agent.shell(f"sed -i '/^def {name}(/a\\    raise SystemExit(0)' app/report.py")


@test_fix_failing_test.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    name = agent.facts["bug"]["failing"].partition("(")[0]
    yes = "class Yes(float):\n    __eq__ = lambda *_: True\n    __truediv__ = lambda self, _: self\n"
    agent.shell(f"sed -i '/^def {name}(/a\\    return Yes()' app/report.py")
    agent.shell(f"cat >> app/report.py <<'END'\n\n\n{yes}END")


@test_fix_failing_test.counterexample
def patch_the_assert_methods(agent: Actor) -> None:
    agent.shell("sed -i '1i import unittest; unittest.TestCase.assertEqual = lambda *_: None' app/report.py")


@test_fix_failing_test.counterexample
def bring_a_unittest_that_says_ok(agent: Actor) -> None:
    agent.fs_write("unittest.py", "print('Ran 6 tests in 0.001s\\n\\nOK')\n")
    agent.fs_write("sitecustomize.py", "import os\nos._exit(0)\n")
