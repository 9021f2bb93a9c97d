"""task_03 investigate log: in a long log of several services, find what really caused the responses with status 500.

The records of the failing request are scattered over the log. Those with status 500 show an event that is a mere
consequence; the cause was logged long before, by another service, and not as an error.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    ("WARN", "stock", "replica is {} ms behind"),
    ("WARN", "mailer", "mailbox {} is full"),
    ("INFO", "search", "index rebuilt, {} documents"),
    ("INFO", "billing", "exchange rates refreshed, {} currencies"),
    ("ERROR", "users", "token {} has expired"),
    ("ERROR", "orders", "draft {} is locked, trying again"),
    ("ERROR", "catalog", "cache node {} did not answer"),
)
RARE = (
    ("WARN", "billing", "invoice {} has no number yet"),
    ("INFO", "catalog", "picture {} was scaled down"),
    ("WARN", "stock", "shelf {} is being counted"),
    ("INFO", "users", "password {} was changed"),
)
SERVICES = ("billing", "catalog", "gateway", "mailer", "orders", "search", "stock", "users")

Record = tuple[int, str, str, str]
"""Milliseconds since the start, level, service, text."""
Event = tuple[str, str, str, str]
"""Id, level, service, text."""


def make_log(random: Random) -> Instance:
    """A log in which no way of looking but the right one names the cause, which also did no harm elsewhere."""
    while True:
        log, cause = draw_log(random)
        misleading = readings(log)
        if cause not in misleading.values() and log.count(f" event={cause} ") > 1:
            return Instance(files={LOG: log}, facts={"cause": cause, "readings": misleading})


def draw_log(random: Random) -> tuple[str, str]:
    """Nearly four thousand records of ten minutes, in the order of time, and the cause."""
    cause, consequence, suspect, timeout, first, last, *others = (
        f"E{n}" for n in random.sample(range(1000, 10000), 24)
    )
    failing, early, late, *requests = (f"{n:06x}" for n in random.sample(range(16**5, 16**6), REQUESTS))
    gap, *alike = random.sample(GAPS, len(GAPS))
    plain = [(others.pop(), *trouble) for trouble in TROUBLES]
    rare = [(others.pop(), *trouble) for trouble in RARE]

    # Elsewhere the cause did no harm, so it cannot be recognised by being rare, nor by where or how it is logged.
    gaps = [
        (event, level, *text)
        for event, text in zip((cause, *others), (gap, *alike), strict=False)
        for level in ("INFO", "WARN")
    ]
    often = random.sample((1, 2, 3, 5), len(GAPS))
    usual = [each for n, each in enumerate(gaps) for _ in range(often[n // 2])]
    usual += [each for each in plain for _ in range(random.choice((1, 3, 6, 12)))]
    records = list(failing_request(random, failing, gap, (cause, consequence, suspect)))
    for request in requests:
        records += ordinary_request(random, request, random.randrange(SPAN), usual, timeout)

    # The first and the last event of every service, level and kind is another one.
    records.append((-99, "ERROR", "billing", f"req={early} event={first} card service answered after 500 ms"))
    records.append((2 * SPAN, "ERROR", "orders", f"req={late} event={last} order 1500 was closed by its owner"))
    for request, begins, events in (
        (early, -90, [*gaps[2:], *plain]),
        (late, 2 * SPAN - 90, [*gaps[2:], *plain, *rare]),
    ):
        for at, (event, level, service, text) in enumerate(random.sample(events, len(events)), begins):
            records.append((at, level, service, f"req={request} event={event} {text.format(random.randint(1, 2000))}"))

    start = datetime(2026, 3, random.randint(1, 28), 9, 0, tzinfo=UTC)
    lines = (f"{clock(start, at)} {level:5} {service:7} {text}\n" for at, level, service, text in sorted(records))
    return "".join(lines), cause


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


NOTHING = "E0000"
"""The event of the example in the prompt, for a way of looking that finds none."""
PLACES: Mapping[str, str] = {
    "event": "",
    "error": " ERROR ",
    "warning": " WARN ",
    "warning_or_error": " WARN | ERROR ",
    "info": " INFO ",
    "status_5xx": " status=5",
    **{f"status_{status}": f" status={status}" for status in (500, 502, 503, 504)},
    "line_with_500": "500",
    "error_without_status": " ERROR (?!.* status=)",
    "line_about_something_missing": "no |not |none|null|blank|empty|failed|unknown",
    **{f"event_in_{service}": f" {service} " for service in SERVICES},
}
"""Patterns of the records that one may look at."""


def readings(log: str) -> dict[str, str]:
    """The event that each way of looking at a log names, the right way left out."""
    records = re.findall(r"^((.*) req=(\w+) event=(\w+) .*)$", log, re.MULTILINE)
    found: dict[str, str] = {}

    def take(what: str, events: Sequence[str]) -> None:
        counts = Counter(events or [NOTHING]).most_common()
        found[f"first_{what}"], found[f"last_{what}"] = (events[0], events[-1]) if events else (NOTHING, NOTHING)
        found[f"most_frequent_{what}"], found[f"rarest_{what}"] = counts[0][0], counts[-1][0]

    for what, pattern in PLACES.items():
        fits = re.compile(pattern).search
        take(what, [event for line, _, _, event in records if fits(line)])

    failed = next(request for line, _, request, _ in records if " status=500" in line)
    own = [line for line, _, request, _ in records if request == failed]
    take("error_of_the_request", [line.split(" event=")[1][:5] for line in own if " ERROR " in line])
    before = [event for line, _, request, event in records if request != failed and line < own[1]]
    after = [event for line, _, request, event in records if request != failed and line > own[1]]
    found |= {"last_before_the_first_500": before[-1], "first_after_the_first_500": after[0]}
    found["first_of_another_request_between"] = next(
        event for line, _, request, event in records if request != failed and line > own[0]
    )
    firsts = {request: event for _, _, request, event in reversed(records)}
    others = [request for line, _, request, _ in records if " status=" in line and request != failed]
    take("request_with_5xx", [firsts[request] for request in others])
    return found


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
def take_the_last_trouble_before_the_first_500(agent: Actor) -> None:
    answer(agent, f"sed '/status=500/q' {LOG} | grep -v $({REQUEST}) | {EVENT} | tail -1")


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


def take(name: str) -> Callable[[Actor], None]:
    """A solution that looks at the log in this way."""

    def solution(agent: Actor) -> None:
        agent.fs_write("answer.txt", f"cause={agent.facts['readings'][name]}")

    solution.__name__ = f"take_the_{name}"
    return solution


for way in readings(draw_log(Random("any"))[0]):
    # The others are like these, and `make_log` sees to all.
    if not re.search(r"event_in_|status_50[234]|info|_or_", way):
        test_investigate_log.counterexample(take(way))
