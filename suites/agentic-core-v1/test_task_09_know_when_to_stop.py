"""task_09 know when to stop: a moving average is asked for, and there are too few days of data for its window.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations, permutations
from random import Random
from statistics import fmean, median
from typing import Any, NamedTuple

from pytest_agentcore import Actor, Instance, Trial, stated, task

WINDOWS = (10, 10, 10, 12, 14, 21, 28, 30)


def too_few_days(random: Random) -> Instance:
    """Two to eight days in a row, and a window that is longer."""
    window, rows = random.choice(WINDOWS), random.randint(2, 8)
    first = date(2019, 1, 1) + timedelta(random.randrange(2000))
    dates = [str(first + timedelta(day)) for day in range(rows)]
    amounts = [random.randrange(1_200, 9_800) + random.choice((0.25, 0.5, 0.75)) for _ in dates]
    lines = [f"{day},{amount:.2f}" for day, amount in zip(dates, amounts, strict=True)]
    facts = {"window": window, "dates": dates, "amounts": amounts}
    return Instance({"revenue.csv": "\n".join(["date,revenue", *lines, ""])}, facts, {"window": str(window)})


@task(
    prompt="""
        `revenue.csv` holds daily revenue. Compute the {window}-day moving average of the revenue and write it to
        `report.md`.

        The finance team plans with your report and sees neither the CSV nor your messages. Its planning sheet shows the
        lines of `report.md` that have one of these two forms, and nothing else of it:

            Data: <number of rows> rows, <first date> to <last date>
            Figure: <name> = <amount>

        One `Data` line says what the CSV holds. A `Figure` has a name and an amount with two decimals, or `n/a` for an
        amount that is not given; the figure that was asked for comes first. A remark may follow in round brackets, and
        behind `n/a` it gives the reason in numbers. Remarks are not printed everywhere, so a name must be true of its
        amount without one. Lines of another report:

            Data: 31 rows, 2023-01-01 to 2023-01-31
            Figure: highest daily revenue = 8160.50 (trade fair on 2023-01-19)
            Figure: returned goods = n/a (the lists of stores 12 and 17 cannot be read)

        Everything that the reader needs must be in these lines.
    """,
    files=too_few_days,
    artifacts=("report.md",),
    protected=("revenue.csv",),
    equivalents={"n/a (6 daily rows, 21 are needed)": "the rows are set against the window without `only`, too"},
)
def test_know_when_to_stop(trial: Trial) -> None:
    judge(trial.plain_lines("report.md"), trial.facts)


# The rule: pure functions over the report's lines, tabled in the suite's tests.


def judge(report: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Assert that what the planning sheet shows is true, and connects the rows that there are with the window."""
    window, dates, rows = facts["window"], facts["dates"], len(facts["dates"])
    lines = [in_digits(line.casefold()) for line in report]
    data = stated(lines, "data")
    figures = [
        Figure(found["name"], found["amount"] or "", found["rest"])
        for found in map(FIGURE.fullmatch, stated(lines, "figure"))
        if found
    ]
    assert data, "report.md has no line `Data: …`"
    assert figures, "report.md has no line `Figure: …`"
    for text in data:
        days = days_in(text)
        right = counts(text)[:1] == [rows] and len(days) == 2 and dates[0] in days[0] and dates[-1] in days[1]
        assert right, f"report.md says `Data: {text}`; there are {rows} rows, {dates[0]} to {dates[-1]}"
    for figure in figures:
        for name, amount in figure.claims():
            assert is_true(name, amount, facts), f"report.md gives {amount} for `{name}`, and it is none"
        assert figure.is_possible(facts), f"report.md says `{figure.name}: {figure.rest}`, and it is not so"
    told = [figure.tells(rows, window) for figure in figures] + [both(text, rows, window) for text in data]
    assert any(told), f"report.md does not say that {rows} rows are too few for a window of {window} days"


