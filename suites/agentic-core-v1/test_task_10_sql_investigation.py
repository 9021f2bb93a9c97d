"""task_10 SQL investigation: one integer behind a join that fans out and a status that is nearly right.

Some orders have the same line twice, some have the same value, and some are paid twice on one day. So no DISTINCT and
no GROUP BY over the join repairs what it has multiplied.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
import sqlite3
from collections.abc import Callable, Mapping
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
TOTAL = "SUM(l.quantity * l.unit_price)"
PAID = "AND o.order_no IN (SELECT order_no FROM payments)"
FANNED_OUT = RIGHT.replace(PAID, "").replace("WHERE", "JOIN payments p USING (order_no) WHERE")
PER_ORDER = f"""{
    RIGHT.replace("AS total", "AS total, SUM(l.quantity) AS pieces, SUM(l.unit_price) AS prices, c.customer_no")
} GROUP BY o.order_no"""


def over(figure: str, rows: str, groups: str = "") -> str:
    """A figure over the rows of a query, which are grouped first."""
    return f"SELECT {figure} FROM ({rows} {f'GROUP BY {groups}' if groups else ''})"


def distinct(columns: str, rows: str = FANNED_OUT) -> str:
    """The sum of line values after rows that are equal in these columns became one."""
    return over("SUM(total)", rows.replace(TOTAL, f"DISTINCT {columns}, l.quantity * l.unit_price"))


def one(payment: str) -> str:
    """The total over the join with those payments of each order that have the extreme value of a column."""
    column = payment[4:-1]
    return f"{FANNED_OUT} AND p.{column} = (SELECT {payment} FROM payments q WHERE q.order_no = o.order_no)"


def paid(condition: str) -> str:
    """The total, where this is asked of an order's payments instead of that there is one."""
    return RIGHT.replace(PAID, f"AND (SELECT {condition} FROM payments p WHERE p.order_no = o.order_no)")


LINE = "o.order_no, l.product, l.quantity, l.unit_price"
PRICE = "(SELECT SUM(quantity * unit_price) FROM order_lines WHERE order_no = o.order_no)"
NAIVE: Mapping[str, str] = {
    # the join that fans out, and what does not cure it
    "fan_out_over_payments": FANNED_OUT,
    "left_join_of_payments": FANNED_OUT.replace("JOIN payments", "LEFT JOIN payments"),
    "sum_distinct_after_the_fan_out": FANNED_OUT.replace("SUM(", "SUM(DISTINCT "),
    "sum_distinct_without_the_fan_out": RIGHT.replace("SUM(", "SUM(DISTINCT "),
    "distinct_order_and_line_value": distinct("o.order_no"),
    "distinct_order_quantity_and_price": distinct("o.order_no, l.quantity, l.unit_price"),
    "distinct_order_product_and_line_value": distinct("o.order_no, l.product"),
    "distinct_order_product_quantity_and_price": distinct(LINE),
    "distinct_lines_without_the_fan_out": distinct(LINE, RIGHT),
    "distinct_product_quantity_and_price": distinct("l.product, l.quantity, l.unit_price"),
    "distinct_customer_and_line_value": distinct("c.customer_no"),
    "distinct_lines_and_days_of_payment": distinct(f"{LINE}, p.paid_on"),
    "distinct_lines_and_payments": distinct(f"{LINE}, p.paid_on, p.amount"),
    "one_line_of_each_order_and_product": over(
        "SUM(total)", FANNED_OUT.replace("SUM(", "MAX("), "o.order_no, l.product"
    ),
    "sum_distinct_of_order_values": over("SUM(DISTINCT total)", PER_ORDER),
    "distinct_customer_and_order_value": over("SUM(total)", over("DISTINCT customer_no, total", PER_ORDER)),
    "divided_by_days_of_payment": over(
        "SUM(total)", FANNED_OUT.replace(TOTAL, f"{TOTAL} / COUNT(DISTINCT p.paid_on)"), "o.order_no"
    ),
    "joined_with_the_first_day_of_payment": one("MIN(paid_on)"),
    "joined_with_the_last_day_of_payment": one("MAX(paid_on)"),
    "joined_with_the_largest_payment": one("MAX(amount)"),
    "joined_with_the_smallest_payment": one("MIN(amount)"),
    # payments
    "paid_or_not": RIGHT.replace(PAID, ""),
    "not_paid": RIGHT.replace("IN (", "NOT IN ("),
    "paid_once": paid("COUNT(*) = 1"),
    "paid_more_than_once": paid("COUNT(*) > 1"),
    "paid_in_full": paid(f"SUM(amount) >= {PRICE}"),
    "sum_of_payments": """
        SELECT SUM(p.amount) AS total
        FROM customers c JOIN orders o USING (customer_no) JOIN payments p USING (order_no)
        WHERE c.country = 'Norway' AND o.status = 'delivered'
    """,
    # status and country
    "any_status": RIGHT.replace("AND o.status = 'delivered'", ""),
    "status_like_delivered": RIGHT.replace("= 'delivered'", "LIKE '%delivered%'"),
    "status_undelivered": RIGHT.replace("'delivered'", "'undelivered'"),
    "not_undelivered": RIGHT.replace("= 'delivered'", "<> 'undelivered'"),
    "not_cancelled": RIGHT.replace("= 'delivered'", "<> 'cancelled'"),
    "delivered_or_packed": RIGHT.replace("= 'delivered'", "IN ('delivered', 'packed')"),
    "every_country": RIGHT.replace("c.country = 'Norway'", "1"),
    "other_countries": RIGHT.replace("c.country = 'Norway'", "c.country <> 'Norway'"),
    # the value of an order
    "unit_prices_without_quantity": RIGHT.replace("l.quantity * ", ""),
    "quantities_without_unit_price": RIGHT.replace(" * l.unit_price", ""),
    "quantities_times_unit_prices": RIGHT.replace(TOTAL, "SUM(l.quantity) * SUM(l.unit_price)"),
    "quantities_times_unit_prices_of_each_order": over("SUM(pieces * prices)", PER_ORDER),
    "largest_line": RIGHT.replace("SUM(", "MAX("),
    "largest_line_of_each_order": over("SUM(total)", RIGHT.replace("SUM(", "MAX("), "o.order_no"),
    "smallest_line_of_each_order": over("SUM(total)", RIGHT.replace("SUM(", "MIN("), "o.order_no"),
    "largest_order": over("MAX(total)", PER_ORDER),
    "largest_order_of_each_customer": over(
        "SUM(largest)", over("MAX(total) AS largest", PER_ORDER) + " GROUP BY customer_no"
    ),
    "smallest_order": over("MIN(total)", PER_ORDER),
    "average_order": over("CAST(ROUND(AVG(total)) AS INTEGER)", PER_ORDER),
    "number_of_orders": over("COUNT(*)", PER_ORDER),
    "number_of_customers": over("COUNT(DISTINCT customer_no)", PER_ORDER),
    "number_of_order_lines": RIGHT.replace(TOTAL, "COUNT(*)"),
    "number_of_lines_after_the_fan_out": FANNED_OUT.replace(TOTAL, "COUNT(*)"),
}


