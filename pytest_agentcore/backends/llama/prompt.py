"""From the messages of a request to the tokens of its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pytest_agentcore.backends.base import Message, Reply, Request
from pytest_agentcore.backends.llama.messages import Turn
from pytest_agentcore.backends.llama.template import ChatTemplate
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder
from pytest_agentcore.tools.base import ToolSpec, object_schema
from pytest_agentcore.trial.result import TrialKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One rendered request."""

    text: str
    """As the template wrote it."""
    tokens: list[int]
    forks: tuple[int, ...] | None
    """At the beginning of a trial: how many first tokens other trials may have too. All but the last are where tasks
    with other tools may part; the last holds what does not depend on the task's own prompt: system message, tools and,
    under a context load, the earlier conversation."""


@dataclass(slots=True, kw_only=True)
class Conversation:
    """The memory of one trial between its requests."""

    turn: int = 0
    """Of the last reply."""
    text: str = ""
    """The last prompt and its reply."""
    tokens: list[int] = field(default_factory=list)
    """The same as it was tokenized and sampled."""
    replies: list[tuple[Reply, bool]] = field(default_factory=list)
    """Each with whether its own words may stand for it."""


_NOBODYS = ToolSpec(name="0", description="", parameters=object_schema(()))
REMEMBERED = 64
"""Trials whose last prompts and replies are kept; nobody runs as many at a time in one process."""


class Prompter:
    """Renders the requests of trials, on whatever thread.

    Tokenizing a sampled reply again gives other tokens more often than not, which would throw away what was evaluated.
    So where the new prompt begins with the text of the last prompt and its reply, their tokens are kept and only the
    rest is tokenized. Replies are given to the template in the model's own words where that changes nothing else.
    """

    def __init__(self, template: ChatTemplate, encoder: PromptEncoder) -> None:
        self._template, self._encoder = template, encoder
        self._said: dict[TrialKey, Conversation] = {}

    def prompt(self, request: Request, specs: Sequence[ToolSpec]) -> Prompt:
        """The tokens a request asks about.

        Raises:
            BackendError: the template refuses the conversation.
        """
        said = self._said.pop(request.trial, None)
        if said is None or request.turn <= said.turn:
            said = Conversation()
        self._said[request.trial] = said  # last in the order of use
        if not said.turn:
            for oldest in list(self._said)[:-REMEMBERED]:
                self._said.pop(oldest, None)
            return self.first(request.messages, specs)
        for turns in self._ways(request.messages, said.replies):
            marked, cut = self._render(turns, specs)
            text = marked.replace(cut, "")
            if text.startswith(said.text):
                at, left = 0, len(said.text)
                while left:  # characters that are no cuts
                    left -= marked[at] != cut
                    at += 1
                rest = self._encoder.encode(marked[at:], cut, begins=False)
                return Prompt(text=text, tokens=said.tokens + rest, forks=None)
        # the template has rewritten history (Gemma 4 and Qwen3 drop old reasoning): it wins, and what it changed is
        # evaluated again
        return Prompt(text=text, tokens=self._encoder.encode(marked, cut, begins=True), forks=None)

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
        fork = min(common_prefix(one, other), common_prefix(one, tokens))
        # the same with other tools behind the first ones: with none, and with one that nobody has
        brief = [message for message in messages if message.role == "system"] + [Message(role="user", content="0")]
        ways = [[*specs[:count], *more] for count in range(len(specs) + 1) for more in ([], [_NOBODYS])]
        parts = {common_prefix(tokens, self.tokens(brief, way)) for way in ways if way != [*specs]}
        forks = (*sorted(length for length in parts if 0 < length < fork), fork)
        return Prompt(text=marked.replace(cut, ""), tokens=tokens, forks=forks)

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
        said = self._said.setdefault(request.trial, Conversation())
        said.turn = request.turn
        said.text = prompt.text + reply.text
        said.tokens = [*prompt.tokens, *reply.token_ids]
        said.replies.append((reply, whole and not reply.reasoning))

    def _ways(self, messages: Sequence[Message], replies: Sequence[tuple[Reply, bool]]) -> list[list[Turn]]:
        """The conversation with replies in the model's own words, where that is possible, and structured."""
        structured = [Turn(message) for message in messages]
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


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first elements two sequences share."""
    shared = min(len(one), len(other))
    return next((i for i in range(shared) if one[i] != other[i]), shared)
