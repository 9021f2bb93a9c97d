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
from random import Random
from typing import Any, Self

from pytest_agentcore.checking import readers
from pytest_agentcore.checking.calls import Call, Outcome, difference, questions, varied
from pytest_agentcore.checking.inside.signing import signed_report
from pytest_agentcore.checking.inside.wire import MOST_BYTES
from pytest_agentcore.checking.readers import Diff, Files, diff
from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.base import MIB, Command, Completed, Limits, Sandbox, Workspace
from pytest_agentcore.sandbox.reaper import NOT_FOUND
from pytest_agentcore.sandbox.workspace import create_workspace, freeze, remove_workspace, scratch
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallRecord
from pytest_agentcore.untrusted import clip, visible_lines

Lines = frozenset[tuple[str, int]]
"""Path and line number counted from 1."""

CALL_SECONDS = 20.0
SHELL_SECONDS = 30.0
TEST_SECONDS = 60.0

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
        return self._answers([Call(target, args, kwargs)], CALL_SECONDS)[0][0]

    def call_each(
        self,
        target: str,
        arguments: Iterable[Sequence[Any]],
        seconds: float = CALL_SECONDS,
        files: Mapping[str, str] | None = None,
    ) -> list[Outcome]:
        """Like `call` for each tuple of arguments, in one process and in order.

        With `files`, contents by path, the workspace of this run holds these and nothing else.
        """
        calls = [Call(target, args) for args in arguments]
        return [outcome for outcome, _lines in self._answers(calls, seconds, files=files)]

    def vary(self, examples: Iterable[Sequence[Any]], count: int = 100) -> list[tuple[Any, ...]]:
        """Inputs for `compare`: the examples, which are tuples of arguments, and up to `count` changed copies of them.

        Boundary values, other spellings, parts left out, doubled, and taken from another example; a part keeps its
        type. They are the same for every model, and others for each run index.
        """
        return varied([tuple(example) for example in examples], Random(f"{self.task.id}/{self.run}"), count)

    def compare(
        self,
        calls: Mapping[str, Iterable[Sequence[Any]]],
        *,
        reference: Mapping[str, str] = {},
        exact: bool = False,
        seconds: float = CALL_SECONDS,
    ) -> None:
        """Assert that modules of the workspace behave like a reference.

        Each call is made by the workspace's code and by the reference's, in a process of its own that sees nothing of
        the other. Compared are values, exceptions (one of a subclass is as good), and how arguments are left. Every
        public name of the reference's modules must be there: constants with the same value, functions and classes with
        the same parameters, to which keyword-only ones may be added that can be left out.

        Args:
            calls: tuples of arguments by function (`src/price.py:total`). All public functions of a module, if one is.
            reference: contents by path, laid over the given files; with none, the code must behave as it did before.
            exact: whether types must be the same and numbers equal to the last digit. Without it, 1 is as good as 1.0,
                and numbers may differ by one in 10**9; True and False are no numbers.
            seconds: for all calls of either side.

        Raises:
            AssertionError: the first difference, in one sentence.
            ValueError: a public function has no calls, or the reference gives no plain data: the checker's mistake.
        """
        given = {path: content.decode() for path, content in self._given.items() if path.endswith(".py")}
        texts = {**given, **reference}
        asked = questions(texts, calls)
        right = self._answers(asked, seconds, files=texts)
        mine = self._answers(asked, seconds)
        for call, (wanted, _), (found, _) in zip(asked, right, mine, strict=True):
            if said := difference(call, wanted, found, exact=exact):
                raise AssertionError(said)

    def trace(self, target: str, *args: Any, **kwargs: Any) -> Lines:
        """The lines of the workspace that one call executes."""
        return self._answers([Call(target, args, kwargs)], CALL_SECONDS, trace=True)[0][1]

    def _answers(
        self,
        calls: Sequence[Call],
        seconds: float,
        *,
        trace: bool = False,
        files: Mapping[str, str] | None = None,
    ) -> list[tuple[Outcome, Lines]]:
        """Make calls in one process: each outcome, and the lines it ran if traced; over `files` alone if given.

        Raises:
            AssertionError: a target cannot be loaded, or the process ended or fell silent before it had answered.
            TypeError: an argument is no plain data.
            ValueError: a target is not of the form `src/price.py:total`: the checker's own mistake.
        """
        token = b"agentcore-answer "  # a mark, no secret: the code could only say what it could have returned
        order = {"token": token.decode(), "calls": [call.order() for call in calls], "trace": trace}
        done = self._run(["direct"], order, seconds=seconds, files=files)
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
                raise AssertionError(_unanswered(calls, number, done, seconds))
        return [(Outcome.read(answers[n]), _lines(answers[n].get("lines"))) for n in range(len(calls))]

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
        files: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command over a fresh copy of the workspace in which the files of `pristine` are as given.

        With `files`, the workspace holds these and nothing else. A second copy of the same is shown read-only as
        `/checker/given`. With an order, the command is a part of `inside`, which gets the order and the places of the
        workspace and of the given files.

        Raises:
            SandboxError: the copies cannot be made, or nothing can be started.
        """
        try:
            with scratch("check") as folder:
                home = Path(folder)
                over = create_workspace(home / "over", files) if files is not None else self._frozen
                copy = freeze(over, home / "copy").workspace
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
                # A shell command sees what a user of the workspace sees, and nothing by which code could know a check.
                mounts = {f"/checker/{child.name}": child for child in checker.iterdir()} if order is not None else {}
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


def _lines(said: Any) -> Lines:
    """The lines in a worker's reply, which the code under test may have written itself."""
    return frozenset(
        (pair[0], pair[1])
        for pair in (said if isinstance(said, list) else ())
        if isinstance(pair, list) and [type(part) for part in pair] == [str, int]
    )


def _unanswered(calls: Sequence[Call], number: int, done: Completed, seconds: float) -> str:
    target = calls[number].target
    which = f"call {number + 1} of {len(calls)} to {target}" if len(calls) > 1 else f"a call to {target}"
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
