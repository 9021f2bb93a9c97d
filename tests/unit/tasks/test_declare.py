"""What `@task` refuses, whatever types an author gives it: one sentence with the file and the field."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pytest_agentcore import Budget, Fault, Instance, Trial, task
from pytest_agentcore.errors import InfrastructureError, TaskDeclarationError
from pytest_agentcore.tasks.declare import check_oracle
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.trial.modes import Cause


def checker(trial: Trial) -> None:
    assert trial.line("a.txt")


def declare(function: Any = checker, **fields: Any) -> Task:
    """A right declaration but for what is given."""
    declared = task(**{"prompt": "Do it.", "artifacts": ["a.txt"], **fields})(function)
    return declared.agentcore


def test_right_declarations_are_taken() -> None:
    made = declare(
        files={"a.txt": "a", "b/c.txt": b"\xff", "b/d/…": ""},
        tools=("fs_read",),
        protected=["b/*"],
        budget=Budget(turns=1, reply_tokens=1, seconds=0.5),
        faults=(Fault(mentions="", message="no"),),
    )
    assert (made.protected, made.artifacts, made.tools) == (("b/*",), ("a.txt",), ("fs_read",))
    assert made.instance("1", 1).files["a.txt"] == "a"


WRONG: list[tuple[str, Any, str]] = [
    ("prompt", 5, "must be text, and is of type int"),
    ("prompt", " ", "is empty"),
    ("prompt", "\ud800", "holds text that is no UTF-8"),
    ("files", 5, "must be a folder's name, a dict or a function"),
    ("files", ["a.txt"], "must be a folder's name"),
    ("files", {"a": 1}, "'a' must hold text or bytes, and holds of type int"),
    ("files", {"a": None}, "'a' must hold text or bytes, and holds nothing"),
    ("files", {"a": "\ud800"}, "'a' holds text that is no UTF-8"),
    ("files", {1: "a"}, "a path must be text, and is of type int"),
    ("files", {"a": "", "a/b": ""}, "'a/b' lies in 'a', which is a file"),
    ("files", {"a/b/c": "", "a": ""}, "'a/b/c' lies in 'a', which is a file"),
    ("files", {"": ""}, "'' is no name of a file"),
    ("files", {".": ""}, "'.' is no name of a file"),
    ("files", {"a\0b": ""}, "'a\\x00b' is no name of a file"),
    ("files", {"\ud800": ""}, "'\\ud800' is no name of a file"),
    ("files", {"./a": ""}, "'./a' must be written 'a'"),
    ("files", {"a//b": ""}, "'a//b' must be written 'a/b'"),
    ("files", {"a/": ""}, "'a/' must be written 'a'"),
    ("files", {"/etc/passwd": ""}, "'/etc/passwd' must be relative"),
    ("files", {"../a": ""}, "'../a' must be relative"),
    ("files", {"é" * 128: ""}, "is too long a path"),
    ("files", {"a/" * 600 + "a": ""}, "is too long a path"),
    ("tools", "fs_read", "must be a list of names: ['fs_read']"),
    ("tools", [], "is empty"),
    ("tools", ["shell", "fs_read", "shell"], "'shell' stands there twice"),
    ("tools", [print], "is no name"),
    ("tools", 5, "must be a list of names, and is of type int"),
    ("artefacts", ["a.txt"], "is no argument of @task; did you mean 'artifacts'?"),
    ("promt", "x", "is no argument of @task; did you mean 'prompt'?"),
    ("timeout", 5, "is no argument of @task; there are prompt, files, tools, artifacts, protected, budget, faults"),
    ("artifacts", "a.txt", "must be a list of names: ['a.txt']"),
    ("artifacts", ["../a.txt"], "'../a.txt' must be relative"),
    ("artifacts", [""], "'' is no name"),
    ("artifacts", ["./a.txt"], "'./a.txt' must be written 'a.txt'"),
    ("artifacts", None, "must be a list of names, and is nothing"),
    ("protected", "tests/*", "must be a list of names: ['tests/*']"),
    ("protected", [5], "5 is no name"),
    ("budget", 5, "must be a Budget"),
    ("budget", None, "must be a Budget"),
    ("budget", Budget(turns=0), "turns=0: must be a whole number from 1"),
    ("budget", Budget(turns=True), "turns=True: must be a whole number from 1"),
    ("budget", Budget(turns=1.5), "turns=1.5: must be a whole number from 1"),  # type: ignore[arg-type]
    ("budget", Budget(reply_tokens=-1), "reply_tokens=-1: must be"),
    ("budget", Budget(seconds=-1), "seconds=-1: must be above 0"),
    ("budget", Budget(seconds=0.0), "seconds=0.0: must be above 0"),
    ("budget", Budget(seconds=float("inf")), "seconds=inf: must be above 0"),
    ("budget", Budget(seconds=float("nan")), "seconds=nan: must be above 0"),
    ("budget", Budget(seconds="9"), "seconds='9': must be above 0"),  # type: ignore[arg-type]
    ("faults", ["x"], "'x' must be a Fault"),
    ("faults", Fault(mentions="a", message="b"), "must be a list of Fault"),
    ("faults", "x", "must be a list of Fault"),
    ("faults", [Fault(mentions="a", message="")], "the message not empty"),
    ("faults", [Fault(mentions=None, message="b")], "mentions and message must be text"),  # type: ignore[arg-type]
    ("faults", [Fault(mentions="a", message="b", times=0)], "times must be a whole number from 1"),
]


@pytest.mark.parametrize(("field", "value", "sentence"), WRONG)
def test_a_wrong_value_is_refused_with_file_and_field(field: str, value: Any, sentence: str) -> None:
    with pytest.raises(TaskDeclarationError) as refused:
        declare(**{field: value})
    assert str(refused.value).startswith(f"{__file__}: {field}: ")
    assert sentence in str(refused.value)
    assert (refused.value.file, refused.value.field) == (Path(__file__), field)


async def waits(trial: Trial) -> None:
    assert trial.answer


def yields(trial: Trial) -> Iterator[None]:
    yield
    assert trial.answer


async def waits_and_yields(trial: Trial) -> AsyncIterator[None]:
    yield
    assert trial.answer


def has_a_default(trial: Trial | None = None) -> None:
    assert trial


def takes_all(*trial: Trial) -> None:
    assert trial


def has_no_body(trial: Trial) -> None:
    """Only says so."""


class Class:
    """No function."""


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (waits, "waits must be a plain function"),
        (yields, "yields must be a plain function"),
        (waits_and_yields, "waits_and_yields must be a plain function"),
        (has_a_default, "must take exactly one argument, `trial`"),
        (takes_all, "must take exactly one argument, `trial`"),
        (has_no_body, "has_no_body has no body"),
        (Class, "must be a function, and is of type type"),
        (functools.partial(checker), "must be a function, and is of type partial"),
    ],
)
def test_a_checker_that_would_not_run_is_refused(function: Any, sentence: str) -> None:
    with pytest.raises(TaskDeclarationError, match=f"checker: .*{sentence}"):
        declare(function)


@pytest.mark.parametrize("value", [True, False, 0, "no"])
def test_what_a_checker_returns_is_no_verdict(value: object) -> None:
    def returns(trial: Trial) -> Any:
        return value

    with pytest.raises(InfrastructureError, match=f"returns returned {value!r}; it must assert") as broken:
        declare(returns).refuse_verdict(value)
    assert broken.value.cause is Cause.checker_broken


def test_exactly_one_oracle() -> None:
    made = declare()
    with pytest.raises(TaskDeclarationError, match="oracle: exactly one must be declared, and there is none"):
        check_oracle(made)
    made.oracles.append(lambda _agent: None)
    check_oracle(made)
    made.oracles.append(checker)
    with pytest.raises(TaskDeclarationError, match=r"oracle: .* there is <lambda>, checker"):
        check_oracle(made)


DRAWN: list[tuple[object, str]] = [
    (Instance({"../../../escaped": "x"}), "'../../../escaped' must be relative"),
    (Instance({"/tmp/escaped": "x"}), "'/tmp/escaped' must be relative"),
    (Instance({"a": 5}), "'a' must hold text or bytes"),  # type: ignore[dict-item]
    (Instance({}, {"a": {1}}), "facts must be what JSON can hold"),
    (Instance({}, [1]), "facts must be a dict, and are of type list"),  # type: ignore[arg-type]
    (Instance({}, words=["n"]), "words must be a dict, and are of type list"),  # type: ignore[arg-type]
    (Instance({}, words={"n": 7}), "words: 'n' must be text, and is of type int"),  # type: ignore[dict-item]
    (Instance({}, words={"n": "7"}), "words: no {n} stands in the prompt"),
    (Instance([]), "must be contents by path"),  # type: ignore[arg-type]
    ({"a": "x"}, "must return an Instance, and returned of type dict"),
    (None, "must return an Instance, and returned nothing"),
]


@pytest.mark.parametrize(("drawn", "sentence"), DRAWN)
def test_an_instance_is_checked_as_a_dict_is(drawn: Any, sentence: str) -> None:
    def some_files(_random: Random) -> Any:
        return drawn

    with pytest.raises(TaskDeclarationError) as refused:
        declare(files=some_files).instance("1", 1)
    assert str(refused.value).startswith(f"{__file__}: files: some_files: ")
    assert sentence in str(refused.value)
