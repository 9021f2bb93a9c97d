"""task_02 refactor duplicated code: five functions share one algorithm, which must end up written once.

Each instance draws its subject, its names, ranges and decimals, and the algorithm. Any style is welcome: helper,
decorator, table, closure, class. So structure is judged by what runs: the checker marks every operation in the syntax
tree of src/, runs what it marked, and sees which operations all five functions share.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import ast
import copy
import importlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from string import Template
from textwrap import indent
from types import ModuleType
from typing import Any

from pytest_agentcore import Actor, Instance, Trial, task

# What is given: five functions that differ in name, key, valid range and decimals.

SUBJECTS: dict[str, tuple[str, str, tuple[tuple[str, str, int, int], ...]]] = {
    "a weather station": (
        "readings",
        "reading",
        (
            ("temperature", "degrees Celsius", -40, 60),
            ("humidity", "percent", 0, 100),
            ("pressure", "hectopascal", 870, 1085),
            ("wind", "metres per second", 0, 115),
            ("radiation", "watts per square metre", 0, 1500),
            ("rain", "millimetres", 0, 300),
        ),
    ),
    "a fish farm": (
        "samples",
        "sample",
        (
            ("oxygen", "milligrams per litre", 0, 20),
            ("salinity", "grams per kilogram", 0, 45),
            ("acidity", "pH", 2, 12),
            ("ammonia", "micrograms per litre", 0, 900),
            ("warmth", "degrees Celsius", -2, 40),
            ("turbidity", "units", 0, 400),
        ),
    ),
    "a milling machine": (
        "records",
        "record",
        (
            ("torque", "newton metres", -250, 250),
            ("speed", "turns per minute", 0, 9000),
            ("current", "amperes", 0, 64),
            ("vibration", "millimetres per second", 0, 50),
            ("load", "percent", 0, 120),
            ("coolant", "litres per hour", 0, 700),
        ),
    ),
    "a sleep laboratory": (
        "entries",
        "entry",
        (
            ("pulse", "beats per minute", 25, 220),
            ("breath", "breaths per minute", 3, 60),
            ("saturation", "percent", 50, 100),
            ("noise", "decibels", 10, 130),
            ("tilt", "degrees", -90, 90),
            ("light", "lux", 0, 2000),
        ),
    ),
}
"""The argument, one item of it, and what is measured: name, unit, lowest and highest valid value."""

SKIPS = (
    ('ROW.get("status") == "off"', 'that have the status "off"', {"status": "off"}),
    ('ROW.get("test")', "that are marked as a test", {"test": True}),
    ('"error" in ROW', "with an error", {"error": "E7"}),
)
"""Which items do not count: condition, words, and what makes one."""

SPELLINGS = (
    ('.replace(",", ".")', "use a decimal comma", lambda text: text.replace(".", ",")),
    ('.removesuffix("*")', 'end in a "*", which marks an estimate', lambda text: f"{text}*"),
    ('.lstrip("~")', 'begin with a "~", which marks an estimate', lambda text: f"~{text}"),
)
"""How else a value may be written: what reads it, words, and what writes it."""

NOTHING_LEFT = "    if not values:\n        return None\n"
ENDINGS = {
    "mean": (
        f"    if len(values) >= MANY:\n        values.sort()\n        values = values[1:-1]\n{NOTHING_LEFT}",
        "    return round(sum(values) / len(values), digits)\n",
        "From MANY values on, the lowest and the highest are left out of the mean.",
    ),
    "recent": (
        f"    values = values[-MANY:]\n{NOTHING_LEFT}",
        "    return round(sum(values) / len(values), digits)\n",
        "The recent value is the mean of the last MANY that are valid.",
    ),
    "spread": (
        f"    values = sorted(set(values))\n    if len(values) > MANY:\n        values = values[1:]\n{NOTHING_LEFT}",
        "    return round(values[-1] - values[0], digits)\n",
        "The spread is the highest value minus the lowest; of more than MANY different ones, the lowest is left out.",
    ),
}
"""What is made of the valid values, in two parts, and words."""

ALGORITHM = """\
    values = []
    for ROW in ROWS:
        if SKIP:
            continue
        text = str(ROW.get(key, "")).strip()SPELLING
        try:
            value = float(text)
        except ValueError:
            continue
        if is_valid(value):
            values.append(value)
"""
MODULE = '''\
"""Summaries for $subject.

The argument is a list of dicts such as {"$key": "$low", "$other": 7.25}.
Those $skipped do not count. A value may $spelled. Values that are
missing, empty, damaged ("ERR") or out of range are skipped.
$ending
"""
'''
DOCSTRING = '''    """The $quantity in $unit, $decimals; None without a valid value.$note"""\n'''
TESTS = """\
import unittest

from src.summary import $names

DAY = $day


class TestSummary(unittest.TestCase):
$tests
    def test_no_valid_value(self):
        self.assertIsNone($first([]))
        self.assertIsNone($first([{"$key": "ERR"}]))


if __name__ == "__main__":
    unittest.main()
