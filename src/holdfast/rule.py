"""Rules: structured conditions and actions, evaluated in bounded time: no regular expressions.

A rule looks at named fields of a case and, when its condition holds, floors, caps or sets a score or names a route.
What a field is, the app says; how it is compared, this module. Work is bounded by the case's Facts: each field is read
and folded at most once, lists by their first MAX_ITEMS, texts by READ_LIMIT characters in all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from holdfast.glob import Glob
from holdfast.wording import READ_LIMIT, Wording, normal

__all__ = [
    "MAX_ITEMS",
    "OPERATORS",
    "Action",
    "All",
    "Calendar",
    "Comparison",
    "Condition",
    "Facts",
    "FieldKind",
    "Fired",
    "Not",
    "Operand",
    "OperandKind",
    "Operator",
    "Rule",
    "Some",
    "apply_rules",
    "plain",
]

MAX_ITEMS = 256
"""Elements of a list field that are looked at."""
_MAX_CHARACTERS = 4_096  # of a text compared as a whole: ids, names, addresses, a title


@runtime_checkable
class Calendar(Protocol):
    """Spans of time that repeat: on-call windows, business hours."""

    def covers(self, at: datetime) -> bool:
        """Say whether `at` lies inside."""


class FieldKind(StrEnum):
    """What a field holds, and so which operators it takes."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"
    LIST = "list"
    OPEN = "open"
    """Whatever the sender put there: an operator of another kind does not hold."""


Value = str | float | bool | datetime | tuple[str, ...] | None
Operand = str | float | bool | datetime | timedelta | frozenset[str] | tuple[tuple[str, ...], ...] | Glob | Calendar


class Facts:
    """One case as rules see it. Fields are looked up in `values`, then by `open_field`; folded at most once."""

    def __init__(
        self, values: Mapping[str, Value], *, at: datetime, open_field: Callable[[str], Value] = lambda _: None
    ) -> None:
        self._values, self._open_field = values, open_field
        self.at = at
        self._plain: dict[str, tuple[str, ...]] = {}
        self._wordings: dict[str, Wording] = {}
        self._unread = READ_LIMIT

    def value(self, field: str) -> Value:
        """What the field holds; None when it is absent."""
        if field in self._values:
            return self._values[field]
        return self._open_field(field)

    def give_wording(self, field: str, wording: Wording) -> None:
        """Take the words of a field that somebody has read already."""
        self._wordings[field] = wording

    def texts(self, field: str) -> tuple[str, ...]:
        """The field as folded texts: one for a text, one per element for a list, none when absent."""
        found = self._plain.get(field)
        if found is None:
            value = self.value(field)
            items = value[:MAX_ITEMS] if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
            found = self._plain[field] = tuple(plain(self._take(item, _MAX_CHARACTERS)) for item in items)
        return found

    def wording(self, field: str) -> Wording:
        """The field's words, read once."""
        found = self._wordings.get(field)
        if found is None:
            value = self.value(field)
            text = "\n".join(value[:MAX_ITEMS]) if isinstance(value, tuple) else value if isinstance(value, str) else ""
            found = self._wordings[field] = Wording(self._take(text, READ_LIMIT))
        return found

    def _take(self, text: str, most: int) -> str:
        """Cut `text` to what may still be read of this case."""
        taken = text[: min(most, self._unread)]
        self._unread -= len(taken)
        return taken


class OperandKind(StrEnum):
    """What a rule file writes after an operator."""

    VALUE = "a text, a number or true/false"
    TEXTS = "a list of texts"
    WORDS = "a word, a phrase, or a list of them"
    TEXT = "a text"
    GLOB = "a text with * and ?"
    NUMBER = "a number"
    INSTANT = "an instant such as 2026-05-01T17:00:00+02:00"
    SPAN = "a span such as 4h or 2d"
    CALENDAR = "the name of a calendar"
    FLAG = "true or false"


