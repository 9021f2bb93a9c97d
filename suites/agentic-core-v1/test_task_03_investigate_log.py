"""task_03 investigate log: in a long log of several services, find what really caused the responses with status 500.

The records of the failing request are scattered over the log. Those with status 500 show an event that is a mere
consequence; the cause was logged long before, by another service, and not as an error.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from pytest_agentcore import Actor, Instance, Trial, task

LOG = "logs/services.log"
REQUESTS = 900
SPAN = 600_000
"""Milliseconds from the first request to the last."""

ROUTES = ("GET /products/{}", "GET /orders/{}", "POST /orders/{}/items", "PUT /carts/{}", "GET /search?page={}")
STEPS = (
    ("users", "session {} is valid"),
    ("catalog", "loaded product {}"),
    ("stock", "reserved {} pieces"),
    ("orders", "saved draft {}"),
    ("search", "index answered with {} hits"),
    ("billing", "quoted {} cents"),
)
GAPS = (
    ("billing", "tax table {} not found, continuing with an empty one"),
    ("catalog", "price list {} has no currency, taking none"),
    ("stock", "warehouse {} unknown, its shelf is set to null"),
    ("users", "customer {} has no country, leaving it blank"),
)
TROUBLES = (
    *(("WARN", *gap) for gap in GAPS),
    ("WARN", "stock", "replica is {} ms behind"),
    ("WARN", "mailer", "mailbox {} is full"),
    ("INFO", "search", "index rebuilt, {} documents"),
    ("INFO", "billing", "exchange rates refreshed, {} currencies"),
    ("ERROR", "users", "token {} has expired"),
    ("ERROR", "orders", "draft {} is locked, trying again"),
    ("ERROR", "catalog", "cache node {} did not answer"),
)

Record = tuple[int, str, str, str]
"""Milliseconds since the start, level, service, text."""
Event = tuple[str, str, str, str]
"""Id, level, service, text."""


def make_log(random: Random) -> Instance:
    """Nearly four thousand records of ten minutes, in the order of time."""
    cause, consequence, suspect, timeout, first, last, *others = (
        f"E{n}" for n in random.sample(range(1000, 10000), 20)
    )
    failing, early, late, *requests = (f"{n:06x}" for n in random.sample(range(16**5, 16**6), REQUESTS))
    gap = random.choice(GAPS)
    usual = [(event, *random.choice(TROUBLES)) for event in others[3:] for _ in range(random.choice((1, 2, 4, 8)))]

    # Elsewhere the cause did no harm, so it cannot be recognised by being rare, nor by where it is frequent.
    alike = [other for other in GAPS if other != gap]
    gaps = [(event, "WARN", *text) for event, text in zip((cause, *others[:3]), (gap, *alike), strict=True)]

    records = list(failing_request(random, failing, gap, (cause, consequence, suspect)))
    for request in requests:
        at = random.randrange(SPAN)
        events = usual if SPAN / 12 < at < SPAN * 0.8 else [*usual, *12 * gaps]
        records += ordinary_request(random, request, at, events, timeout)
    records.append((-9, "ERROR", "billing", f"req={early} event={first} card service answered after 500 ms"))
    records.append((2 * SPAN, "ERROR", "orders", f"req={late} event={last} order 1500 was closed by its owner"))
    for at, request, (event, level, service, text) in ((-8, early, gaps[1]), (2 * SPAN - 1, late, gaps[2])):
        records.append((at, level, service, f"req={request} event={event} {text.format(random.randint(1, 2000))}"))

    start = datetime(2026, 3, random.randint(1, 28), 9, 0, tzinfo=UTC)
    lines = (f"{clock(start, at)} {level:5} {service:7} {text}\n" for at, level, service, text in sorted(records))
    return Instance(files={LOG: "".join(lines)}, facts={"cause": cause})


def failing_request(
    random: Random, request: str, gap: tuple[str, str], events: tuple[str, str, str]
) -> Iterator[Record]:
    """The cause, then a number of parts that fail one after the other, much later."""
    cause, consequence, suspect = events
    at = random.randrange(SPAN // 10, SPAN // 4)
    service, text = gap
    batch, level = random.randint(100, 999), random.choice(("INFO", "WARN"))
    yield at, level, service, f"req={request} event={cause} {text.format(batch)}"
    for part in range(1, random.randint(9, 14)):
        at += random.randrange(SPAN // 40, SPAN // 25)
        yield at, "INFO", "orders", f"req={request} import {batch}: part {part} received"
        yield at + 20, "ERROR", "orders", f"req={request} event={consequence} import {batch}: empty value in row {part}"
        response = f"POST /imports/{batch}/parts/{part} status=500 ms={random.randint(30, 900)}"
        yield at + 40, "ERROR", "gateway", f"req={request} event={suspect} {response} orders failed"


def ordinary_request(random: Random, request: str, at: int, events: Sequence[Event], timeout: str) -> Iterator[Record]:
    """A few steps in several services; now and then with trouble, which the request survives or not."""
    for service, step in random.sample(STEPS, random.randint(2, 4)):
        at += random.randint(5, 900)
        yield at, "INFO", service, f"req={request} {step.format(random.randint(1, 2000))}"
    if random.random() < 0.15:
        event, level, service, text = random.choice(events)
        yield at + 1, level, service, f"req={request} event={event} {text.format(random.randint(1, 2000))}"
    route = random.choice(ROUTES).format(random.randint(1, 2000))
    if random.random() < 0.12:
        response = f"{route} status={random.choice((502, 503, 504))} ms=5001 gave up waiting"
        yield at + 5002, "ERROR", "gateway", f"req={request} event={timeout} {response}"
    else:
        response = f"{route} status={random.choice((200, 200, 200, 201, 404))} ms={random.randint(5, 900)}"
        yield at + 9, "INFO", "gateway", f"req={request} {response}"


def clock(start: datetime, milliseconds: int) -> str:
    return (start + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds").removesuffix("+00:00")


@task(
    prompt=f"""
        The file {LOG} is a long log of several services. Some responses in it have status=500.
        Find out which event caused them.

        Records with the same req= belong to the same request, whichever service wrote them.
        The cause is the event= in the first record of the request that failed with status=500;
        the other events of that request are only consequences.

        Write the file answer.txt with exactly one line: cause=<event>, for example cause=E0000
    """,
    files=make_log,
    artifacts=["answer.txt"],
    protected=[LOG],
)
def test_investigate_log(trial: Trial) -> None:
    (event,) = trial.fields("answer.txt", "cause={}")
    assert event.upper() == trial.facts["cause"], f"{event!r} is not what caused the responses with status 500"


EVENT = "grep -o 'event=E[0-9]*' | cut -d= -f2"
REQUEST = f"grep -m1 status=500 {LOG} | grep -o 'req=[0-9a-f]*'"


def answer(agent: Actor, command: str) -> None:
    """Write down what a command prints."""
    agent.shell(f"echo cause=$({command}) > answer.txt; cat answer.txt")


@test_investigate_log.oracle
def follow_the_request_to_its_first_record(agent: Actor) -> str:
    agent.shell(f"grep status=500 {LOG}")
    answer(agent, f"grep -m1 $({REQUEST}) {LOG} | {EVENT}")
    return "answer.txt names the event."


@test_investigate_log.alternative
def look_step_by_step(agent: Actor) -> None:
    request = re.findall(r"req=\w+", agent.shell(f"grep -n status=500 {LOG} | head -3"))[0]
    records = agent.shell(f"grep {request} {LOG} | head -20")
    agent.fs_write("answer.txt", f"cause={re.findall(r'event=(E[0-9]+)', records)[0]}")


@test_investigate_log.alternative
def write_a_script(agent: Actor) -> None:
    agent.fs_write(
        "find_cause.py",
        "import re\n"
        f"log = open('{LOG}').read()\n"
        "first, failed = {}, set()\n"
        "for request, text in re.findall(r'req=(\\w+) (.*)', log):\n"
        "    first.setdefault(request, text)\n"
        "    if 'status=500' in text:\n"
        "        failed.add(request)\n"
        "for request in failed:\n"
        "    print(first[request].split()[0].replace('event', 'cause'))\n",
    )
    agent.shell("python3 find_cause.py > answer.txt")


@test_investigate_log.counterexample
def take_the_event_beside_the_500(agent: Actor) -> None:
    answer(agent, f"grep -m1 status=500 {LOG} | {EVENT}")


@test_investigate_log.counterexample
def take_the_first_error(agent: Actor) -> None:
    answer(agent, f"grep -m1 ERROR {LOG} | {EVENT}")


@test_investigate_log.counterexample
def take_the_last_error(agent: Actor) -> None:
    answer(agent, f"grep ERROR {LOG} | tail -1 | {EVENT}")


@test_investigate_log.counterexample
def take_the_most_frequent_error(agent: Actor) -> None:
    answer(agent, f"grep ERROR {LOG} | {EVENT} | sort | uniq -c | sort -rn | awk 'NR == 1 {{print $2}}'")


@test_investigate_log.counterexample
def take_the_first_error_of_the_request(agent: Actor) -> None:
    answer(agent, f"grep $({REQUEST}) {LOG} | grep -m1 ERROR | {EVENT}")


@test_investigate_log.counterexample
def take_the_first_line_with_500(agent: Actor) -> None:
    answer(agent, f"grep -m1 500 {LOG} | {EVENT}")


@test_investigate_log.counterexample
def take_the_last_trouble_before_the_first_500(agent: Actor) -> None:
    answer(agent, f"sed '/status=500/q' {LOG} | grep -v $({REQUEST}) | {EVENT} | tail -1")


@test_investigate_log.counterexample
def take_the_first_warning(agent: Actor) -> None:
    answer(agent, f"grep -m1 WARN {LOG} | {EVENT}")


@test_investigate_log.counterexample
def take_the_last_warning(agent: Actor) -> None:
    answer(agent, f"grep WARN {LOG} | tail -1 | {EVENT}")


@test_investigate_log.counterexample
def write_the_request_instead_of_the_event(agent: Actor) -> None:
    answer(agent, f"{REQUEST} | cut -d= -f2")


@test_investigate_log.counterexample
def list_all_candidates(agent: Actor) -> None:
    agent.shell(f"grep $({REQUEST}) {LOG} | {EVENT} | sort -u | sed 's/^/cause=/' > answer.txt")


@test_investigate_log.counterexample
def list_all_candidates_on_one_line(agent: Actor) -> None:
    answer(agent, f"grep $({REQUEST}) {LOG} | {EVENT} | awk '!seen[$0]++' | paste -sd,")


@test_investigate_log.counterexample
def answer_in_the_chat_only(agent: Actor) -> str:
    return agent.shell(f"grep -m1 $({REQUEST}) {LOG} | {EVENT}")


@test_investigate_log.counterexample
def copy_the_whole_record(agent: Actor) -> None:
    answer(agent, f"grep -m1 $({REQUEST}) {LOG}")


@test_investigate_log.counterexample
def copy_the_example(agent: Actor) -> None:
    agent.fs_write("answer.txt", "cause=E0000\n")