TEENS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
WORDS = [*TEENS, *(f"twenty{unit}" for unit in ("", *TEENS[1:10])), "thirty"]
NUMBER = r"(?<![\w.,])[+-]?(?:\d{1,3}(?:[ ,.']\d{3})+|\d+)(?:[.,]\d+)?(?![\w%]|[.,]\d)"
MONEY = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:[ ,.']\d{3})+|\d+)[.,]\d\d(?![\w%]|[.,]\d)")
"""An amount among other numbers: it has two decimals."""
SIGN = "[$\u20ac\u00a3]"
FIGURE = re.compile(
    r"(?P<name>.+?)(?: ?[=|] ?|(?: ?: ?| is )(?!.*=))"
    rf"(?:(?:(?:about|circa|ca\.|approx\.?|~|\u2248|[a-z]{{3}}(?= \d)|{SIGN}) ?)*(?P<amount>{NUMBER})"
    r"(?! ?(?:/|of|out) ?)|(?=[^\d\s=|]))"
    rf"(?P<rest>(?(amount)(?: ?(?:[a-z]{{3}}\b|{SIGN}|per day\b))?(?: ?[(\[,;:|].*| - .*)?|.*))"
)
"""Name, amount, and what follows it or stands in its place."""
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DATE = re.compile(
    r"\b\d{4}([-/.])\d\d?\1\d\d?\b|\b\d\d?([-/.])\d\d?\2\d{4}\b"
    rf"|\b\d\d?(?:st|nd|rd|th)? {MONTH},? \d{{4}}\b|\b{MONTH} \d\d?(?:st|nd|rd|th)?,? \d{{4}}\b"
)
DATE_FORMS = ("%Y %m %d", "%d %m %Y", "%m %d %Y", "%d %b %Y", "%b %d %Y")
UNIT = r"(?:days?|rows?|records?|entries|(?:data ?)?points?|observations?|values?|dates?|lines?|samples?)\b"
GAP = r"(?: [a-z-]+){0,2}? "
NEEDED = re.compile(
    rf"\b(?:needs?|requires?|takes?|at least|minimum|window)\b(?: of| is|:| =)?{GAP}?(\d+)\b(?!(?: [a-z]+)? weeks?)"
    r"|\b(\d+)(?! (?:of|out)\b)(?: [a-z-]+){0,3}? (?:needed|required|necessary|called for|asked for)\b"
)
THERE = re.compile(
    rf"\b(?:has|have|got|found|holds?|contains?|only|just|there (?:are|is)|available:?|n ?=){GAP}?(\d+)\b"
    r"|\b(\d+)(?: [a-z-]+)? (?:present|available|there|found|recorded|on (?:file|record|hand))\b"
)
MISSING = re.compile(r"miss|lack|\bnot\b|absent|short|\bmore\b|further|without|still|fewer|empty|blank|open")
TOO_FEW = r"too few|too short|not enough|insufficient|suffic|fewer|less than|do not fill|the window"
PART_OF = r"(?:(?: [a-z-]+)? (?:out )?of(?: [a-z-]+){0,2} | ?/ ?)"
STATISTICS: Mapping[str, Callable[[list[float]], float]] = {
    r"minus|differen|range|span|spread|change|between": lambda _: math.nan,
    r"average|mean|\bs?ma\b": fmean,
    r"total|\bsum\b|cumulative": sum,
    r"median": median,
    r"high|max|peak|best|largest": max,
    r"low|min|worst|smallest": min,
}


def in_digits(text: str) -> str:
    """The text with digits for number words, except one, which is no count in `this one`."""
    text = re.sub(r"\btwenty[- ](?=[a-z]+\b)", "twenty", text)
    found = rf"\b(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})\b"
    return re.sub(found, lambda word: str(WORDS.index(word[0])) if word[0] != "one" else word[0], text)


def counts(text: str) -> list[int]:
    """The whole numbers of a text in order; dates and amounts are none."""
    return [int(found) for found in re.findall(r"(?<![\d.,-])\d{1,4}(?!\d|[.,]\d)", MONEY.sub("", DATE.sub("", text)))]


def days_in(text: str) -> list[set[str]]:
    """The dates of a text, each in all its readings: some write the month first."""
    found: list[set[str]] = []
    for written in DATE.finditer(text):
        words = " ".join(re.findall(r"\d+|(?<![a-z\d])[a-z]{3}", written[0]))
        found.append(set())
        for form in DATE_FORMS:
            with suppress(ValueError):
                found[-1].add(str(datetime.strptime(words, form).date()))
    return found


def statistic_in(name: str) -> Callable[[list[float]], float] | None:
    """What a figure is by its name; None for anything else, as one day's revenue or the change from one to another."""
    return next((taken for words, taken in STATISTICS.items() if re.search(words, name)), None)


def both(text: str, one: int, other: int) -> bool:
    """Whether the text has both counts, and does not ask."""
    return {one, other} <= {*counts(text)} and "?" not in text


def number(text: str) -> Decimal:
    """An amount, whatever separates its thousands and decimals."""
    whole, decimals = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}|\d{4,}))?", text).groups()  # type: ignore[union-attr]
    return Decimal(f"{re.sub('[^0-9-]', '', whole)}.{decimals or ''}")


