"""What task 10 rests on: that every naive query gives another integer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from suite_modules import RUNS, instance, task_module


@pytest.mark.parametrize("run", RUNS)
def test_every_naive_query_gives_another_integer(run: int) -> None:
    module, drawn = task_module(10), instance(10, run)
    answers = drawn.facts["answers"]

    assert answers.keys() == {"right", *module.NAIVE}
    assert len(set(answers.values())) == len(answers)
    assert all(type(value) is int for value in answers.values())
    for name, query in {"right": module.RIGHT, **module.NAIVE}.items():
        assert module.ask(drawn.files["shop.db"], query) == answers[name]


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
