"""Board: what a tracker remembers, whatever it is called; counts the writes and sees when a person is overruled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["ACCOUNT", "Board", "Card", "Change", "Comment"]

ACCOUNT = "holdfast-bot"
"""The account whose token the node uses; every other name is a person."""

JUDGEMENT = ("priority", "group", "labels")
"""What a person decides, and nobody may take back."""


@dataclass
class Comment:
    by: str
    text: str
    at: datetime


@dataclass
class Card:
    """One task. `extra` holds what a tracker keeps besides."""

    number: int
    title: str
    description: str = ""
    priority: str = ""
    group: str = ""
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    requester: str = "emily"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_by: str = ""
    version: int = 1
    closed: bool = False
    chosen: dict[str, Any] = field(default_factory=dict)
    """Field -> what a person chose last; for labels the sets they `added` and `removed`."""


@dataclass
class Change:
    """Somebody's edit that changed something: field -> (before, after)."""

    number: int
    by: str
    fields: dict[str, tuple[Any, Any]]
    at: datetime
    created: bool = False

    @property
    def event(self) -> str:
        """`created`, `edited` or `judged`."""
        if self.created:
            return "created"
        return "judged" if set(self.fields) <= {*JUDGEMENT, "comment", "extra"} else "edited"


@dataclass
class Board:
    """Every card, under one lock."""

    default_priority: str = ""
    cards: dict[int, Card] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    raw_writes: dict[int, int] = field(default_factory=dict)
    """Requests of the account that asked to change a card, and were carried out or replayed."""
    effective_writes: dict[int, int] = field(default_factory=dict)
    """Of those, the ones that changed something."""
    overruled: list[dict[str, Any]] = field(default_factory=list)
    """Each time the account took back what a person had chosen: must stay empty."""
    known_labels: set[str] = field(default_factory=set)
    """For trackers where a label must exist before it can be used."""
    told: Callable[[Change], None] = lambda change: None  # replaced by whoever sends deliveries
    lock: threading.RLock = field(default_factory=threading.RLock)
    _last: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def create(self, title: str, description: str = "", *, by: str = "emily", **given: Any) -> Card:
        """Add a card, as a person would."""
        with self.lock:
            at = self._now()
            card = Card(len(self.cards) + 1, title, description, requester=by, created_at=at, updated_at=at)
            card.priority = self.default_priority
            for name, value in given.items():
                setattr(card, name, value)
                if name in JUDGEMENT:
                    self._remember(card, name, None if name != "labels" else [], value)
            self.known_labels |= set(card.labels)
            card.updated_by = by
            self.cards[card.number] = card
            self._record(Change(card.number, by, {}, at, created=True))
            return card

    def edit(self, number: int, by: str, edits: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Set fields, add a `comment`, merge `extra`; returns what changed. The account's are counted as writes."""
        with self.lock:
            card = self.cards[number]
            fields = dict(self._differences(card, edits))
            if by == ACCOUNT:
                self.raw_writes[number] = self.raw_writes.get(number, 0) + 1
                self._watch(card, fields)
            if fields:
                self._apply(card, by, fields)
            return fields

    def replayed(self, number: int) -> None:
        """Count a write of the account that its idempotency key made a repetition."""
        with self.lock:
            self.raw_writes[number] = self.raw_writes.get(number, 0) + 1

    def changed_since(self, since: datetime) -> list[Card]:
        """Cards changed at or after, oldest change first."""
        with self.lock:
            found = [card for card in self.cards.values() if card.updated_at >= since]
            return sorted(found, key=lambda card: (card.updated_at, card.number))

    def label_history(self, card: Card) -> list[tuple[str, bool, Change]]:
        """Each label that came (True) or went, oldest first."""
        with self.lock:
            mine = [one for one in self.changes if one.number == card.number]
            moves = [one.fields["labels"] for one in mine if "labels" in one.fields]
            first = moves[0][0] if moves else card.labels
            found = [(name, True, mine[0]) for name in first]
            for one in mine:
                before, after = one.fields.get("labels", ([], []))
                found += [(name, True, one) for name in after if name not in before]
                found += [(name, False, one) for name in before if name not in after]
            return found

    def _differences(self, card: Card, edits: Mapping[str, Any]) -> Iterable[tuple[str, tuple[Any, Any]]]:
        for name, value in edits.items():
            if name == "comment":
                yield name, (None, value)
            elif name == "extra":
                merged = {**card.extra, **value}
                if merged != card.extra:
                    yield name, (dict(card.extra), merged)
            elif name == "labels":
                wanted = list(dict.fromkeys(value))
                if sorted(wanted) != sorted(card.labels):
                    yield name, (list(card.labels), wanted)
            elif getattr(card, name) != value:
                yield name, (getattr(card, name), value)

    def _apply(self, card: Card, by: str, fields: dict[str, tuple[Any, Any]]) -> None:
        at = self._now()
        for name, (before, after) in fields.items():
            if name == "comment":
                card.comments.append(Comment(by, after, at))
                continue
            setattr(card, name, after)
            if by != ACCOUNT and name in JUDGEMENT:
                self._remember(card, name, before, after)
        card.updated_at, card.updated_by, card.version = at, by, card.version + 1
        if by == ACCOUNT:
            self.effective_writes[card.number] = self.effective_writes.get(card.number, 0) + 1
        self._record(Change(card.number, by, fields, at))

    def _remember(self, card: Card, name: str, before: Any, after: Any) -> None:
        if name != "labels":
            card.chosen[name] = after
            return
        sets = card.chosen.setdefault("labels", {"added": set(), "removed": set()})
        added, removed = set(after) - set(before), set(before) - set(after)
        sets["added"] = (sets["added"] | added) - removed
        sets["removed"] = (sets["removed"] | removed) - added

    def _watch(self, card: Card, fields: dict[str, tuple[Any, Any]]) -> None:
        for name, (_before, after) in fields.items():
            if name == "labels" and "labels" in card.chosen:
                sets = card.chosen["labels"]
                lost = (sets["added"] - set(after)) | (sets["removed"] & set(after))
                if lost:
                    self.overruled.append({"number": card.number, "field": name, "lost": sorted(lost)})
            elif name in card.chosen:
                self.overruled.append({"number": card.number, "field": name, "lost": card.chosen[name], "now": after})

    def _record(self, change: Change) -> None:
        self.changes.append(change)
        self.told(change)

    def _now(self) -> datetime:
        """Strictly increasing, to the millisecond."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(now, self._last + timedelta(milliseconds=1))
        return self._last
