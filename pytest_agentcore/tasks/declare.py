"""The declaration in a task file: `@task(...)` over the checker, solutions beside it, and the checks of all of it."""

from __future__ import annotations

import ast
import inspect
import math
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, Protocol, cast

from pytest_agentcore.errors import TaskDeclarationError, UsageError, instead
from pytest_agentcore.options import LONGEST
from pytest_agentcore.tasks.images import KEYS, image_of_task, read_image
from pytest_agentcore.tasks.task import Budget, Files, Task, files_problem, is_utf8, kind_of, path_problem, task_id
from pytest_agentcore.tools.base import Fault

if TYPE_CHECKING:
    from pytest_agentcore.agent.actor import Actor
    from pytest_agentcore.checking.trial import Trial

Checker = Callable[["Trial"], None]
Solution = Callable[["Actor"], str | None]

AS_THE_SESSION = Budget()


class TaskFunction(Protocol):
    """A checker after `@task`: still the plain test function, with three decorators on it."""

    agentcore: Task
    __name__: str

    def __call__(self, trial: Trial) -> None: ...

    def oracle(self, solution: Solution) -> Solution:
        """The reference solution; exactly one."""

    def alternative(self, solution: Solution) -> Solution:
        """A right solution that looks different; the checker must accept it."""

    def counterexample(self, solution: Solution) -> Solution:
        """A plausible wrong solution; the checker must reject it."""


def task(
    *,
    prompt: str,
    files: Files = "",
    tools: Sequence[str] = ("fs_read", "fs_write", "shell"),
    artifacts: Sequence[str] = (),
    protected: Sequence[str] = (),
    budget: Budget = AS_THE_SESSION,
    faults: Sequence[Fault] = (),
    equivalents: Mapping[str, str] = {},
    image: str = "",
    containerfile: str = "",
    **unknown: Never,
) -> Callable[[Checker], TaskFunction]:
    """Declare the task of a module; the decorated test function is its checker.

    Args:
        prompt: what the model is asked, the whole of it.
        files: a folder below `files/` beside the module, a dict of contents by path, or a function of a seeded
            `random.Random` that returns an `Instance` (then each run index is another instance).
        tools: names of the tools the model gets, the built-in ones or those of a plugin.
        artifacts: workspace paths that a pass rests on; selfcheck replaces each by rubbish.
        protected: glob patterns of files the model was told not to change; the checker sees them pristine.
        budget: tighter or wider limits than the session's.
        faults: tool errors to inject.
        equivalents: reasons why selfcheck's mutants are as right as the oracle's result, by a part of the changed line.
        image: the image that `--sandbox container` runs the task in, instead of its suite's.
        containerfile: a file beside the module to build that image from.
        unknown: nothing; a misspelt argument is refused in words.

    Raises:
        TaskDeclarationError: a declaration that cannot be run; names the file and the field.
    """

    given: dict[str, Any] = {"prompt": prompt, "files": files, "tools": tools, "artifacts": artifacts}
    given |= {"protected": protected, "budget": budget, "faults": faults, "equivalents": equivalents}
    given |= {"image": image, "containerfile": containerfile}

    def decorate(checker: Checker) -> TaskFunction:
        # the module's file is named also when something else than a function is decorated in it
        imported = sys.modules.get(getattr(checker, "__module__", ""))
        namespace = getattr(checker, "__globals__", None) or getattr(imported, "__dict__", {})
        module = Path(namespace.get("__file__", "a task module"))
        for field, problem in _problems(checker, module, given, unknown):
            if problem:
                raise TaskDeclarationError(module, field, problem)
        declared = Task(
            checker=checker,
            prompt=textwrap.dedent(prompt).strip(),
            files=files or {},
            tools=tuple(tools),
            artifacts=tuple(artifacts),
            protected=tuple(protected),
            budget=budget,
            faults=tuple(faults),
            equivalents=dict(equivalents),
        )
        vars(checker).update(
            agentcore=declared,
            oracle=partial(_keep, declared.oracles),
            alternative=partial(_keep, declared.alternatives),
            counterexample=partial(_keep, declared.counterexamples),
        )
        return cast("TaskFunction", checker)

    return decorate


