"""task_02 total of orders: one number out of a database, with a trap in the status column."""

from random import Random

from pytest_agentcore import Actor, Fault, Instance, Trial, database, task


def orders(random: Random) -> Instance:
    """Thirty orders, of which every third is cancelled."""
    rows = [(n, random.randrange(100, 900), "cancelled" if n % 3 == 0 else "paid") for n in range(1, 31)]
    shop = database(f"""
        CREATE TABLE orders (id INTEGER PRIMARY KEY, cents INTEGER, status TEXT);
        INSERT INTO orders VALUES {", ".join(map(str, rows))};
    """)
    return Instance({"shop.db": shop}, {"paid": sum(cents for _, cents, status in rows if status == "paid")})


@task(
    prompt="""
        shop.db is a SQLite database of orders. What is the total of all orders that were paid, in cents?
        Write {"cents": <integer>} to total.json.
    """,
    files=orders,
    tools=["sql_query", "fs_write"],
    artifacts=["total.json"],
    protected=["shop.db"],
    faults=[Fault(mentions="shop.db", message="database is locked; try again")],
)
def test_total_of_orders(trial: Trial) -> None:
    found = trial.json("total.json", {"cents": int})["cents"]
    assert found == trial.facts["paid"], f"{found} is not the total of the paid orders"


@test_total_of_orders.oracle
def ask_again(agent: Actor) -> None:
    for _ in range(2):
        rows = agent.sql_query("shop.db", "SELECT SUM(cents) FROM orders WHERE status = 'paid'")
    cents = next(word for word in rows.split() if word.isdigit())
    agent.fs_write("total.json", f'{{"cents": {cents}}}')


@test_total_of_orders.counterexample
def take_all_orders(agent: Actor) -> None:
    for _ in range(2):
        rows = agent.sql_query("shop.db", "SELECT SUM(cents) FROM orders")
    cents = next(word for word in rows.split() if word.isdigit())
    agent.fs_write("total.json", f'{{"cents": {cents}}}')


@test_total_of_orders.counterexample
def write_text_for_a_number(agent: Actor) -> None:
    agent.fs_write("total.json", f'{{"cents": "{agent.facts["paid"]}"}}')