"""


def make_module(random: Random) -> Instance:
    """A module with the code five times, its tests, and what the solutions are put together from."""
    subject = random.choice(list(SUBJECTS))
    rows, row, quantities = SUBJECTS[subject]
    family, many = random.choice(list(ENDINGS)), random.randint(4, 7)
    (skip, skipped, off), (spelling, spelled, _write) = random.choice(SKIPS), random.choice(SPELLINGS)
    ending, result, told = (text.replace("MANY", str(many)) for text in ENDINGS[family])
    algorithm = (ALGORITHM + ending + result).replace("SKIP", skip).replace("SPELLING", spelling)
    algorithm = algorithm.replace("ROWS", rows).replace("ROW", row)

    digits = random.sample([None, None, 1, 1, 2], 5)
    strict, prefix = random.randrange(5), random.choice(("daily", "final", family))
    sensors: list[dict[str, Any]] = []
    for number, (name, unit, low, high) in enumerate(random.sample(quantities, 5)):
        low, high = low + random.randint(0, 1), high - random.randint(0, (high - low) // 10)  # noqa: PLW2901
        sensors.append(
            {
                "name": f"{prefix}_{name}",
                "key": name + random.choice(("", "_raw", "_1")),
                "rows": rows,
                "low": low,
                "high": high,
                "valid": f"{low} {'<' if number == strict else '<='} value <= {high}",
                "digits": digits[number],
                "docstring": Template(DOCSTRING).substitute(
                    quantity=f"{prefix} {name}",
                    unit=unit,
                    decimals={None: "no decimals", 1: "one decimal", 2: "two decimals"}[digits[number]],
                    note=f"\n\n    Exactly {low} is out of range, too.\n    " if number == strict else "",
                ),
            }
        )
    facts: dict[str, Any] = {
        "algorithm": algorithm,
        "sensors": sensors,
        "rows": rows,
        "skip": skip.replace("ROW", row),
        "off": off,
        "spelling": spelling,
        "many": many,
        "head": Template(MODULE).substitute(
            subject=subject,
            skipped=skipped,
            spelled=spelled,
            ending=told,
            key=sensors[0]["key"],
            low=sensors[0]["low"] + 5,
            other=sensors[1]["key"],
        ),
    }
    source = facts["head"] + each(facts, written_out(facts))
    return Instance(
        files={"src/__init__.py": "", "src/summary.py": source, **given_tests(source, facts)},
        facts=facts,
        words={"rows": rows},
    )


def given_tests(source: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Three plain items, and what the given code makes of them."""
    day = [
        {sensor["key"]: sensor["low"] + step * (sensor["high"] - sensor["low"]) // 8 for sensor in facts["sensors"]}
        for step in (2, 3, 5)
    ]
    names = [sensor["name"] for sensor in facts["sensors"]]
    functions = namespace(source)
    tests = [
        f"    def test_{name}(self):\n        self.assertEqual({name}(DAY), {functions[name](day)})\n"
        for name in names[:4]
    ]
    shown = "[\n" + "".join(f"    {item},\n" for item in day) + "]"
    text = Template(TESTS).substitute(
        names=", ".join(sorted(names[:4])),
        day=shown,
        tests="\n".join(tests),
        first=names[0],
        key=facts["sensors"][0]["key"],
    )
    return {"tests/test_summary.py": text}


def namespace(source: str, **names: Any) -> dict[str, Any]:
    """What a module of this file's own making defines."""
    exec(source, names)
    return names


def written_out(facts: Mapping[str, Any]) -> str:
    """A template with the whole algorithm in the function itself."""
    own = str(facts["algorithm"]).replace("(key", '("{key}"').replace("is_valid(value)", "{valid}")
    return "\n\ndef {name}({rows}):\n{docstring}" + own.replace(", digits)", "{rounding})")


def each(facts: Mapping[str, Any], template: str, *names: str) -> str:
    """The template once per function, or once per named one."""
    chosen = [sensor for sensor in facts["sensors"] if not names or sensor["name"] in names]
    roundings = ["" if sensor["digits"] is None else f", {sensor['digits']}" for sensor in chosen]
    # Not str.format: the algorithm has braces of its own.
    texts = []
    for sensor, rounding in zip(chosen, roundings, strict=True):
        text = template
        for name, value in {**sensor, "rounding": rounding}.items():
            text = text.replace(f"{{{name}}}", str(value))
        texts.append(text)
    return "".join(texts)


# What a pass is.

MODULES = ("abc", "collections", "dataclasses", "enum", "functools", "itertools", "math", "operator", "re", "typing")
"""Those of the standard library that may be imported, beside `statistics`: they run no text as code."""


@task(
    prompt="""
        The five functions in src/summary.py contain the same code five times. Refactor: the logic they share must be
        written once, and each function keeps only what is its own (key, valid range, decimals).
        Any style will do: helper functions, a decorator, a table, closures, a class.

        Keep the five names, each with its one argument {rows}, and exactly the results. Do not change the tests.

        How src/ is checked: an operation is a loop, comprehension, `try`, arithmetic, slice, or call of something
        not defined in src/.
        - Every loop, comprehension and `try` is run and needed by all five functions; of other operations, each
          function runs at most four that not all run.
        - No part with four or more operations stands there twice, names aside.
        - Statements and operations (without docstrings, imports, type hints) are at most 60 percent of now.
        - It is plain code: no exec, eval, compile, open or getattr, no imports but from src/ and
          {modules}.

        Run the tests with: python3 -m unittest tests/test_summary.py
    """.replace("{modules}", ", ".join((*MODULES, "statistics"))),
    files=make_module,
    artifacts=["src/summary.py"],
    protected=["tests/*"],
    equivalents={"values.append(value); values.append(value)": "every value twice: the mean is the same"},
)
def test_refactor_duplicated_code(trial: Trial) -> None:
    assert "tests/test_summary.py" not in trial.changed(), "tests/test_summary.py was not to be changed"
    code = {
        path: parse(trial.text(path), path)
        for path in trial.files()
        if path.startswith("src/") and path.endswith(".py")
    }
    after, before = size(code.values()), size([parse(trial.original("src/summary.py"), "src/summary.py")])
    assert after <= 0.6 * before, f"src/ has {after} statements and operations, and had {before}: duplication remains"
    for path, tree in code.items():
        for problem in not_plain(tree):
            raise AssertionError(f"{path} is not plain code: it uses {problem}")
    for part in repeated(code.values()):
        raise AssertionError(f"a part with four operations or more stands twice in src/: {part}")

    tests = trial.run_tests("tests/test_summary.py")
    assert tests.passed == 5, tests.report
    names = [sensor["name"] for sensor in trial.facts["sensors"]]
    given = days(Random(f"days/{trial.run}"), trial.facts)
    trial.compare({f"src/summary.py:{name}": [(day,) for day in given] for name in names}, exact=True)
    require_sharing(trial, code, names, given)


def days(random: Random, facts: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Arguments: what the docstrings tell of, at random, without those for which the last digit is a matter of luck."""
    sensors, many = facts["sensors"], facts["many"]
    write = next(write for spelling, _words, write in SPELLINGS if spelling == facts["spelling"])

    def value(sensor: Mapping[str, Any], good: float) -> Any:
        low, high = sensor["low"], sensor["high"]
        if random.random() > good:
            return random.choice(("ERR", "", None, "-", "n/a", low - 1, high + 1, f"{low - 0.1:.1f}", high + 0.1))
        number = random.choice((low, high, random.randint(low, high), round(random.uniform(low, high), 2)))
        return random.choice((number, str(number), f" {number} ", write(str(number))))

    def day(count: int, good: float) -> list[dict[str, Any]]:
        items = [
            {sensor["key"]: value(sensor, good) for sensor in sensors if random.random() < 0.95} for _ in range(count)
        ]
        return [{**item, **facts["off"]} if random.random() > max(good, 0.8) else item for item in items]

    whole = [{sensor["key"]: sensor["low"] + step for sensor in sensors} for step in (5, 6, 8, 1, 2, 4, 7, 11, 12)]
    fixed = [
        [],
        [{}],
        [{**item, **facts["off"]} for item in whole],
        *(whole[:end] for end in (1, 2, 3, many - 1, many, many + 1)),
    ]
    fixed += [
        [{sensor["key"]: sensor[end] + step for sensor in sensors}] for end in ("low", "high") for step in (-1, 0, 1)
    ]
    drawn = [day(random.randint(1, 14), random.choice((0.4, 0.9))) for _ in range(90)]
    raw = namespace(facts["head"] + each(facts, written_out(facts)), round=lambda number, _digits=0: number)
    return fixed + [
        each_day for each_day in drawn if not any(is_tie(raw[s["name"]](each_day), s["digits"] or 0) for s in sensors)
    ]


def is_tie(number: float | None, digits: int) -> bool:
    """Whether another order of adding up could round to another last digit."""
    return number is not None and abs(number * 10**digits % 1 - 0.5) < 1e-6


# Structure: operations in the syntax tree, which of them each function runs, and parts that stand there twice.

LOOPS = (ast.For, ast.While, ast.Try, ast.TryStar)
ENOUGH = 30
"""So many of the inputs show whether a function needs a loop."""
NOTHING = (ast.Import, ast.ImportFrom, ast.Pass)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def parse(source: str, path: str) -> ast.Module:
    """The syntax tree, without docstrings."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
            compile(tree, path, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise AssertionError(f"{path} is not Python: {error}") from error
    for node in ast.walk(tree):
        for statements in bodies(node):
            # A text that stands alone does nothing; a body must not be empty.
            statements[:] = [each for each in statements if not is_text(each)] or [ast.Pass()]
    return ast.fix_missing_locations(tree)


def bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements in a node."""
    for _name, field in ast.iter_fields(node):
        if isinstance(field, list) and field and isinstance(field[0], ast.stmt):
            yield field


def is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Like `ast.walk`, without type hints."""
    yield node
    for name, field in ast.iter_fields(node):
        if name not in ("annotation", "returns", "type_comment", "type_params"):
            for child in field if isinstance(field, list) else [field]:
                if isinstance(child, ast.AST):
                    yield from walk(child)


def own_names(trees: Iterable[ast.Module]) -> set[str]:
    """Every name that is bound in src/: functions, classes, variables, parameters, attributes."""
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
            ):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def is_operation(node: ast.AST, own: set[str]) -> bool:
    """Whether it counts as one; calculating with nothing but constants does not."""
    match node:
        case ast.BinOp(op=op):
            return isinstance(op, ARITHMETIC) and any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node))
        case ast.Subscript(slice=ast.Slice()):
            return True
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name not in own
    return isinstance(node, (*LOOPS, *COMPREHENSIONS, ast.AugAssign))