@dataclass(frozen=True, slots=True)
class Operator:
    """One way to compare: which fields take it, what it is compared with, and when it holds."""

    fields: frozenset[FieldKind]
    operand: OperandKind
    holds: Callable[[Facts, str, Operand], bool]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field compared with one operand."""

    field: str
    operator: str
    operand: Operand

    def holds(self, facts: Facts) -> bool:
        """Say whether the comparison is true of the case; an absent field is never."""
        return OPERATORS[self.operator].holds(facts, self.field, self.operand)


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        """See Comparison."""
        return all(part.holds(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds; `any` in a rule file."""

    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        """See Comparison."""
        return any(part.holds(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition

    def holds(self, facts: Facts) -> bool:
        """See Comparison."""
        return not self.part.holds(facts)


Condition = Comparison | All | Some | Not


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule does when it fires; at least one is set, at most one of the first three."""

    floor: float | None = None
    cap: float | None = None
    set_to: float | None = None
    route: str | None = None

    def apply(self, score: float) -> float:
        """Return the score after the action."""
        if self.set_to is not None:
            return self.set_to
        if self.floor is not None:
            return max(score, self.floor)
        return score if self.cap is None else min(score, self.cap)

    def text(self) -> str:
        """The action in words, for an explanation."""
        named = (("set", self.set_to), ("floor", self.floor), ("cap", self.cap))
        parts = [f"{name} {number:g}" for name, number in named if number is not None]
        return ", ".join([*parts, f"route {self.route}"] if self.route is not None else parts)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named condition and what follows from it."""

    name: str
    when: Condition
    action: Action


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fired and what it made of the score."""

    rule: Rule
    before: float
    after: float


def apply_rules(rules: Iterable[Rule], facts: Facts, score: float) -> list[Fired]:
    """Apply `rules` in order, each to what the one before left; return those that fired."""
    fired: list[Fired] = []
    for rule in rules:
        if rule.when.holds(facts):
            after = rule.action.apply(score)
            fired.append(Fired(rule, score, after))
            score = after
    return fired


def plain(text: str) -> str:
    """Fold a text that is compared as a whole: NFKC, case, outer spaces."""
    return text.strip().lower() if text.isascii() else normal(text).strip()


def _equals(facts: Facts, field: str, operand: Operand) -> bool:
    if isinstance(operand, str):
        return operand in facts.texts(field)
    value = facts.value(field)
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    return isinstance(value, int | float) and value == operand


def _in(facts: Facts, field: str, operand: Operand) -> bool:
    assert isinstance(operand, frozenset)  # noqa: S101 - the rule file's reader builds operands by OperandKind
    return not operand.isdisjoint(facts.texts(field))


def _contains_word(facts: Facts, field: str, operand: Operand) -> bool:
    assert isinstance(operand, tuple)  # noqa: S101 - as above
    wording = facts.wording(field)
    if wording.words.isdisjoint([phrase[0] for phrase in operand]):
        return False
    return any(wording.has(phrase) for phrase in operand)


def _prefix(facts: Facts, field: str, operand: Operand) -> bool:
    assert isinstance(operand, str)  # noqa: S101 - as above
    return any(text.startswith(operand) for text in facts.texts(field))


def _glob(facts: Facts, field: str, operand: Operand) -> bool:
    assert isinstance(operand, Glob)  # noqa: S101 - as above
    return any(operand.matches(text) for text in facts.texts(field))


def _exists(facts: Facts, field: str, operand: Operand) -> bool:
    value = facts.value(field)
    return (value is not None and value not in ("", ())) is operand


def _number(compare: Callable[[float, float], bool]) -> Callable[[Facts, str, Operand], bool]:
    def holds(facts: Facts, field: str, operand: Operand) -> bool:
        value = facts.value(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(operand, int | float):
            return False
        return compare(value, operand)

    return holds


def _instant(compare: Callable[[datetime, datetime, Operand], bool]) -> Callable[[Facts, str, Operand], bool]:
    def holds(facts: Facts, field: str, operand: Operand) -> bool:
        value = facts.value(field)
        return isinstance(value, datetime) and compare(value, facts.at, operand)

    return holds


def _before(value: datetime, _at: datetime, operand: Operand) -> bool:
    return isinstance(operand, datetime) and value < operand


def _after(value: datetime, _at: datetime, operand: Operand) -> bool:
    return isinstance(operand, datetime) and value > operand


def _within(value: datetime, at: datetime, operand: Operand) -> bool:
    return isinstance(operand, timedelta) and value - at <= operand


def _older_than(value: datetime, at: datetime, operand: Operand) -> bool:
    return isinstance(operand, timedelta) and at - value > operand


def _during(value: datetime, _at: datetime, operand: Operand) -> bool:
    return isinstance(operand, Calendar) and operand.covers(value)


def _outside(value: datetime, _at: datetime, operand: Operand) -> bool:
    return isinstance(operand, Calendar) and not operand.covers(value)


_TEXTUAL = frozenset({FieldKind.TEXT, FieldKind.LIST, FieldKind.OPEN})
_NUMERIC = frozenset({FieldKind.NUMBER, FieldKind.OPEN})
_TEMPORAL = frozenset({FieldKind.INSTANT})
_PLAIN = _TEXTUAL | _NUMERIC

OPERATORS: Mapping[str, Operator] = {
    "equals": Operator(_PLAIN, OperandKind.VALUE, _equals),
    "in": Operator(_TEXTUAL, OperandKind.TEXTS, _in),
    "contains_word": Operator(_TEXTUAL, OperandKind.WORDS, _contains_word),
    "prefix": Operator(_TEXTUAL, OperandKind.TEXT, _prefix),
    "glob": Operator(_TEXTUAL, OperandKind.GLOB, _glob),
    "exists": Operator(frozenset(FieldKind), OperandKind.FLAG, _exists),
    "above": Operator(_NUMERIC, OperandKind.NUMBER, _number(lambda value, operand: value > operand)),
    "at_least": Operator(_NUMERIC, OperandKind.NUMBER, _number(lambda value, operand: value >= operand)),
    "below": Operator(_NUMERIC, OperandKind.NUMBER, _number(lambda value, operand: value < operand)),
    "at_most": Operator(_NUMERIC, OperandKind.NUMBER, _number(lambda value, operand: value <= operand)),
    "before": Operator(_TEMPORAL, OperandKind.INSTANT, _instant(_before)),
    "after": Operator(_TEMPORAL, OperandKind.INSTANT, _instant(_after)),
    "within": Operator(_TEMPORAL, OperandKind.SPAN, _instant(_within)),
    "older_than": Operator(_TEMPORAL, OperandKind.SPAN, _instant(_older_than)),
    "during": Operator(_TEMPORAL, OperandKind.CALENDAR, _instant(_during)),
    "outside": Operator(_TEMPORAL, OperandKind.CALENDAR, _instant(_outside)),
}
"""The closed list of comparisons a rule file may use."""
