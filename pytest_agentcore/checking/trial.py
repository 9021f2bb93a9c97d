"""The finished trial that a checker gets, and how code of its frozen workspace is run in the sandbox.

A shell command, calls of a function, given tests: each run has its own copy of the workspace, which is thrown away.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

from pytest_agentcore.checking import readers
from pytest_agentcore.checking.inside.signing import signed_report
from pytest_agentcore.checking.inside.wire import MOST_BYTES, WireError, decode, encode
from pytest_agentcore.checking.readers import Diff, Files, diff, excerpt
from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.base import MIB, Command, Completed, Limits, Sandbox, Workspace
from pytest_agentcore.sandbox.reaper import NOT_FOUND
from pytest_agentcore.sandbox.workspace import freeze, remove_workspace, scratch
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallRecord
from pytest_agentcore.untrusted import clip, visible_lines

Lines = frozenset[tuple[str, int]]
"""Path and line number counted from 1."""
Calls = Sequence[tuple[Sequence[Any], Mapping[str, Any]]]
"""Positional and named arguments of each call."""

CALL_SECONDS = 20.0
SHELL_SECONDS = 30.0
TEST_SECONDS = 60.0

T = TypeVar("T")
INSIDE = Path(__file__).parent / "inside"
GRACE = 10.0
"""Seconds on top of what the code gets: for starting processes and reporting."""
SHELL_OUTPUT = 1 * MIB


@dataclass(frozen=True, kw_only=True, repr=False)
class Trial(Files):
    """A finished trial: what was given, what was done, and the workspace as it was left, protected files restored.

    Readers raise AssertionError, with one sentence, for whatever a model may have left at a path. Methods that run
    code do so in the sandbox, each on a copy of the workspace of its own, so no run changes what another one sees.
    A mistake of the checker itself (a path outside the workspace, arguments that are no plain data) is a ValueError
    or TypeError: a broken checker.
    """

    task: Task
    run: int
    """Run index, counted from 1."""
    facts: Mapping[str, Any]
    """The instance's facts, which are never shown to the model."""
    answer: str
    """The text of the last reply."""
    stop_reason: StopReason
    calls: tuple[CallRecord, ...]
    """The tool calls that the model made. (To call a function of the workspace, see `call` and `call_each`.)"""
    _sandbox: Sandbox
    _given: Mapping[str, bytes]
    _changed: frozenset[str]

    @classmethod
    def open(
        cls,
        *,
        task: Task,
        instance: Instance,
        run: int,
        frozen: Workspace,
        sandbox: Sandbox,
        calls: Sequence[CallRecord] = (),
        answer: str = "",
        stop_reason: StopReason = StopReason.final_answer,
        skipped: Mapping[str, str] = {},
    ) -> Self:
        """The trial over a frozen workspace, in which the task's protected files are restored now.

        Args are those of the fields, and:
            instance: what was given.
            frozen: a copy that nobody else uses; it is changed.
            sandbox: where code of the workspace runs.
            skipped: what the frozen copy lacks, by path, and why: `a FIFO`, `a symbolic link` …

        Raises:
            OSError, SandboxError: the copy does not take the protected files.
        """
        given = {path: text.encode() if isinstance(text, str) else text for path, text in instance.files.items()}
        changed = readers.changed(frozen.root, given, skipped)
        readers.restore(frozen.root, given, task.protected)
        for path, content in given.items():
            if readers.matches(path, task.protected) and (frozen.root / path).read_bytes() != content:
                raise SandboxError(f"{path}: a protected file could not be put back as it was given")
        return cls(
            task=task,
            run=run,
            facts=instance.facts,
            answer=answer,
            stop_reason=stop_reason,
            calls=tuple(calls),
            _frozen=frozen,
            _skipped={path: why for path, why in skipped.items() if not (frozen.root / path).exists()},
            _sandbox=sandbox,
            _given=given,
            _changed=changed,
        )

    def __repr__(self) -> str:
        """Short: pytest shows it above every failed checker."""
        return f"<trial of {self.task.id}, run {self.run}>"

    def files(self) -> tuple[str, ...]:
        """Paths of all regular files, sorted."""
        return tuple(readers.regular_files(self._frozen.root))

    def changed(self) -> frozenset[str]:
        """Paths that the model added, removed or modified, protected ones included; caches do not count."""
        return self._changed

    def original(self, path: str) -> str:
        """The text of a file as it was given.

        Raises:
            ValueError: no such file was given.
        """
        if path not in self._given:
            raise ValueError(f"{path!r} is not among the given files")
        return self._given[path].decode()

    def diff(self, path: str) -> Diff:
        """The lines that were changed in a given file."""
        return diff(self.original(path), self.text(path))

    def shell(self, command: str, seconds: float = SHELL_SECONDS) -> Ran:
        """Run a shell command in the workspace; a command that does not end in time is an AssertionError."""
        done = self._run(["sh", "-c", command], seconds=seconds, output_bytes=SHELL_OUTPUT)
        if done.exit_code is None:
            raise AssertionError(f"`{clip(command, 80)}` {_ended(done, seconds)}")
        return Ran(done.exit_code, done.output.decode("utf-8", "replace"))

    def call(self, target: str, *args: Any, **kwargs: Any) -> Outcome:
        """Call a function of the workspace: `trial.call("src/price.py:total", [1, 2], currency="EUR")`.

        Arguments and values are plain data; expected values never enter the process. A function that ends its process,
        does not answer within 20 seconds or cannot be loaded is an AssertionError.
        """
        return self._answers(target, [(args, kwargs)], CALL_SECONDS)[0][0]

    def call_each(
        self, target: str, arguments: Iterable[Sequence[Any]], seconds: float = CALL_SECONDS
    ) -> list[Outcome]:
        """Like `call` for each tuple of arguments, in one process and in order."""
        return [outcome for outcome, _lines in self._answers(target, [(args, {}) for args in arguments], seconds)]

    def trace(self, target: str, *args: Any, **kwargs: Any) -> Lines:
        """The lines of the workspace that one call executes."""
        return self._answers(target, [(args, kwargs)], CALL_SECONDS, trace=True)[0][1]

    def _answers(
        self, target: str, calls: Calls, seconds: float, *, trace: bool = False
    ) -> list[tuple[Outcome, Lines]]:
        """Call a function of the workspace several times, in one process: each outcome, and the lines it ran if traced.

        Raises:
            AssertionError: it cannot be loaded, or its process ended or fell silent before all calls were answered.
            TypeError: an argument is no plain data.
            ValueError: the target is not of the form `src/price.py:total`: the checker's own mistake.
        """
        file, colon, name = target.partition(":")
        if not colon or not name or not file.endswith(".py") or file.startswith("/") or ".." in file.split("/"):
            raise ValueError(f"{target!r} is not `path/in/workspace.py:function`")
        token = b"agentcore-answer "  # a mark, no secret: the code could only say what it could have returned
        order = {
            "token": token.decode(),
            "file": file,
            "name": name,
            "calls": [[_plain(list(args)), _plain(dict(kwargs))] for args, kwargs in calls],
            "trace": trace,
        }
        done = self._run(["direct"], order, seconds=seconds)
        answers: dict[int, Mapping[str, Any]] = {}
        for line in io.BytesIO(done.output):
            try:
                message = json.loads(line.removeprefix(token)) if line.startswith(token) else None
            except (ValueError, RecursionError):
                continue
            if not isinstance(message, dict):
                continue
            if "unusable" in message:
                raise AssertionError(clip(str(message["unusable"]), 400))
            if type(message.get("n")) is int and message["n"] < len(calls):
                answers.setdefault(message["n"], message)
        for number in range(len(calls)):
            if number not in answers:
                raise AssertionError(_unanswered(target, number, len(calls), done, seconds))
        return [_answer(answers[number]) for number in range(len(calls))]

    def run_tests(self, path: str, seconds: float = TEST_SECONDS) -> TestRun:
        """Run a given unittest file, or all below a folder, as given, against the workspace's code.

        Raises:
            AssertionError: the judging process was ended before it could report.
            SandboxError: it could not be closed off from the code under test.
        """
        given, path = self._given, path.rstrip("/")
        folder = str(PurePosixPath(path).parent) if path in given else path
        found = (p for p in given if p.startswith(f"{path}/") and PurePosixPath(p).match("test*.py"))
        files = [path] if path in given else sorted(found)
        if not files:
            raise ValueError(f"{path!r} is no test file among the given files, and no folder with any")
        # Everything in a test file's folder belongs to it, unless that is the workspace itself.
        tree = {p: content for p, content in given.items() if p in files or p.startswith(f"{folder}/")}
        order = {
            "tests": {path: content.decode() for path, content in tree.items() if path.endswith(".py")},
            "files": files,
            "folders": ["", *dict.fromkeys(str(PurePosixPath(file).parent) for file in files)],
            "seconds": seconds,
        }
        done = self._run(["judge"], order, seconds=seconds, pristine=tree)
        report = signed_report(done.output)
        if report is None:
            why = done.killed_for or f"exit code {done.exit_code}"
            raise AssertionError(f"the tests in {', '.join(files)} were ended before they could report ({why})")
        if "exposed" in report:
            raise SandboxError(str(report["exposed"]))
        results = report["results"]
        lines = []
        for result in results:
            if result["outcome"] != "passed":
                lines.append(f"{result['outcome']}: {result['name']}")
                lines += [f"    {line}" for line in visible_lines(result["text"]) if line]
        passed = [result["name"] for result in results if result["outcome"] == "passed"]
        failed = sum(result["outcome"] == "failed" for result in results)
        return TestRun(len(passed), failed, frozenset(passed), "\n".join(lines))

    def _run(
        self,
        argv: Sequence[str],
        order: Mapping[str, Any] | None = None,
        *,
        seconds: float,
        output_bytes: int = MOST_BYTES,
        pristine: Mapping[str, bytes] = {},
    ) -> Completed:
        """Run a command over a fresh copy of the workspace in which the files of `pristine` are as given.

        A second copy of the same is shown read-only as `/checker/given`. With an order, the command is a part of
        `inside`, which gets the order and the places of the workspace and of the given files.

        Raises:
            SandboxError: the copies cannot be made, or nothing can be started.
        """
        try:
            with scratch("check") as folder:
                home = Path(folder)
                copy = freeze(self._frozen, home / "copy").workspace
                checker = home / "checker"
                shutil.copytree(INSIDE, checker / "inside", ignore=shutil.ignore_patterns("__pycache__"))
                for path, content in pristine.items():
                    readers.put(copy.root, path, content)
                if pristine:
                    freeze(copy, home / "given")
                    (home / "given" / "workspace").rename(checker / "given")
                # The sandbox's process may be another user's.
                for shown in (checker, *checker.rglob("*")):
                    shown.chmod(0o755 if shown.is_dir() else 0o644)
                stdin = b""
                if order is not None:
                    places = ("/checker/inside/run.py", "/workspace", "/checker/given")
                    script, workspace, given = (self._sandbox.path(copy, place) for place in places)
                    argv = ["python3", "-I", "-B", "-X", "utf8", script, *argv]
                    stdin = json.dumps({**order, "workspace": workspace, "given": given}).encode()
                    seconds += GRACE
                limits = Limits(wall_seconds=seconds, cpu_seconds=int(seconds) + 1, output_bytes=output_bytes)
                mounts = {f"/checker/{child.name}": child for child in checker.iterdir()}
                try:
                    return self._sandbox.run(copy, Command(argv=argv, stdin=stdin, read_only=mounts, limits=limits))
                finally:
                    remove_workspace(copy)
        except OSError as error:
            raise SandboxError(f"a copy of the workspace cannot be written for its checker: {error}") from error


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished shell command. No verdict should rest on it alone: the code under test chose both."""

    exit_code: int
    output: str


def _ended(done: Completed, seconds: float) -> str:
    if done.killed_for == "wall_seconds":
        return f"did not end within {seconds:g} seconds"
    return f"was stopped at its limit ({done.killed_for or 'killed'})"


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value that is no plain data. It equals nothing, itself included, and says nothing but what it looked like."""

    type_name: str
    repr: str

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one call of the code under test: a value or an exception."""

    value: Any
    """Plain data, or an `Opaque`; also an `Opaque` when the call raised."""
    raised: str = ""
    """The exception's class name; empty when it returned."""
    message: str = ""
    """The exception's own text."""

    def returned(self, kind: type[T]) -> T:
        """The value, which must be of this type, so that a checker can calculate with it.

        `float` takes integers too; `bool` is no integer.

        Raises:
            AssertionError: it raised, or returned something else.
        """
        if self.raised:
            raise AssertionError(f"raised {clip(self.raised, 40)} ({excerpt(self.message)})")
        # Beyond 53 bits a float no longer holds every integer.
        fits = type(self.value) is kind or (kind is float and type(self.value) is int and abs(self.value) < 1 << 53)
        if not fits:
            raise AssertionError(f"returned {excerpt(repr(self.value))}, not {kind.__name__}")
        return kind(self.value)  # type: ignore[call-arg]