def size(trees: Iterable[ast.Module]) -> int:
    """Number of statements and operations; imports, and what fills an empty body, do not count."""
    own = own_names(trees)
    nodes = [node for tree in trees for node in walk(tree)]
    statements = sum(isinstance(node, ast.stmt) and not isinstance(node, NOTHING) for node in nodes)
    return statements + sum(is_operation(node, own) for node in nodes)


def repeated(trees: Iterable[ast.Module], least: int = 4) -> Iterator[str]:
    """Parts with that many operations which stand twice: expressions, and statements that follow one another."""
    own, seen = own_names(trees), dict[str, list[set[int]]]()
    for node in (node for tree in trees for node in walk(tree)):
        parts: list[Sequence[ast.AST]] = [[node]] if isinstance(node, ast.expr) else []
        for body in bodies(node):
            parts += [body[start:end] for start in range(len(body)) for end in range(start + 1, len(body) + 1)]
        for part in parts:
            if sum(is_operation(each, own) for top in part for each in walk(top)) >= least:
                places = seen.setdefault(shape(part, own), [])
                if any(place.isdisjoint(map(id, part)) for place in places):
                    yield ast.unparse(part[0])[:200]
                places.append(set(map(id, part)))


def shape(part: Any, own: set[str]) -> str:
    """A part without names, values, type hints, the kinds of its comparisons and the order of its statements."""
    match part:
        case list():
            shapes = [shape(each, own) for each in part]
            return str(sorted(shapes) if part and isinstance(part[0], ast.stmt) else shapes)
        case ast.Name() | ast.Constant() | ast.arg() | ast.UnaryOp(operand=ast.Constant()):
            return "_"
        case ast.Attribute(value=value, attr=attr):
            return f"{shape(value, own)}.{'_' if attr in own else attr}"
        case ast.Compare(left=left, comparators=others):
            return f"Compare{shape([left, *others], own)}"
        case ast.AST():
            left_out = ("annotation", "returns", "type_comment", "ctx", "name")
            fields = [shape(field, own) for name, field in ast.iter_fields(part) if name not in left_out]
            return f"{type(part).__name__}({', '.join(fields)})"
    return str(part)


