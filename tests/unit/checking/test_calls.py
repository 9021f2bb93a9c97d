"""What counts as the same behaviour, and the inputs on which it is looked at."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from confined import BUBBLEWRAP

from checking.conftest import Finish
from pytest_agentcore.checking.calls import alike, varied

SHOP = """\
from src.rates import rate

VAT = 0.2
LIMITS = {"pens": 3}


class Empty(ValueError):
    pass


def total(prices, code=None):
    if not prices:
        raise Empty("nothing")
    return sum(prices) * (1 - rate(code))


def longest(names):
    return max(names, key=len) if names else None


def _private(x):
    return x
"""
GIVEN = {
    "src/shop.py": SHOP,
    "src/rates.py": "def rate(code):\n    return {None: 0.0, 'STAFF': 0.5}[code]\n",
}
PRICES = [([1, 2],), ([],), ([2.5], "STAFF"), ([1], "NONE"), (["x"],), ([4], None)]
NAMES = [(["a", "bc"],), ([],), ((),), (["a"],), (["b", "a"],)]
CALLS: dict[str, list[tuple[Any, ...]]] = {"src/shop.py:total": PRICES, "src/shop.py:longest": NAMES}
SUM = "    return sum(prices) * (1 - rate(code))\n"

sandboxed = pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)


@sandboxed
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        (SUM, "    prices = list(prices)\n    return sum(prices) - rate(code) * sum(prices)\n"),
        ("code=None", "code: str | None = None"),
        ("code=None", "code=None, *, digits=2"),
        ("(ValueError)", "(LookupError, ValueError)"),
        ('Empty("nothing")', 'type("Nothing", (Empty,), {})("at all")'),
        ("def _private(x)", "def helper(y, z)"),
    ],
)
def test_the_same_behaviour_written_otherwise_is_accepted(finish: Finish, old: str, new: str) -> None:
    finish({"src/shop.py": SHOP.replace(old, new)}, given=GIVEN).compare(CALLS)


@sandboxed
@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (SUM, "    return sum(prices)\n", r"src/shop.py: total([2.5], 'STAFF') gives 2.5; it must give 1.25"),
        (SUM, "    return 3\n", r"total([2.5], 'STAFF') gives 3; it must give 1.25"),
        ('Empty("nothing")', 'KeyError("nothing")', "total([]) raises KeyError (`'nothing'`); it must raise Empty"),
        ("        raise Empty", "        return 0\n        raise Empty", "total([]) gives 0; it must raise Empty"),
        (SUM, f"    prices.sort(reverse=True)\n{SUM}", "total([1, 2]) leaves its arguments changed: [[[2, 1]], {}]"),
        ("prices, code=None", "items, code=None", "src/shop.py: total is ("),
        ("prices, code=None", "prices, code=0", "src/shop.py: total is ("),
        ("prices, code=None", "prices, code", "src/shop.py: total is ("),
        ("prices, code=None", "prices, code=None, *more", "src/shop.py: total is ("),
        ("prices, code=None", "prices, code=None, digits=2", "src/shop.py: total is ("),
        ("prices, code=None", "prices, code=None, *, digits", "src/shop.py: total is ("),
        ("(prices, code=None):", "(prices, /, code=None):", "src/shop.py: total is ("),
        ("def longest", "def shortest", "src/shop.py has no longest"),
        ("VAT = 0.2", "VAT = 0.19", "src/shop.py: VAT is 0.19; it must be 0.2"),
        ("VAT = 0.2\n", "", "src/shop.py has no VAT"),
        ('{"pens": 3}', '{"pens": 3.0}', "src/shop.py: LIMITS is {'pens': 3.0}; it must be {'pens': 3}"),
        ("class Empty", "class Nothing", "src/shop.py has no Empty"),
        (
            "max(names, key=len) if names else None",
            "max(names, key=len, default='')",
            "longest([]) gives ''; it must give",
        ),
        ("max(names, key=len) if names else None", "bool(names) or None", "longest(['a', 'bc']) gives True; it must"),
        ("def longest(names):", "def longest(names):\n    raise SystemExit", "longest(['a', 'bc']) raises SystemExit"),
        ("def longest(names):", "def longest(names):\n    import os; os._exit(0)", "ended its process (exit code 0)"),
    ],
)
def test_what_differs_is_found_and_said(finish: Finish, old: str, new: str, sentence: str) -> None:
    assert old in SHOP

    with pytest.raises(AssertionError) as caught:
        finish({"src/shop.py": SHOP.replace(old, new)}, given=GIVEN).compare(CALLS)

    assert sentence in str(caught.value)


@sandboxed
def test_a_parameter_behind_a_forged_signature_is_called_by_its_name(finish: Finish) -> None:
    forged = f"{SHOP}\n\n_given = longest\nlongest = lambda *names: _given(*names)\nlongest.__wrapped__ = _given\n"

    with pytest.raises(AssertionError, match=r"longest\(names=\['a'\]\) raises TypeError"):
        finish({"src/shop.py": forged}, given=GIVEN).compare(CALLS)


@sandboxed
def test_a_reference_replaces_given_files_and_is_seen_by_nobody(finish: Finish) -> None:
    spy = (
        "import pathlib\n\n\ndef f(x):\n    return sorted(str(p) for p in pathlib.Path('/').glob('checker/given/*'))\n"
    )
    trial = finish({"src/new.py": spy}, given=GIVEN)
    reference = {"src/new.py": "def f(x):\n    return ['known only here']\n"}

    with pytest.raises(AssertionError) as caught:
        trial.compare({"src/new.py:f": [(1,)]}, reference=reference)

    assert "f(1) gives []; it must give ['known only here']" in str(caught.value)


@sandboxed
def test_a_function_without_calls_is_the_checkers_mistake(finish: Finish) -> None:
    with pytest.raises(ValueError, match=r"src/shop\.py: every public function must be called, longest too"):
        finish(given=GIVEN).compare({"src/shop.py:total": PRICES})


@sandboxed
def test_a_module_that_the_reference_lacks_is_the_checkers_mistake(finish: Finish) -> None:
    with pytest.raises(ValueError, match=r"src/other\.py is not among the reference's files"):
        finish(given=GIVEN).compare({"src/other.py:total": PRICES})


@sandboxed
def test_a_module_that_puts_another_object_in_its_place_is_what_its_users_get(finish: Finish) -> None:
    lazy = (
        "import sys\n\n\nclass Lazy:\n    def f(self, x):\n        return x + 1\n\n\nsys.modules[__name__] = Lazy()\n"
    )

    assert finish({"src/lazy.py": lazy}).call("src/lazy.py:f", 1).value == 2


@sandboxed
def test_an_exception_is_known_by_its_bases(finish: Finish) -> None:
    raising = "class Mine(ValueError):\n    pass\n\n\ndef f():\n    raise Mine\n"
    outcome = finish({"a.py": raising}).call("a.py:f")

    assert outcome.raised == "Mine"
    assert outcome.raises(ValueError)
    assert not outcome.raises(KeyError)


@pytest.mark.parametrize(
    ("one", "other", "loosely", "exactly"),
    [
        (1, 1.0, True, False),
        (1, True, False, False),
        (0, False, False, False),
        (0.1 + 0.2, 0.3, True, False),
        (-0.0, 0.0, True, False),
        (float("nan"), float("nan"), True, True),
        (10**400, 1.0, False, False),
        (10**400, 10**400, True, True),
        (float("inf"), 10**400, False, False),
        ([1, (2,)], [1.0, (2,)], True, False),
        ([1], (1,), False, False),
        ({"a": 1}, {"a": 1.0}, True, False),
        ({"a": 1}, {"b": 1}, False, False),
        ("1", 1, False, False),
        (None, None, True, True),
        ({1}, {1}, True, True),
    ],
)
def test_what_counts_as_the_same(one: Any, other: Any, loosely: bool, exactly: bool) -> None:
    assert alike(one, other, exact=False) is alike(other, one, exact=False) is loosely
    assert alike(one, other, exact=True) is alike(other, one, exact=True) is exactly


EXAMPLES: list[tuple[Any, ...]] = [
    ([{"name": "pen", "price": 1.5, "quantity": 3}, {"name": "cap", "price": None}], "STAFF"),
    ([], None),
]


def test_inputs_are_the_examples_and_changed_copies_of_them() -> None:
    before = repr(EXAMPLES)
    made = varied(EXAMPLES, Random(1), 300)
    shown = [repr(arguments) for arguments in made]

    assert repr(EXAMPLES) == before
    assert made[:2] == EXAMPLES
    assert len(set(shown)) == len(made) == 302
    for part in ("'price': 0.0", "'quantity': 0", "'quantity': -1", "'name': ''", "'staff'", "[{}", ", None)"):
        assert any(part in each for each in shown), part


def test_inputs_keep_their_types() -> None:
    for items, code in varied(EXAMPLES, Random(2), 300):
        assert type(items) is list
        assert code is None or type(code) is str
        for item in items:
            assert {type(item.get("name", "")), type(item.get("quantity", 1))} == {str, int}


def test_inputs_are_the_same_every_time() -> None:
    assert varied(EXAMPLES, Random(3), 50) == varied(EXAMPLES, Random(3), 50)
    assert varied(EXAMPLES, Random(3), 50) != varied(EXAMPLES, Random(4), 50)