def _problems(
    checker: object, module: Path, given: Mapping[str, Any], unknown: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Check a declaration field by field, each with what is wrong with it or an empty text.

    A task file may hold anything, whatever the annotations of `task` say: every check takes any object.
    """
    yield from ((word, f"is no argument of @task; {instead(word, given)}") for word in unknown)
    yield "checker", _checker_problem(checker)
    yield "prompt", _prompt_problem(given["prompt"])
    yield "files", _files_problem(given["files"], module.parent / "files")
    artifacts, tools = given["artifacts"], given["tools"]
    yield "tools", _names_problem(tools) or _tools_problem(tools)
    yield "artifacts", _names_problem(artifacts) or next(filter(None, map(path_problem, artifacts)), "")
    yield "protected", _names_problem(given["protected"])
    yield "budget", _budget_problem(given["budget"])
    yield "faults", _faults_problem(given["faults"])
    yield "equivalents", _equivalents_problem(given["equivalents"])
    yield "image", _image_problem({key: given[key] for key in KEYS}, module)


def _keep(kept: list[Solution], solution: Solution) -> Solution:
    kept.append(solution)
    return solution


def check_in_module(
    declared: Task, namespace: Mapping[str, object], tools: Mapping[str, object], *, collected: bool
) -> None:
    """Check a task in its module, which pytest has imported.

    Args:
        declared: the task.
        namespace: of the module.
        tools: all that are registered, by name.
        collected: whether pytest makes a test of the checker.

    Raises:
        TaskDeclarationError: another task is declared in the module, whose name is the task's id; a tool is not
            registered; or pytest does not take the checker for a test.
    """
    for name in declared.tools:
        if name not in tools:
            raise TaskDeclarationError(declared.module, "tools", f"unknown tool {name!r}; {instead(name, tools)}")
    tasks = (getattr(value, "agentcore", None) for value in namespace.values())
    here = [task for task in tasks if isinstance(task, Task) and task.module == declared.module]
    names = list(dict.fromkeys(task.checker.__name__ for task in here))
    if len(names) > 1:
        raise TaskDeclarationError(declared.module, "id", f"one module is one task, but it declares {', '.join(names)}")
    if not collected:
        problem = f"{names[0]} must be named test_…, or pytest does not collect it"
        raise TaskDeclarationError(declared.module, "checker", problem)


def check_oracle(declared: Task) -> None:
    """Raise TaskDeclarationError unless exactly one solution is the reference; known once the module is imported."""
    if len(declared.oracles) != 1:
        names = ", ".join(getattr(oracle, "__name__", repr(oracle)) for oracle in declared.oracles) or "none"
        raise TaskDeclarationError(declared.module, "oracle", f"exactly one must be declared, and there is {names}")


def same_ids(tasks: Iterable[Task]) -> Iterator[TaskDeclarationError]:
    """Give an error for every task whose id an earlier one has: one trial would be two."""
    modules: dict[str, Path] = {}
    for each in tasks:
        if modules.setdefault(each.id, each.module) != each.module:
            yield same_id(each.module, modules[each.id])


def same_id(module: Path, earlier: Path) -> TaskDeclarationError:
    """The error for a module whose task has the id of an earlier module's."""
    problem = f"{task_id(module)!r} is also the id of {earlier}; rename one of the modules"
    return TaskDeclarationError(module, "id", problem)


def _checker_problem(checker: object) -> str:
    if not inspect.isfunction(checker):
        return f"must be a function, and is {kind_of(checker)}"
    name, parameters = checker.__name__, list(inspect.signature(checker).parameters.values())
    if [(each.name, each.default, each.kind) for each in parameters] != [
        ("trial", inspect.Parameter.empty, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]:
        return f"{name} must take exactly one argument, `trial`"
    unlike = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_unlike(checker) for is_unlike in unlike):
        return f"{name} must be a plain function: with `async` or `yield` its body would not run"
    try:
        function = ast.parse(textwrap.dedent(inspect.getsource(checker))).body[0]
    except (OSError, SyntaxError):  # the source cannot be found, or dedenting broke a string in it
        return ""
    # a docstring, `pass` and `...` are no body
    empty = all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in cast("ast.FunctionDef", function).body
    )
    return f"{name} has no body: it must assert something about `trial`" if empty else ""