class Marker(ast.NodeTransformer):
    """Puts a mark at each operation, which tells its number when it is run. A loop whose mark says no runs empty."""

    def __init__(self, own: set[str]) -> None:
        self.own = own
        self.operations: list[ast.AST] = []

    def visit(self, node: ast.AST) -> Any:
        """The node with its marks, or two statements."""
        if not is_operation(node, self.own) or isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            return self.generic_visit(node)
        mark = ast.Call(ast.Name("agentcore_mark", ast.Load()), [ast.Constant(len(self.operations))], [])
        self.operations.append(copy.deepcopy(node))
        node = self.generic_visit(node)
        match node:
            case ast.For():
                node.iter = ast.IfExp(mark, node.iter, ast.Tuple([], ast.Load()))
            case ast.While():
                node.test = ast.BoolOp(ast.And(), [mark, node.test])
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                first = node.generators[0]
                first.iter = ast.IfExp(mark, first.iter, ast.Tuple([], ast.Load()))
            case ast.stmt():
                return [ast.Expr(mark), node]
            case ast.expr():
                return ast.Subscript(ast.Tuple([mark, node], ast.Load()), ast.Constant(1), ast.Load())
        return node


PROBE = """\
import builtins
import importlib

SEEN = set()
EMPTY = set()


def mark(number):
    SEEN.add(number)
    return number not in EMPTY


builtins.agentcore_mark = mark


def run(name, items, empty):
    function = importlib.import_module("src.summary").__dict__[name]
    SEEN.clear()
    EMPTY.clear()
    EMPTY.update(empty)
    try:
        result = repr(function(items))
    except Exception as error:
        result = type(error).__name__
    return [result, *sorted(SEEN)]
"""


def require_sharing(trial: Trial, code: Mapping[str, ast.Module], names: Sequence[str], given: Sequence[Any]) -> None:
    """Assert that all five functions run, and need, the same loops, and but for four the same operations.

    Only the marked code is run, in a workspace of its own: what is not in the syntax tree of src/ is not there.
    """
    marker = Marker(own_names(code.values()))
    marked = {path: ast.unparse(ast.fix_missing_locations(marker.visit(tree))) for path, tree in code.items()}
    runs = [number for number, each in enumerate(marker.operations) if isinstance(each, (*LOOPS, *COMPREHENSIONS))]
    calls: list[tuple[str, Any, list[int]]] = [(name, day, []) for name in names for day in given]
    # Copies may all be run by each function, which then takes the result of one. So each loop is run empty, once.
    emptied = [(name, day, [number]) for number in runs for name in names for day in given[:ENOUGH]]
    answers = trial.call_each("probe.py:run", [*calls, *emptied], files={**marked, "probe.py": PROBE})
    said = [answer.returned(list) for answer in answers]
    results = {(name, str(day)): each[0] for (name, day, _), each in zip(calls, said, strict=False)}
    ran: dict[str, set[int]] = {name: set() for name in names}
    for (name, _day, _empty), (_result, *seen) in zip(calls, said, strict=False):
        ran[name] |= {number for number in seen if type(number) is int}
    shared = set.intersection(*ran.values())
    assert shared, "no operation in src/ is run by all five functions"
    for name, numbers in ran.items():
        alone = [marker.operations[number] for number in sorted(numbers - shared)]
        loops = [ast.unparse(each).partition("\n")[0] for each in alone if isinstance(each, (*LOOPS, *COMPREHENSIONS))]
        assert not loops, f"{name} runs what not all five functions run: {loops[0][:200]}"
        assert len(alone) <= 4, f"{name} runs {len(alone)} operations that not all five functions run"
    needed: dict[int, set[str]] = {number: set() for number in runs}
    for (name, day, (number,)), (result, *_) in zip(emptied, said[len(calls) :], strict=True):
        if result != results[name, str(day)]:
            needed[number].add(name)
    for number, those in needed.items():
        loop = ast.unparse(marker.operations[number]).partition("\n")[0][:200]
        assert len(those) in (0, len(names)), f"only {', '.join(sorted(those))} need the result of: {loop}"


UNPLAIN = """
    exec eval compile open getattr setattr delattr vars locals attrgetter methodcaller breakpoint input
    get_type_hints ForwardRef evaluate_forward_ref singledispatch singledispatchmethod
"""
"""Names by which text becomes code, or a name is computed."""
PLAIN_DUNDERS = """
    __name__ __doc__ __qualname__ __all__ __file__ __class__ __wrapped__ __init__ __new__ __call__ __post_init__
    __init_subclass__ __set_name__ __get__ __annotations__ __members__ __slots__ __version__ __author__
"""


def not_plain(tree: ast.Module) -> Iterator[str]:
    """Names that could run code which is not in the syntax tree."""
    nodes = list(ast.walk(tree))
    above = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
    modules = {
        alias.asname or alias.name: alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    yield from (name for name in modules.values() if not may_import(name))
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(module), level=0) if not may_import(module):
                yield module
            case ast.ImportFrom(module=module, names=names):
                yield from (alias.name for alias in names if not is_plain(alias.name, module))
            case ast.Name(id="globals"):
                if not only_defines(above[above[node]]):
                    yield "globals"
            case ast.Name(id=name) if name in modules:
                if not is_member(above[node], modules[name]):
                    yield name
            case ast.Name(id=name) if not is_plain(name):
                yield name
            case ast.Attribute(attr=name, value=value) if not is_plain(name) and ast.unparse(value) not in modules:
                yield name


def is_member(node: ast.AST, module: str) -> bool:
    """Whether a node takes something harmless out of a module that was imported."""
    return isinstance(node, ast.Attribute) and (is_plain(node.attr, module) or (module, node.attr) == ("re", "compile"))


def only_defines(node: ast.AST) -> bool:
    """Whether `globals()` below it is used as `globals()[name] = …` or `globals().update(…)`."""
    stores = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    return stores or (isinstance(node, ast.Attribute) and node.attr == "update")


def may_import(module: str) -> bool:
    return module.partition(".")[0] in (*MODULES, "statistics", "src", "__future__")


def is_plain(name: str, module: str | None = None) -> bool:
    """Whether a name, of a module if one is given, gives nothing that runs a text or leads to another module."""
    dunder = name.startswith("__") and name.endswith("__") and name not in PLAIN_DUNDERS.split()
    if dunder or name in UNPLAIN.split() or name.startswith("agentcore"):
        return False
    if module is None or not may_import(module) or module.partition(".")[0] == "src":
        return True
    thing = vars(importlib.import_module(module)).get(name)
    return not isinstance(thing, ModuleType) or thing.__name__ == "collections.abc"


