"""llama.cpp as this project uses it: one model, one context, a sequence per row. The only module that imports it.

It stands on the low-level bindings and not on `llama_cpp.Llama`: that class either prints to stderr or swaps the
process's stdout while it loads, keeps logits for a whole batch, and drops control tokens from the text it returns.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.llama.vocabulary import Vocabulary
from pytest_agentcore.catalogue.entry import CACHE_TYPES, EngineSettings
from pytest_agentcore.errors import BackendError, UsageError

Library = Any
"""The module `llama_cpp.llama_cpp`; ctypes functions have no types to check."""
_DEBUG, _WARNING, _ERROR, _CONTINUED = 1, 3, 4, 5
_FLASH_ATTENTION = {None: -1, False: 0, True: 1}


def load_library() -> Library:
    """The bindings.

    Raises:
        UsageError: llama-cpp-python is not installed, or its native library does not load.
    """
    return _load()[0]


def wait_policy() -> str:
    """How the engine's threads wait for each other, as the environment of OpenMP says it."""
    return _load()[1]


SPINS = 500
"""How often a waiting thread looks again before it sleeps (libgomp, `GOMP_SPINCOUNT`).

libgomp's own 300,000 take some milliseconds, at every layer: on a busy machine a thread that spins keeps the one that
it waits for off its core. One that sleeps at once pays for being woken, which is best where the machine is busy when
the library is loaded; how threads wait changes no token. Figures: benchmarks/waiting.py.
"""
_POLICIES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


@cache
def _load() -> tuple[Library, str]:
    told = ", ".join(f"{name}={os.environ[name]}" for name in _POLICIES if name in os.environ)
    if told or _openmp_is_loaded():
        return _import_bindings(), told or "OpenMP's default, it was loaded before"
    # of the whole machine, wherever this process may run; what was busy a minute ago need not be so now
    is_busy = min(os.getloadavg()[0], running_now()) > (os.cpu_count() or 1)
    spins = os.environ[_POLICIES[1]] = "0" if is_busy else str(SPINS)
    try:
        library = _import_bindings()
    finally:
        del os.environ[_POLICIES[1]]  # OpenMP reads it once, and what this process starts is not to have it
    return library, f"{_POLICIES[1]}={spins}" if _openmp_is_loaded() else "the library's own"


def running_now() -> float:
    """Threads of all processes that run, or wait for a processor, at this moment; infinite where nobody says it."""
    try:
        return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])
    except OSError:
        return math.inf


def _openmp_is_loaded() -> bool:
    """Whether GNU's OpenMP is in this process."""
    try:
        return "libgomp" in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _import_bindings() -> Library:
    try:
        import llama_cpp.llama_cpp as library  # noqa: PLC0415 - optional, and slow to import
    except ModuleNotFoundError as error:
        raise UsageError(
            "an in-process model needs llama-cpp-python; run `pip install 'pytest-agentcore[llama]'`"
        ) from error
    except (OSError, RuntimeError) as error:
        raise UsageError(f"llama-cpp-python is installed but its native library does not load: {error}") from error
    return library


