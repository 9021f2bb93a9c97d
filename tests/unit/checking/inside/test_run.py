"""Given unittest files against honest code: what passes in an ordinary run passes here."""

from __future__ import annotations

import pytest
from confined import BUBBLEWRAP, NAMESPACE, PROCESS

from checking.conftest import Finish

SHOP = """
import contextlib
from collections import Counter, namedtuple
from dataclasses import dataclass

RATE = 0.2
Line = namedtuple("Line", "name price")


class ShopError(ValueError):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


class Empty(ShopError, LookupError):
    pass


@dataclass
class Cart:
    owner: str = "nobody"

    def __post_init__(self):
        self.lines = []

    def add(self, name, price):
        self.lines.append(Line(name, price))
        return self

    @property
    def total(self):
        if not self.lines:
            raise Empty("nothing in it", code=7)
        return sum(line.price for line in self.lines)

    def __len__(self):
        return len(self.lines)

    def __iter__(self):
        return iter(self.lines)

    def __getitem__(self, index):
        return self.lines[index]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.lines.clear()


def net(price):
    return round(price / (1 + RATE), 2)


def sort_in_place(prices):
    prices.sort()


def count(words):
    return Counter(words)


def report(cart):
    print("total:", cart.total)


def naturals():
    number = 0
    while True:
        yield number
        number += 1


def retry(times):
    def decorate(function):
        def again(*args, **kwargs):
            for _ in range(times - 1):
                with contextlib.suppress(ConnectionError):
                    return function(*args, **kwargs)
            return function(*args, **kwargs)

        return again

    return decorate


def clock():
    return fetch()


def fetch():
    return "real"
"""

TESTS = """
import io
import json
import sys
import unittest
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

from shop import cart as module
from shop.cart import *
from shop.cart import Cart, Empty, ShopError, clock, count, naturals, net, report, retry, sort_in_place
from .words import WORDS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shop"))
import prices


class TestCart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.words = WORDS

    def setUp(self):
        self.cart = Cart(owner="ada").add("pen", 2).add("lamp", 60.5)

    def test_values(self):
        self.assertEqual(net(12), 10.0)
        self.assertEqual(self.cart.total, 62.5)
        self.assertEqual(self.cart.owner, "ada")
        self.assertEqual(prices.PRICES, {"pen": 2})
        self.assertAlmostEqual(module.RATE, 0.2)

    def test_containers(self):
        self.assertEqual(len(self.cart), 2)
        self.assertEqual([line.name for line in self.cart], ["pen", "lamp"])
        self.assertEqual(self.cart[0], ("pen", 2))
        self.assertIn(("lamp", 60.5), self.cart)
        self.assertEqual(count(self.words), {"a": 2, "b": 1})

    def test_own_exceptions(self):
        with self.assertRaises(Empty) as caught:
            Cart().total
        self.assertEqual(caught.exception.code, 7)
        self.assertEqual(str(caught.exception), "nothing in it")
        with self.assertRaisesRegex(ShopError, "nothing"):
            Cart().total
        self.assertRaises(LookupError, lambda: Cart().total)

    def test_built_in_exceptions(self):
        with self.assertRaises(TypeError):
            net("12")
        with self.assertRaises(AttributeError):
            self.cart.nothing
        with self.assertRaises(IndexError):
            self.cart[9]

    def test_isinstance(self):
        self.assertIsInstance(self.cart, Cart)
        self.assertNotIsInstance(3, Cart)
        self.assertTrue(callable(net))
        self.assertFalse(callable(self.cart))
        self.assertIsInstance(naturals(), Iterator)
        self.assertNotIsInstance(self.cart, Iterator)
        with self.assertRaises(TypeError):
            len(naturals())
        self.assertTrue(hasattr(self.cart, "total"))
        self.assertFalse(hasattr(module, "nothing"))

    def test_arguments_changed_in_place(self):
        prices = [3, 1, 2]
        sort_in_place(prices)
        self.assertEqual(prices, [1, 2, 3])

    def test_what_is_printed(self):
        printed = io.StringIO()
        with redirect_stdout(printed):
            report(self.cart)
        self.assertEqual(printed.getvalue(), "total: 62.5\\n")

    def test_generators_and_context_managers(self):
        self.assertEqual([n for n, _ in zip(naturals(), range(3))], [0, 1, 2])
        numbers = naturals()
        self.assertEqual((next(numbers), next(numbers)), (0, 1))
        with self.cart as cart:
            self.assertEqual(len(cart), 2)
        self.assertEqual(len(self.cart), 0)

    def test_functions_handed_over(self):
        flaky = mock.Mock(side_effect=[ConnectionError("down"), "up"])
        self.assertEqual(retry(3)(flaky)("now"), "up")
        flaky.assert_called_with("now")
        with self.assertRaises(ConnectionError):
            retry(2)(mock.Mock(side_effect=ConnectionError("down")))()

    def test_patching(self):
        with mock.patch("shop.cart.fetch", return_value="patched"):
            self.assertEqual(clock(), "patched")
        self.assertEqual(clock(), "real")

    def test_data_beside_the_test(self):
        data = json.loads((Path(__file__).parent / "data.json").read_text())
        for number in data:
            with self.subTest(number=number):
                self.assertEqual(net(number), number / 1.2)

    def test_own_changes(self):
        self.cart.owner = "bob"
        self.assertEqual(self.cart.owner, "bob")

    @unittest.skip("not today")
    def test_skipped(self):
        self.fail()

    @unittest.expectedFailure
    def test_known_to_fail(self):
        self.fail()

    def test_wrong(self):
        self.assertEqual(net(12), 11)

    def test_wrong_parts(self):
        for number in (1, 2):
            with self.subTest(number=number):
                self.fail("no")


if __name__ == "__main__":
    unittest.main()
"""