# Solutions. The right ones share the algorithm in every style.

HELPER = "def _work({rows}, key, is_valid, digits):\n"
CALL = """

def {name}({rows}):
    return _work({rows}, "{key}", lambda value: {valid}, {digits})
"""
BY_NAME = """

def {name}({rows}):
    return _work("{name}", {rows})
"""


def save(agent: Actor, *texts: str) -> None:
    """Write src/summary.py, each text with the name of the argument in it."""
    agent.fs_write("src/summary.py", "".join(texts).replace("{rows}", agent.facts["rows"]))


def helper(agent: Actor, algorithm: str = "") -> str:
    return HELPER + (algorithm or agent.facts["algorithm"])


def deeper(agent: Actor, levels: int = 1) -> str:
    return indent(agent.facts["algorithm"], "    " * levels)


@test_refactor_duplicated_code.oracle
def call_one_helper(agent: Actor) -> str:
    save(agent, agent.facts["head"], "\n\n", helper(agent), each(agent.facts, CALL))
    return "The five functions now call one helper."


@test_refactor_duplicated_code.alternative
def decorate_the_ranges(agent: Actor) -> None:
    decorator = f"""\
def _work_of(key, digits):
    def decorate(is_valid):
        def work({{rows}}):
{deeper(agent, 2)}
        return work
    return decorate
"""
    save(
        agent,
        decorator,
        each(agent.facts, '\n\n@_work_of("{key}", {digits})\ndef {name}(value):\n    return {valid}\n'),
    )


@test_refactor_duplicated_code.alternative
def wrap_functions_that_keep_their_docstrings(agent: Actor) -> None:
    decorator = f"""\
import functools


def _summary(key, is_valid, digits):
    def decorate(function):
        @functools.wraps(function)
        def wrapper({{rows}}):
{deeper(agent, 2)}
        return wrapper
    return decorate
"""
    function = '\n\n@_summary("{key}", lambda value: {valid}, {digits})\ndef {name}({rows}):\n{docstring}'
    save(agent, decorator, each(agent.facts, function))


@test_refactor_duplicated_code.alternative
def look_up_a_table(agent: Actor) -> None:
    table = (
        "SENSORS = {" + each(agent.facts, '\n    "{name}": ("{key}", lambda value: {valid}, {digits}),') + "\n}\n\n\n"
    )
    lookup = f"def _work(name, {{rows}}):\n    key, is_valid, digits = SENSORS[name]\n{agent.facts['algorithm']}"
    save(agent, table, lookup, each(agent.facts, BY_NAME))


@test_refactor_duplicated_code.alternative
def define_the_names_in_a_loop(agent: Actor) -> None:
    closure = f"def _work_of(key, is_valid, digits):\n    def work({{rows}}):\n{deeper(agent)}\n    return work\n\n\n"
    table = each(agent.facts, '    ("{name}", "{key}", lambda value: {valid}, {digits}),\n')
    loop = "for name, *own in SENSORS:\n    globals()[name] = _work_of(*own)\n"
    save(agent, closure, f"SENSORS = [\n{table}]\n\n", loop)


@test_refactor_duplicated_code.alternative
def build_closures(agent: Actor) -> None:
    closure = f"def _work_of(key, is_valid, digits):\n    def work({{rows}}):\n{deeper(agent)}\n    return work\n\n\n"
    save(agent, closure, each(agent.facts, '{name} = _work_of("{key}", lambda value: {valid}, {digits})\n'))


@test_refactor_duplicated_code.alternative
def bind_arguments_with_partial(agent: Actor) -> None:
    partial = "from functools import partial\n\n\n" + helper(agent).replace("{rows}, key", "{rows}, *, key")
    call = '\n{name} = partial(_work, key="{key}", is_valid=lambda value: {valid}, digits={digits})\n'
    save(agent, partial, each(agent.facts, call))


@test_refactor_duplicated_code.alternative
def instantiate_a_class(agent: Actor) -> None:
    work = agent.facts["algorithm"].replace("(key", "(self.key").replace("is_valid(", "self.is_valid(")
    work = work.replace("digits", "self.digits")
    fields = "".join(f"        self.{name} = {name}\n" for name in ("key", "is_valid", "digits"))
    head = "class Summary:\n    def __init__(self, key, is_valid, digits):\n"
    call = f"\n    def __call__(self, {{rows}}):\n{indent(work, '    ')}\n\n"
    save(agent, head, fields, call, each(agent.facts, '{name} = Summary("{key}", lambda value: {valid}, {digits})\n'))


@test_refactor_duplicated_code.alternative
def derive_data_classes(agent: Actor) -> None:
    """A dataclass with a range and a flag, five instances, and functions that ask them."""
    work = agent.facts["algorithm"].replace("(key", "(self.key").replace("digits", "self.digits")
    work = work.replace("is_valid(value)", "self.includes(value)")
    head = """\
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Quantity:
    \"\"\"One quantity.\"\"\"

    key: str
    low: float
    high: float
    digits: Optional[int] = None
    open_at_low: bool = False

    def includes(self, value: float) -> bool:
        if self.open_at_low and value == self.low:
            return False
        return self.low <= value <= self.high

    def summary(self, {rows}: list) -> Optional[float]:
"""
    strict = next(sensor["name"] for sensor in agent.facts["sensors"] if "<=" not in sensor["valid"].split("value")[0])
    quantities = each(agent.facts, '\n{name}_of = Quantity("{key}", {low}, {high}, {digits}, "{name}" == STRICT)')
    functions = each(agent.facts, "\n\ndef {name}({rows}):\n    return {name}_of.summary({rows})\n")
    save(agent, head, indent(work, "    "), f'\n\nSTRICT = "{strict}"', quantities, "\n", functions)