def _plain(value: Any) -> Any:
    def refuse(value: Any) -> Any:
        raise TypeError(f"{type(value).__name__} cannot be passed to code under test: arguments are plain data")

    return encode(value, refuse, containers=True)


def _answer(message: Mapping[str, Any]) -> tuple[Outcome, Lines]:
    said = message.get("lines")
    lines = frozenset(
        (pair[0], pair[1])
        for pair in (said if isinstance(said, list) else ())
        if isinstance(pair, list) and [type(part) for part in pair] == [str, int]
    )
    if "raised" in message:
        name = str(message["raised"])
        return Outcome(Opaque("exception", name), name or "unnamed", str(message.get("message", ""))), lines
    try:
        value = decode(
            message.get("value"),
            lambda other: Opaque(str(other.get("type", ""))[:200], str(other.get("repr", ""))[:200]),
        )
    except WireError:
        value = Opaque("unreadable", "")
    return Outcome(value), lines


def _unanswered(target: str, number: int, count: int, done: Completed, seconds: float) -> str:
    which = f"call {number + 1} of {count} to {target}" if count > 1 else f"a call to {target}"
    if done.exit_code is None:
        return f"{which} {_ended(done, seconds)}"
    if done.dropped_bytes:
        return f"{which} gave more output than is read"
    if done.exit_code == NOT_FOUND:
        raise SandboxError(f"no Python in the sandbox: {clip(done.output.decode(errors='replace'), 200)}")
    return f"{which} ended its process (exit code {done.exit_code}) instead of returning"


@dataclass(frozen=True, slots=True)
class TestRun:
    """The results of the tests in given unittest files."""

    __test__ = False  # pytest collects by name

    passed: int
    failed: int
    """Tests that could not be run or did not report count here; skipped ones are in neither count."""
    names_passed: frozenset[str]
    """`test_price.TestTotal.test_none`: the file's stem, the class, the method."""
    report: str
    """A line per test that did not pass, and what it said, escaped."""
