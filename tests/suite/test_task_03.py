"""What task 03 rests on: how its log misleads."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from suite_modules import RUNS, instance, task_module


def log(run: int) -> list[str]:
    """The records of the log of one run."""
    return str(instance(3, run).files["logs/services.log"]).splitlines()


def event(record: str) -> str:
    """The id of a record's event."""
    (found,) = re.findall(r" event=(E\d{4}) ", record)
    return str(found)


@pytest.mark.parametrize("run", RUNS)
def test_log_is_long_and_in_order(run: int) -> None:
    records = log(run)

    assert sum(map(len, records)) > 50 * 4000
    assert records == sorted(records, key=lambda record: record[:23])


@pytest.mark.parametrize("run", RUNS)
def test_all_500s_share_a_request_whose_first_record_names_the_cause(run: int) -> None:
    records = log(run)
    failed = {re.findall(r" req=(\w+) ", record)[0] for record in records if "status=500" in record}
    (request,) = failed
    own = [record for record in records if f" req={request} " in record]

    assert f"cause={event(own[0])}" == f"cause={instance(3, run).facts['cause']}"
    assert " ERROR " not in own[0]
    assert sum("status=500" in record for record in own) >= 8
    assert records.index(own[1]) - records.index(own[0]) > 50


@pytest.mark.parametrize("run", RUNS)
def test_no_other_way_of_looking_names_the_cause(run: int) -> None:
    records, facts = log(run), instance(3, run).facts
    ways = facts["readings"]
    events = [event(record) for record in records if " event=" in record]
    errors = [event(record) for record in records if " ERROR " in record]

    assert ways == task_module(3).readings("\n".join(records))
    assert [name for name, found in ways.items() if found == facts["cause"]] == []
    assert (ways["first_event"], ways["last_event"]) == (events[0], events[-1])
    assert (ways["first_error"], ways["last_error"]) == (errors[0], errors[-1])
    assert ways["most_frequent_error"] == Counter(errors).most_common(1)[0][0]
    assert ways["first_status_5xx"] == event(next(record for record in records if " status=5" in record))
    assert len(ways) > 90


@pytest.mark.parametrize("run", RUNS)
def test_what_caused_the_500s_did_no_harm_elsewhere(run: int) -> None:
    cause = instance(3, run).facts["cause"]
    levels = Counter(record.split()[1] for record in log(run) if f" event={cause} " in record)

    assert levels.keys() <= {"INFO", "WARN"}
    assert levels.total() >= 2


def test_cause_cannot_be_told_by_how_often_it_occurs() -> None:
    ranks = []
    for run in RUNS:
        counts = Counter(event(record) for record in log(run) if " event=" in record)
        ranks.append(sorted(counts, key=lambda name: (counts[name], name)).index(instance(3, run).facts["cause"]))

    assert max(Counter(ranks).values()) <= len(RUNS) // 3


def test_answers_cannot_be_known_beforehand() -> None:
    assert len({instance(3, run).facts["cause"] for run in RUNS}) == len(RUNS)
