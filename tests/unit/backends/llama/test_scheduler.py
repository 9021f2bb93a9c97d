"""Many conversations in one context: the same tokens whoever else is there, and nobody waits for a tool of another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backends.conformance import Conformance, Watch, following, request
from pytest_agentcore.backends.base import FinishReason, Message
from pytest_agentcore.backends.llama.backend import LlamaCppBackend
from pytest_agentcore.backends.llama.engine import LoadedModel, Proof
from pytest_agentcore.backends.llama.scheduler import Lookup
from pytest_agentcore.catalogue.entry import EngineSettings, Policy
from pytest_agentcore.trial.result import TrialKey

pytestmark = pytest.mark.model
ROWS = 4
SMALL = ((4, 1), (1, 2), (1, 4), (2, 1), (2, 2), (3, 1))
"""Calls whose size changes no token of SmolLM2."""


@pytest.fixture(scope="module")
def batched(smollm2: Path) -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend(LoadedModel(smollm2, EngineSettings(threads=1, rows=ROWS)), 1024)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def pair(smollm2: Path) -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend(LoadedModel(smollm2, EngineSettings(threads=1, rows=2)), 1024)
    yield backend
    backend.close()


class TestConformance(Conformance):
    """Over SmolLM2 in two rows, of which one is live: the other carries drafts."""

    @pytest.fixture
    def backend(self, pair: LlamaCppBackend) -> LlamaCppBackend:
        return pair


Replies = list[tuple[int, ...]]


def converse(backend: LlamaCppBackend, number: int) -> Replies:
    """Two turns of a trial; each has a length, a policy and a seed of its own."""
    key, policy = TrialKey("m", f"task_{number}", 1), Policy.constrained if number % 2 else Policy.native
    question = "Write the letters a b c d e f g h, and then again." + " And once more." * 9 * number
    asked = request(question, trial=key, seed=number, policy=policy, max_reply_tokens=12 + 5 * number)
    replies = []
    for turn in range(2):
        reply = backend.complete(asked)
        replies.append(reply.token_ids)
        asked = following(asked, reply, Message(role="user", content=f"Go on from {turn}."), seed=number)
    backend.release(key)
    return replies


@pytest.fixture(scope="module")
def alone(batched: LlamaCppBackend) -> list[Replies]:
    """Conversations that had the context for themselves."""
    return [converse(batched, number) for number in range(6)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 3, 1, 4, 2, 0)])
def test_replies_do_not_depend_on_what_else_runs(
    order: Sequence[int], batched: LlamaCppBackend, alone: list[Replies]
) -> None:
    with ThreadPoolExecutor(ROWS) as pool:
        together = dict(zip(order, pool.map(lambda number: converse(batched, number), order), strict=True))
    assert [together[number] for number in range(6)] == alone


def test_drafts_were_taken_and_changed_nothing(batched: LlamaCppBackend, alone: list[Replies]) -> None:
    scheduler = batched._scheduler
    assert 0 < scheduler.accepted <= scheduler.drafted
    proof, before = scheduler.proof, scheduler.drafted
    # one token of one row takes another way through long texts, which only comes to the same on one thread
    assert proof
    assert set(SMALL) <= set(proof.shapes) <= {(1, 1), *SMALL}
    scheduler.proof = Proof(((4, 1),))
    try:
        assert [converse(batched, number) for number in (1, 2)] == alone[1:3]
        assert scheduler.drafted == before
    finally:
        scheduler.proof = proof


@pytest.mark.parametrize(
    ("live", "drafts", "call"),
    [
        ([0], [0], (0, 1, 2)),  # two tokens are the least here
        ([2], [3], (2, 1, 4)),
        ([2, 3], [0, 0], (2, 2, 1)),
        ([2, 3], [1, 0], (2, 2, 1)),  # one draft is not worth two tokens
        ([2, 3], [1, 1], (2, 2, 2)),
        ([1, 3], [1, 1], (1, 3, 1)),  # live rows that are no neighbours take the one between them along
        ([0, 3], [1, 1], (0, 4, 1)),
    ],
)
def test_a_call_is_as_small_as_it_pays(
    live: list[int],
    drafts: list[int],
    call: tuple[int, int, int],
    batched: LlamaCppBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batched._scheduler, "proof", Proof(SMALL))
    assert batched._scheduler._shape(live, drafts) == call


def test_rows_that_are_not_proven_are_all_decoded(batched: LlamaCppBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched._scheduler, "proof", Proof(()))
    assert batched._scheduler._shape([1], [3]) == (0, 4, 1)


def test_a_trial_that_runs_a_tool_holds_nobody_up(batched: LlamaCppBackend) -> None:
    first = request("Hello.", trial=TrialKey("m", "slow", 1))
    batched.complete(first)  # its trial now runs a tool for as long as it likes
    for number in range(2 * ROWS):
        other = TrialKey("m", f"other_{number}", 1)
        batched.complete(request("Hi.", trial=other, max_reply_tokens=2))
        batched.release(other)
    again = batched.complete(following(first, batched.complete(first), Message(role="user", content="Go on.")))
    assert again.usage.cached_tokens > 0
    batched.release(first.trial)


def test_a_reply_that_is_cut_off_frees_its_row_at_once(batched: LlamaCppBackend) -> None:
    cancel, all_began = threading.Event(), threading.Barrier(2)

    def endless() -> FinishReason:
        asked = request(trial=TrialKey("m", "endless", 1), watch=Watch(1, all_began.wait), cancel=cancel)
        return batched.complete(asked).finish

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(endless)
        all_began.wait()
        cancel.set()
        assert ended.result() is FinishReason.cancelled
    assert batched._scheduler._live == []


def test_a_watch_that_breaks_breaks_its_own_reply_alone(batched: LlamaCppBackend) -> None:
    def broken(_piece: str) -> bool:
        raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        good = pool.submit(converse, batched, 2)
        with pytest.raises(ZeroDivisionError):
            batched.complete(request(trial=TrialKey("m", "broken", 1), watch=broken))
        assert good.result() == converse(batched, 2)


def test_a_draft_is_what_followed_the_last_time() -> None:
    text = Lookup([1, 2, 3, 4, 5, 9, 1, 2, 3])
    assert text.draft(2) == [4, 5]
    text.tokens += [4, 5, 7]
    assert text.draft(3) == []
    text.tokens += [2, 3, 4]
    assert text.draft(9) == [5, 7, 2, 3, 4]


def test_small_batches_are_proved_with_too(smollm2: Path) -> None:
    backend = LlamaCppBackend(LoadedModel(smollm2, EngineSettings(threads=1, rows=2, n_batch=3, n_ubatch=3)), 512)
    try:
        first = backend.complete(request("Hi.", max_reply_tokens=3, tools=()))
        assert backend.complete(request("Hi.", max_reply_tokens=3, tools=())).token_ids == first.token_ids
        assert backend.describe()["batching"] == "batch-invariant: proven for 2 rows"
    finally:
        backend.close()
