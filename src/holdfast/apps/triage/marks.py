"""Marks: the line a node leaves under its explanation, by which it and its peers know their own values again."""

from __future__ import annotations

import re

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.task import Mark, Values

__all__ = ["explanation_with_mark", "mark_key", "read_mark"]

_KEY_CHARACTERS = 16  # of the idempotency key: enough to tell one write of a task from another
_LINE = re.compile(r"^holdfast (dec_[0-9A-Z]{26}) (P[0-3]) ([0-9a-f]{16})(?: (.{1,200}))?$", re.MULTILINE)


def mark_key(key: str) -> str:
    """The part of an idempotency key that a mark holds."""
    return key[:_KEY_CHARACTERS]


def explanation_with_mark(values: Values, key: str) -> str:
    """Return the explanation with the mark as its last line."""
    line = f"holdfast {values.decision_id} {values.priority} {mark_key(key)} {values.route}".rstrip()
    return f"{values.explanation}\n{line}"


def read_mark(text: str | None) -> Mark | None:
    """Return the last mark in `text`, if there is one."""
    found = _LINE.findall(text or "")
    if not found:
        return None
    decision_id, priority, key, route = found[-1]
    return Mark(decision_id=decision_id, priority=Priority(priority), route=route, key=key)
