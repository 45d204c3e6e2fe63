"""Conditions as a rule file writes them, read into the words of `holdfast.rule`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from holdfast.glob import Glob
from holdfast.rule import OPERATORS, All, Calendar, Comparison, Condition, FieldKind, Not, Operand, OperandKind, Some
from holdfast.rule import plain as folded
from holdfast.wording import fold

__all__ = ["FIELDS", "Reader", "Wrong"]

_MAX_DEPTH = 8
_MAX_TEXT = 256
_MAX_LIST = 256
_SPANS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_MOST_SPAN_S = 86400.0 * 3660

FIELDS: Mapping[str, FieldKind] = {
    "id": FieldKind.TEXT,
    "title": FieldKind.TEXT,
    "description": FieldKind.TEXT,
    "text": FieldKind.TEXT,
    "created_at": FieldKind.INSTANT,
    "deadline_at": FieldKind.INSTANT,
    "at": FieldKind.INSTANT,
    "hours_left": FieldKind.NUMBER,
    "requester.id": FieldKind.TEXT,
    "requester.role": FieldKind.TEXT,
    "requester.tier": FieldKind.TEXT,
    "customer_tier": FieldKind.TEXT,
    "team": FieldKind.TEXT,
    "labels": FieldKind.LIST,
    "attachments": FieldKind.LIST,
    "attachment_severity": FieldKind.NUMBER,
    "model": FieldKind.NUMBER,
    "deadline": FieldKind.NUMBER,
    "requester": FieldKind.NUMBER,
    "keywords": FieldKind.NUMBER,
    "score": FieldKind.NUMBER,
    "stage": FieldKind.TEXT,
    "domain": FieldKind.TEXT,
    "route": FieldKind.TEXT,
}
"""What a rule may look at, besides `metadata.NAME…`, which is open."""


class Wrong(Exception):
    """Something in a rule file is not as it should be; `token` is the word to look for, `rule` which table."""

    def __init__(self, sentence: str, *, token: str = "", rule: int | None = None) -> None:
        super().__init__(sentence)
        self.token, self.rule = token, rule


class Reader:
    """Reads conditions against the fields there are and the calendars of the file."""

    def __init__(self, calendars: Mapping[str, Calendar]) -> None:
        self._calendars = calendars

    def condition(self, raw: object, *, depth: int = 1) -> Condition:
        """Return the condition `raw` writes. Raises Wrong."""
        if depth > _MAX_DEPTH:
            raise Wrong(f"expected at most {_MAX_DEPTH} levels of all, any and not")
        if not isinstance(raw, dict):
            raise Wrong(f"expected a condition such as {{ field = 'title', contains_word = 'outage' }}, found {raw!r}")
        if "field" in raw:
            return self._comparison(raw)
        if len(raw) != 1:
            raise Wrong(f"expected one of field, all, any and not, found {', '.join(sorted(raw)) or 'nothing'}")
        (key, inner), *_ = raw.items()
        if key == "not":
            return Not(self.condition(inner, depth=depth + 1))
        if key not in ("all", "any"):
            raise Wrong(f"expected one of field, all, any and not, found {key!r}", token=key)
        if not isinstance(inner, list) or not inner:
            raise Wrong(f"expected `{key}` to be a list of conditions, found {inner!r}", token=key)
        parts = tuple(self.condition(part, depth=depth + 1) for part in inner)
        return All(parts) if key == "all" else Some(parts)

    def _comparison(self, raw: dict[str, object]) -> Comparison:
        field = raw["field"]
        kind = _kind_of(field)
        operators = [key for key in raw if key != "field"]
        if len(operators) != 1:
            found = " and ".join(sorted(operators)) or "none"
            raise Wrong(f"expected one comparison of field {field!r}, found {found}", token=str(field))
        name = operators[0]
        operator = OPERATORS.get(name)
        if operator is None:
            raise Wrong(f"expected one of {', '.join(OPERATORS)}, found {name!r}{_hint(name, OPERATORS)}", token=name)
        if kind not in operator.fields:
            raise Wrong(f"field {field!r} holds {_said(kind)}, which {name!r} does not compare", token=name)
        operand = self._operand(raw[name], operator.operand, name=name)
        if operator.operand is OperandKind.VALUE and not _comparable(operand, kind):
            raise Wrong(f"field {field!r} holds {_said(kind)}, found {raw[name]!r} to compare it with", token=name)
        return Comparison(str(field), name, operand)

    def _operand(self, raw: object, kind: OperandKind, *, name: str) -> Operand:
        if kind is OperandKind.CALENDAR:
            calendar = self._calendars.get(raw) if isinstance(raw, str) else None
            if calendar is None:
                known = ", ".join(sorted(self._calendars)) or "none are defined"
                raise Wrong(f"expected the name of a calendar ({known}), found {raw!r}", token=name)
            return calendar
        operand = _READERS[kind](raw)
        if operand is None:
            raise Wrong(f"expected {name!r} to be {kind.value}, found {raw!r}", token=name)
        return operand


def _kind_of(field: object) -> FieldKind:
    if isinstance(field, str):
        if field in FIELDS:
            return FIELDS[field]
        if field.startswith("metadata.") and len(field) <= _MAX_TEXT:
            return FieldKind.OPEN
    known = [*FIELDS, "metadata.NAME"]
    raise Wrong(f"expected a field out of {', '.join(known)}, found {field!r}{_hint(field, FIELDS)}", token=str(field))


def _hint(found: object, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(str(found), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _said(kind: FieldKind) -> str:
    said = {FieldKind.NUMBER: "a number", FieldKind.INSTANT: "an instant", FieldKind.LIST: "a list of texts"}
    return said.get(kind, "a text")


def _comparable(operand: Operand, kind: FieldKind) -> bool:
    if kind is FieldKind.OPEN:
        return True
    return isinstance(operand, str) != (kind is FieldKind.NUMBER) and not isinstance(operand, bool)


def _text(raw: object) -> str | None:
    return folded(raw) if isinstance(raw, str) and 0 < len(raw) <= _MAX_TEXT else None


def _number(raw: object) -> float | None:
    return raw if isinstance(raw, int | float) and not isinstance(raw, bool) and raw == raw else None  # noqa: PLR0124


def _value(raw: object) -> Operand | None:
    return raw if isinstance(raw, bool) else _text(raw) or _number(raw)


def _texts(raw: object) -> Operand | None:
    if not isinstance(raw, list) or not 0 < len(raw) <= _MAX_LIST:
        return None
    items = [_text(item) for item in raw]
    return frozenset(item for item in items if item is not None) if None not in items else None


def _words(raw: object) -> Operand | None:
    items = raw if isinstance(raw, list) else [raw]
    if not 0 < len(items) <= _MAX_LIST:
        return None
    phrases = [fold(item) if isinstance(item, str) and len(item) <= _MAX_TEXT else () for item in items]
    return tuple(phrases) if all(phrases) else None


def _glob(raw: object) -> Operand | None:
    text = _text(raw)
    return Glob(text) if text else None


def _flag(raw: object) -> Operand | None:
    return raw if isinstance(raw, bool) else None


def _instant(raw: object) -> Operand | None:
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            return None
    if isinstance(raw, datetime):
        return raw if raw.tzinfo else raw.replace(tzinfo=UTC)
    return datetime(raw.year, raw.month, raw.day, tzinfo=UTC) if isinstance(raw, date) else None


def _span(raw: object) -> Operand | None:
    if not isinstance(raw, str) or raw[-1:] not in _SPANS:
        return None
    try:
        seconds = float(raw[:-1]) * _SPANS[raw[-1]]
    except ValueError:
        return None
    return timedelta(seconds=seconds) if 0 <= seconds <= _MOST_SPAN_S else None


_READERS: Mapping[OperandKind, Callable[[object], Operand | None]] = {
    OperandKind.VALUE: _value,
    OperandKind.TEXTS: _texts,
    OperandKind.WORDS: _words,
    OperandKind.TEXT: _text,
    OperandKind.GLOB: _glob,
    OperandKind.NUMBER: _number,
    OperandKind.INSTANT: _instant,
    OperandKind.SPAN: _span,
    OperandKind.FLAG: _flag,
}
