"""The calls of a stream, put together from their parts as servers really send them.

A call that can be read in one way only is read. One that can be read in several ways, or in none although its parts
came in no order that the protocol has, is the endpoint's fault. Only parts in good order can hold a broken call of the
model's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pytest_agentcore.backends.openai.charges import Charge, EndpointFault
from pytest_agentcore.dialects.dialect import MalformedCall
from pytest_agentcore.dialects.json_codec import read_json


@dataclass(slots=True, eq=False)
class StreamedCall:
    """One call as far as it has come."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    """Its arguments as they came; together strict JSON if all is well."""
    odd: str = ""
    """What the protocol does not have about the order of its parts; empty: nothing."""
    named_again: bool = False
    """Whether its name came once more behind its arguments: what follows may be another call of the same tool."""
    again: StreamedCall | None = None
    """The call before it, where only the beginning of further arguments tells this one from it."""

    @property
    def arguments(self) -> str:
        """All pieces of the arguments."""
        return "".join(self.pieces)

    def read(self) -> dict[str, Any] | None:
        """The arguments, where one reading of them is an object; None where there is none, or several.

        Beside plain JSON these are known: JSON in a JSON string, an empty object or the same one before the real one,
        and pieces of which each repeats all that came before it.
        """
        written = self.arguments.strip()
        value = _value(written)
        if isinstance(value, dict) or len(written) < 2:  # noqa: PLR2004 - the two braces of an object
            return value if isinstance(value, dict) else {} if not written else None
        grown = len(self.pieces) > 1 and all(b.startswith(a) for a, b in pairwise(self.pieces))
        objects = [_value(self.pieces[-1])] if grown else _objects(written)
        real = [value for value in objects if value != {}] or objects[:1]
        return real[0] if isinstance(real[0], dict) and all(value == real[0] for value in real) else None

    def problem(self) -> str:
        """Why the arguments are no JSON object, for the model that wrote them."""
        try:
            _, end = read_json(self.arguments.strip(), 0)
        except MalformedCall as error:
            return error.problem
        follows = self.arguments.strip()[end:].strip()
        return "something follows the object" if follows else "a JSON object should stand here"

    def extend(self, name: str, arguments: str, call_id: str) -> Iterator[str]:
        """Take what a further part says; yields the texts that are new."""
        self.id = self.id or call_id
        self.named_again = self.named_again or bool(name and self.pieces)
        if name and name != self.name:  # MiniMax's servers repeat it in every part
            new = name.removeprefix(self.name)
            self.name += new
            yield new
        if arguments:
            if self.starts_anew(arguments):
                self.odd = self.odd or "arguments go on behind their end"
            # of arguments that are sent from their beginning in every part only what is new counts as text
            known = self.pieces[-1] if self.pieces and self.pieces[-1].startswith("{") else ""
            self.pieces.append(arguments)
            yield arguments.removeprefix(known)

    def starts_anew(self, arguments: str) -> bool:
        """Whether further arguments begin an object, or one in a string, though what came is whole."""
        begins = arguments.lstrip().startswith(("{", '"'))
        return begins and self.arguments.rstrip().endswith(("}", '"')) and self.read() is not None


def _value(text: str, depth: int = 0) -> Any:
    """The JSON value that a text is, once or twice encoded; None is an empty object to some servers, `...` is none."""
    try:
        value, end = read_json(text, 0)
    except MalformedCall:
        return ...
    if text[end:].strip():
        return ...
    if isinstance(value, str) and depth < 2:  # noqa: PLR2004
        return _value(value.strip(), depth + 1)
    return {} if value is None else value


def _objects(text: str) -> list[Any]:
    """The JSON values that a text is a row of; with `...` at the end where the rest is none."""
    values: list[Any] = []
    at = 0
    while at < len(text):
        try:
            value, end = read_json(text, at)
        except MalformedCall:
            return [*values, ...]
        values.append(value)
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return values


class StreamedCalls:
    """The calls of one reply in the order in which they were begun."""

    def __init__(self, tools: Collection[str]) -> None:
        """Start without a call.

        Args:
            tools: names that a call may have.
        """
        self._tools = tools
        self.begun: list[StreamedCall] = []
        self._open: dict[str, StreamedCall] = {}
        self._torn = ""
        """The name of a call that may have got a part of another one's."""

    def __len__(self) -> int:
        return len(self.begun)

    @property
    def are_whole(self) -> bool:
        """Whether the call that was begun last came to its end."""
        return not self.begun or self.begun[-1].read() is not None

    def take(self, part: Mapping[str, Any], *, begun: bool) -> Iterator[str]:
        """Take a part of a call: of one that was begun, or of a new one; yields its texts, which a line ends before.

        Args:
            part: as it came.
            begun: whether anything stands before it in the reply.

        Raises:
            TypeError, AttributeError: it has not the protocol's shape.
        """
        function = part.get("function") or part  # some servers leave the level out
        call_id, name, arguments = str(part.get("id") or ""), function.get("name") or "", function.get("arguments")
        if not isinstance(name, str):
            raise TypeError(f"a call's name is {type(name).__name__}, not text")
        text = "" if arguments is None else arguments
        if not isinstance(text, str):  # some send the object itself instead of its JSON
            text = json.dumps(arguments, ensure_ascii=False)
        call = self._begun_at(part.get("index"), call_id, name)
        other_id = call is not None and bool(call_id and call.id and call_id != call.id)
        if call is None or self._is_over(call, other_id, name, text):
            # only what begins anew under the same name, and under no id of its own, may be the same call once more
            again = None if call is None or other_id or (name and name != call.name) else call
            name = name or (call.name if call else "")
            call, other_id = StreamedCall(id=call_id, again=again), False
            self.begun.append(call)
            if begun:
                yield "\n"
        if part.get("index") is not None or not self._open:
            self._open[_key(part.get("index"))] = call
        yield from call.extend(name, text, call_id)
        if other_id:
            call.odd = call.odd or "the id changes in the middle of a call"
        if not isinstance(arguments, str | Mapping | None):
            call.odd = call.odd or f"arguments are {type(arguments).__name__}, not text"

    def _begun_at(self, index: Any, call_id: str, name: str) -> StreamedCall | None:
        """The call that a part of this index may belong to; without an index that of its id, or else the last one."""
        if index is not None and (found := self._open.get(_key(index))):
            return found
        found = next((call for call in reversed(self.begun) if call_id and call.id == call_id), None)
        if found is None and not name and len(self._open) > 1:
            # calls that take turns are told apart by their index alone
            unfinished = [call for call in self._open.values() if call.read() is None or not call.pieces]
            self._torn = self._torn or (unfinished[0].name if len(unfinished) > 1 else "")
        if index is None or not name or (found and found.read() is None):
            return found or (self.begun[-1] if self.begun else None)
        return None

    def _is_over(self, call: StreamedCall, other_id: bool, name: str, arguments: str) -> bool:
        """Whether a part cannot belong to the call that was begun where it says.

        Some servers give every call the index 0, or none, and tell them apart by their ids or, Gemini's, not at all.
        """
        anew, begun = call.starts_anew(arguments), bool(call.pieces)
        if not name or not call.name:
            return bool(anew and call.named_again)
        if name != call.name and (begun or (name in self._tools and call.name in self._tools)):
            longer = not begun and name.startswith(call.name)  # a name that grows in every part
            if begun and call.read() is None and not other_id:
                call.odd = "another call begins before the end of its arguments"
            return not longer
        if other_id and name == call.name:
            # vLLM has given every part an id of its own: that of an unfinished call is no other call's
            self._torn = self._torn or ("" if begun else name)
            unfinished = begun and call.read() is None
            if unfinished and arguments.lstrip().startswith("{"):
                call.odd = "another call begins before the end of its arguments"
            return not unfinished or arguments.lstrip().startswith("{")
        return anew and name == call.name

    def checked(self) -> list[StreamedCall]:
        """The calls, each once and under a tool's name, of a reply that came to its end.

        Raises:
            EndpointFault: some can be read in several ways, or in none because of the way in which they came.
        """
        if self._torn:
            raise _unreadable(self._torn, "it cannot be told from another one")
        kept: list[StreamedCall] = []
        for call in self.begun:
            value, before = call.read(), call.again
            place = len(kept)
            if before and value is not None and before.read() in (value, {}):
                if not (call.id and call.id == before.id):
                    raise _unreadable(call.name, "it can be read as one call or as two")
                place = kept.index(before)  # the whole call has come once more
            if value is None and call.odd:
                raise _unreadable(call.name, call.odd)
            call.name = self._tool_of(call.name)
            kept[place : place + 1] = [call]
        return kept

    def _tool_of(self, name: str) -> str:
        """The name of a tool without what a server left around it: markers of gpt-oss's dialect, a namespace."""
        if name in self._tools:
            return name
        words = (word.removeprefix("functions.") for word in re.findall(r"[\w.-]+", name))
        found, marked = [word for word in words if word in self._tools], re.search(r"[<>|\[\]{}]", name)
        if len(found) == 1 and (marked or "functions." in name or ":" in name):
            return str(found[0])
        if marked or not name.strip():
            raise _unreadable(name, "markers stand in its name" if marked else "it has no name")
        return name


def _key(index: Any) -> str:
    """One spelling of an index, which may come as 0, 0.0 or "0"."""
    return str(int(index) if isinstance(index, float) and index.is_integer() else index)


def _unreadable(name: str, why: str) -> EndpointFault:
    said = f"the endpoint sent a call of {name[:64] or 'no tool'} in parts that cannot be put together: {why}"
    return EndpointFault(said, Charge.failed)
