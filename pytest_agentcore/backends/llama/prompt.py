"""From the messages of a request to the tokens of its prompt, and which of these a context holds already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pytest_agentcore.backends.base import FinishReason, Message, Reply, Request
from pytest_agentcore.backends.llama.engine import Context
from pytest_agentcore.backends.llama.messages import Turn
from pytest_agentcore.backends.llama.template import ChatTemplate
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder
from pytest_agentcore.errors import BackendError
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.result import TrialKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One rendered request."""

    text: str
    """As the template wrote it."""
    tokens: list[int]
    fork: int | None
    """At the beginning of a trial: how many first tokens do not depend on the task's own prompt. They hold the system
    message, the tools and, under a context load, the earlier conversation."""


@dataclass(slots=True, kw_only=True)
class Conversation:
    """The memory of one trial between its requests."""

    trial: TrialKey | None = None
    turn: int = 0
    """Of the last reply."""
    text: str = ""
    """The last prompt and its reply."""
    tokens: list[int] = field(default_factory=list)
    """The same as it was tokenized and sampled."""
    replies: list[tuple[Reply, bool]] = field(default_factory=list)
    """Each with whether its own words may stand for it."""


class Prompter:
    """Renders the requests of one trial after the other.

    Tokenizing a sampled reply again gives other tokens more often than not, which would throw away what was evaluated.
    So where the new prompt begins with the text of the last prompt and its reply, their tokens are kept and only the
    rest is tokenized. Replies are given to the template in the model's own words where that changes nothing else.
    """

    def __init__(self, template: ChatTemplate, encoder: PromptEncoder) -> None:
        self._template, self._encoder = template, encoder
        self._said = Conversation()

    def prompt(self, request: Request, specs: Sequence[ToolSpec]) -> Prompt:
        """The tokens a request asks about.

        Raises:
            BackendError: the template refuses the conversation.
        """
        said = self._said
        if request.trial != said.trial or request.turn <= said.turn:
            self._said = Conversation(trial=request.trial)
            return self.first(request.messages, specs)
        for turns in self._ways(request.messages):
            marked, cut = self._render(turns, specs)
            text = marked.replace(cut, "")
            if text.startswith(said.text):
                at, left = 0, len(said.text)
                while left:  # characters that are no cuts
                    left -= marked[at] != cut
                    at += 1
                rest = self._encoder.encode(marked[at:], cut, begins=False)
                return Prompt(text=text, tokens=said.tokens + rest, fork=None)
        # the template has rewritten history (Gemma 4 and Qwen3 drop old reasoning): it wins, and what it changed is
        # evaluated again
        return Prompt(text=text, tokens=self._encoder.encode(marked, cut, begins=True), fork=None)

    def first(self, messages: Sequence[Message], specs: Sequence[ToolSpec]) -> Prompt:
        """The prompt that a trial begins with; nothing is remembered."""
        marked, cut = self._render([Turn(message) for message in messages], specs)
        tokens = self._encoder.encode(marked, cut, begins=True)
        # rendered with two other tasks in place of the task: what these have in common is what all tasks share
        last = max((index for index, message in enumerate(messages) if message.role == "user"), default=None)
        one, other = (
            self.tokens([replace(m, content=task) if index == last else m for index, m in enumerate(messages)], specs)
            for task in ("0", "1")
        )
        return Prompt(
            text=marked.replace(cut, ""), tokens=tokens, fork=min(common_prefix(one, other), common_prefix(one, tokens))
        )

    def tokens(self, messages: Sequence[Message], specs: Sequence[ToolSpec]) -> list[int]:
        """Tokens of the prompt that a trial with these messages begins with; nothing is remembered."""
        marked, cut = self._render([Turn(message) for message in messages], specs)
        return self._encoder.encode(marked, cut, begins=True)

    def remember(self, request: Request, prompt: Prompt, reply: Reply, *, whole: bool) -> None:
        """Keep what was sampled for the trial's next prompt.

        Args:
            request: what was asked.
            prompt: as it was rendered.
            reply: what came.
            whole: whether the model ended the reply itself; only then its own words may stand for it.
        """
        self._said.turn = request.turn
        self._said.text = prompt.text + reply.text
        self._said.tokens = [*prompt.tokens, *reply.token_ids]
        self._said.replies.append((reply, whole and not reply.reasoning))

    def _ways(self, messages: Sequence[Message]) -> list[list[Turn]]:
        """The conversation with replies in the model's own words, where that is possible, and structured."""
        structured, replies = [Turn(message) for message in messages], self._said.replies
        if not self._template.habits.verbatim or not all(whole for _, whole in replies):
            return [structured]
        # matched from the end: what assistants said before the trial began was never sampled here and stays structured
        spoken = [index for index, message in enumerate(messages) if message.role == "assistant"]
        own = dict(zip(reversed(spoken), (reply for reply, _ in reversed(replies)), strict=False))
        verbatim: list[Turn] = []
        for index, message in enumerate(messages):
            reply = own.get(index)
            # only where the message is what became of the reply
            parsed = reply and message.content == reply.content and message.tool_calls == reply.tool_calls
            as_text = reply and message.content == reply.text and not message.tool_calls
            verbatim.append(Turn(message, reply.text if reply and (parsed or as_text) else None))
        return [verbatim, structured]

    def _render(self, turns: Sequence[Turn], specs: Sequence[ToolSpec]) -> tuple[str, str]:
        """The prompt with a cut inside every marker that a content holds, and the character that the cut is."""
        texts = [self._template.source]
        for turn in turns:
            message = turn.message
            texts += [message.content, message.reasoning, message.name, turn.verbatim or ""]
            texts += [f"{call.name}{call.arguments}" for call in message.tool_calls]
        cut = self._encoder.break_for(*texts)
        return self._template.prompt(turns, specs, lambda text: self._encoder.protect(text, cut)), cut


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

    def reuse(self, prompt: Prompt) -> int:
        """Forget what the prompt does not begin with; returns how many tokens are still held."""
        # the last token is always evaluated again: the logits behind it are what is sampled from
        most = len(prompt.tokens) - 1
        if prompt.fork is None:
            wanted = common_prefix(self._held, prompt.tokens)
        else:
            shared = prompt.tokens[: prompt.fork]
            wanted = prompt.fork if shared == self._fork == self._held[: prompt.fork] else 0
        length = min(wanted, most)
        kept = length if self._context.keep(length, len(self._held)) else 0
        del self._held[kept:]
        if kept < len(self._fork):
            self._fork = []
        return kept

    def evaluate(self, prompt: Prompt, stop: Callable[[], FinishReason | None]) -> FinishReason | None:
        """Evaluate what is not held of the prompt, the fork apart from the rest; what `stop` says ends it in between.

        Raises:
            BackendError: the engine failed; nothing is held any more.
        """
        fork = prompt.fork or 0
        while (start := len(self._held)) < len(prompt.tokens):
            if reason := stop():
                return reason
            part = fork if start < fork else len(prompt.tokens)
            self.advance(prompt.tokens[start : min(start + self._context.n_batch, part)])
            if len(self._held) == fork:
                self._fork = prompt.tokens[:fork]
        return None

    def advance(self, tokens: Sequence[int]) -> None:
        """Evaluate one batch.

        Raises:
            BackendError: see `evaluate`.
        """
        try:
            self._context.evaluate(tokens)
        except BackendError:  # a part of the batch may have been evaluated, and not every model's memory can be cut
            self._held, self._fork = [], []
            raise
        self._held += tokens


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first elements two sequences share."""
    shared = min(len(one), len(other))
    return next((i for i in range(shared) if one[i] != other[i]), shared)