class EngineLog:
    """Keeps llama.cpp's last lines instead of letting them reach the terminal."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.lines: deque[tuple[int, str]] = deque(maxlen=400)
        self._dropped = False
        self._callback = library.llama_log_callback(self._take)
        self._before = library.llama_log_callback()
        self._before_data = ctypes.c_void_p()
        self._open = True
        library.llama_log_get(ctypes.byref(self._before), ctypes.byref(self._before_data))
        library.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", errors="replace").rstrip("\n")
        if level == _CONTINUED:
            if self.lines and not self._dropped:
                last, begun = self.lines.pop()
                self.lines.append((last, begun + line))
            return
        self._dropped = level == _DEBUG or not line  # a context's debug lines would push out what the model said
        if not self._dropped:
            self.lines.append((level, line))

    def problem(self) -> str:
        """The first error llama.cpp reported, else its last warning; empty when it was silent."""
        errors = [line for level, line in self.lines if level == _ERROR]
        warnings = [line for level, line in self.lines if level == _WARNING]
        said = (errors[:1] or warnings[-1:] or [""])[0]
        return said.rpartition("error loading model: ")[2].strip()

    def devices(self) -> list[str]:
        """Accelerators llama.cpp said it uses, e.g. `CUDA0 (NVIDIA H100)`."""
        said = (line.partition("using device ")[2] for _, line in self.lines)
        return [text.split(" - ")[0].strip() for text in said if text]

    def weights(self) -> tuple[set[str], set[str]]:
        """The types of a model's weights, e.g. `q4_1`, and where they are, e.g. `CPU_REPACK`, as llama.cpp said it."""
        said = "\n".join(line for _, line in self.lines)
        return {*re.findall(r"- type +(\w+): .* tensors", said)}, {*re.findall(r": +(\w+) model buffer size", said)}

    def close(self) -> None:
        """Give the log back to whoever had it before.

        Another model may have taken the log in the meantime and will give it back to this one: then it stays alive.
        """
        if not self._open:
            return
        self._open = False
        current, data = self._library.llama_log_callback(), ctypes.c_void_p()
        self._library.llama_log_get(ctypes.byref(current), ctypes.byref(data))
        if len({ctypes.cast(callback, ctypes.c_void_p).value for callback in (current, self._callback)}) == 1:
            self._library.llama_log_set(self._before, self._before_data)
        else:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._callback))


