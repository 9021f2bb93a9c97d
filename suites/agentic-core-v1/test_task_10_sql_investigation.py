"""task_10 SQL investigation: one integer behind a join that fans out and a status that is nearly right.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from random import Random

from pytest_agentcore import Actor, Instance, Trial, database, task

COUNTRIES = ("Norway", "Sweden", "Denmark", "Finland")
STATUSES = ("delivered", "delivered", "delivered", "undelivered", "packed", "cancelled")
PRODUCTS = ("tent", "stove", "rope", "lamp", "sleeping bag", "compass", "boots")
SCHEMA = """
CREATE TABLE customers (customer_no INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE orders (order_no INTEGER PRIMARY KEY, customer_no INTEGER REFERENCES customers, status TEXT);
CREATE TABLE order_lines (order_no INTEGER REFERENCES orders, product TEXT, quantity INTEGER, unit_price INTEGER);
CREATE TABLE payments (order_no INTEGER REFERENCES orders, paid_on TEXT, amount INTEGER);
"""

RIGHT = """
SELECT SUM(l.quantity * l.unit_price) AS total
FROM customers c JOIN orders o USING (customer_no) JOIN order_lines l USING (order_no)
WHERE c.country = 'Norway' AND o.status = 'delivered' AND o.order_no IN (SELECT order_no FROM payments)
"""
PAID = "AND o.order_no IN (SELECT order_no FROM payments)"
NAIVE = {
    "fan_out_over_payments": RIGHT.replace(PAID, "").replace("WHERE", "JOIN payments p USING (order_no) WHERE"),
    "sum_distinct_after_the_fan_out": RIGHT.replace("SUM(", "SUM(DISTINCT "),
    "paid_or_not": RIGHT.replace(PAID, ""),
    "any_status": RIGHT.replace("AND o.status = 'delivered'", ""),
    "status_like_delivered": RIGHT.replace("= 'delivered'", "LIKE '%delivered%'"),
    "not_cancelled": RIGHT.replace("= 'delivered'", "<> 'cancelled'"),
    "every_country": RIGHT.replace("c.country = 'Norway'", "1"),
    "unit_prices_without_quantity": RIGHT.replace("l.quantity * ", ""),
    "number_of_orders": RIGHT.replace("SUM(l.quantity * l.unit_price)", "COUNT(DISTINCT order_no)"),
    "number_of_order_lines": RIGHT.replace("SUM(l.quantity * l.unit_price)", "COUNT(*)"),
    "sum_of_payments": """
        SELECT SUM(p.amount) AS total
        FROM customers c JOIN orders o USING (customer_no) JOIN payments p USING (order_no)
        WHERE c.country = 'Norway' AND o.status = 'delivered'
    """,
}


def shop(random: Random) -> Instance:
    """A shop in which the right query and every naive one give different integers."""
    while True:
        content = database(SCHEMA + draw_rows(random))
        answers = {name: ask(content, query) for name, query in {"right": RIGHT, **NAIVE}.items()}
        if None not in answers.values() and len(set(answers.values())) == len(answers):
            return Instance({"shop.db": content}, {"answers": answers})


def draw_rows(random: Random) -> str:
    """INSERT statements for 24 customers and 90 orders, each with one to four lines and up to three instalments."""
    statements = []

    def insert(table: str, *values: int | str) -> None:
        statements.append(f"INSERT INTO {table} VALUES {values};")

    for customer in range(1, 25):
        insert("customers", customer, f"Customer {customer}", random.choice(COUNTRIES))
    for order in range(1001, 1091):
        insert("orders", order, random.randint(1, 24), random.choice(STATUSES))
        for product in random.sample(PRODUCTS, random.randint(1, 4)):
            insert("order_lines", order, product, random.randint(1, 5), 5 * random.randint(2, 60))
        for day in range(random.choice((0, 1, 1, 2, 3))):
            insert("payments", order, f"2024-04-{day + 8:02}", random.randint(10, 400))
    return "\n".join(statements)


def ask(content: bytes, query: str) -> int | None:
    """The first value that the query gives."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(content)
        value: int | None = connection.execute(query).fetchone()[0]
        return value


@task(
    prompt="""
        `shop.db` is the SQLite database of a shop. Answer this question with `sql_query`; look at the schema first.

        What is the total value, in euros, of the orders that were delivered to customers in Norway and for which at
        least one payment has been received? The value of an order is the sum of quantity times unit price over its
        order lines.

        Write the total to `answer.txt`: one line with one integer and nothing else.
    """,
    files=shop,
    tools=("sql_query", "fs_write"),
    artifacts=("answer.txt",),
    protected=("shop.db",),
)
def test_sql_investigation(trial: Trial) -> None:
    answer, answers = trial.int("answer.txt"), trial.facts["answers"]
    query = next((name for name, value in answers.items() if value == answer), "no query foreseen")
    assert query == "right", f"{answer} is not the total of {answers['right']}, but the result of: {query}"


def find(agent: Actor, query: str) -> str:
    """The first row of what `sql_query` says, below the column's name and a rule."""
    return agent.sql_query("shop.db", query).splitlines()[2].strip()


@test_sql_investigation.oracle
def filter_by_a_subquery(agent: Actor) -> str:
    agent.sql_query("shop.db", "SELECT sql FROM sqlite_master")
    agent.sql_query("shop.db", "SELECT status, COUNT(*) FROM orders GROUP BY status")
    total = find(agent, RIGHT)
    agent.fs_write("answer.txt", f"{total}\n")
    return f"The total is {total} euros."


@test_sql_investigation.alternative
def deduplicate_the_join(agent: Actor) -> None:
    query = """
        WITH paid AS (SELECT DISTINCT order_no FROM payments),
             value AS (SELECT order_no, SUM(quantity * unit_price) AS euros FROM order_lines GROUP BY order_no)
        SELECT SUM(euros) AS total FROM value NATURAL JOIN paid NATURAL JOIN orders NATURAL JOIN customers
        WHERE country = 'Norway' AND status = 'delivered'
    """
    agent.fs_write("answer.txt", find(agent, query))


@test_sql_investigation.alternative
def add_up_by_hand(agent: Actor) -> None:
    """One value per order, added up outside the database."""
    query = RIGHT.replace("SELECT SUM", "SELECT o.order_no, SUM") + "GROUP BY o.order_no"
    values = re.findall(r"\| (\d+)", agent.sql_query("shop.db", query))
    agent.fs_write("answer.txt", str(sum(map(int, values))))


@test_sql_investigation.counterexample
def guess_the_schema(agent: Actor) -> None:
    result = agent.sql_query("shop.db", "SELECT SUM(total) FROM orders WHERE country = 'Norway' AND status = 'paid'")
    agent.fs_write("answer.txt", result)


@test_sql_investigation.counterexample
def write_the_query_instead_of_the_answer(agent: Actor) -> None:
    agent.fs_write("answer.txt", RIGHT)


@test_sql_investigation.counterexample
def tell_the_answer_without_writing_it(agent: Actor) -> str:
    return f"The total is {find(agent, RIGHT)}."


@test_sql_investigation.counterexample
def list_several_answers(agent: Actor) -> None:
    agent.fs_write("answer.txt", "\n".join(str(value) for value in agent.facts["answers"].values()))


@test_sql_investigation.counterexample
def answer_in_a_sentence(agent: Actor) -> None:
    agent.fs_write("answer.txt", f"The total is {find(agent, RIGHT)} euros.")


def write_result_of(name: str) -> Callable[[Actor], None]:
    """A solution that believes this naive query."""

    def solution(agent: Actor) -> None:
        agent.fs_write("answer.txt", find(agent, NAIVE[name]))

    solution.__name__ = name
    return solution


for naive in NAIVE:
    test_sql_investigation.counterexample(write_result_of(naive))