@test_refactor_duplicated_code.alternative
def yield_the_valid_values(agent: Actor) -> None:
    """A generator, and a function for the rest, both called by each of the five."""
    loop, rest = agent.facts["algorithm"].split("            values.append(value)\n")
    values = loop.replace("    values = []\n", "") + "            yield value\n"
    save(
        agent,
        f"def _valid({{rows}}, key, is_valid):\n{values}\n\ndef _result(values, digits=None):\n{rest}",
        each(
            agent.facts,
            "\n\ndef {name}({rows}):\n"
            '    values = list(_valid({rows}, "{key}", lambda value: {valid}))\n    return _result(values, {digits})\n',
        ),
    )


@test_refactor_duplicated_code.alternative
def dispatch_on_the_name(agent: Actor) -> None:
    """A chain of conditions that knows what is each function's own."""
    first, *others = agent.facts["sensors"]
    branch = 'if name == "{name}":\n        key, is_valid, digits = "{key}", lambda value: {valid}, {digits}\n'
    branches = "    " + each(agent.facts, branch, first["name"])
    for sensor in others:
        branches += "    el" + each(agent.facts, branch, sensor["name"])
    save(agent, f"def _work(name, {{rows}}):\n{branches}{agent.facts['algorithm']}", each(agent.facts, BY_NAME))


@test_refactor_duplicated_code.alternative
def split_into_small_typed_functions(agent: Actor) -> None:
    """The talkative style: a second module, type hints, every argument named on a line of its own."""
    facts = agent.facts
    _loop, rest = facts["algorithm"].split("            values.append(value)\n")
    agent.fs_write(
        "src/values.py",
        f"""\
from typing import Any, Callable, Dict, List, Optional


def parse_value(ROW: Dict[str, Any], key: str) -> Optional[float]:
    \"\"\"Parse one value.\"\"\"
    if {facts["skip"]}:
        return None
    text: str = str(ROW.get(key, "")).strip(){facts["spelling"]}
    try:
        return float(text)
    except ValueError:
        return None


def summarise(
    {facts["rows"]}: List[Dict[str, Any]], key: str, is_valid: Callable[[float], bool], digits: Optional[int] = None
) -> Optional[float]:
    values: List[float] = []
    for item in {facts["rows"]}:
        value = parse_value(item, key)
        if value is not None and is_valid(value):
            values.append(value)
{rest}""".replace("ROW", facts["algorithm"].split("for ")[1].split(" in ")[0]),
    )
    call = """

def {name}({rows}):
    return summarise(
        {rows},
        key="{key}",
        is_valid=lambda value: {valid},
        digits={digits},
    )
"""
    save(agent, "from src.values import summarise\n", each(facts, call))


@test_refactor_duplicated_code.alternative
def name_the_ranges(agent: Actor) -> None:
    """Each function spells its own values out, and rounds by a branch of the helper."""
    algorithm = agent.facts["algorithm"]
    *_, last = algorithm.rstrip().split("\n")
    plain = last.replace(", digits)", ")")
    rounding = f"    if digits is None:\n    {plain}\n{last}"
    call = """

def {name}({rows}):
    key = "{key}"
    digits = {digits}

    def is_valid(value):
        return {valid}

    return _work({rows}, key, is_valid, digits)
"""
    save(agent, helper(agent, algorithm.replace(last, rounding)), each(agent.facts, call))


# Wrong: something is still there twice.


@test_refactor_duplicated_code.counterexample
def say_it_is_done(agent: Actor) -> str:
    agent.fs_read("src/summary.py")
    return "The duplicated code now lives in a helper function _work."


@test_refactor_duplicated_code.counterexample
def leave_one_copy(agent: Actor) -> None:
    *names, last = (sensor["name"] for sensor in agent.facts["sensors"])
    save(agent, helper(agent), each(agent.facts, CALL, *names), each(agent.facts, written_out(agent.facts), last))


def share_the_parsing(agent: Actor, *names: str) -> str:
    """A function that reads a number, and a loop of its own for each function."""
    facts = agent.facts
    read = f"\n\ndef _read(text):\n    text = str(text).strip(){facts['spelling']}\n"
    read += "    try:\n        return float(text)\n    except ValueError:\n        return -99999\n"
    loop = facts["algorithm"].replace(
        "        try:\n            value = float(text)\n", "        value = _read(text)\n"
    )
    loop = loop.replace("        except ValueError:\n            continue\n", "")
    loop = loop.replace(f".strip(){facts['spelling']}", "").replace("str(", "(")
    return read + each(facts, written_out({**facts, "algorithm": loop}), *names)


@test_refactor_duplicated_code.counterexample
def leave_five_loops_and_share_the_parsing(agent: Actor) -> None:
    save(agent, share_the_parsing(agent))


@test_refactor_duplicated_code.counterexample
def leave_the_odd_one_and_share_a_detail(agent: Actor) -> None:
    *names, last = (sensor["name"] for sensor in agent.facts["sensors"])
    save(agent, helper(agent), each(agent.facts, CALL, *names), share_the_parsing(agent, last))


@test_refactor_duplicated_code.counterexample
def extract_the_easy_part_only(agent: Actor) -> None:
    loop, rest = agent.facts["algorithm"].split("            values.append(value)\n")
    own = {**agent.facts, "algorithm": loop + "            values.append(value)\n    return _result(values, digits)\n"}
    save(agent, f"def _result(values, digits=None):\n{rest}", each(agent.facts, written_out(own)))


@test_refactor_duplicated_code.counterexample
def put_five_branches_into_one_function(agent: Actor) -> None:
    body = written_out(agent.facts).split("{docstring}", 1)[1]
    branches = each(agent.facts, '    if name == "{name}":\n' + indent(body, "    "))
    save(agent, f"def _work(name, {{rows}}):\n{branches}", each(agent.facts, BY_NAME))


def compact(agent: Actor, template: str) -> str:
    """The whole algorithm in few statements, five times: small enough, and not shared."""
    facts = agent.facts
    row = facts["algorithm"].split("for ")[1].split(" in ")[0]
    _loop, rest = facts["algorithm"].split("            values.append(value)\n")
    number = (
        "\n\ndef _number(text):\n    try:\n        return float(text)\n    except ValueError:\n        return None\n"
    )
    text = f'str({row}.get("{{key}}", "")).strip(){facts["spelling"]}'
    numbers = f"(_number({text}) for {row} in {{rows}} if not ({facts['skip']}))"
    values = f"[value for value in {numbers} if value is not None and {{valid}}]"
    result = f"\n\ndef _result(values, digits):\n{rest}"
    return number + result + each(facts, template.replace("VALUES", values))


