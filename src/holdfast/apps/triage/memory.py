"""Memory: earlier tickets by what they are about, so that a new one comes with those it resembles and how they ended.

It is made from the ledger alone, newest first, and then follows it: nothing of it is ever written, so what the ledger
has erased or no longer keeps cannot come back, whenever the node was killed. A ticket's latest decision counts; what a
person said of it stays.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec

from holdfast.apps.triage.decision import Priority, Similar
from holdfast.apps.triage.likeness import DIM, Likenesses, likenesses
from holdfast.apps.triage.records import DECISION, OVERRIDE, UnreadableRecord, unpack_decision, unpack_override
from holdfast.clock import Clock
from holdfast.index import Vectors
from holdfast.ledger.chain import erased_through
from holdfast.ledger.journal import Journal
from holdfast.ledger.query import Entry, Query
from holdfast.measure import Measures

__all__ = ["Asked", "TicketMemory"]

_ERASURE, _RETENTION = "erasure", "retention"
_FOLLOWED = (DECISION, OVERRIDE, _ERASURE, _RETENTION)
_PAGE = 128
_BUSY = 250  # entries since the last turn, half a second ago
_LEAST = 0.3  # 99 of 100 pairs of unrelated bundled tickets are less alike

_Name: TypeAlias = tuple[str, str]
"""Team and task: two teams may call different tasks the same."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A ticket whose like is looked for."""

    text: str
    task_id: str = ""
    """It is not like itself."""
    team: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What people said of a task."""

    priority: Priority | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    name: _Name
    sequence: int
    """Of the decision."""
    priority: Priority
    route: str
    judged: _Judged


_NOTHING = _Judged()


class TicketMemory:
    """The latest tickets of one ledger, at most `capacity`. `_lock` guards every change, and `_stepping` whole steps.

    A page of the ledger is read and taken in under `_stepping`, which `forget` waits for: what was read before an
    erasure is there to be dropped by it, and what is read after it has no payload any more.
    """

    def __init__(self, journal: Journal, clock: Clock, *, capacity: int, measures: Measures) -> None:
        self._journal, self._clock, self._measures = journal, clock, measures
        self._lock, self._stepping = threading.Lock(), threading.Lock()
        self._vectors = Vectors(capacity, DIM)
        self._known: list[_Known | None] = [None] * capacity
        self._slots: dict[_Name, int] = {}
        self._groups: dict[str, int] = {}
        self._held: Counter[str] = Counter()
        """Tickets of each team."""
        self._judged: dict[_Name, _Judged] = {}
        """Of tasks whose decision was not met yet: going back in the ledger, the correction comes first."""
        self._forgotten: set[int] = set()
        """Erasures that need no second look when they are met in the ledger."""
        self._last: int | None = None
        """Sequence of the ledger when it was last looked at."""
        self._ahead: int | None = None
        self._before: int | None = None
        self.complete = False
        """Whether everything that the ledger holds, and that has room here, is known."""

    def __len__(self) -> int:
        """How many tickets can be found."""
        return len(self._slots)

    def held(self, team: str) -> int:
        """How many tickets of one team can be found."""
        return self._held[team]

    def like(self, asked: Sequence[Asked], *, count: int) -> list[tuple[Similar, ...]]:
        """For each, at most `count` other tickets of its team that it resembles, the most similar first."""
        found: list[tuple[Similar, ...]] = [()] * len(asked)
        by_team: dict[str, list[int]] = {}
        for place, one in enumerate(asked):
            if one.team in self._groups:
                by_team.setdefault(one.team, []).append(place)
        for team, places in by_team.items():
            queries = likenesses([asked[place].text for place in places])
            nearest = self._vectors.nearest(queries, group=self._groups[team], count=count + 1)  # itself may be there
            with self._lock:
                for place, query, slots in zip(places, queries, nearest.tolist(), strict=True):
                    found[place] = self._told(asked[place], query, slots)[:count]
        return found

    def forget(self, task_id: str, *, erasure: int) -> None:
        """Drop a task whose erasure has this sequence: no answer that begins after this names what was erased."""
        with self._stepping, self._lock:
            for name in [(team, task_id) for team in self._groups]:
                self._judged.pop(name, None)
                known = self._known[slot] if (slot := self._slots.get(name)) is not None else None
                if known is not None and known.sequence < erasure:
                    self._drop((known,))
            self._forgotten.add(erasure)

    def step(self, budget_s: float) -> bool:
        """Take in what is new, then go on back; stop after about `budget_s`. True when there is more to do at once."""
        end_s, before = self._clock.monotonic_s() + budget_s, self._last
        while True:
            with self._stepping:
                more = self._follow() or self._go_back()
            if not more or self._clock.monotonic_s() >= end_s:
                return more
            if before is not None and self._last is not None and self._last - before > _BUSY:
                return True  # the node has tickets to answer: what was met today can be found a little later

    def _told(self, asked: Asked, query: Likenesses, slots: list[int]) -> tuple[Similar, ...]:
        """What is in `slots` now, and may be told."""
        found: list[Similar] = []
        for slot in slots:
            known = self._known[slot]
            if known is None or known.name[0] != asked.team or known.name[1] == asked.task_id:
                continue
            similarity = self._vectors.similarity(query, slot)
            if similarity >= _LEAST:
                found.append(_as_told(known, similarity))
        found.sort(key=lambda one: (-one.similarity, one.task_id))
        return tuple(found)

    def _follow(self) -> bool:
        """Take in one page of what was recorded since; True when there is more."""
        if self._ahead is None:
            self._ahead = self._journal.follow(0, kinds=(), limit=1).last
            self._last, self._before = self._ahead, self._ahead + 1
            return False
        new = self._journal.follow(self._ahead, kinds=_FOLLOWED, limit=_PAGE)
        self._take(new.entries)
        self._ahead, self._last = new.through, new.last
        return new.through < new.last

    def _go_back(self) -> bool:
        """Take in one page of what was recorded before this began; True when there is more."""
        if self._before is None:
            return False
        page = self._journal.list(Query(kinds=(DECISION, OVERRIDE), before=self._before, limit=_PAGE))
        self._take(page.entries)
        self._before = page.next_before
        if len(self._slots) >= self._vectors.capacity:
            self._before = None
        if self._before is None:
            self.complete = True
            self._judged.clear()
        return self._before is not None

    def _take(self, entries: Sequence[Entry]) -> None:
        read = [found for entry in entries if (found := self._read(entry)) is not None]
        rows = likenesses([text for _, text in read])
        with self._lock:
            for (known, _), row in zip(read, rows, strict=True):
                self._learn(known, row)
            for entry in entries:
                self._hear(entry)

    def _read(self, entry: Entry) -> tuple[_Known, str] | None:
        """What a decision is about, and its text."""
        if entry.header.kind != DECISION or entry.payload is None:
            return None
        try:
            record = unpack_decision(entry.payload)
            text = record.read_ticket().text
        except (UnreadableRecord, msgspec.ValidationError):
            # Kept by another version: it cannot be found, and nothing else depends on it.
            self._measures.add("swallowed_errors_total", "similar")
            return None
        said = record.decision
        name = (said.team, said.task_id)
        return _Known(name, entry.header.sequence, said.priority, said.route.label, _NOTHING), text

    def _learn(self, known: _Known, row: Likenesses) -> None:
        slot = self._slots.get(known.name)
        before = self._known[slot] if slot is not None else None
        if before is not None and before.sequence > known.sequence:
            return
        if slot is None:
            slot = self._room(known.sequence)
            if slot is None:
                return
        judged = before.judged if before is not None else self._judged.pop(known.name, _NOTHING)
        group = self._groups.setdefault(known.name[0], len(self._groups))
        self._vectors.put(slot, row, age=known.sequence, group=group)
        self._known[slot] = replace(known, judged=judged)
        self._slots[known.name] = slot
        self._held[known.name[0]] += before is None

    def _room(self, sequence: int) -> int | None:
        """A slot for the decision with this sequence; None when all there are hold newer ones."""
        slot = self._vectors.slot_for_next()
        oldest = self._known[slot]
        if oldest is None:
            return slot
        if oldest.sequence > sequence:
            return None
        del self._slots[oldest.name]
        self._held[oldest.name[0]] -= 1
        self._known[slot] = None
        return slot

    def _hear(self, entry: Entry) -> None:
        """What changes tickets that are known: corrections, erasures, retention."""
        header = entry.header
        if header.kind == OVERRIDE and entry.payload is not None:
            record = unpack_override(entry.payload)
            said = _Judged(record.override.priority, record.override.route)
            self._correct((header.team or "", record.task_id), said, header.sequence)
        elif header.kind == _ERASURE and header.sequence in self._forgotten:
            self._forgotten.remove(header.sequence)
        elif header.kind == _ERASURE:
            earlier = (k for k in self._known if k is not None and k.sequence < header.sequence)
            self._drop(k for k in earlier if self._journal.is_about(header, k.name[1]))
        elif header.kind == _RETENTION:
            through = erased_through(header.band)
            self._drop(k for k in self._known if k is not None and k.sequence <= through)

    def _correct(self, name: _Name, said: _Judged, sequence: int) -> None:
        slot = self._slots.get(name)
        known = self._known[slot] if slot is not None else None
        held = known.judged if known is not None else self._judged.get(name, _NOTHING)
        newest = self._ahead is not None and sequence > self._ahead  # than all that was heard; else older than all
        judged = _both(said, held) if newest else _both(held, said)
        if known is not None and slot is not None:
            self._known[slot] = replace(known, judged=judged)
        elif not self.complete:
            self._judged[name] = judged

    def _drop(self, gone: Iterable[_Known]) -> None:
        for known in list(gone):
            slot = self._slots.pop(known.name)
            self._held[known.name[0]] -= 1
            self._known[slot] = None
            self._vectors.drop(slot)


def _both(newer: _Judged, older: _Judged) -> _Judged:
    return _Judged(newer.priority or older.priority, newer.route or older.route)


def _as_told(known: _Known, similarity: float) -> Similar:
    judged = known.judged
    return Similar(
        task_id=known.name[1],
        similarity=round(similarity, 4),
        priority=judged.priority or known.priority,
        route=judged.route or known.route,
        judged=judged != _NOTHING,
    )