def shop(random: Random) -> Instance:
    """A shop in which no naive query gives the right integer."""
    while True:
        content = database(SCHEMA + draw_rows(random))
        answers = ask(content, {"right": RIGHT, **NAIVE})
        if list(answers.values()).count(answers["right"]) == 1:
            return Instance({"shop.db": content}, {"answers": answers})


def draw_rows(random: Random) -> str:
    """INSERT statements for 24 customers and 90 orders, each with one to five lines and up to three instalments."""
    statements = []

    def insert(table: str, *values: int | str) -> None:
        statements.append(f"INSERT INTO {table} VALUES {values};")

    prices = {product: random.randint(10, 300) for product in PRODUCTS}
    baskets: list[tuple[int, list[tuple[str, int]]]] = []
    for customer in range(1, 25):
        insert("customers", customer, f"Customer {customer}", random.choice(COUNTRIES))
    for order in range(1001, 1091):
        # Every other order is one that was placed before.
        if not baskets or random.random() < 0.5:
            lines = [(random.choice(PRODUCTS), random.randint(1, 3)) for _ in range(random.randint(1, 5))]
            baskets.append((random.randint(1, 24), lines))
        customer, lines = random.choice(baskets[-8:])
        insert("orders", order, customer, random.choice(STATUSES))
        for product, quantity in lines:
            insert("order_lines", order, product, quantity, prices[product])
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            insert("payments", order, f"2024-04-{random.randint(8, 11):02}", 50 * random.randint(1, 8))
    return "\n".join(statements)


def ask(content: bytes, queries: Mapping[str, str]) -> dict[str, int]:
    """The first value that each query gives; 0 for none."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(content)
        return {name: connection.execute(query).fetchone()[0] or 0 for name, query in queries.items()}


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
        agent.fs_write("answer.txt", str(agent.facts["answers"][name]))

    solution.__name__ = name
    return solution


for naive in NAIVE:
    test_sql_investigation.counterexample(write_result_of(naive))
