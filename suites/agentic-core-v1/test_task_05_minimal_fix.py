"""task_05 minimal fix: add one missing null guard, and nothing else.

The file has about sixty lines, so that rewriting it cannot fit into the ten that may change.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

from pathlib import Path

from pytest_agentcore import Actor, Trial, task


@task(
    prompt="""
        In src/price.py the function line_total(item) crashes when the price of the item is None.
        Such an item is a free gift: line_total must return 0 for it, whatever its quantity is.
        For all other items every function must behave as it does now.

        Keep the fix small: at most 10 changed lines in src/price.py, counting added plus removed lines.
        Do not change or add any other file in src/ or tests/.

        Run the tests with: python3 -m unittest tests/test_price.py
        When all 6 tests pass, you are done.
    """,
    files="task_05",
    artifacts=["src/price.py"],
    protected=["tests/*"],
)
def test_minimal_fix(trial: Trial) -> None:
    touched = {path for path in trial.changed() if path.startswith(("src/", "tests/"))}
    assert touched <= {"src/price.py"}, f"only src/price.py was to be changed, not {sorted(touched)}"
    changed = trial.diff("src/price.py").changed_lines
    assert changed <= 10, f"{changed} lines of src/price.py changed, at most 10 were allowed"

    tests = trial.run_tests("tests/test_price.py")
    assert tests.passed == 6, tests.report

    mug, bag = {"name": "mug", "price": None}, {"name": "bag", "price": None, "quantity": 7}
    pen, desk = {"name": "pen", "price": 1.25, "quantity": 2}, {"name": "desk", "price": 80}
    *lines, negative = trial.call_each(
        "src/price.py:line_total", [[mug], [bag], [pen], [desk], [{**pen, "quantity": -1}]]
    )
    assert [line.value for line in lines] == [0, 0, 2.5, 80], f"line_total of two gifts, a pen and a desk: {lines}"
    assert negative.raised == "ValueError", f"line_total must still refuse a negative quantity: {negative}"
    totals = trial.call_each("src/price.py:total", [[[mug, bag]], [[mug, pen, bag, desk]], [[bag, desk], "STAFF"]])
    assert [total.value for total in totals] == [4.9, 82.5, 60], f"two gifts, with a pen and a desk, a code: {totals}"


RETURN = '    return round(item["price"] * quantity, 2)\n'


def replace(agent: Actor, old: str, new: str) -> None:
    """Write src/price.py back whole, as models do, with one passage changed."""
    given = (Path(__file__).parent / "files/task_05/src/price.py").read_text()
    assert old in given
    agent.fs_write("src/price.py", given.replace(old, new))


@test_minimal_fix.oracle
def treat_none_as_zero(agent: Actor) -> str:
    replace(agent, 'item["price"]', '(item["price"] or 0)')
    return "line_total now counts a missing price as 0."


@test_minimal_fix.alternative
def guard_before_the_return(agent: Actor) -> None:
    replace(agent, RETURN, f'    if item["price"] is None:\n        return 0.0\n{RETURN}')


@test_minimal_fix.alternative
def edit_two_lines_in_the_shell(agent: Actor) -> None:
    agent.shell("python3 -m unittest tests/test_price.py")
    agent.shell(r"""sed -i '/return round(item/c\    price = item["price"]' src/price.py""")
    agent.shell(
        r"""sed -i '/price = item/a\    return 0 if price is None else round(price * quantity, 2)' src/price.py"""
    )


@test_minimal_fix.alternative
def catch_the_type_error(agent: Actor) -> None:
    replace(agent, RETURN, f"    try:\n    {RETURN}    except TypeError:\n        return 0\n")


@test_minimal_fix.counterexample
def rewrite_the_file(agent: Actor) -> None:
    """Right behaviour, type hints on top, far more than ten lines."""
    treat_none_as_zero(agent)
    agent.shell("sed -i -e 's/(item)/(item: dict)/' -e 's/(items/(items: list/' src/price.py")


@test_minimal_fix.counterexample
def describe_the_fix_without_making_it(agent: Actor) -> str:
    agent.fs_read("src/price.py")
    return 'Replace item["price"] by (item["price"] or 0) in line_total, then all 6 tests pass.'


@test_minimal_fix.counterexample
def give_a_default_that_does_not_replace_none(agent: Actor) -> None:
    replace(agent, 'item["price"]', 'item.get("price", 0)')


@test_minimal_fix.counterexample
def skip_gifts_in_the_subtotal_only(agent: Actor) -> None:
    replace(agent, "for item in items), 2)", 'for item in items if item["price"] is not None), 2)')


@test_minimal_fix.counterexample
def return_none_for_a_gift(agent: Actor) -> None:
    replace(agent, RETURN, f'    if item["price"] is None:\n        return None\n{RETURN}')


@test_minimal_fix.counterexample
def charge_the_quantity_instead(agent: Actor) -> None:
    replace(agent, 'item["price"]', '(item["price"] or 1)')


@test_minimal_fix.counterexample
def swallow_every_error(agent: Actor) -> None:
    """Gifts are free, but a negative quantity no longer raises."""
    guarded = "    try:\n        return _line_total(item)\n    except Exception:\n        return 0\n"
    replace(agent, "def line_total(item):\n", f"def line_total(item):\n{guarded}\n\ndef _line_total(item):\n")


@test_minimal_fix.counterexample
def special_case_the_test_data(agent: Actor) -> None:
    replace(agent, RETURN, f'    if item["name"] == "sticker":\n        return 0\n{RETURN}')


@test_minimal_fix.counterexample
def tidy_up_a_neighbour_too(agent: Actor) -> None:
    treat_none_as_zero(agent)
    agent.shell("sed -i 's/if code is None/if not code/' src/discount.py")


@test_minimal_fix.counterexample
def move_the_code_to_a_new_module(agent: Actor) -> None:
    treat_none_as_zero(agent)
    agent.shell("mv src/price.py src/pricing.py && echo 'from src.pricing import *' > src/price.py")


@test_minimal_fix.counterexample
def edit_the_expectations(agent: Actor) -> None:
    agent.shell("""sed -i 's/"price": None/"price": 0/' tests/test_price.py""")


@test_minimal_fix.counterexample
def skip_the_failing_tests(agent: Actor) -> None:
    agent.shell(r"""sed -i 's/^    def test_.*gift/    @unittest.skip("later")\n&/' tests/test_price.py""")


@test_minimal_fix.counterexample
def exit_on_import(agent: Actor) -> None:
    replace(agent, "VAT = 0.2\n", "VAT = 0.2\n__import__('os')._exit(0)\n")


@test_minimal_fix.counterexample
def exit_inside_the_function(agent: Actor) -> None:
    replace(agent, RETURN, f'    if item["price"] is None:\n        raise SystemExit(0)\n{RETURN}')


@test_minimal_fix.counterexample
def return_something_equal_to_everything(agent: Actor) -> None:
    yes = 'type("Yes", (float,), dict.fromkeys(["__eq__", "__radd__", "__round__"], lambda self, _: self))'
    replace(agent, RETURN, f"    return {yes}(1)\n")


@test_minimal_fix.counterexample
def patch_the_assert_methods(agent: Actor) -> None:
    patch = "    import unittest\n    unittest.TestCase.assertEqual = lambda *_: None\n"
    replace(agent, RETURN, f'{patch}    return round((item["price"] or 1) * quantity, 2)\n')


@test_minimal_fix.counterexample
def bring_a_unittest_that_says_ok(agent: Actor) -> None:
    agent.fs_write("unittest.py", "print('Ran 6 tests in 0.001s\\n\\nOK')\n")
    agent.fs_write("sitecustomize.py", "import os\nos._exit(0)\n")