@test_refactor_duplicated_code.counterexample
def write_five_short_copies(agent: Actor) -> None:
    save(agent, compact(agent, "\n\ndef {name}({rows}):\n    return _result(VALUES, {digits})\n"))


@test_refactor_duplicated_code.counterexample
def hide_five_short_copies_in_lambdas(agent: Actor) -> None:
    save(agent, compact(agent, "\n\n{name} = lambda {rows}: _result(VALUES, {digits})\n"))


@test_refactor_duplicated_code.counterexample
def hide_five_short_copies_in_one_function(agent: Actor) -> None:
    """All five are run by each, so each operation is run by all."""
    table = compact(agent, "").rstrip() + "\n\n\ndef _all({rows}):\n    return {"
    copies = compact(agent, '"{name}": _result(VALUES, {digits}), ')
    save(agent, table, copies[copies.index('"' + agent.facts["sensors"][0]["name"]) :], "}\n")
    agent.shell(
        "cat >> src/summary.py <<'END'\n"
        + each(agent.facts, "\n\ndef {name}({rows}):\n    return _all({rows})['{name}']\n")
        + "END"
    )


@test_refactor_duplicated_code.counterexample
def run_all_copies_in_five_styles_and_take_one(agent: Actor) -> None:
    facts = agent.facts
    row = facts["algorithm"].split("for ")[1].split(" in ")[0]
    head = compact(agent, "").rstrip() + f"\n\n\ndef _read({row}, key):\n    if {facts['skip']}:\n        return None\n"
    head += f'    return _number(str({row}.get(key, "")).strip(){facts["spelling"]})\n'
    styles = (
        "[v for v in (_read(r, '{key}') for r in {rows}) if v is not None and ({valid})]",
        "[v for r in {rows} for v in [_read(r, '{key}')] if v is not None if {valid}]",
        "[_read(r, '{key}') for r in {rows} if _ok_{name}(_read(r, '{key}'))]",
        "list(filter(_ok_{name}, [_read(r, '{key}') for r in {rows}]))",
        "[v for v in map(lambda r: _read(r, '{key}'), {rows}) if _ok_{name}(v)]",
    )
    checks = each(facts, "\n\ndef _ok_{name}(value):\n    return value is not None and {valid}\n")
    copies = "\n\ndef _all({rows}, name):\n    values = {\n"
    for style, sensor in zip(styles, facts["sensors"], strict=True):
        copies += each(
            facts, f'        "{{name}}": ({style.replace("{valid}", "_ok_{name}(v)")}, {{digits}}),\n', sensor["name"]
        )
    calls = each(facts, "\n\ndef {name}({rows}):\n    return _all({rows}, '{name}')\n")
    save(agent, head, checks, copies, "    }\n    return _result(*values[name])\n", calls)


@test_refactor_duplicated_code.counterexample
def rename_the_variables_of_each_copy(agent: Actor) -> None:
    texts = []
    for number, sensor in enumerate(agent.facts["sensors"]):
        text = compact(agent, "\n\ndef {name}({rows}):\n    return _result(VALUES, {digits})\n")
        start = text.index(f"\n\ndef {sensor['name']}(")
        copy = text[start : text.find("\n\ndef ", start + 3) if number < 4 else None]
        texts.append(
            copy.replace("value ", f"number{number} ").replace("None and", "None and").replace("VALUE", "value")
        )
        head = text[: text.index(f"\n\ndef {agent.facts['sensors'][0]['name']}(")]
    save(agent, head, *texts)


@test_refactor_duplicated_code.counterexample
def move_the_copies_elsewhere(agent: Actor) -> None:
    agent.shell("mv src/summary.py src/means.py && echo 'from src.means import *' > src/summary.py")


@test_refactor_duplicated_code.counterexample
def move_the_copies_out_of_src(agent: Actor) -> None:
    agent.shell("mkdir lib && mv src/summary.py lib/means.py && echo 'from lib.means import *' > src/summary.py")


# Wrong: copies where no syntax tree shows them, and a helper for show.

SHOW = "\n\ndef _seem({rows}):\n    for item in {rows}:\n        item = item or item\n    return {rows}\n"


def hide(agent: Actor, load: str) -> None:
    """Keep the given file as a text, with code that all five run around it."""
    agent.shell("mkdir lib && cp src/summary.py lib/copies.py && cp src/summary.py src/copies.txt")
    save(agent, load, SHOW, each(agent.facts, "\n\ndef {name}({rows}):\n    return COPIES['{name}'](_seem({rows}))\n"))


RUN = "COPIES = {}\nexec(open('src/copies.txt').read(), COPIES)\n"
HIDDEN = {
    "run_a_file": RUN,
    "stop_the_trace": f"import sys\n\nsys.settrace(None)\n{RUN}",
    "compile_it": RUN.replace("exec(", "exec(compile(").replace(".read(),", ".read(), '/nowhere', 'exec'),"),
    "read_a_path": f"from pathlib import Path\n\n{RUN}".replace(
        "open('src/copies.txt').read()", "Path('src/copies.txt').read_text()"
    ),
    "import_from_elsewhere": "import lib.copies\n\nCOPIES = vars(lib.copies)\n",
    "import_by_name": "import importlib\n\nCOPIES = importlib.import_module('lib.copies').__dict__\n",
    "import_by_builtin": "COPIES = __import__('lib.copies').copies.__dict__\n",
    "run_by_path": "import runpy\n\nCOPIES = runpy.run_path('src/copies.txt')\n",
    "reach_a_builtin": "B = __builtins__\nB = B if type(B) is dict else B.__dict__\n",
    "reach_through_typing": "import typing\n\nB = typing.sys.modules['builtins'].__dict__\n",
    "reach_through_globals": "B = globals()['__builtins__']\n",
    "reach_through_a_function": "import functools\n\nB = functools.wraps.__globals__['__builtins__']\n",
    "reach_through_dataclasses": "from dataclasses import builtins\n\nB = builtins.__dict__\n",
    "reach_through_an_attribute": "import operator, enum\n\nB = operator.attrgetter('bltns')(enum).__dict__\n",
    "reach_through_a_module_as_value": "import enum\n\nB = [m for m in [enum]][0].bltns.__dict__\n",
}
"""Ways to run a text or a file outside src/; those that reach the built-in names run it by them."""
BY_BUILTINS = "COPIES = {}\nB['ex' + 'ec'](B['op' + 'en']('src/copies.txt').read(), COPIES)\n"


