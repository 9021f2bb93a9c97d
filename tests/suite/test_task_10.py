"""What task 10 rests on: that every naive query gives another integer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import combinations
from typing import Any

import pytest
from suite_modules import RUNS, instance, task_module

COLUMNS = ("customer_no", "order_no", "product", "quantity", "unit_price", "paid_on", "amount")
DISTINCT = """
    SELECT SUM(value) FROM (
        SELECT DISTINCT {} quantity * unit_price AS value
        FROM customers NATURAL JOIN orders NATURAL JOIN order_lines NATURAL JOIN payments
        WHERE country = 'Norway' AND status = 'delivered'
    )
"""


@pytest.mark.parametrize("run", RUNS)
def test_no_naive_query_gives_the_right_integer(run: int) -> None:
    module, drawn = task_module(10), instance(10, run)
    answers = drawn.facts["answers"]

    assert answers.keys() == {"right", *module.NAIVE}
    assert [name for name, value in answers.items() if value == answers["right"]] == ["right"]
    assert all(type(value) is int for value in answers.values())
    assert module.ask(drawn.files["shop.db"], {"right": module.RIGHT, **module.NAIVE}) == answers


@pytest.mark.parametrize("run", RUNS)
def test_no_distinct_over_any_columns_cures_the_fan_out(run: int) -> None:
    drawn = instance(10, run)
    chosen = [columns for n in range(len(COLUMNS) + 1) for columns in combinations(COLUMNS, n)]
    queries = {f"{columns}": DISTINCT.format("".join(f"{column}, " for column in columns)) for columns in chosen}

    found = task_module(10).ask(drawn.files["shop.db"], queries)

    assert [columns for columns, value in found.items() if value == drawn.facts["answers"]["right"]] == []


@pytest.mark.parametrize("run", RUNS)
def test_right_total_agrees_with_a_count_in_python(run: int) -> None:
    database = instance(10, run).files["shop.db"]
    assert isinstance(database, bytes)

    def rows(query: str) -> list[Any]:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(database)
            return connection.execute(query).fetchall()

    customers = dict(rows("SELECT customer_no, country FROM customers"))
    paid = {order for (order,) in rows("SELECT order_no FROM payments")}
    counted = {
        order
        for order, customer, status in rows("SELECT order_no, customer_no, status FROM orders")
        if customers[customer] == "Norway" and status == "delivered" and order in paid
    }
    lines = rows("SELECT order_no, quantity, unit_price FROM order_lines")
    total = sum(quantity * price for order, quantity, price in lines if order in counted)
    assert total == instance(10, run).facts["answers"]["right"]


def test_answers_cannot_be_known_beforehand() -> None:
    answers = [instance(10, run).facts["answers"]["right"] for run in RUNS]

    assert len(set(answers)) == len(answers)
