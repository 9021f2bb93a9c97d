"""What task 03 rests on: how its log misleads."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from suite_modules import RUNS, instance


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


def misleading_events(records: list[str]) -> dict[str, str]:
    """What one looks at first, and the event that is seen there."""
    errors = [record for record in records if " ERROR " in record]
    warnings = [record for record in records if " WARN " in record]
    events = [event(record) for record in records if " event=" in record]
    suspects = [record for record in records if "status=500" in record]
    request = re.findall(r" req=\w+ ", suspects[0])[0]
    return {
        "first event": events[0],
        "last event": events[-1],
        "first error": event(errors[0]),
        "last error": event(errors[-1]),
        "first warning": event(warnings[0]),
        "last warning": event(warnings[-1]),
        "most frequent error": Counter(map(event, errors)).most_common(1)[0][0],
        "most frequent event": Counter(events).most_common(1)[0][0],
        "first line with 500": event(next(record for record in records if "500" in record)),
        "first record with status 500": event(suspects[0]),
        "last record with status 500": event(suspects[-1]),
        "first error of the request": event(next(record for record in errors if request in record)),
    }


@pytest.mark.parametrize("run", RUNS)
def test_whatever_one_looks_at_first_is_not_the_cause(run: int) -> None:
    seen = misleading_events(log(run))

    assert {where for where, found in seen.items() if found == instance(3, run).facts["cause"]} == set()


def test_cause_cannot_be_told_by_how_often_it_occurs() -> None:
    ranks = []
    for run in RUNS:
        counts = Counter(event(record) for record in log(run) if " event=" in record)
        ranks.append(sorted(counts, key=lambda name: (counts[name], name)).index(instance(3, run).facts["cause"]))

    assert max(Counter(ranks).values()) <= len(RUNS) // 3


def test_answers_cannot_be_known_beforehand() -> None:
    assert len({instance(3, run).facts["cause"] for run in RUNS}) == len(RUNS)
