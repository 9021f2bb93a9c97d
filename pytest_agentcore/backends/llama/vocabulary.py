"""Text to tokens and back. Contents never become control tokens; only a template's own text does."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Collection
from typing import Any

_UNKNOWN, _CONTROL, _USER_DEFINED = 1, 8, 16
"""llama.cpp's attributes of a token."""
_BREAKS = [chr(code) for code in range(0xE000, 0xE100)]
"""Private-use characters, one of which marks where contents must be cut."""


class Vocabulary:
    """The tokenizer of one loaded model."""

    def __init__(self, library: Any, pointer: Any) -> None:
        self._library, self.pointer = library, pointer
        self.size = int(library.llama_vocab_n_tokens(pointer))
        self._pieces: dict[int, bytes] = {}
        kinds = [(i, library.llama_vocab_get_attr(pointer, i)) for i in range(self.size)]
        self.control = {self._text_of(i): i for i, kind in kinds if kind & (_CONTROL | _UNKNOWN)}
        """Id by text of the tokens that the tokenizer makes only when it is told to look for special tokens."""
        self.special = {self._text_of(i): i for i, kind in kinds if kind & (_CONTROL | _USER_DEFINED | _UNKNOWN)}
        """Id by text of these and of the user-defined tokens."""
        self.ends = frozenset(i for i in self.special.values() if library.llama_vocab_is_eog(pointer, i))
        """Tokens after which llama.cpp itself would stop."""
        ends = (library.llama_vocab_bos(pointer), library.llama_vocab_eos(pointer))
        self.bos, self.eos = ("" if token < 0 else self._text_of(token) for token in ends)
        """Texts of the tokens that begin and end a text; empty where there is none."""
        self.adds_bos = bool(library.llama_vocab_get_add_bos(pointer)) and bool(self.bos)
        """Whether a prompt must begin with `bos`, also where the template does not write it."""

    def _text_of(self, token: int) -> str:
        raw: bytes = self._library.llama_vocab_get_text(self.pointer, token)
        return raw.decode("utf-8", errors="replace")

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, markers of control tokens included."""
        known = self._pieces.get(token)
        if known is None:
            length = -64
            while length < 0:  # a negative length is the room that it wants
                buffer = ctypes.create_string_buffer(-length)
                length = self._library.llama_token_to_piece(self.pointer, token, buffer, -length, 0, True)
            known = self._pieces[token] = buffer.raw[:length]
        return known

    def text(self, tokens: Collection[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(map(self.piece, tokens)).decode("utf-8", errors="replace")

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Tokens of a text as it stands, without a beginning-of-text token.

        With `special`, the text of a control token becomes that token. User-defined tokens are made in either case.
        """
        raw = text.encode("utf-8", errors="replace")
        room = len(raw) + 8
        tokens = (ctypes.c_int32 * room)()
        count = self._library.llama_tokenize(self.pointer, raw, len(raw), tokens, room, False, special)
        if count < 0:
            raise ValueError(f"a text of {len(raw)} bytes does not tokenize")
        return tokens[:count]


class PromptEncoder:
    """Tokenizes rendered prompts whose contents were protected: no marker inside a content can become a token."""

    def __init__(self, vocabulary: Vocabulary, own_markers: Collection[str] = ()) -> None:
        """Prepare for one template.

        Args:
            vocabulary: of the model.
            own_markers: user-defined tokens that mean something to the template or the dialect. Other user-defined
                tokens are ordinary text (runs of spaces, HTML tags) and stay whole.
        """
        self.vocabulary = vocabulary
        markers = {*vocabulary.control, *(text for text in own_markers if text in vocabulary.special)}
        longest_first = sorted((text for text in markers if len(text) > 1), key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        # some tokenizers put a space in front of every text, which must not happen inside a prompt: there they are
        # given a line break first, whose tokens are cut off again
        adds_space = vocabulary.text(vocabulary.tokenize("x", special=False)) == " x"
        self._lead = "\n" if adds_space else ""
        self._lead_tokens = len(vocabulary.tokenize("\n", special=True)) if adds_space else 0

    def break_for(self, *texts: str) -> str:
        """A character that stands in none of the texts, to cut markers with."""
        return next(char for char in _BREAKS if not any(char in text for text in texts))

    def protect(self, text: str, cut: str) -> str:
        """`text` with `cut` inside every marker, behind its first character."""
        if self._markers is None:
            return text
        return self._markers.sub(lambda found: found[0][0] + cut + self.protect(found[0][1:], cut), text)

    def encode(self, rendered: str, cut: str, *, begins: bool) -> list[int]:
        """Tokens of protected, rendered text; the pieces between two cuts are tokenized apart and never meet.

        Args:
            rendered: text with cuts.
            cut: the character `protect` was given.
            begins: whether the text is the beginning of the prompt, which some models want marked.
        """
        tokens: list[int] = []
        for index, piece in enumerate(rendered.split(cut)):
            inside = index > 0 or not begins
            found = self.vocabulary.tokenize(self._lead + piece if inside else piece, special=True)
            tokens += found[self._lead_tokens :] if inside else found
        if begins and self.vocabulary.adds_bos and not rendered.startswith(self.vocabulary.bos):
            return [self.vocabulary.special[self.vocabulary.bos], *tokens]
        return tokens
