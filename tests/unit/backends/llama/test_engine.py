"""What an engine chooses by itself."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_agentcore.backends.llama import engine
from pytest_agentcore.backends.llama.engine import (
    SPINS,
    Context,
    LoadedModel,
    Proof,
    cpu_quota,
    default_threads,
    load_library,
    prove,
    take_singly,
    usable_cores,
)
from pytest_agentcore.catalogue.entry import EngineSettings


@pytest.mark.parametrize("workers", ["1", "", "nonsense"])
def test_one_process_takes_all_cores(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", workers)
    assert default_threads() == usable_cores() >= 1


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(usable_cores()))
    assert default_threads() == 1
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1000")
    assert default_threads() == 1


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, math.inf),
        ("0::/user/me", {"user/cpu.max": "200000 100000", "user/me/cpu.max": "max 100000"}, 2),
        ("0::/user/me", {"user/cpu.max": "400000 100000", "user/me/cpu.max": "50000 100000"}, 0.5),
        ("0::/../elsewhere", {"cpu.max": "100000 100000"}, 1),
        ("4:memory:/a\n2:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ("2:cpu,cpuacct:/docker/x", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("0::/", {"cpu.max": "nonsense"}, math.inf),
        ("0::/", {}, math.inf),
    ],
)
def test_a_container_s_share_of_the_cpu_counts(
    groups: str, files: dict[str, str], quota: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cpu_quota(tmp_path) == quota
    monkeypatch.setattr(engine, "cpu_quota", lambda: cpu_quota(tmp_path))
    monkeypatch.setattr(engine, "usable_cores", lambda: 2)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)  # where this test's own session has workers
    assert default_threads() == (2 if quota >= 2 else 1)


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) == math.inf


ASK = """
import os
from pytest_agentcore.backends.llama.engine import load_library, wait_policy
before = dict(os.environ)
load_library()
assert dict(os.environ) == before
print(wait_policy())
"""


LOADED = """
import os
from pytest_agentcore.backends.llama import engine
os.getloadavg = lambda: ({} * os.cpu_count(), 0, 0)
engine.running_now = lambda: {} * os.cpu_count()
"""
IDLE, BUSY, OVER = (LOADED.format(*loads) for loads in ((0.9, 1.1), (1.1, 1.1), (1.1, 0.9)))


@pytest.mark.needs("llama_cpp")
@pytest.mark.parametrize(
    ("given", "code", "policy", "taken"),
    [
        ({}, IDLE + ASK, f"GOMP_SPINCOUNT={SPINS}", f"GOMP_SPINCOUNT = '{SPINS}'"),
        ({}, BUSY + ASK, "GOMP_SPINCOUNT=0", "GOMP_SPINCOUNT = '0'"),
        ({}, OVER + ASK, f"GOMP_SPINCOUNT={SPINS}", f"GOMP_SPINCOUNT = '{SPINS}'"),
        ({"OMP_WAIT_POLICY": "passive"}, ASK, "OMP_WAIT_POLICY=passive", "OMP_WAIT_POLICY = 'PASSIVE'"),
        ({"GOMP_SPINCOUNT": "7"}, ASK, "GOMP_SPINCOUNT=7", "GOMP_SPINCOUNT = '7'"),
        ({}, "import llama_cpp\n" + ASK, "OpenMP's default, it was loaded before", "GOMP_SPINCOUNT = '300000'"),
    ],
    ids=["idle", "busy", "no longer busy", "theirs", "their count", "too late"],
)
def test_openmp_takes_what_is_said_to_be_its_policy(
    given: dict[str, str], code: str, policy: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    told = {**os.environ, **given, "OMP_DISPLAY_ENV": "verbose"}
    run = subprocess.run([sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True)
    if "GOMP_SPINCOUNT" not in run.stderr:
        pytest.skip("this build of llama-cpp-python does not use GNU's OpenMP")
    assert run.stdout.strip() == policy
    assert taken in run.stderr


@pytest.mark.model
def test_with_several_rows_the_number_of_threads_changes_no_bit(smollm2: Path) -> None:
    """With one row it may: llama.cpp's flash attention divides 512 tokens and more among the threads."""

    def logits(threads: int) -> list[bytes]:
        model = LoadedModel(smollm2, EngineSettings(threads=threads, rows=2))
        context = Context(model, 1024)
        context.evaluate(0, range(100, 612), 0, logits=False)
        context.evaluate(0, range(612, 632), 512, logits=True)
        found = [context.logits(19)]
        for place in (0, 1):
            context.step(0, [532 + place, place], [[place], [place + 1]])
            found += [context.logits(0), context.logits(1)]
        context.close()
        model.close()
        return found

    assert logits(1) == logits(2)


@pytest.mark.model
def test_loading_tells_how_far_it_is_and_can_be_interrupted(smollm2: Path) -> None:
    parts: list[float] = []
    LoadedModel(smollm2, EngineSettings(), done=parts.append).close()
    assert parts == sorted(parts)
    assert parts[-1] == 1.0

    def interrupt(_part: float) -> None:
        raise KeyboardInterrupt

    before = _who_has_the_log()
    with pytest.raises(KeyboardInterrupt):
        LoadedModel(smollm2, EngineSettings(), done=interrupt)
    assert _who_has_the_log() == before  # else llama.cpp would call what Python has freed


def _who_has_the_log() -> int | None:
    library, data = load_library(), ctypes.c_void_p()
    callback = library.llama_log_callback()
    library.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
    return ctypes.cast(callback, ctypes.c_void_p).value


