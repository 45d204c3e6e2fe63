"""Wording: the words of a text, folded and bounded, so that people and rules may spell them as they like.

A word is a run of letters and digits after NFKC and case folding; every other character ends it. Punctuation that ends
a clause is kept as one token of its own (`CLAUSE`), because a negation does not reach across it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property

__all__ = ["CLAUSE", "READ_LIMIT", "Wording", "fold", "normal"]

CLAUSE = "\x01"
"""The token that stands for `. , ; : ! ?`, brackets and line ends: no word, so no text can forge it."""

READ_LIMIT = 65_536
"""Characters of one text that are read: about 20 pages. Of a longer one, the first three quarters of this and the last
quarter, because people paste a log first and plead at the end."""

_TAIL = READ_LIMIT // 4
_WHOLE = 256  # characters folded in one go; above, in pieces
_PIECE = 64  # normalising a run of n combining marks takes n² steps: bounded pieces keep a hostile text linear
_MOST_MARKS = 16  # that a piece may be longer, so that a letter keeps its accents

_CLAUSE_MARKS = frozenset('.,;:!?()[]{}<>|"\n\r\u00ab\u00bb\u00bf\u00a1\u2013\u2014\u201c\u201d\u201e\u3001\u3002')
_LATIN_AND_PUNCTUATION = (range(0x100), range(0x2000, 0x2070), range(0x3000, 0x3003))
"""Blocks whose punctuation the fast table knows; rarer signs take the slow way."""


def _target(code: int) -> str:
    character = chr(code)
    if character.isalnum():
        return character.lower()
    return CLAUSE if character in _CLAUSE_MARKS else " "


_ASCII = str.maketrans({code: _target(code) for code in range(128)})
_COMMON = str.maketrans({code: _target(code) for block in _LATIN_AND_PUNCTUATION for code in block})
_SEPARATORS = re.compile(rf"[^\w{CLAUSE}]+|_+")


class Wording:
    """The words of one text in order, read once."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(_cut(text))
        """Folded words and CLAUSE marks, in order."""
        self.words = set(self.tokens)
        """Every distinct word, and CLAUSE if there was one."""
        self.complete = len(text) <= READ_LIMIT
        """False when the text was longer than READ_LIMIT and its middle was not read."""

    @cached_property
    def joined(self) -> str:
        """All words with one space around each; a phrase does not continue across a CLAUSE."""
        return f" {' '.join(self.tokens)} "

    def has(self, phrase: tuple[str, ...]) -> bool:
        """Say whether the folded `phrase` occurs, bounded by words at both ends."""
        if len(phrase) == 1:
            return phrase[0] in self.words
        return all(word in self.words for word in phrase) and f" {' '.join(phrase)} " in self.joined


def fold(text: str) -> tuple[str, ...]:
    """Return the words of `text`, folded as a Wording folds them, without clause marks."""
    return tuple(token for token in _tokens(text[:READ_LIMIT]) if token != CLAUSE)


def _cut(text: str) -> str:
    if len(text) <= READ_LIMIT:
        return text
    return f"{text[: READ_LIMIT - _TAIL]}\n{text[-_TAIL:]}"


def _tokens(text: str) -> list[str]:
    if text.isascii():
        spaced = text.translate(_ASCII)
    else:
        spaced = normal(text).translate(_COMMON)
        if not spaced.replace(" ", "").replace(CLAUSE, "").isalnum():  # 1 us; the substitution takes 20
            spaced = _SEPARATORS.sub(" ", spaced)
    return spaced.replace(CLAUSE, f" {CLAUSE} ").split()


def normal(text: str) -> str:
    """NFKC and case folding, in linear time. Stops soon after READ_LIMIT characters: one can unfold into 18."""
    if len(text) <= _WHOLE:
        return unicodedata.normalize("NFKC", text).casefold()
    pieces: list[str] = []
    begin = length = 0
    while begin < len(text) and length <= READ_LIMIT:
        end = _piece_end(text, begin + _PIECE)
        pieces.append(unicodedata.normalize("NFKC", text[begin:end]).casefold())
        length += len(pieces[-1])
        begin = end
    return "".join(pieces)


def _piece_end(text: str, end: int) -> int:
    """Move `end` behind the combining marks that follow it, but not behind many."""
    for _ in range(_MOST_MARKS):
        if end >= len(text) or not unicodedata.combining(text[end]):
            break
        end += 1
    return end