GIVEN = {
    "shop/__init__.py": "",
    "shop/cart.py": SHOP,
    "shop/prices.py": "PRICES = {'pen': 2}\n",
    "tests/test_cart.py": TESTS,
    "tests/words.py": "WORDS = ['a', 'b', 'a']\n",
    "tests/data.json": "[12, 24]",
}

ALL = pytest.mark.parametrize("sandbox", [BUBBLEWRAP, NAMESPACE, PROCESS], indirect=True)


@ALL
def test_honest_code_passes_what_it_passes_in_an_ordinary_run(finish: Finish) -> None:
    run = finish(given=GIVEN).run_tests("tests/test_cart.py")
    assert run.failed == 2, run.report
    assert run.passed == 12
    assert "test_cart.TestCart.test_own_exceptions" in run.names_passed
    assert run.report.split("\n")[0] == "skipped: test_cart.TestCart.test_known_to_fail"
    assert "failed: test_cart.TestCart.test_wrong\n    AssertionError: 10.0 != 11" in run.report
    assert "(number=1): AssertionError: no" in run.report
    assert "(number=2)" not in run.report


EQUAL = "class A:\n    __eq__ = lambda self, other: True\ndef f(): return A()"
LOADED_BY_HAND = """
        import importlib.util
        spec = importlib.util.spec_from_file_location("a", "/workspace/app.py")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))"""


@pytest.mark.parametrize(
    ("code", "test", "sentence"),
    [
        (EQUAL, "from app import f; self.assertEqual(f(), 1)", "<A of the code under test> != 1"),
        (EQUAL, "from app import f; self.assertEqual(f(), f())", "!= <A of the code under test>"),
        (EQUAL, "from app import f; self.assertLess(f(), 1)", "TypeError: '<' not supported"),
        (EQUAL, "from app import f; self.assertAlmostEqual(f(), 1)", "TypeError: unsupported operand"),
        ("def f(x): return x", "from app import f; f(object())", "TypeError: object cannot be given to the code"),
        ("import time", "import app; app.time.sleep(60)", "the code under test did not answer in time"),
        ("import os", "import app; app.os._exit(0)", "the process of the code under test has ended"),
        ("x = 1", "from app import f", "ImportError: cannot import name 'f'"),
        ("1 / 0", "import app", "ZeroDivisionError: division by zero"),
        ("def f(:", "import app", "SyntaxError"),
        ("x = 1", LOADED_BY_HAND, "app.py is code under test: a test must import it by its module name"),
    ],
)
@pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)
def test_what_a_failing_test_says(finish: Finish, code: str, test: str, sentence: str) -> None:
    source = f"import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        {test}\n"
    run = finish(given={"app.py": code, "test_app.py": source}).run_tests("test_app.py", seconds=2)
    assert sentence in run.report
    assert (run.passed, run.failed) == (0, 1)


@pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)
def test_a_folder_of_tests(finish: Finish) -> None:
    test = "import unittest, app\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(app.f(), 1)\n"
    given = {
        "app.py": "def f(): return 1\n",
        "tests/test_a.py": test,
        "tests/deep/test_b.py": test,
        "tests/notes.py": "1/0",
    }
    run = finish(given=given).run_tests("tests/")
    assert (run.passed, run.failed) == (2, 0)
    assert run.names_passed == {"test_a.T.test", "test_b.T.test"}


@pytest.mark.parametrize("path", ["tests", "tests/test_b.py", "../test_a.py", ""])
def test_only_given_tests_can_be_run(finish: Finish, path: str) -> None:
    trial = finish({"tests/test_b.py": "mine\n"}, given={"app.py": ""})
    with pytest.raises(ValueError, match="is no test file among the given files"):
        trial.run_tests(path)


@pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)
def test_a_run_changes_nothing_that_the_checker_sees(finish: Finish) -> None:
    given = {
        "app.py": "import pathlib\ndef f():\n    pathlib.Path('app.py').write_text('x'); return 1\n",
        "test_app.py": "import unittest, app\nclass T(unittest.TestCase):\n    def test(self): app.f()\n",
    }
    trial = finish(given=given)
    for _ in range(2):
        assert trial.run_tests("test_app.py").passed == 1
        assert trial.call("app.py:f").value == 1
    trial.shell("rm -rf *")
    assert trial.text("app.py") == given["app.py"]
    assert trial.files() == ("app.py", "test_app.py")
