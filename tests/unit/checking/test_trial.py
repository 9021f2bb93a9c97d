"""Calling functions of the workspace: plain data in, plain data or an opaque value out."""

from __future__ import annotations

import pytest
from confined import BUBBLEWRAP, NAMESPACE, PROCESS

from checking.conftest import Finish
from pytest_agentcore.checking.calls import Opaque, Outcome

PRICE = '''
from src.rates import rate
import helpers


class Basket:
    def __init__(self, name):
        self.name = name

    @staticmethod
    def size(items):
        return len(items)


def total(prices, *, country="de"):
    """Lines 16 to 20."""
    if not prices:
        raise ValueError("no prices")
    gross = sum(prices) * rate(country)
    return helpers.cents(gross)


def same(value):
    return value


def basket():
    return Basket("a")


def leave():
    raise SystemExit(3)
'''
GIVEN = {
    "src/price.py": PRICE,
    "src/rates.py": "def rate(country):\n    return {'de': 1.19, 'at': 1.2}[country]\n",
    "src/helpers.py": "def cents(x):\n    return round(x, 2)\n",
    "src/my-script.py": "def f():\n    return __name__\n",
    "json.py": "def dumps(x):\n    return 'mine'\n",
    "src/broken.py": "import nothing_of_that_name\n",
    "src/loop.py": "def f():\n    while True:\n        pass\n",
}

ALL = pytest.mark.parametrize("sandbox", [BUBBLEWRAP, NAMESPACE, PROCESS], indirect=True)


@ALL
def test_values_exceptions_and_traces(finish: Finish) -> None:
    trial = finish(given=GIVEN)
    assert trial.call("src/price.py:total", [10, 20], country="at") == Outcome(36.0)
    good, empty, wrong, left = trial.call_each("src/price.py:total", [([10],), ([],), (["x"],), ()])
    assert good.value == 11.9
    assert (empty.raised, empty.message) == ("ValueError", "no prices")
    assert (wrong.raised, left.raised) == ("TypeError", "TypeError")
    assert trial.call("src/price.py:leave").raised == "SystemExit"
    assert trial.call("src/price.py:Basket.size", [1, 2]).value == 2
    assert trial.call("src/price.py:basket").value.type_name == "Basket"
    assert trial.trace("src/price.py:total", [10]) == {
        ("src/price.py", 17),
        ("src/price.py", 19),
        ("src/price.py", 20),
        ("src/rates.py", 2),
        ("src/helpers.py", 2),
    }


@pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)
def test_files_with_the_names_of_standard_modules_and_of_no_module(finish: Finish) -> None:
    trial = finish(given=GIVEN)
    assert trial.call("json.py:dumps", 1).value == "mine"
    assert trial.call("src/my-script.py:f").value == "workspace_src_my_script"


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("src/none.py:f", "src/none.py is missing"),
        ("src/price.py:none", "src/price.py has no none"),
        ("src/price.py:Basket.none", "src/price.py has no Basket.none"),
        ("src/broken.py:f", "src/broken.py cannot be imported: ModuleNotFoundError: No module named 'nothing_of"),
    ],
)
@pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)
def test_code_that_cannot_be_called_is_an_assertion(finish: Finish, target: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence.replace(".", r"\.")):
        finish(given=GIVEN).call(target)


@pytest.mark.parametrize("sandbox", [BUBBLEWRAP], indirect=True)
def test_a_call_without_end_is_an_assertion(finish: Finish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_agentcore.checking.trial.CALL_SECONDS", 1)
    monkeypatch.setattr("pytest_agentcore.checking.trial.GRACE", 0)
    with pytest.raises(AssertionError, match=r"a call to src/loop\.py:f did not end within 1 seconds"):
        finish(given=GIVEN).call("src/loop.py:f")


@pytest.mark.parametrize("target", ["src/price.py", "src/price.py:", "src/price:total", "/etc/x.py:f", "../x.py:f"])
def test_a_target_that_is_none_is_the_checkers_mistake(finish: Finish, target: str) -> None:
    with pytest.raises(ValueError, match=r"is not `path/in/workspace\.py:function`"):
        finish(given=GIVEN).call(target)


def test_an_argument_that_is_no_plain_data_is_the_checkers_mistake(finish: Finish) -> None:
    with pytest.raises(TypeError, match="object cannot be passed to code under test"):
        finish(given=GIVEN).call("src/price.py:same", object())


@ALL
def test_shell(finish: Finish) -> None:
    trial = finish({"a.txt": "1\n"})
    ran = trial.shell("cat a.txt; echo err >&2; python3 -c 'print(6*7)'; exit 3")
    assert (ran.exit_code, ran.output) == (3, "1\nerr\n42\n")
    with pytest.raises(AssertionError, match=r"`sleep 9` did not end within 0\.5 seconds"):
        trial.shell("sleep 9", seconds=0.5)


def test_a_shell_command_sees_nothing_of_the_checker(finish: Finish) -> None:
    assert finish({}).shell("ls -d /checker").exit_code != 0


def test_an_opaque_value_equals_nothing() -> None:
    value = Opaque("X", "X()")
    assert not value == value  # noqa: SIM201, PLR0124 - both operators are meant
    assert not value != value  # noqa: SIM202, PLR0124
    assert [value] != [Opaque("X", "X()")]
    assert value not in [Opaque("X", "X()"), 1]


@pytest.mark.parametrize(
    ("outcome", "kind", "sentence"),
    [
        (Outcome(None), float, "returned `None`, not float"),
        (Outcome(True), int, "returned `True`, not int"),
        (Outcome("3"), int, "returned `'3'`, not int"),
        (Outcome(10**400), float, "returned `1000"),
        (Outcome(Opaque("X", "X()")), list, "returned `Opaque("),
        (Outcome(Opaque("", ""), "ValueError", "bad\n"), int, r"raised ValueError (`bad\n`)"),
    ],
)
def test_a_value_of_another_type_is_an_assertion(outcome: Outcome, kind: type, sentence: str) -> None:
    with pytest.raises(AssertionError) as caught:
        outcome.returned(kind)
    assert str(caught.value).startswith(sentence)


def test_a_value_of_the_type_is_returned() -> None:
    assert Outcome([1]).returned(list) == [1]
    assert repr(Outcome(3).returned(float)) == "3.0"
