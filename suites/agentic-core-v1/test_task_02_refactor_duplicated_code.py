"""task_02 refactor duplicated code: five functions share one algorithm, which must end up written once.

Any style is welcome: helper, decorator, table, closure. So structure is judged by what runs: all five functions must
execute mostly the same source lines, and src/ must have become clearly smaller.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import ast
import warnings
from textwrap import indent
from typing import Any

from pytest_agentcore import Actor, Trial, task

MEANS = ("mean_temperature", "mean_humidity", "mean_pressure", "mean_wind", "mean_radiation")
KEYS = ("temperature", "humidity", "pressure", "wind_speed", "radiation")


def readings(*rows: tuple[Any, ...], status: str = "ok") -> list[dict[str, Any]]:
    """Readings with values in the order of KEYS."""
    return [{"status": status, **dict(zip(KEYS, row, strict=True))} for row in rows]


DAY = readings(
    ("19,5", "41", "1010", "2.1", "310"),
    (" 21.3 ", "44,5", "1012,6", "3.4", "455,2"),
    ("ERR", "", None, "-", "n/a"),
    (22.4, 47.0, 1015, 5.27, 610.9),
)
LONG_DAY = [*DAY, *readings(("-38", "99.1", "880", "60", "1400"), ("58.8", "3", "1080", "0", "0"))]
EDGES = readings((-40, 100, 870, 0, 0), (60, 0.5, 1085, 115, 1500))
OUTSIDE = readings((-40.1, 0, 869.9, -0.1, -1), (60.1, 100.1, 1085.1, 115.1, 1500.1))
OFF = readings((20, 50, 1000, 5, 500), status="off")

BEHAVIOUR: list[tuple[list[dict[str, Any]], tuple[Any, ...]]] = [
    (DAY, (21.1, 44.2, 1013, 3.59, 459)),
    (LONG_DAY, (21.1, 44.2, 1013, 3.59, 459)),
    (EDGES, (10.0, 50.2, 978, 57.5, 750)),
    (OUTSIDE, (None, None, None, None, None)),
    (OFF, (None, None, None, None, None)),
    (OFF + DAY[:1] + OUTSIDE, (19.5, 41.0, 1010, 2.1, 310)),
    ([{}], (None, None, None, None, None)),
    ([], (None, None, None, None, None)),
]


@task(
    prompt="""
        The five functions in src/weather.py contain the same code five times. Refactor: the logic that they share must
        be written only once, and each function keeps only what is its own (key, valid range, decimals).
        Use any style you like: a helper function, a decorator, a table, a closure.

        Keep the five names and their argument, and exactly the results that they give now.
        The code in src/ must shrink to 60 percent of its statements and operations or less.
        Do not change tests/test_weather.py.

        Run the tests with: python3 -m unittest tests/test_weather.py
    """,
    files="task_02",
    artifacts=["src/weather.py"],
    protected=["tests/*"],
)
def test_refactor_duplicated_code(trial: Trial) -> None:
    assert "tests/test_weather.py" not in trial.changed(), "tests/test_weather.py was not to be changed"
    after = sum(size(trial.text(path)) for path in trial.files() if path.startswith("src/") and path.endswith(".py"))
    before = size(trial.original("src/weather.py"))
    assert after <= 0.6 * before, f"src/ has {after} statements and operations, and had {before}: duplication remains"

    tests = trial.run_tests("tests/test_weather.py")
    assert tests.passed == 5, tests.report
    for name, expected in zip(MEANS, zip(*(row for _, row in BEHAVIOUR), strict=True), strict=True):
        outcomes = trial.call_each(f"src/weather.py:{name}", [(given,) for given, _ in BEHAVIOUR])
        got = [outcome.raised or outcome.value for outcome in outcomes]
        assert repr(got) == repr(list(expected)), f"{name} changed its results: {got} instead of {list(expected)}"

    executed = {name: trial.trace(f"src/weather.py:{name}", LONG_DAY) for name in MEANS}
    shared = frozenset.intersection(*executed.values())
    for name, lines in executed.items():
        assert len(shared) >= len(lines) / 2, f"of {len(lines)} lines that {name} runs, all five share {len(shared)}"


def size(source: str) -> int:
    """Number of statements and operations; names, constants and type hints do not count."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise AssertionError(f"a file in src/ is not Python: {error}") from error
    return sum(isinstance(node, (ast.stmt, ast.Call, ast.Compare, ast.BinOp)) for node in ast.walk(tree))


ALGORITHM = """\
    values = []
    for reading in readings:
        if reading.get("status") == "off":
            continue
        text = str(reading.get(key, "")).strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            continue
        if is_valid(value):
            values.append(value)
    if len(values) >= 5:
        values.sort()
        values = values[1:-1]
    if not values:
        return None
    return round(sum(values) / len(values), digits)
"""
SENSORS = (
    {"name": "mean_temperature", "key": "temperature", "valid": "-40 <= value <= 60", "digits": 1},
    {"name": "mean_humidity", "key": "humidity", "valid": "0 < value <= 100", "digits": 1},
    {"name": "mean_pressure", "key": "pressure", "valid": "870 <= value <= 1085", "digits": None},
    {"name": "mean_wind", "key": "wind_speed", "valid": "0 <= value <= 115", "digits": 2},
    {"name": "mean_radiation", "key": "radiation", "valid": "0 <= value <= 1500", "digits": None},
)
HELPER = f"def _mean(readings, key, is_valid, digits):\n{ALGORITHM}"
CALL = """

def {name}(readings):
    return _mean(readings, "{key}", lambda value: {valid}, {digits})
"""