SINGLY, PLAIN = frozenset(("f32", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0")), frozenset(("CPU", "CPU_Mapped"))
"""Weights, and places for them, with which ggml does the same arithmetic for a token however many there are. With
K-quants it does not, and that shows in one token of four: some that come out alike would prove nothing. (f32 are the
norms, which every model has and which llama.cpp names first.)"""


def take_singly(types: set[str], places: set[str]) -> bool:
    """Whether weights of these types in these places are multiplied alike by one token and by many."""
    return "f32" in types <= SINGLY and set() < places <= PLAIN


class LoadedModel:
    """Weights (or, `vocab_only`, the tokenizer alone) of one file."""

    def __init__(
        self,
        path: Path,
        settings: EngineSettings,
        *,
        vocab_only: bool = False,
        done: Callable[[float], None] = lambda _part: None,
    ) -> None:
        """Load on the calling thread, telling `done` which part of the weights is there, 0 … 1.

        Raises:
            UsageError: llama.cpp refuses the file; carries its first error.
        """
        self.library = library = load_library()
        self.log = EngineLog(library)
        library.llama_backend_init()
        self.path, self.settings = path, settings
        self.pointer: Any = None
        self.gpu_build = bool(library.llama_supports_gpu_offload())
        self.gpu_layers = settings.n_gpu_layers
        """Layers asked to go to the GPU; -1 is all, 0 for a build without one."""
        if self.gpu_layers is None:
            self.gpu_layers = -1 if self.gpu_build else 0
        self._load(self._params(vocab_only=vocab_only), done)
        buffer = ctypes.create_string_buffer(256)
        library.llama_model_desc(self.pointer, buffer, 256)
        self.description = buffer.value.decode("utf-8", errors="replace")
        """llama.cpp's own words for it, e.g. `llama 256M Q4_1`."""
        self.parameters = int(library.llama_model_n_params(self.pointer))
        """Number of weights."""
        self.context_train = int(library.llama_model_n_ctx_train(self.pointer))
        """Tokens of context it was trained for."""
        recurrent = library.llama_model_is_recurrent(self.pointer) or library.llama_model_is_hybrid(self.pointer)
        self.forgets_only_all = bool(recurrent)
        """Whether the memory cannot be cut back to a prefix: recurrent and hybrid models."""
        self.takes_tokens_singly = take_singly(*self.log.weights())
        """Whether a call may hold any number of tokens, as far as its weights go."""
        decodes = library.llama_model_has_decoder(self.pointer) and not library.llama_model_has_encoder(self.pointer)
        if not (vocab_only or decodes):
            self.close()
            raise UsageError(f"{path}: not a model that continues text (it has an encoder, or no decoder)")
        # read last: llama.cpp aborts where a vocabulary is asked for that is not there, as an encoder's may be
        self.vocabulary = Vocabulary(library, library.llama_model_get_vocab(self.pointer))

    def _params(self, *, vocab_only: bool) -> Any:
        """llama.cpp's parameters of a model, from the settings."""
        settings, library = self.settings, self.library
        params = library.llama_model_default_params()
        params.vocab_only, params.n_gpu_layers, params.main_gpu = vocab_only, self.gpu_layers, settings.main_gpu
        modes = {(True, True): "MMAP_MLOCK", (True, False): "MMAP", (False, True): "MLOCK", (False, False): "NONE"}
        params.load_mode = getattr(library, f"LLAMA_LOAD_MODE_{modes[settings.mmap, settings.mlock]}")
        params.split_mode = getattr(library, f"LLAMA_SPLIT_MODE_{settings.split_mode.upper()}")
        if shares := settings.shares():
            params.tensor_split = (ctypes.c_float * library.llama_max_devices())(*shares)
        return params

    def _load(self, params: Any, done: Callable[[float], None]) -> None:
        """Read the file; Ctrl-C ends that too."""
        stopped: list[KeyboardInterrupt] = []

        @self.library.llama_progress_callback  # type: ignore[untyped-decorator]
        def progress(part: float, _data: object) -> bool:
            try:
                done(part)
            except KeyboardInterrupt as stop:  # ctypes would print and forget it
                stopped.append(stop)
            return not stopped

        params.progress_callback = progress
        self.pointer = self.library.llama_model_load_from_file(os.fsencode(self.path), params)
        if stopped:
            self.close()
            raise stopped[0]
        if not self.pointer:
            problem = self.log.problem()
            self.close()
            raise UsageError(f"{self.path}: llama.cpp cannot load it: {problem or 'it gives no reason'}")

    def text(self, key: str) -> str | None:
        """A metadata value as text, e.g. of `tokenizer.chat_template`."""
        size = self.library.llama_model_meta_val_str(self.pointer, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        self.library.llama_model_meta_val_str(self.pointer, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", errors="replace")

    def close(self) -> None:
        """Free the weights, if there are any, and the log; every context of the model must be closed before."""
        if self.pointer:
            self.library.llama_model_free(self.pointer)
            self.pointer = None
        self.log.close()


class Context:
    """The KV caches of a model's rows: a sequence each, every one in a stream of its own, and the logits of a call.

    How many tokens and outputs a call of llama.cpp holds decides the last bits of its logits; what the other tokens are
    does not. So a prompt is evaluated in calls of its own, and `step` always decodes as many tokens as there are rows.
    """

    def __init__(self, model: LoadedModel, n_ctx: int) -> None:
        """Allocate so many tokens for each of the rows that the model's settings ask for.

        Raises:
            UsageError: llama.cpp cannot make a context of this size.
        """
        self.library, self.model, settings = model.library, model, model.settings
        self.rows = rows = settings.rows
        params = self.library.llama_context_default_params()
        params.n_ctx, params.n_batch = n_ctx * rows, max(min(settings.n_batch, n_ctx), rows)
        params.n_ubatch, params.n_seq_max = max(min(settings.n_ubatch, params.n_batch), rows), rows
        params.n_threads = settings.threads or default_threads()
        params.n_threads_batch = settings.threads_batch or params.n_threads
        params.flash_attn_type = _FLASH_ATTENTION[settings.flash_attn]
        params.type_k, params.type_v = CACHE_TYPES[settings.type_k], CACHE_TYPES[settings.type_v]
        params.swa_full = True  # a sliding window's smaller cache cannot be cut back to a prefix
        params.kv_unified = False  # in one cache for all a prompt's logits depend on the cells that others left free
        params.no_perf = True
        self.pointer = self.library.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            each = f" for each of {rows} rows" if rows > 1 else ""
            raise UsageError(
                f"{model.path.name}: no context of {n_ctx} tokens{each} can be made: {model.log.problem()}"
            )
        self.n_ctx = int(self.library.llama_n_ctx_seq(self.pointer))
        self._memory = self.library.llama_get_memory(self.pointer)
        self.n_batch = min(settings.n_batch, n_ctx)  # no more than the batch holds, also where n_ctx was rounded up
        self.chosen: dict[str, Any] = {
            "n_ctx": self.n_ctx,
            "n_batch": self.n_batch,
            "n_ubatch": min(settings.n_ubatch, self.n_batch),
            "n_gpu_layers": model.gpu_layers,
            "threads": params.n_threads,
            "threads_batch": params.n_threads_batch,
            "wait_policy": wait_policy(),
            "flash_attn": "auto" if settings.flash_attn is None else settings.flash_attn,
            "swa_full": True,
        }
        """The engine settings that were left to be chosen, as they came out."""
        self._batch = self.library.llama_batch_init(params.n_batch, 0, 1)

    def evaluate(self, row: int, tokens: Sequence[int], at: int, *, logits: bool) -> None:
        """Evaluate tokens of a row, `n_batch` a call, behind the `at` that it holds; `logits` asks for the last one's.

        Raises:
            BackendError: llama.cpp failed.
        """
        last = at + len(tokens) - 1
        placed = [(token, place, row, logits and place == last) for place, token in enumerate(tokens, at)]
        for start in range(0, len(placed), self.n_batch):
            self._decode(placed[start : start + self.n_batch])

    def step(self, first: int, held: Sequence[int], tokens: Sequence[Sequence[int | None]]) -> None:
        """Decode equally many tokens of each of some neighbours, in a call that was proven.

        Args:
            first: the neighbour with the lowest number.
            held: how many tokens each of them holds.
            tokens: those to decode of each; None is any token. The logits lie in their order, those behind None only
                where the number of logits may change bits.

        Raises:
            BackendError: llama.cpp failed.
        """
        every = not self.model.takes_tokens_singly
        placed = [
            (token or 0, held[i] + place, first + i, every or token is not None)
            for i in range(len(tokens))
            for place, token in enumerate(tokens[i])
        ]
        assert len(placed) <= self.rows
        self._decode(placed)

    def _decode(self, tokens: Sequence[tuple[int, int, int, bool]]) -> None:
        """Evaluate tokens, each with its position, its row and whether its logits are wanted."""
        batch = self._batch
        batch.n_tokens, wanted = len(tokens), -1
        for i, (token, position, row, logits) in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, logits
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, row
            wanted = i if logits else wanted
        if code := self.library.llama_decode(self.pointer, batch):
            raise BackendError(f"llama_decode returned {code}: {self.model.log.problem() or 'no reason given'}")
        if wanted >= 0:  # puts the outputs into the order of the batch, which no two threads may do at a time
            self.library.llama_get_logits_ith(self.pointer, wanted)

    def logits(self, place: int) -> bytes:
        """The logits behind a token of the last call, bit by bit."""
        size = self.model.vocabulary.size * ctypes.sizeof(ctypes.c_float)
        return ctypes.string_at(self.library.llama_get_logits_ith(self.pointer, place), size)

    def cut(self, row: int, length: int, held: int) -> bool:
        """Forget everything behind the first `length` of a row's `held` tokens.

        Returns False when all had to be forgotten: nothing was to be kept, or the model's memory cannot be cut.
        """
        if length == held > 0:
            return True
        kept = length > 0 and not self.model.forgets_only_all
        kept = kept and bool(self.library.llama_memory_seq_rm(self._memory, row, length, -1))
        if not kept:
            self.library.llama_memory_seq_rm(self._memory, row, -1, -1)
        return kept

    def save(self, row: int) -> Any:
        """The keys and values (or the state) of what a row holds, as an array of bytes, for any row."""
        size = self.library.llama_state_seq_get_size(self.pointer, row)
        saved = (ctypes.c_uint8 * size)()
        self.library.llama_state_seq_get_data(self.pointer, saved, size, row)
        return saved

    def restore(self, row: int, saved: Any) -> None:
        """Put what was saved into a row, in place of what that holds.

        Raises:
            BackendError: llama.cpp does not take it; the row holds nothing then.
        """
        self.library.llama_memory_seq_rm(self._memory, row, -1, -1)
        if not self.library.llama_state_seq_set_data(self.pointer, saved, len(saved), row):
            raise BackendError(f"a saved prefix cannot be restored: {self.model.log.problem() or 'no reason given'}")

    def close(self) -> None:
        """Free the caches."""
        if self.pointer:
            self.library.llama_batch_free(self._batch)
            self.library.llama_free(self.pointer)
            self.pointer = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The outcome of decoding a few tokens among others, for this build, model and machine."""

    shapes: tuple[tuple[int, int], ...]
    """Calls in which a row's logits are the same alone and among others, in which row it be, evaluated there or
    restored: how many neighbours, and how many tokens of each. The first is one token of every row."""

    @property
    def drafts(self) -> bool:
        """Whether a call may hold several tokens of a row."""
        return any(each > 1 for _, each in self.shapes)


_SAMPLE, _COMPARED = 8, 4
"""Tokens of the prompt that is proved with, and those decoded behind it."""


def prove(context: Context, fill: Callable[[], int]) -> Proof:
    """Compare the logits of a few tokens, decoded in several ways in a context that holds nothing; it is left so.

    Args:
        context: with several rows.
        fill: evaluates a long prompt in row 0 and says how many tokens that holds; kernels may choose their way by the
            longest row.

    Raises:
        BackendError: the engine failed.
    """
    probe = _Probe(context)
    alone = probe.alone()
    among, again = probe.among(fill)
    same = [[step[row] for step in among] == alone for row in range(max(context.rows - 2, 1), context.rows)]
    shapes = [(context.rows, 1)] if all(same) and again == alone[0] else []
    if shapes and not context.model.forgets_only_all:
        shapes += [shape for shape in _other_shapes(context) if probe.is_same(*shape, among)]
    for row in range(context.rows):
        context.cut(row, 0, probe.begins[row] + probe.steps[row])
    return Proof(tuple(shapes))


def _other_shapes(context: Context) -> list[tuple[int, int]]:
    """Calls worth a try: as many tokens as rows, of fewer rows; and less where the number of tokens may not matter."""
    rows, powers = context.rows, [2**power for power in range(context.rows.bit_length())]
    found = {(count, rows // count) for count in range(1, rows) if rows % count == 0}
    if context.model.takes_tokens_singly:
        found |= {(count, each) for count in range(1, rows) for each in powers if count * each <= rows}
    return sorted(found)


class _Probe:
    """Decodes tokens in the rows of a context: each row its own, but for the last two, which decode the same."""

    def __init__(self, context: Context) -> None:
        self.context, self.rows, self.last = context, context.rows, context.rows - 1
        self.begins, self.steps = [_SAMPLE] * self.rows, [0] * self.rows
        """Tokens of each row that were evaluated, and that were decoded since."""
        self._prompt = [(7919 * place + 1009) % context.model.vocabulary.size for place in range(_SAMPLE)]
        self._saved: Any = None

    def alone(self) -> list[bytes | None]:
        """The logits of what the last row will decode, in the first one, beside rows that hold nothing."""
        self.context.evaluate(0, self._prompt, 0, logits=False)
        self._saved, found = self.context.save(0), []
        for step in range(_COMPARED):
            words = [self._words(self.last, step, 1), *[[0]] * self.last]
            self.context.step(0, [_SAMPLE + step, *[0] * self.last], words)
            found.append(self.context.logits(0))
            for row in range(1, self.rows):
                self.context.cut(row, 0, 1)
        self.context.cut(0, 0, _SAMPLE + _COMPARED)
        return [*found]

    def among(self, fill: Callable[[], int]) -> tuple[list[list[bytes | None]], bytes | None]:
        """The logits of all rows at each step: one long, one evaluated (the last), the others restored.

        And those of the last row when it is restored and begins again, while the others go on.
        """
        self.begins[0] = fill()
        for row in range(1, self.last):
            self.context.restore(row, self._saved)
        self.context.evaluate(self.last, self._prompt, 0, logits=False)
        found = [self._decoded(0, self.rows, 1, go_on=True) for _ in range(_COMPARED)]
        self.context.restore(self.last, self._saved)
        self.steps[self.last] = 0
        return found, self._decoded(0, self.rows, 1, go_on=True)[self.last]

    def is_same(self, count: int, each: int, among: Sequence[Sequence[bytes | None]]) -> bool:
        """Whether a call of another shape gives the same logits, of the first rows and of the last ones."""
        for row in range(self.rows):
            self.context.cut(row, self.begins[row], self.begins[row] + self.steps[row])
        self.steps, same = [0] * self.rows, True
        for first in sorted({0, self.rows - count}):
            found = self._decoded(first, count, each)
            compared = [(row, step) for row in range(count) for step in range(min(each, _COMPARED))]
            same &= all(found[row * each + step] in (None, among[step][first + row]) for row, step in compared)
            for row in range(first, first + count):
                self.context.cut(row, self.begins[row], self.begins[row] + each)
        return same

    def _decoded(self, first: int, count: int, each: int, *, go_on: bool = False) -> list[bytes | None]:
        """The logits behind the tokens of a call; None for one that nobody asks for, as a smaller call may hold."""
        there = range(first, first + count)
        tokens: list[list[int | None]] = [[*self._words(row, self.steps[row], each)] for row in there]
        if 1 < count * each < self.rows:
            tokens[-1][-1] = None
        self.context.step(first, [self.begins[row] + self.steps[row] for row in there], tokens)
        if go_on:
            self.steps = [step + each for step in self.steps]
        asked = [token is not None for own in tokens for token in own]
        return [self.context.logits(place) if wanted else None for place, wanted in enumerate(asked)]

    def _words(self, row: int, step: int, count: int) -> list[int]:
        size = self.context.model.vocabulary.size
        return [(7907 * max(self.last - row, 1) + 31 * (step + place)) % size for place in range(count)]


def default_threads() -> int:
    """The cores that this process really gets, shared with the other workers of a pytest-xdist run.

    More threads than cores are worse than none: every layer waits for the thread that is not running.
    """
    return max(1, int(min(usable_cores(), cpu_quota())) // xdist_worker()[1])


def xdist_worker() -> tuple[int, int]:
    """Number of this worker of pytest-xdist, from 0, and how many there are; (0, 1) in a process that is none."""
    number, count = (os.environ.get(f"PYTEST_XDIST_WORKER{rest}", "") for rest in ("", "_COUNT"))
    digits = number.removeprefix("gw")
    return int(digits) if digits.isdecimal() else 0, max(1, int(count)) if count.isdecimal() else 1


def usable_cores() -> int:
    """Physical cores this process may run on: a second thread on the same core slows sampling down."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:
        return os.cpu_count() or 1
    cores: set[str] = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text(encoding="ascii"))
        except OSError:
            cores.add(str(cpu))
    return max(1, len(cores))


def cpu_quota(root: Path = Path("/")) -> float:
    """CPUs that this process's control groups let it use at a time, such as 1.5; infinite where none says."""
    quota = math.inf
    try:
        groups = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return quota
    for _, controllers, path in groups:
        if controllers and "cpu" not in controllers.split(","):
            continue
        # a quota holds for all groups below it; the second generation has one tree, the first one for each controller
        home = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        group = home / path.lstrip("/")
        for folder in (group, *group.parents) if group.is_relative_to(home) else ():
            for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
                with suppress(OSError, ValueError):  # no such file, or the word `max`
                    limit, period = (int(word) for name in names for word in (folder / name).read_text().split())
                    quota = min(quota, limit / period) if limit > 0 < period else quota
    return quota