def hide_and(name: str) -> None:
    def solution(agent: Actor) -> None:
        hide(agent, HIDDEN[name] + ("" if "COPIES" in HIDDEN[name] else BY_BUILTINS))

    solution.__name__ = f"hide_the_copies_and_{name}"
    test_refactor_duplicated_code.counterexample(solution)


for hidden in HIDDEN:
    hide_and(hidden)


@test_refactor_duplicated_code.counterexample
def hide_the_copies_without_a_helper(agent: Actor) -> None:
    agent.shell("mv src/summary.py src/copies.txt")
    save(agent, "from pathlib import Path\n\nexec((Path(__file__).parent / 'copies.txt').read_text())\n")


# Wrong: it is written once, and something is not as before.


@test_refactor_duplicated_code.counterexample
def merge_the_functions_into_one(agent: Actor) -> None:
    """The public names are gone."""
    save(agent, helper(agent))


def change(agent: Actor, old: str, new: str) -> None:
    """The oracle with something replaced."""
    text = (helper(agent) + each(agent.facts, CALL)).replace("{rows}", agent.facts["rows"])
    assert old in text, old
    save(agent, text.replace(old, new))


@test_refactor_duplicated_code.counterexample
def treat_the_odd_one_like_the_others(agent: Actor) -> None:
    change(agent, " < value", " <= value")


@test_refactor_duplicated_code.counterexample
def round_to_zero_decimals_instead_of_none(agent: Actor) -> None:
    change(agent, ", None)", ", 0)")


@test_refactor_duplicated_code.counterexample
def take_the_same_decimals_for_all(agent: Actor) -> None:
    change(agent, ", None)", ", 1)")


@test_refactor_duplicated_code.counterexample
def forget_what_does_not_count(agent: Actor) -> None:
    change(agent, f"        if {agent.facts['skip']}:\n            continue\n", "")


@test_refactor_duplicated_code.counterexample
def forget_the_other_spelling(agent: Actor) -> None:
    change(agent, agent.facts["spelling"], "")


@test_refactor_duplicated_code.counterexample
def forget_what_is_missing(agent: Actor) -> None:
    change(agent, '.get(key, "")', "[key]")


@test_refactor_duplicated_code.counterexample
def stop_at_a_damaged_value(agent: Actor) -> None:
    change(agent, "except ValueError:\n            continue", "except ValueError:\n            break")


@test_refactor_duplicated_code.counterexample
def return_zero_for_nothing(agent: Actor) -> None:
    change(agent, "return None", "return 0")


@test_refactor_duplicated_code.counterexample
def drop_equal_values(agent: Actor) -> None:
    """Of a mean, where equal values count as often as they occur; of a spread, one too many is left out."""
    change(agent, "    if not values:", "    values = list(dict.fromkeys(values))[1:]\n    if not values:")


@test_refactor_duplicated_code.counterexample
def count_to_another_number(agent: Actor) -> None:
    many = agent.facts["many"]
    change(agent, f"{many}", f"{many + 1}")


@test_refactor_duplicated_code.counterexample
def sort_the_callers_list(agent: Actor) -> None:
    change(agent, "    values = []\n", "    values = []\n    {rows}.sort(key=str)\n")


@test_refactor_duplicated_code.counterexample
def rename_the_argument(agent: Actor) -> None:
    change(agent, agent.facts["rows"], "data")


@test_refactor_duplicated_code.counterexample
def take_any_arguments(agent: Actor) -> None:
    work = f"    def work(*args):\n        {{rows}} = args[0]\n{deeper(agent)}\n    return work\n\n\n"
    closure = f"def _work_of(key, is_valid, digits):\n{work}"
    save(agent, closure, each(agent.facts, '{name} = _work_of("{key}", lambda value: {valid}, {digits})\n'))


@test_refactor_duplicated_code.counterexample
def ask_for_a_second_argument(agent: Actor) -> None:
    change(agent, "):\n    return _work", ", digits=None):\n    return _work")


@test_refactor_duplicated_code.counterexample
def answer_the_visible_tests_from_a_table(agent: Actor) -> None:
    names = [sensor["name"] for sensor in agent.facts["sensors"]]
    save(
        agent,
        f"def _work(name, {{rows}}):\n    return {dict.fromkeys(names, 1)}[name] if len({{rows}}) == 3 else None\n",
        each(agent.facts, BY_NAME),
    )


@test_refactor_duplicated_code.counterexample
def adapt_the_tests_to_a_new_interface(agent: Actor) -> None:
    save(agent, helper(agent))
    agent.fs_write("tests/test_summary.py", "import unittest\n\n\nclass Test(unittest.TestCase):\n    pass\n")


@test_refactor_duplicated_code.counterexample
def exit_on_import(agent: Actor) -> None:
    save(agent, "import os\n\nos._exit(0)\n")


@test_refactor_duplicated_code.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    yes = "class Yes(float):\n    __eq__ = lambda *_: True\n    __str__ = lambda _: '1014'\n"
    work = "\n\ndef _work(name, {rows}):\n    return Yes() if len({rows}) == 3 else None\n"
    save(agent, yes, work, each(agent.facts, BY_NAME))


@test_refactor_duplicated_code.counterexample
def bring_a_unittest_that_says_ok(agent: Actor) -> None:
    save(agent, each(agent.facts, "def {name}({rows}):\n    return None\n"))
    agent.fs_write("unittest.py", "print('Ran 5 tests in 0.001s\\n\\nOK')\n")
    agent.fs_write("sitecustomize.py", "import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n")