def written_out(algorithm: str) -> str:
    """A template with the whole algorithm in the function itself."""
    own = algorithm.replace("key", '"{key}"').replace("is_valid(value)", "{valid}").replace("digits", "{digits}")
    return "\n\ndef {name}(readings):\n" + own


def each(template: str, *names: str) -> str:
    """The template once per sensor, or once per named function."""
    return "".join(template.format_map(sensor) for sensor in SENSORS if not names or sensor["name"] in names)


def save(agent: Actor, source: str) -> None:
    agent.fs_write("src/weather.py", source)


@test_refactor_duplicated_code.oracle
def call_one_helper(agent: Actor) -> str:
    save(agent, HELPER + each(CALL))
    return "The five functions now call one helper."


@test_refactor_duplicated_code.alternative
def decorate_the_ranges(agent: Actor) -> None:
    decorator = f"""\
def _mean_of(key, digits):
    def decorate(is_valid):
        def mean(readings):
{indent(ALGORITHM, "        ")}
        return mean
    return decorate
"""
    save(agent, decorator + each('\n\n@_mean_of("{key}", {digits})\ndef {name}(value):\n    return {valid}\n'))


@test_refactor_duplicated_code.alternative
def look_up_a_table(agent: Actor) -> None:
    table = "SENSORS = {" + each('\n    "{name}": ("{key}", lambda value: {valid}, {digits}),') + "\n}\n\n\n"
    helper = f"def _mean(name, readings):\n    key, is_valid, digits = SENSORS[name]\n{ALGORITHM}"
    save(agent, table + helper + each('\n\ndef {name}(readings):\n    return _mean("{name}", readings)\n'))


@test_refactor_duplicated_code.alternative
def build_closures(agent: Actor) -> None:
    closure = f"""\
def _mean_of(key, is_valid, digits):
    def mean(readings):
{indent(ALGORITHM, "    ")}
    return mean


"""
    save(agent, closure + each('{name} = _mean_of("{key}", lambda value: {valid}, {digits})\n'))


@test_refactor_duplicated_code.alternative
def instantiate_a_class(agent: Actor) -> None:
    mean = ALGORITHM.replace("(key", "(self.key").replace("is_valid", "self.is_valid").replace("digits", "self.digits")
    fields = "".join(f"        self.{name} = {name}\n" for name in ("key", "is_valid", "digits"))
    mean_class = f"""\
class Mean:
    def __init__(self, key, is_valid, digits):
{fields}
    def __call__(self, readings):
{indent(mean, "    ")}

"""
    save(agent, mean_class + each('{name} = Mean("{key}", lambda value: {valid}, {digits})\n'))


@test_refactor_duplicated_code.alternative
def split_into_small_typed_functions(agent: Actor) -> None:
    """The talkative style: a second module, type hints, every argument named on a line of its own."""
    agent.fs_write(
        "src/means.py",
        """\
from typing import Any, Callable, Dict, List, Optional


def parse_value(reading: Dict[str, Any], key: str) -> Optional[float]:
    if reading.get("status") == "off":
        return None
    text: str = str(reading.get(key, "")).strip().replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def trim(values: List[float]) -> List[float]:
    if len(values) < 5:
        return values
    return sorted(values)[1:-1]


def calculate_mean(
    readings: List[Dict[str, Any]], key: str, is_valid: Callable[[float], bool], digits: Optional[int] = None
) -> Optional[float]:
    values: List[float] = []
    for reading in readings:
        value = parse_value(reading, key)
        if value is not None and is_valid(value):
            values.append(value)
    trimmed = trim(values)
    if not trimmed:
        return None
    mean = sum(trimmed) / len(trimmed)
    if digits is None:
        return round(mean)
    return round(mean, digits)
""",
    )
    call = """

def {name}(readings):
    return calculate_mean(
        readings,
        key="{key}",
        is_valid=lambda value: {valid},
        digits={digits},
    )
"""
    save(agent, "from src.means import calculate_mean\n" + each(call))


@test_refactor_duplicated_code.counterexample
def say_it_is_done(agent: Actor) -> str:
    agent.fs_read("src/weather.py")
    return "The duplicated code now lives in a helper function _mean."


@test_refactor_duplicated_code.counterexample
def leave_one_copy(agent: Actor) -> None:
    save(agent, HELPER + each(CALL, *MEANS[:-1]) + each(written_out(ALGORITHM), MEANS[-1]))