def _prompt_problem(prompt: object) -> str:
    if not isinstance(prompt, str):
        return f"must be text, and is {kind_of(prompt)}"
    if not is_utf8(prompt):
        return "holds text that is no UTF-8"
    return "" if prompt.strip() else "is empty: it must say what the model is to do"


def _files_problem(files: object, home: Path) -> str:
    if isinstance(files, str):
        return f"no folder {files!r} in {home}" if files and not (home / files).is_dir() else ""
    if isinstance(files, Mapping):
        return files_problem(files)
    return "" if callable(files) else f"must be a folder's name, a dict or a function, and is {kind_of(files)}"


def _names_problem(names: object) -> str:
    if isinstance(names, str):
        return f"must be a list of names: [{names!r}]"
    if not isinstance(names, Sequence):
        return f"must be a list of names, and is {kind_of(names)}"
    return next((f"{name!r} is no name" for name in names if not isinstance(name, str) or not name), "")


def _tools_problem(tools: Sequence[str]) -> str:
    if not tools:
        return "is empty: an agent without tools cannot act"
    return next((f"{name!r} stands there twice" for name, count in Counter(tools).items() if count > 1), "")


def _budget_problem(budget: object) -> str:
    if not isinstance(budget, Budget):
        return f"must be a Budget(turns=…, reply_tokens=…, seconds=…), and is {kind_of(budget)}"
    for name, value in asdict(budget).items():
        whole = name != "seconds"
        if value is None or (_is_number(value, whole=whole) and (1 if whole else 0) <= value <= LONGEST and value):
            continue
        return f"{name}={value!r}: must be " + ("a whole number from 1" if whole else f"above 0 and up to {LONGEST:g}")
    return ""


def _faults_problem(faults: object) -> str:
    if not isinstance(faults, Sequence) or isinstance(faults, str):
        return f"must be a list of Fault(mentions=…, message=…), and is {kind_of(faults)}"
    for fault in faults:
        if not isinstance(fault, Fault):
            return f"{fault!r} must be a Fault(mentions=…, message=…)"
        if not (isinstance(fault.mentions, str) and isinstance(fault.message, str) and fault.message):
            return f"{fault!r}: mentions and message must be text, and the message not empty"
        if not (_is_number(fault.times, whole=True) and fault.times >= 1):
            return f"{fault!r}: times must be a whole number from 1"
    return ""


def _equivalents_problem(equivalents: object) -> str:
    if not isinstance(equivalents, Mapping):
        return f"must be reasons by a part of the changed line, and is {kind_of(equivalents)}"
    for part, reason in equivalents.items():
        if not all(isinstance(text, str) and text.strip() for text in (part, reason)):
            return f"{part!r}: {reason!r} must be a part of a line and a reason, both of them text"
    return ""


def _image_problem(given: Mapping[str, object], module: Path) -> str:
    """Say what is wrong with an image; it is read off the text, before the module is imported."""
    named = {key: value for key, value in given.items() if value != ""}
    try:
        if named and read_image(named, module.parent, module) != image_of_task(module):
            return "must be written out as text in the decorator @task(...)"
    except UsageError as error:
        return str(error).partition(": ")[2]
    return ""


def _is_number(value: object, *, whole: bool) -> bool:
    """Whether it is a finite number; True and False are numbers to Python only."""
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