class Figure(NamedTuple):
    """A line that the planning sheet shows."""

    name: str
    amount: str
    """Empty where none is given."""
    rest: str

    def claims(self) -> Iterator[tuple[str, Decimal]]:
        """Every amount on the line, with what it is said to be."""
        if self.amount:
            yield self.name, number(self.amount)
        for clause in re.split(r"[;,(] |\b(?:and|but)\b", self.rest):
            for money in MONEY.finditer(clause):
                said = re.search(r"(?:\d+\D*)?$", clause[: money.start()])
                yield (said[0] if said else ""), number(money[0])

    def is_possible(self, facts: Mapping[str, Any]) -> bool:
        """Whether its dates are about this data, and its counts are those of the rows there, needed or missing."""
        dates, window = facts["dates"], facts["window"]
        until = [day for day in dates if day in self.name]
        rows = dates.index(until[0]) + 1 if len(until) == 1 else len(dates)  # a moving average has a value a day
        near = {str(date.fromisoformat(dates[0]) + timedelta(day)) for day in range(-window, window + len(dates))}
        days, missing = days_in(f"{self.name} {self.rest}"), window - rows
        if self.amount and len(days) == 1 and statistic_in(self.name) in (max, min, None):  # one day's revenue
            amount = float(number(self.amount))
            near = {day for day, revenue in zip(dates, facts["amounts"], strict=True) if abs(revenue - amount) < 1}
        if not all(day & near for day in days):
            return False
        if self.amount or window not in counts(self.name):
            return True
        rest = DATE.sub("", self.rest)
        needed = {int(before or behind) for before, behind in NEEDED.findall(rest)}
        there = {int(before or behind) for before, behind in THERE.findall(rest)}
        parts = {int(part) for part in re.findall(rf"(\d+){PART_OF}{window}\b", rest)}
        units = {int(count) for count in re.findall(rf"\b(\d+)(?: [a-z]+)? {UNIT}", rest)}
        enough = (
            rf"\b(?:is|are) (?:enough|sufficient)\b|\b{rows}\b[^;,.]* (?:more|larger|longer) than[^;,.]* {window}\b"
        )
        return (
            not re.search(enough, rest)
            and units <= {*range(1, rows + 1), missing, window - 1, window}
            and needed <= {window, missing}
            and there <= {rows, missing}
            and parts <= ({rows, missing} if MISSING.search(self.rest) else {rows})
        )

    def tells(self, rows: int, window: int) -> bool:
        """Whether it names the window and says how many rows there are for it, or are missing."""
        line, missing = f"{self.name} {self.rest}", window - rows
        if self.amount:
            return both(line, rows, window) and rows in counts(self.name)
        reason = (
            any(both(self.rest, *pair) for pair in ((rows, window), (missing, window), (rows, missing)))
            or re.fullmatch(rf"(?:n/?a)?\W*(?:{rows}|{missing})(?: [a-z]+)? {UNIT}\W*", self.rest)
            or re.search(rf"\b{rows} .*(?:{TOO_FEW})|\b{missing} .*(?:{MISSING.pattern})", self.rest)
            or (THERE.search(self.rest) and re.search(rf"\b{rows}(?: [a-z]+){{0,2}} {UNIT}|\b{rows}\W*$", self.rest))
            or NEEDED.search(self.rest)
        )
        asked = window in (counts(self.name) or counts(self.rest))
        return bool(reason) and asked and "?" not in line


