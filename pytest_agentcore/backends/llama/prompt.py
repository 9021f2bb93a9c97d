"""From the messages of a request to the tokens of its prompt, keeping what was sampled as it was sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pytest_agentcore.backends.base import Message, Reply, Request
from pytest_agentcore.backends.llama.engine import Context
from pytest_agentcore.backends.llama.messages import Turn
from pytest_agentcore.backends.llama.template import ChatTemplate
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.result import TrialKey


class PrefixCache:
    """The tokens whose keys and values a context holds, in order.

    What a batch holds decides the last bits of its numbers, so the way in which a prompt is cut into batches must not
    depend on what ran before. A trial therefore begins from nothing or from its *fork*: the part that is the same for
    all tasks (system message and tools), evaluated on its own. Within a trial only the trial's own history counts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held: list[int] = []
        self._fork: list[int] = []

    def begin_trial(self, wanted: Sequence[int], fork: int) -> int:
        """Cut back to the fork if it is held, else to nothing; returns how many tokens are held."""
        shared = list(wanted[:fork])
        held = bool(shared) and self._fork == shared and self._held[:fork] == shared
        return self._cut(min(fork, len(wanted) - 1) if held else 0)

    def go_on(self, wanted: Sequence[int]) -> int:
        """Cut back to what is held of `wanted`, its last token left out; returns how many tokens are held."""
        return self._cut(min(common_prefix(self._held, wanted), len(wanted) - 1))

    def _cut(self, length: int) -> int:
        kept = length if self._context.keep(length, len(self._held)) else 0
        del self._held[kept:]
        if kept < len(self._fork):
            self._fork = []
        return kept

    def evaluate(self, wanted: Sequence[int], *, fork: int, stop: Callable[[], bool]) -> bool:
        """Evaluate what is missing of `wanted`, the fork apart from the rest; False when `stop` ended it in between.

        Raises:
            BackendError: the engine failed; nothing is held any more.
        """
        if len(self._held) < fork:
            if not self._feed(wanted[len(self._held) : fork], stop):
                return False
            self._fork = list(wanted[:fork])
        return self._feed(wanted[len(self._held) :], stop)

    def append(self, token: int) -> None:
        """Evaluate one token.

        Raises:
            BackendError: the engine failed.
        """
        self._context.step(token)
        self._held.append(token)

    def _feed(self, tokens: Sequence[int], stop: Callable[[], bool]) -> bool:
        size = self._context.n_batch
        for start in range(0, len(tokens), size):
            if stop():
                return False
            batch = tokens[start : start + size]
            self._context.evaluate(batch)
            self._held += batch
        return True


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first elements two sequences share."""
    shared = min(len(one), len(other))
    return next((i for i in range(shared) if one[i] != other[i]), shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One rendered request."""

    text: str
    """As the template wrote it."""
    tokens: list[int]
    fork: int | None
    """At the beginning of a trial: how many first tokens do not depend on the task's own prompt. They hold the system
    message, the tools and, under a context load, the earlier conversation."""


@dataclass(frozen=True, slots=True)
class _Rendered:
    marked: str
    cut: str

    @property
    def text(self) -> str:
        return self.marked.replace(self.cut, "")

    def behind(self, length: int) -> str:
        """What is left of the marked text when `length` characters that are no cuts are taken away."""
        at = 0
        while length:
            length -= self.marked[at] != self.cut
            at += 1
        return self.marked[at:]


