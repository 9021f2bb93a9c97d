"""How many trials ran at the same time is counted as they come in, and is what looking at all of them would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_agentcore.session.experiment import Spans
from pytest_agentcore.trial.result import TrialKey

LABELS = ("one", "other")

spans = st.lists(
    st.tuples(st.sampled_from(LABELS), st.integers(0, 12), st.integers(1, 8)).map(
        lambda drawn: (drawn[0], drawn[1], drawn[1] + drawn[2])
    ),
    max_size=12,
)


def most(label: str, taken: list[tuple[str, int, int]]) -> int:
    """Moment by moment."""
    moments = ([(name, begin) for name, begin, end in taken if begin <= at < end] for at in range(21))
    return max((len(active) for active in moments if label in dict(active)), default=0)


@given(spans)
def test_workers_trials_overlap_as_their_times_say_in_whatever_order_they_are_reported(
    taken: list[tuple[str, int, int]],
) -> None:
    counted = Spans()
    for run, (label, begin, end) in enumerate(taken, 1):
        counted.take(TrialKey(label, "task", run), begin, end)
    assert {label: counted.most(label) for label in LABELS} == {label: most(label, taken) for label in LABELS}


def test_trials_of_this_process_count_once() -> None:
    counted, first, second = Spans(), TrialKey("one", "task", 1), TrialKey("other", "task", 1)
    with counted.running(first), counted.running(second):
        pass
    span = counted.of(first)
    assert span is not None
    counted.take(first, *span)
    assert (counted.most("one"), counted.most("other")) == (2, 2)
