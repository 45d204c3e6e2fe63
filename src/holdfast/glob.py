"""Glob: `*` for any run of characters and `?` for one, matched in time linear in the text."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Glob"]


@dataclass(frozen=True, slots=True)
class Glob:
    """A compiled pattern. A text matches as a whole; the caller folds pattern and text alike.

    Between stars the leftmost match is always as good as any other, so nothing is ever tried twice: no backtracking.
    """

    pattern: str
    _runs: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_runs", tuple(self.pattern.split("*")))

    def matches(self, text: str) -> bool:
        """Say whether the whole of `text` matches."""
        first, *between = self._runs
        if not between:
            return len(text) == len(first) and _fits(first, text, 0)
        last = between.pop()
        end = len(text) - len(last)
        if end < len(first) or not _fits(first, text, 0) or not _fits(last, text, end):
            return False
        position, middle = len(first), text[:end]
        for run in between:
            found = _find(run, middle, position)
            if found < 0:
                return False
            position = found + len(run)
        return True


def _fits(run: str, text: str, position: int) -> bool:
    """Say whether `run` matches `text` at `position`; there is room."""
    if "?" not in run:
        return text.startswith(run, position)
    return all(wanted in ("?", text[position + index]) for index, wanted in enumerate(run))


def _find(run: str, text: str, start: int) -> int:
    """The first place at or after `start` where `run` matches, or -1."""
    if "?" not in run:
        return text.find(run, start)
    # Shift-and (Baeza-Yates and Gonnet 1992): bit i of `state` says that run[: i + 1] matches up to here.
    anything = sum(1 << index for index, wanted in enumerate(run) if wanted == "?")
    masks: dict[str, int] = {}
    for index, wanted in enumerate(run):
        if wanted != "?":
            masks[wanted] = masks.get(wanted, anything) | (1 << index)
    accepted = 1 << (len(run) - 1)
    state = 0
    for position in range(start, len(text)):
        state = ((state << 1) | 1) & masks.get(text[position], anything)
        if state & accepted:
            return position - len(run) + 1
    return -1