class Prompter:
    """Renders the requests of one trial after the other.

    Tokenizing a sampled reply again gives other tokens more often than not, which would throw away what was evaluated.
    So where the new prompt begins with the text of the last prompt and its reply, their tokens are kept and only the
    rest is tokenized. Replies are given to the template in the model's own words where that changes nothing else.
    """

    def __init__(self, template: ChatTemplate, encoder: PromptEncoder) -> None:
        self._template, self._encoder = template, encoder
        self._forget()

    def _forget(self) -> None:
        self._trial: TrialKey | None = None
        self._turn = 0
        self._text = ""
        self._tokens: list[int] = []
        self._replies: list[tuple[Reply, bool]] = []

    def prompt(self, request: Request, specs: Sequence[ToolSpec]) -> Prompt:
        """The tokens a request asks about.

        Raises:
            BackendError: the template refuses the conversation.
        """
        if request.trial != self._trial or request.turn <= self._turn:
            self._forget()
            self._trial = request.trial
            return self.first(request.messages, specs)
        for turns in self._ways(request.messages):
            rendered = self._render(turns, specs)
            if rendered.text.startswith(self._text):
                rest = rendered.behind(len(self._text))
                return Prompt(
                    text=rendered.text,
                    tokens=self._tokens + self._encoder.encode(rest, rendered.cut, begins=False),
                    fork=None,
                )
        return Prompt(text=rendered.text, tokens=self._encode(rendered), fork=None)

    def first(self, messages: Sequence[Message], specs: Sequence[ToolSpec]) -> Prompt:
        """The prompt that a trial begins with; nothing is remembered."""
        rendered = self._render([Turn(message) for message in messages], specs)
        tokens = self._encode(rendered)
        others = [self._encode(self._render(_asking(messages, other), specs)) for other in ("0", "1")]
        fork = common_prefix(*others)
        return Prompt(text=rendered.text, tokens=tokens, fork=min(fork, common_prefix(tokens, others[0])))

    def length(self, messages: Sequence[Message], specs: Sequence[ToolSpec]) -> int:
        """Tokens of the prompt that a trial with these messages begins with; nothing is remembered."""
        return len(self._encode(self._render([Turn(message) for message in messages], specs)))

    def remember(self, request: Request, prompt: Prompt, reply: Reply, *, whole: bool) -> None:
        """Keep what was sampled for the trial's next prompt.

        Args:
            request: what was asked.
            prompt: as it was rendered.
            reply: what came.
            whole: whether the model ended the reply itself; only then its own words may stand for it.
        """
        self._turn = request.turn
        self._text = prompt.text + reply.text
        self._tokens = [*prompt.tokens, *reply.token_ids]
        self._replies.append((reply, whole and not reply.reasoning))

    def _ways(self, messages: Sequence[Message]) -> list[list[Turn]]:
        """The conversation with replies in the model's own words, where that is possible, and structured."""
        structured = [Turn(message) for message in messages]
        if not self._template.habits.verbatim or not all(whole for _, whole in self._replies):
            return [structured]
        return [self._in_own_words(messages), structured]

    def _in_own_words(self, messages: Sequence[Message]) -> list[Turn]:
        """What assistants said before the trial began was never sampled here and stays structured."""
        spoken = [index for index, message in enumerate(messages) if message.role == "assistant"]
        said = dict(zip(reversed(spoken), (reply for reply, _ in reversed(self._replies)), strict=False))
        return [Turn(message, _own_words(message, said.get(index))) for index, message in enumerate(messages)]

    def _render(self, turns: Sequence[Turn], specs: Sequence[ToolSpec]) -> _Rendered:
        cut = self._encoder.break_for(*_all_text(turns), self._template.source)
        marked = self._template.prompt(turns, specs, lambda text: self._encoder.protect(text, cut))
        return _Rendered(marked, cut)

    def _encode(self, rendered: _Rendered) -> list[int]:
        return self._encoder.encode(rendered.marked, rendered.cut, begins=True)


def _asking(messages: Sequence[Message], other: str) -> list[Turn]:
    """The same conversation with another text where the user speaks last: a task's own prompt."""
    last = max((index for index, message in enumerate(messages) if message.role == "user"), default=None)
    return [Turn(replace(m, content=other) if index == last else m) for index, m in enumerate(messages)]


def _own_words(message: Message, reply: Reply | None) -> str | None:
    """The reply's text, if the message is what became of it."""
    if reply is None:
        return None
    structured = message.content == reply.content and message.tool_calls == reply.tool_calls
    as_text = message.content == reply.text and not message.tool_calls
    return reply.text if structured or as_text else None


def _all_text(turns: Sequence[Turn]) -> list[str]:
    """Every text a model or a tool had a hand in."""
    texts: list[str] = []
    for turn in turns:
        message = turn.message
        texts += [message.content, message.reasoning, message.name, turn.verbatim or ""]
        texts += [f"{call.name}{call.arguments}" for call in message.tool_calls]
    return texts
