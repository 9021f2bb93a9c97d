"""Models whose memory cannot be cut back: the same replies in any row and order, and no state that is another's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from backends.conformance import Watch, following, request
from backends.llama.tiny_models import write_model
from pytest_agentcore.backends.base import FinishReason, Message, Request
from pytest_agentcore.backends.llama.backend import LlamaCppBackend
from pytest_agentcore.backends.llama.engine import Context, LoadedModel, Proof
from pytest_agentcore.backends.llama.fit import Footprint, choose_rows
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial.result import TrialKey

pytestmark = pytest.mark.needs("llama_cpp")
GO_ON = Message(role="user", content="Go on.")
ARCHITECTURES = ("mamba", "jamba")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / f"{request.param}.gguf", request.param)


@pytest.fixture(scope="module", params=[1, 3])
def backend(request: pytest.FixtureRequest, path: Path) -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend(LoadedModel(path, EngineSettings(threads=1, rows=request.param)), 2048)
    yield backend
    backend.close()


def asked(number: int) -> Request:
    question = "Say something." + " And more." * number
    return request(question, trial=TrialKey("m", f"task_{number}", 1), seed=number, max_reply_tokens=9 + number)


def converse(backend: LlamaCppBackend, number: int) -> list[tuple[int, ...]]:
    """Three turns of a trial, the last of which goes on from a history that was rewritten."""
    first = asked(number)
    reply = backend.complete(first)
    second = following(first, reply, GO_ON, seed=number)
    other = backend.complete(second)
    rewritten = replace(reply, content="Something else.", text="Something else.", tool_calls=())
    third = backend.complete(replace(following(first, rewritten, GO_ON, GO_ON), turn=3))
    backend.release(first.trial)
    return [each.token_ids for each in (reply, other, third)]


def test_replies_do_not_depend_on_what_else_ran(backend: LlamaCppBackend) -> None:
    alone = [converse(backend, number) for number in range(5)]
    assert len({ids for conversation in alone for ids in conversation}) > 10
    with ThreadPoolExecutor(backend.slots) as pool:
        together = dict(zip((4, 2, 0, 3, 1), pool.map(lambda n: converse(backend, n), (4, 2, 0, 3, 1)), strict=True))
    assert [together[number] for number in range(5)] == alone


def test_a_state_goes_on_and_is_never_cut_back(backend: LlamaCppBackend) -> None:
    first = asked(7)
    reply = backend.complete(first)
    second = following(first, reply, GO_ON)
    went_on = backend.complete(second)
    assert went_on.usage.cached_tokens >= reply.usage.prompt_tokens
    # a history that is another one is evaluated from its beginning
    rewritten = replace(reply, content="No.", text="No.", tool_calls=())
    again = backend.complete(replace(following(first, rewritten, GO_ON, GO_ON), turn=3))
    assert again.usage.cached_tokens == 0
    backend.release(first.trial)


def test_a_reply_that_is_cut_off_leaves_a_state_that_can_go_on(backend: LlamaCppBackend) -> None:
    def cut_off() -> tuple[int, ...]:
        first = replace(asked(8), watch=Watch(3))
        reply = backend.complete(first)
        assert reply.finish is FinishReason.watch
        other = backend.complete(asked(9))  # meanwhile somebody else is in its row, or beside it
        assert other.token_ids
        went_on = backend.complete(replace(following(first, reply, GO_ON), watch=lambda _piece: False))
        backend.release(first.trial)
        backend.release(asked(9).trial)
        return went_on.token_ids

    assert cut_off() == cut_off()


def test_rows_are_proven_and_carry_no_drafts(backend: LlamaCppBackend) -> None:
    proof = backend._scheduler.prove()
    assert proof == Proof(((backend.slots, 1),))
    assert backend._scheduler.drafted == 0


def test_rows_that_are_not_proven_are_refused(backend: LlamaCppBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    first, specs = asked(1), ()
    backend.check_room(first.messages, specs, first.policy)
    monkeypatch.setattr(backend._scheduler, "proof", Proof(()))
    with pytest.raises(UsageError, match=r"each other\'s state in \w+\.gguf; --agentcore-parallel=1"):
        backend.check_room(first.messages, specs, first.policy)


@pytest.mark.parametrize("rows", [1, 3])
def test_memory_is_foretold(path: Path, rows: int) -> None:
    model = LoadedModel(path, EngineSettings(rows=rows))
    context = Context(model, 1024)
    said = [line.split() for _, line in model.log.lines if "RS buffer size" in line or "KV buffer size" in line]
    context.close()
    model.close()
    foretold = Footprint.of(check_model(path), EngineSettings(rows=rows))
    assert sum(float(words[-2]) for words in said) == pytest.approx(
        (foretold.cache(1024) + rows * foretold.state) / 2**20, abs=0.01 * len(said)
    )


def test_one_row_where_nobody_says_how_many(path: Path) -> None:
    rows, why = choose_rows(check_model(path), EngineSettings(), 30)
    assert (rows, why) == (1, "auto: a model with a recurrent state runs one conversation at a time")