@pytest.mark.needs("llama_cpp")
def test_models_may_be_closed_in_any_order(smollm2: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, third = (LoadedModel(smollm2, EngineSettings(), vocab_only=True) for _ in range(3))
    first.close()
    second.close()
    third.close()
    fourth = LoadedModel(smollm2, EngineSettings(), vocab_only=True)
    assert fourth.log.lines
    fourth.close()
    assert capfd.readouterr() == ("", "")


class Stub:
    """A context of an engine whose logits depend on a row's own tokens, and on what it is told besides."""

    n_ctx = 1024

    def __init__(self, rows: int, depends_on: str = "", *, singly: bool = False) -> None:
        self.rows, self._depends_on, vocabulary = rows, depends_on, SimpleNamespace(size=1000)
        self.model = SimpleNamespace(vocabulary=vocabulary, forgets_only_all=False, takes_tokens_singly=singly)
        self.cells: list[list[int]] = [[] for _ in range(rows)]
        self._logits: list[bytes] = []

    def evaluate(self, row: int, tokens: Sequence[int], at: int, *, logits: bool) -> None:
        assert (at, logits) == (len(self.cells[row]), False)
        self.cells[row] += tokens

    def step(self, first: int, held: Sequence[int], tokens: Sequence[Sequence[int | None]]) -> None:
        number = sum(map(len, tokens))
        assert number <= self.rows if self.model.takes_tokens_singly else number == self.rows
        assert [len(row) for row in self.cells[first : first + len(tokens)]] == list(held)
        besides = {
            "others": tokens,
            "the longest row": max(held) // 256,
            "the shape": len(tokens),
            "the number": number,
        }
        self._logits = []
        for row, own in enumerate(tokens, first):
            for token in own:
                self.cells[row].append(token or 0)
                seen = row if self._depends_on == "row" else besides.get(self._depends_on)
                self._logits.append(repr((self.cells[row], seen)).encode())

    def logits(self, place: int) -> bytes:
        return self._logits[place]

    def cut(self, row: int, length: int, held: int) -> bool:
        assert len(self.cells[row]) == held
        del self.cells[row][length:]
        return length > 0

    def save(self, row: int) -> list[int]:
        return list(self.cells[row])

    def restore(self, row: int, saved: list[int]) -> None:
        self.cells[row] = [1, *saved[1:]] if self._depends_on == "restoring" else list(saved)


def proof_of(context: Stub) -> Proof:
    def fill() -> int:
        context.cells[0] = [5] * 272
        return 272

    found = prove(context, fill)  # type: ignore[arg-type]
    assert context.cells == [[] for _ in range(context.rows)]
    return found


@pytest.mark.parametrize("rows", [2, 4, 6, 8, 32])
@pytest.mark.parametrize(
    ("depends_on", "proven", "drafts"),
    [
        ("", True, True),
        ("others", False, False),
        ("row", False, False),
        ("the longest row", False, False),
        ("the shape", True, False),
        ("the number", True, True),
        ("restoring", False, False),
    ],
)
def test_an_engine_whose_logits_depend_on_the_batch_is_found_out(
    rows: int, depends_on: str, proven: bool, drafts: bool
) -> None:
    shapes = [(rows, 1)] if proven else []
    shapes += [(count, rows // count) for count in range(1, rows) if rows % count == 0] if drafts else []
    assert proof_of(Stub(rows, depends_on)).shapes == tuple(shapes)
    if depends_on:
        of_any_size = proof_of(Stub(rows, depends_on, singly=True)).shapes
        assert set(of_any_size) <= {(rows, 1), *((count, each) for count, each in shapes if count * each == rows)}


def test_calls_may_be_small_where_their_size_does_not_matter() -> None:
    small = [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (3, 1)]
    assert proof_of(Stub(4, singly=True)) == Proof(((4, 1), *small))
    assert proof_of(Stub(4, "the number", singly=True)) == Proof(((4, 1), (1, 4), (2, 2)))
    assert not Proof(((4, 1), (3, 1))).drafts


@pytest.mark.model
def test_weights_that_are_multiplied_in_groups_are_known(smollm2: Path) -> None:
    model = LoadedModel(smollm2, EngineSettings(n_gpu_layers=0))
    assert model.log.weights() == ({"f32", "q4_1", "q8_0"}, {"CPU_Mapped"})
    assert model.takes_tokens_singly
    model.log.lines.append((2, "llama_model_loader: - type q4_K:  140 tensors"))
    model.log.lines.append((2, "load_tensors:   CPU_REPACK model buffer size =    12.66 MiB"))
    assert model.log.weights() == ({"f32", "q4_1", "q8_0", "q4_K"}, {"CPU_Mapped", "CPU_REPACK"})
    model.close()


@pytest.mark.parametrize(
    ("types", "places", "singly"),
    [
        ({"f32", "q4_0"}, {"CPU"}, True),
        ({"f32", "q4_0"}, {"CPU", "CPU_REPACK"}, False),
        ({"f32", "q8_0"}, {"CUDA0", "CPU_Mapped"}, False),
        ({"f32", "q4_K", "q8_0"}, {"CPU"}, False),
        ({"q8_0"}, {"CPU"}, False),  # a part of what was said
        ({"f32", "q8_0"}, set(), False),
    ],
)
def test_small_calls_are_tried_with_plain_weights_alone(types: set[str], places: set[str], singly: bool) -> None:
    assert take_singly(types, places) is singly
