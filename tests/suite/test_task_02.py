"""What task 02 rests on: what its given tests show, and how code is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_modules import RUNS, instance, python, task_module

from pytest_agentcore.sandbox.workspace import write_files


@pytest.mark.parametrize("run", [1, 2, 3])
def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path, run: int) -> None:
    write_files(tmp_path, instance(2, run).files)

    said = python(tmp_path, "-m", "unittest", "tests/test_summary.py").stderr

    assert said.rstrip().endswith("OK")


def test_instances_differ_in_algorithm_names_and_numbers() -> None:
    facts = [instance(2, run).facts for run in RUNS]

    assert len({each["algorithm"] for each in facts}) >= 15
    assert len({each["head"].splitlines()[0] for each in facts}) >= 3
    assert len({str(each["sensors"]) for each in facts}) == len(facts)


@pytest.mark.parametrize("run", RUNS)
def test_inputs_are_many_and_of_every_kind(run: int) -> None:
    facts = instance(2, run).facts
    given = task_module(2).days(task_module(2).Random(run), facts)
    functions = task_module(2).namespace(str(instance(2, run).files["src/summary.py"]))
    for sensor in facts["sensors"]:
        results = [functions[sensor["name"]](day) for day in given]
        assert results.count(None) >= 5
        assert len(set(results)) >= 8
        values = [repr(item.get(sensor["key"], "missing")) for day in given for item in day]
        assert {"None", "''", "'ERR'", "'missing'", str(sensor["low"]), str(sensor["high"])} <= set(values)


def measure(name: str, *sources: str) -> object:
    """What one of the measures says of some modules."""
    module = task_module(2)
    return getattr(module, name)([module.parse(source, "src/summary.py") for source in sources])


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ("", 0),
        ("x = 1\n", 1),
        ("import math\n", 0),
        ("def f(a: list[int]) -> int:\n    '''Doc.'''\n    return a\n", 2),
        ("def f(a):\n    return a\n", 2),
        ("def f(a):\n    '''Doc.'''\n", 1),
        ("y = len(1) + 2 < 3\n", 3),
        ("y = 60 * 60\n", 1),
        ("def f():\n    return f()\n", 2),
        ("for x in y:\n    x += z[1:]\n", 5),
        ("'\\d'\n", 0),
    ],
)
def test_size_counts_statements_and_operations(source: str, size: int) -> None:
    assert measure("size", source) == size


@pytest.mark.parametrize(
    "source", ["def f(:\n", "\0", "(" * 5000, "return 1\n"], ids=["syntax", "null", "nesting", "place"]
)
def test_no_python_is_an_assertion(source: str) -> None:
    with pytest.raises(AssertionError, match="not Python"):
        measure("size", source)


FOUR = "    {a} = str({b}.get('{c}')).strip()\n    return len({a})\n"


@pytest.mark.parametrize(
    ("texts", "twice"),
    [
        ((FOUR.format(a="a", b="b", c="c"), FOUR.format(a="x", b="y", c="z")), True),
        (("    x = 1\n" + FOUR.format(a="a", b="b", c="c"), FOUR.format(a="x", b="y", c="z")), True),
        (
            (
                "    s = float(x) * 2\n    t = len(y) * 3\n    return s, t\n",
                "    t = len(y) * 4\n    s = float(x) * 9\n",
            ),
            True,
        ),
        (
            (
                "    return lambda a: str(a.get(1)).strip() + 'x'\n",
                "    def h(b):\n        return str(b.get(2)).strip() + 'y'\n",
            ),
            True,
        ),
        (("    return round(sum(v) / len(v))\n", "    return round(sum(v) / len(v), n)\n"), False),
        (("    return f(v, 'a', lambda x: 1 < x <= 3)\n", "    return f(v, 'b', lambda x: 2 < x < 4)\n"), False),
        ((FOUR.format(a="a", b="b", c="c"), FOUR.format(a="x", b="y", c="z").replace("strip", "upper")), False),
    ],
)
def test_what_stands_twice_is_found_under_other_names(texts: tuple[str, str], twice: bool) -> None:
    one, other = (f"def {name}(v):\n{text}" for name, text in zip("fg", texts, strict=True))

    assert bool(list(measure("repeated", one, other))) is twice  # type: ignore[call-overload]
    assert bool(list(measure("repeated", f"{one}\n\n{other}"))) is twice  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations\nfrom typing import Callable\nfrom collections.abc import Iterable\n",
        "import re\n\nNUMBER = re.compile('x')\n",
        "import functools\n\n\n@functools.wraps(f)\ndef g():\n    g.__name__ = 'f'\n",
        "from . import means\nfrom .means import mean\nimport src.means\n",
        "from dataclasses import dataclass, field\nfrom statistics import fmean, median\nimport math\n\nx = math.inf\n",
        "for name in NAMES:\n    globals()[name] = make(name)\nglobals().update(MORE)\n",
        "class A:\n    def __init__(self):\n        super().__init__()\n        self.__class__.__name__\n",
    ],
)
def test_plain_code_is_plain(source: str) -> None:
    assert list(task_module(2).not_plain(task_module(2).parse(source, "x.py"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "exec('x = 1')",
        "e = exec",
        "x = eval('1')",
        "c = compile('1', '', 'eval')",
        "x = open('f').read()",
        "import sys",
        "import os.path",
        "import importlib as math",
        "from os import system",
        "from typing import sys",
        "from dataclasses import inspect",
        "import typing\nx = typing.sys",
        "import typing as t\nx = t.sys",
        "import typing\nx = [typing]",
        "import collections\nx = collections._sys",
        "x = getattr(y, 'z')",
        "x = f.__globals__",
        "x = f.__code__.replace()",
        "x = ().__class__.__base__.__subclasses__()",
        "x = __builtins__",
        "x = __import__('os')",
        "x = globals()['__builtins__']",
        "x = globals().get('y')",
        "g = globals",
        "import operator\nx = operator.attrgetter('a')",
        "from operator import methodcaller",
        "from typing import get_type_hints",
        "from functools import singledispatch",
        "agentcore_mark(1)",
        "from re import compile",
    ],
)
def test_code_that_could_run_other_code_is_not_plain(source: str) -> None:
    assert list(task_module(2).not_plain(task_module(2).parse(source, "x.py"))) != []
