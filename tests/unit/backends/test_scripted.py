"""The scripted backend: conformance, and the shapes of its file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from listed import GEMMA4

from backends.conformance import READ, Conformance, Watch, following, request
from pytest_agentcore.backends.base import FinishReason, Message, Reply, Request
from pytest_agentcore.backends.scripted import ScriptedBackend
from pytest_agentcore.catalogue.entry import EngineSettings, Policy
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.dialects.families import DIALECTS
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.plugin import pytest_agentcore_backends
from pytest_agentcore.trial.modes import Cause, Resemblance
from pytest_agentcore.trial.result import TrialKey

CALL = {"name": "fs_read", "arguments": {"path": "a.txt"}}


def answer(asked: Request) -> Any:
    """A model of few words."""
    if asked.policy is not Policy.constrained:
        return " ".join(f"word{asked.seed}-{i}" for i in range(40))
    return {"tool_calls": [CALL if asked.turn == 1 else {"name": "finish", "arguments": {"answer": "done"}}]}


class TestConformance(Conformance):
    """Over a function."""

    @pytest.fixture
    def backend(self) -> ScriptedBackend:
        return ScriptedBackend(answer, context=1024)


def write(tmp_path: Path, replies: Any, **top: Any) -> Path:
    file = tmp_path / "script.json"
    file.write_text(json.dumps({"replies": replies, **top}))
    return file


def backend_for(tmp_path: Path, replies: Any, **top: Any) -> ScriptedBackend:
    return ScriptedBackend.from_file(write(tmp_path, replies, **top))


def ask(task: str = "task_05_minimal_fix", run: int = 1, turn: int = 1, **changes: Any) -> Request:
    return request(trial=TrialKey("s", task, run), turn=turn, **changes)


def test_lines_follow_the_turn_and_end_in_an_empty_answer(tmp_path: Path) -> None:
    backend = backend_for(tmp_path, {"*": ["one", {"text": "two", "repeat": 2}, {"content": "four"}]})
    texts = [backend.complete(ask(turn=turn)).text for turn in range(1, 7)]
    assert texts == ["one", "two", "two", "four", "", ""]


@pytest.mark.parametrize(
    ("task", "run", "text"),
    [
        ("task_05_minimal_fix", 1, "prefix"),
        ("task_05_minimal_fix", 2, "prefix, run 2"),
        ("task_07_multi_step_plan", 1, "whole id"),
        ("task_01_fix", 1, "any"),
    ],
)
def test_the_longest_key_that_fits_the_task_wins(task: str, run: int, text: str, tmp_path: Path) -> None:
    replies = {
        "*": ["any"],
        "task_0": ["too short"],
        "task_01": {"2": ["another run"], "*": ["any"]},
        "task_05": {"*": ["prefix"], "2": ["prefix, run 2"]},
        "task_07_multi_step_plan": ["whole id"],
    }
    assert backend_for(tmp_path, replies).complete(ask(task, run)).text == text


def test_a_task_without_lines_is_a_failure_of_the_script(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no replies for task_05_minimal_fix"):
        backend_for(tmp_path, {"task_01": ["x"]}).complete(ask())


def test_structured_calls_go_through_the_dialect(tmp_path: Path) -> None:
    line = {"content": "I look.", "reasoning": "Hm.", "tool_calls": [CALL, CALL]}
    for dialect in (known.name for known in DIALECTS):
        reply = backend_for(tmp_path, {"*": [line]}, dialect=dialect).complete(ask(turn=1, max_reply_tokens=99))
        assert [call.id for call in reply.tool_calls] == ["call_1_1", "call_1_2"], dialect
        assert (reply.content, reply.reasoning, reply.problems) == ("I look.", "Hm.", ())
        assert "a.txt" in reply.text


def test_gemma_text_is_read_as_gemma(tmp_path: Path) -> None:
    text = '<|tool_call>call:fs_read{path:<|"|>a.txt<|"|>}<tool_call|>'
    reply = ScriptedBackend(lambda _asked: text, dialect=GEMMA4).complete(ask())
    assert [dict(call.arguments) for call in reply.tool_calls] == [{"path": "a.txt"}]


def test_near_misses_are_repaired_only_under_the_lenient_policy(tmp_path: Path) -> None:
    text = f"```json\n{json.dumps(CALL)}\n```"
    backend = backend_for(tmp_path, {"*": [text]})
    strict = backend.complete(ask(policy=Policy.native))
    lenient = backend.complete(ask(policy=Policy.lenient))
    assert (strict.tool_calls, strict.resembles) == ((), Resemblance.fenced_call)
    assert [call.name for call in lenient.tool_calls] == ["fs_read"]
    assert len(lenient.repairs) == 1


def test_a_broken_call_is_a_problem(tmp_path: Path) -> None:
    reply = backend_for(tmp_path, {"*": ['<tool_call>{"name": </tool_call>']}).complete(ask())
    assert len(reply.problems) == 1
    assert reply.tool_calls == ()


def test_finish_is_the_final_answer_under_the_constrained_policy(tmp_path: Path) -> None:
    line = {"tool_calls": [{"name": "finish", "arguments": {"answer": "It is 35."}}]}
    reply = backend_for(tmp_path, {"*": [line]}).complete(ask(policy=Policy.constrained))
    assert (reply.content, reply.tool_calls) == ("It is 35.", ())


def test_what_is_called_beside_finish_is_kept(tmp_path: Path) -> None:
    line = {"tool_calls": [CALL, {"name": "finish", "arguments": {"answer": "It is 35."}}]}
    reply = backend_for(tmp_path, {"*": [line]}).complete(ask(policy=Policy.constrained))
    assert [call.name for call in reply.tool_calls] == [CALL["name"]]
    assert (reply.content, reply.final) == ("It is 35.", True)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("unreachable", Cause.backend_unreachable),
        ("crashed", Cause.backend_crashed),
        ("out of memory", Cause.backend_error),
    ],
)
def test_errors_have_causes(error: str, cause: Cause, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=error) as caught:
        backend_for(tmp_path, {"*": [{"error": error}]}).complete(ask())
    assert caught.value.cause is cause


def test_an_error_can_be_used_up_by_attempts_of_a_trial(tmp_path: Path) -> None:
    backend = backend_for(tmp_path, {"*": ["one", {"error": "unreachable", "times": 2}, "two"]})
    for _attempt in range(2):
        assert backend.complete(ask(turn=1)).text == "one"
        with pytest.raises(BackendError):
            backend.complete(ask(turn=2))
    assert [backend.complete(ask(turn=turn)).text for turn in (1, 2)] == ["one", "two"]
    with pytest.raises(BackendError):
        backend.complete(ask(run=2, turn=2))


def test_a_delay_is_cut_by_deadline_and_cancel(tmp_path: Path) -> None:
    backend = backend_for(tmp_path, {"*": [{"text": "late", "delay": 3600}]})
    reply = backend.complete(ask(deadline=time.monotonic() + 0.05))
    assert (reply.finish, reply.text) == (FinishReason.deadline, "")
    cancel = threading.Event()
    threading.Timer(0.05, cancel.set).start()
    assert backend.complete(ask(cancel=cancel)).finish is FinishReason.cancelled


def test_a_crash_ends_the_process(tmp_path: Path) -> None:
    file = write(tmp_path, {"*": [{"crash": True}]})
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from backends.conformance import request\n"
        "from pytest_agentcore.backends.scripted import *\n"
        "ScriptedBackend.from_file(Path(sys.argv[1])).complete(request())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, file, Path(__file__).parents[1]], check=False, capture_output=True
    )
    assert done.returncode == -6


def test_a_python_file_answers_by_function(tmp_path: Path) -> None:
    file = tmp_path / "clever.py"
    file.write_text(
        "dialect = 'gemma4'\ncontext = 2000\n"
        "def reply(request):\n"
        "    if request.turn > 1:\n        return f'{request.trial.task} has {request.messages[-1].content}'\n"
        "    return {'tool_calls': [{'name': 'fs_read', 'arguments': {'path': 'a.txt'}}]}\n"
    )
    entry = resolve(f"scripted:{file}")
    backend = pytest_agentcore_backends()["scripted"](entry, EngineSettings())
    asked = ask()
    first = backend.complete(asked)
    result = Message(role="tool", content="35", tool_call_id="call_1_1", name="fs_read")
    assert backend.complete(following(asked, first, result)).content == "task_05_minimal_fix has 35"
    described = backend.describe()
    assert (described["file"], described["dialect"], described["context"]) == ("clever.py", "gemma4", 2000)


def test_a_function_may_return_a_reply_or_nothing() -> None:
    given = Reply(text="x", content="x")
    assert ScriptedBackend(lambda _asked: given).complete(ask()) is given
    assert ScriptedBackend(lambda _asked: None).complete(ask()).text == ""


@pytest.mark.parametrize("returned", [{"txt": "x"}, {"text": 3}])
def test_a_function_that_raises_or_returns_rubbish_is_a_failure_of_the_backend(returned: Any) -> None:
    with pytest.raises(BackendError, match="reply to"):
        ScriptedBackend(lambda _asked: returned).complete(ask())
    with pytest.raises(BackendError, match="ZeroDivisionError"):
        ScriptedBackend(lambda asked: str(1 // (asked.turn - 1))).complete(ask())


def test_without_a_context_there_is_no_overflow_and_with_one_there_is(tmp_path: Path) -> None:
    long = ask(messages=(Message(role="user", content="word " * 5000),))
    assert backend_for(tmp_path, {"*": ["fine"]}).complete(long).text == "fine"
    with pytest.raises(EndOfTrial):
        backend_for(tmp_path, {"*": ["fine"]}, context=4096).complete(long)


def test_a_reply_that_fills_the_context_says_so(tmp_path: Path) -> None:
    backend = backend_for(tmp_path, {"*": ["word " * 2000]}, context=500)
    reply = backend.complete(ask(max_reply_tokens=4096))
    assert reply.finish is FinishReason.context
    assert reply.usage.prompt_tokens + reply.usage.reply_tokens == 500


def test_words_are_watched_one_by_one(tmp_path: Path) -> None:
    watch = Watch()
    backend_for(tmp_path, {"*": [" a bc\n\n d "]}).complete(ask(watch=watch))
    assert watch.pieces == [" a", " bc", "\n\n d", " "]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "a script is a table"),
        ("{", "Expecting property name"),
        ("{}", "replies is missing"),
        ('{"replies": {}, "dialekt": "hermes"}', "unknown key 'dialekt'"),
        ('{"replies": {}, "dialect": "latin"}', "no dialect 'latin'; there are hermes"),
        ('{"replies": {"*": "one"}}', "replies.*: a list of replies"),
        ('{"replies": {"*": [3]}}', "replies.*[0]: a reply is a text or a table"),
        ('{"replies": {"*": [{"txt": "x"}]}}', "replies.*[0]: unknown key 'txt'"),
        ('{"replies": {"*": [{"delay": "1"}]}}', "delay = '1' is no int or float"),
        ('{"replies": {"*": [{"repeat": true}]}}', "repeat = True is no int"),
        ('{"replies": {"*": [{"text": "x", "content": "y"}]}}', "either text or content"),
        ('{"replies": {"*": [{"tool_calls": ["x"]}]}}', "tool_calls[0]: a call is {name, arguments}"),
        ('{"replies": {"*": [{"tool_calls": [{"name": "x", "arguments": 3}]}]}}', "arguments are a table"),
        ('{"replies": {"task_01": {"first": []}}}', "'first' is no run index"),
    ],
)
def test_a_broken_script_says_where(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=re.escape(says)):
        ScriptedBackend.from_file(file)


@pytest.mark.parametrize(
    ("code", "says"), [("x = 1", "no function reply"), ("1/0", "ZeroDivisionError"), ("(", "Syntax")]
)
def test_a_broken_python_script_says_why(code: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(code)
    with pytest.raises(UsageError, match=says):
        ScriptedBackend.from_file(file)


def test_toml_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "script.toml"
    file.write_text(
        'dialect = "hermes"\n[[replies.task_05]]\ntool_calls = [{name = "fs_read", arguments = {path = "a"}}]\n'
    )
    reply = ScriptedBackend.from_file(file).complete(ask(tools=(READ,)))
    assert [dict(call.arguments) for call in reply.tool_calls] == [{"path": "a"}]


@pytest.mark.parametrize("language", ["json", "toml", "python"])
def test_the_scripts_of_the_docs_are_scripts(language: str, tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "scripted.md"
    scripts = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    file = tmp_path / f"script.{language.replace('python', 'py')}"
    file.write_text(scripts[0])
    backend = ScriptedBackend.from_file(file)
    task = {"json": "task_08", "toml": "task_05", "python": "task_01"}[language]
    reply = backend.complete(ask(task, run=2, max_reply_tokens=99))
    assert len(reply.tool_calls) == 1