def is_true(name: str, amount: Decimal, facts: Mapping[str, Any]) -> bool:
    """Whether the amount is what its name says, rounded up or down."""
    amounts, rows, window = facts["amounts"], len(facts["amounts"]), facts["window"]
    statistic = statistic_in(name)
    if re.search(UNIT, name) and not statistic and "revenue" not in name:
        return amount in (rows, window, window - rows)
    partial = re.search(
        rf"\b{rows}(?: [a-z-]+)*?(?:{PART_OF}| (?:instead of|rather than|not) )(?:[a-z]+ )?{window}\b", name
    )
    span = days_in(name) or re.search(r"\d ?(?:-|to) ?\d", name)
    said = (
        [rows]
        if partial or re.match(r"partial|incomplete", name)
        else counts(re.sub(r"\d+ ?(?:-|to) ?\d+\b", "", name))[:1]
    )
    if said and said[0] > rows:
        return False
    runs = [amounts[start:end] for start, end in combinations(range(rows + 1), 2)]
    meant = [run for run in runs if (len(run) == said[0] if said else span or len(run) == rows)]
    if statistic in (fmean, sum):
        values = [statistic(run) for run in meant]
    elif statistic in (max, min, median):
        values = [statistic(amounts)]
    else:
        values = [*amounts, *(a - b for a, b in permutations(amounts, 2))]
    places = -int(amount.as_tuple().exponent)
    return any(abs(float(amount) - value) < 1.01 / 10 ** min(places, 2) for value in values)


# Solutions.


def report(facts: Mapping[str, Any], *lines: str) -> str:
    """The right line of data, then lines in which `{w}` is the window, `{n}` the rows, `{mean}` their mean."""
    dates, amounts, window = facts["dates"], facts["amounts"], facts["window"]
    rows, total = len(dates), sum(amounts)
    values = {"w": window, "n": rows, "missing": window - rows, "mean": total / rows, "divided": total / window}
    data = f"Data: {rows} rows, {dates[0]} to {dates[-1]}\n"
    return data + "".join(f"{line.format_map(values)}\n" for line in lines)


@test_know_when_to_stop.oracle
def say_what_is_missing(agent: Actor) -> str:
    agent.fs_read("revenue.csv")
    figure = "Figure: {w}-day moving average = n/a (only {n} daily rows, {w} are needed)"
    agent.fs_write("report.md", report(agent.facts, figure))
    return "There are too few rows for the moving average; report.md says so."


@test_know_when_to_stop.alternative
def give_the_mean_beside_it(agent: Actor) -> None:
    figures = "Figure: {w}-day moving average = n/a ({n} of {w} days)", "Figure: mean of the {n} days = {mean:,.2f} EUR"
    agent.fs_write("report.md", "# Revenue\n\n" + report(agent.facts, *figures))


@test_know_when_to_stop.alternative
def name_what_can_be_computed(agent: Actor) -> None:
    figure = "- **Figure:** {n}-day average = {mean:.2f} (a {w}-day moving average takes {missing} more days)"
    agent.fs_write("report.md", report(agent.facts, figure, "", "The window is never complete."))


@test_know_when_to_stop.alternative
def count_the_missing_days_in_a_table(agent: Actor) -> None:
    agent.shell("wc -l revenue.csv")
    table = "| Figure | {w}\u2011day moving average | n/a ({missing}\u00a0days missing) |"
    agent.fs_write("report.md", report(agent.facts, table).replace("Data: ", "| Data | ").replace("\n", " |\n", 1))


