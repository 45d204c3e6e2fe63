"""Keywords: how urgent the plain words of a ticket sound, in [0, 1], whatever the model thinks.

A vocabulary is a table of phrases by kind. `alarm`, `breadth` and `urgency` phrases count by themselves; a `state`
(down, crashed) counts more when a `subject` (database, network) stands near it; `calm` phrases damp the whole;
`neutral` phrases (drop down) are read and count nothing; a `negator` undoes what follows it in the same clause.
The value is 1 - Π(1 - wᵢ) over the distinct terms found, so it saturates and never falls when one is added; of states
that say little (error, lost) only the strongest counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from holdfast.digest import digest_value
from holdfast.wording import CLAUSE, Wording, fold

__all__ = ["KINDS", "Entry", "KeywordMatcher", "Keywords", "Kind", "Term"]

Kind = Literal["alarm", "breadth", "urgency", "state", "subject", "calm", "neutral", "negator"]
KINDS: tuple[Kind, ...] = ("alarm", "breadth", "urgency", "state", "subject", "calm", "neutral", "negator")

_COUNTING = frozenset({"alarm", "breadth", "urgency", "state"})
_PAIR = 2  # words that choose the candidates among longer phrases
_NEGATION_REACH = 3  # words after a negator that it can still undo: "not a total outage"
_SUBJECT_REACH = 7  # words between a subject and its state: "the database in the second rack has been down"
_WEAK = 0.3  # a state below it (error, lost) says little: of several only the strongest counts, long mails hold many
_WEAK_PAIR, _STRONG_PAIR = 0.4, 0.55  # of a state with its subject, in place of the state's own weight
_MOST_FINDS = 512  # terms looked at in one text; the value has long saturated, and a hostile text must cost no more
_SHOWN = 8  # matched terms that are named in an explanation


@dataclass(frozen=True, slots=True)
class Entry:
    """Phrases of one kind, language and weight, as the table in `vocabulary` has them."""

    language: str
    kind: Kind
    weight: float
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One phrase of the vocabulary, folded."""

    words: tuple[str, ...]
    kind: Kind
    weight: float
    name: str
    """The words with spaces between."""


@dataclass(frozen=True, slots=True)
class Keywords:
    """What the matcher found: the factor's value, and the terms behind it, strongest first."""

    value: float
    matched: tuple[tuple[str, float], ...] = ()
    calmed_by: tuple[str, ...] = ()


_Find = tuple[int, Term]
"""Where in the text, and which term."""

_SILENT = Keywords(0.0)


class KeywordMatcher:
    """A vocabulary compiled for matching. Immutable, so any thread may use it."""

    def __init__(self, entries: Iterable[Entry], *, extra: Mapping[str, float] | None = None) -> None:
        terms: dict[tuple[str, ...], Term] = {}
        for entry in entries:
            for phrase in entry.phrases:
                words = fold(phrase)
                terms.setdefault(words, Term(words, entry.kind, entry.weight, " ".join(words)))
        for phrase, weight in (extra or {}).items():
            words = fold(phrase)
            terms[words] = Term(words, "alarm" if weight > 0 else "neutral", weight, " ".join(words))
        terms.pop((), None)
        self.terms = tuple(sorted(terms.values(), key=lambda term: (KINDS.index(term.kind), term.words)))
        """By kind, then alphabet."""
        self.digest = digest_value([(term.name, term.kind, term.weight) for term in self.terms])
        self._single = {term.words[0]: term for term in self.terms if len(term.words) == 1}
        self._longer: dict[tuple[str, str], tuple[Term, ...]] = {}
        for term in sorted(self.terms, key=lambda term: (-len(term.words), term.words)):
            if len(term.words) > 1:
                start = (term.words[0], term.words[1])
                self._longer[start] = (*self._longer.get(start, ()), term)
        self._phrase_starts = frozenset(first for first, _ in self._longer)
        self._starts = frozenset(term.words[0] for term in self.terms)
        self._weak = frozenset(term.name for term in self.terms if term.kind == "state" and term.weight < _WEAK)
        self._telling = frozenset(term.words[0] for term in self.terms if term.kind in _COUNTING)

    def read(self, wording: Wording) -> Keywords:
        """Return what the words of a text say. Linear in their number."""
        if self._telling.isdisjoint(wording.words):
            return _SILENT
        finds = self._finds(wording)
        weights = _weigh(finds, wording.tokens)
        if not weights:
            return _SILENT
        calm = {term.name: term.weight for _, term in finds if term.kind == "calm"}
        return _combine(weights, calm, weak=self._weak)

    def _finds(self, wording: Wording) -> list[_Find]:
        """Every term in order of place, longest first, none overlapping another."""
        tokens = wording.tokens
        starts = self._starts & wording.words
        finds: list[_Find] = []
        free_from = 0
        for position in [i for i, token in enumerate(tokens) if token in starts]:
            if position < free_from:
                continue
            term = self._longest(tokens, position)
            if term is not None:
                finds.append((position, term))
                free_from = position + len(term.words)
                if len(finds) == _MOST_FINDS:
                    break
        return finds

    def _longest(self, tokens: list[str], position: int) -> Term | None:
        first = tokens[position]
        if first in self._phrase_starts and position + 1 < len(tokens):
            for term in self._longer.get((first, tokens[position + 1]), ()):
                size = len(term.words)
                if size == _PAIR or tuple(tokens[position : position + size]) == term.words:
                    return term
        return self._single.get(first)


def _weigh(finds: list[_Find], tokens: list[str]) -> dict[str, float]:
    """Give each distinct term that counts its weight, by name; a state takes its nearest subject into its name."""
    weights: dict[str, float] = {}
    for index, (_, term) in enumerate(finds):
        if term.kind not in _COUNTING or _negated(finds, index, tokens):
            continue
        name, weight = term.name, term.weight
        subject = _subject_near(finds, index) if term.kind == "state" else None
        if subject is not None:
            name, weight = f"{subject.name} + {name}", _WEAK_PAIR if weight < _WEAK else _STRONG_PAIR
        weights[name] = max(weight, weights.get(name, 0.0))
    return weights


def _negated(finds: list[_Find], index: int, tokens: list[str]) -> bool:
    """Say whether a negator stands before find `index` in its clause, within reach."""
    position = finds[index][0]
    for before, term in reversed(finds[max(0, index - _NEGATION_REACH - 1) : index]):
        end = before + len(term.words)
        if position - end > _NEGATION_REACH or CLAUSE in tokens[end:position]:
            return False
        if term.kind == "negator":
            return True
    return False


def _subject_near(finds: list[_Find], index: int) -> Term | None:
    """The nearest subject before or after find `index`, within reach; the one before wins a tie."""
    position = finds[index][0]
    nearest: Term | None = None
    distance = _SUBJECT_REACH + 1
    for place, term in finds[max(0, index - _SUBJECT_REACH) : index + _SUBJECT_REACH + 1]:
        if term.kind == "subject" and abs(place - position) < distance:
            nearest, distance = term, abs(place - position)
    return nearest


def _combine(weights: dict[str, float], calm: dict[str, float], *, weak: frozenset[str]) -> Keywords:
    quiet = 1.0 - max((weight for name, weight in weights.items() if name in weak), default=0.0)
    for name, weight in weights.items():
        if name not in weak:
            quiet *= 1.0 - weight
    value = 1.0 - quiet
    for weight in calm.values():
        value *= 1.0 - weight
    strongest = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
    return Keywords(round(value, 4), tuple(strongest[:_SHOWN]), tuple(sorted(calm)[:_SHOWN]))