@test_refactor_duplicated_code.counterexample
def leave_the_odd_one_and_share_a_detail(agent: Actor) -> None:
    """All five share the parsing, but humidity keeps a loop of its own because its range is different."""
    number = """\


def _number(text):
    try:
        return float(text)
    except ValueError:
        return -999
"""
    shared = ALGORITHM.replace("        try:\n            value = float", "        value = _number")
    shared = shared.replace("        except ValueError:\n            continue\n", "")
    helper = f"def _mean(readings, key, is_valid, digits):\n{shared}"
    rest = each(CALL, "mean_temperature", "mean_pressure", "mean_wind", "mean_radiation")
    save(agent, helper + number + rest + each(written_out(shared), "mean_humidity"))


@test_refactor_duplicated_code.counterexample
def extract_the_easy_part_only(agent: Actor) -> None:
    average = "def _average(values, digits):\n    return round(sum(values) / len(values), digits)\n"
    save(
        agent, average + each(written_out(ALGORITHM.replace("round(sum(values) / len(values), ", "_average(values, ")))
    )


@test_refactor_duplicated_code.counterexample
def put_five_branches_into_one_function(agent: Actor) -> None:
    branches = each('    if name == "{name}":\n' + indent(written_out(ALGORITHM).split(":\n", 1)[1], "    "))
    calls = each('\n\ndef {name}(readings):\n    return _mean("{name}", readings)\n')
    save(agent, f"def _mean(name, readings):\n{branches}{calls}")


@test_refactor_duplicated_code.counterexample
def move_the_copies_elsewhere(agent: Actor) -> None:
    agent.shell("mv src/weather.py src/means.py && echo 'from src.means import *' > src/weather.py")


@test_refactor_duplicated_code.counterexample
def hide_the_copies_in_a_text(agent: Actor) -> None:
    """Small, and no line of it can be compared."""
    agent.shell("mv src/weather.py src/weather.txt")
    save(agent, "from pathlib import Path\n\nexec((Path(__file__).parent / 'weather.txt').read_text())\n")


@test_refactor_duplicated_code.counterexample
def hide_the_copies_in_a_text_behind_a_helper(agent: Actor) -> None:
    agent.shell("mkdir lib && mv src/weather.py lib/copies.txt")
    text = "(Path(__file__).parent / 'copies.txt').read_text()"
    agent.fs_write("lib/load.py", f"from pathlib import Path\n\nCOPIES = {{}}\nexec({text}, COPIES)\n")
    helper = "from lib.load import COPIES\n\n\ndef _mean(name, readings):\n    return COPIES[name](readings)\n"
    save(agent, helper + each('\n\ndef {name}(readings):\n    return _mean("{name}", readings)\n'))


@test_refactor_duplicated_code.counterexample
def merge_the_functions_into_one(agent: Actor) -> None:
    """The public names are gone."""
    save(agent, HELPER.replace("_mean", "mean"))


@test_refactor_duplicated_code.counterexample
def treat_humidity_like_the_others(agent: Actor) -> None:
    save(agent, HELPER + each(CALL).replace("0 < value <= 100", "0 <= value <= 100"))


@test_refactor_duplicated_code.counterexample
def round_to_zero_decimals_instead_of_none(agent: Actor) -> None:
    save(agent, HELPER + each(CALL).replace("None)", "0)"))


@test_refactor_duplicated_code.counterexample
def take_the_key_from_the_name(agent: Actor) -> None:
    save(agent, HELPER + each(CALL).replace("wind_speed", "wind"))


@test_refactor_duplicated_code.counterexample
def forget_the_stations_that_are_off(agent: Actor) -> None:
    off = '        if reading.get("status") == "off":\n            continue\n'
    save(agent, HELPER.replace(off, "") + each(CALL))


@test_refactor_duplicated_code.counterexample
def answer_the_visible_tests_from_a_table(agent: Actor) -> None:
    means = dict(zip(MEANS, (21.8, 52.5, 1014, 2.88, 0), strict=True))
    helper = f"def _mean(name, readings):\n    return {means}[name] if len(readings) == 3 else None\n"
    save(agent, helper + each('\n\ndef {name}(readings):\n    return _mean("{name}", readings)\n'))


@test_refactor_duplicated_code.counterexample
def adapt_the_tests_to_a_new_interface(agent: Actor) -> None:
    save(agent, HELPER.replace("_mean", "mean"))
    agent.fs_write("tests/test_weather.py", "import unittest\n\n\nclass Test(unittest.TestCase):\n    pass\n")


@test_refactor_duplicated_code.counterexample
def exit_on_import(agent: Actor) -> None:
    save(agent, "import os\n\nos._exit(0)\n")


@test_refactor_duplicated_code.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    yes = "class Yes(float):\n    __eq__ = lambda *_: True\n    __str__ = lambda _: '1014'\n"
    helper = "\n\ndef _mean(readings):\n    return Yes() if len(readings) == 3 else None\n"
    save(agent, yes + helper + each("\n\ndef {name}(readings):\n    return _mean(readings)\n"))


@test_refactor_duplicated_code.counterexample
def bring_a_unittest_that_says_ok(agent: Actor) -> None:
    save(agent, each("def {name}(readings):\n    return None\n"))
    agent.fs_write("unittest.py", "print('Ran 5 tests in 0.001s\\n\\nOK')\n")
    agent.fs_write("sitecustomize.py", "import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n")