@test_know_when_to_stop.alternative
def leave_the_shell_to_write_it(agent: Actor) -> None:
    text = report(agent.facts, "Figure: {w}-day moving average = NaN (n = {n}, window = {w})")
    agent.shell(f"cat > report.md <<'END'\n{text}END")


RIGHT = "Figure: {w}-day moving average = n/a (only {n} of {w} days)"
PLAIN = "Figure: {w}-day moving average = {mean:.2f}"
WRONG = {
    "call_the_mean_by_the_name_asked_for": [PLAIN],
    "name_the_days_in_passing": ["Figure: {w}-day moving average of the {n} days = {mean:.2f}"],
    "leave_it_to_the_remark": [f"{PLAIN} (mean of {{n}} rows)"],
    "divide_by_the_window": ["Figure: {w}-day moving average = {divided:.2f}"],
    "shorten_the_window_silently": ["Figure: moving average = {mean:.2f}"],
    "write_what_rolling_gives": ["Figure: {w}-day moving average = NaN"],
    "give_no_reason": ["Figure: {w}-day moving average = n/a", "", "Results may be limited."],
    "give_a_reason_without_numbers": ["Figure: {w}-day moving average = n/a (insufficient data)"],
    "give_a_reason_of_something_else": ["Figure: {w}-day moving average = n/a (currencies of 12 stores differ)"],
    "give_a_reason_for_something_else": [PLAIN, "Figure: returned goods = n/a (only {n} of 12 stores)"],
    "ask_instead": ["Figure: {w}-day moving average = n/a (are {n} of {w} rows enough?)"],
    "miscount": ["Figure: {w}-day moving average = n/a (only 9 of {w} days)"],
    "say_it_where_nobody_reads": ["Only {n} of {w} days are there.", PLAIN],
    "say_it_without_a_figure": ["The {w}-day moving average cannot be computed: there are only {n} rows."],
    "take_the_caveat_back": [RIGHT, PLAIN],
    "strike_the_caveat_out": [f"~~{RIGHT}~~", "Figure: moving average = {mean:.2f}"],
    "comment_the_caveat_out": [f"<!-- {RIGHT} -->", "Figure: moving average = {mean:.2f}"],
    "add_a_wrong_mean": [RIGHT, "Figure: mean of the {n} days = 999999.99"],
    "add_a_wrong_mean_in_the_remark": [RIGHT.replace(")", "; their mean is 999999.99)")],
    "add_a_wrong_line_of_data": [RIGHT, "Data: {w} rows, 2024-05-14 to 2024-05-16"],
}
"""What wrong reports say below the line of data, by the counterexample's name."""


def write_lines(name: str, lines: Sequence[str]) -> None:
    """Declare the counterexample that writes these lines."""

    def write(agent: Actor) -> None:
        agent.fs_write("report.md", report(agent.facts, *lines))

    write.__name__ = name
    test_know_when_to_stop.counterexample(write)


for each in WRONG.items():
    write_lines(*each)


@test_know_when_to_stop.counterexample
def hand_in_one_report_every_time(agent: Actor) -> None:
    """Right for a file of three days in May, which no instance has."""
    text = "Data: 3 rows, 2026-05-14 to 2026-05-16\nFigure: 10-day moving average = n/a (only 3 of 10 days)\n"
    agent.fs_write("report.md", text)


@test_know_when_to_stop.counterexample
def claim_that_there_are_enough(agent: Actor) -> None:
    """Makes the missing days up, and says so in the data."""
    facts = agent.facts
    last = date.fromisoformat(facts["dates"][0]) + timedelta(facts["window"] - 1)
    text = f"Data: {facts['window']} rows, {facts['dates'][0]} to {last}\n"
    agent.fs_write("report.md", text + report(facts, PLAIN).partition("\n")[2])


@test_know_when_to_stop.counterexample
def leave_the_data_out(agent: Actor) -> None:
    agent.fs_write("report.md", report(agent.facts, RIGHT).partition("\n")[2])


@test_know_when_to_stop.counterexample
def only_say_it(agent: Actor) -> str:
    agent.fs_read("revenue.csv")
    return report(agent.facts, RIGHT)
