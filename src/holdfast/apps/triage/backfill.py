"""Backfill: tasks that were made or changed while nobody here listened, asked for and taken in once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from holdfast.apps.triage.connections import Connection
from holdfast.apps.triage.decision import instant_text
from holdfast.apps.triage.dialect import TaskGone, TrackerRefused
from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.task import Task
from holdfast.apps.triage.tracker import Tracker, Turn
from holdfast.clock import Clock
from holdfast.errors import InvalidInput
from holdfast.facts import Facts
from holdfast.job import NewJob

__all__ = ["KIND", "QUEUE", "Backfill", "BackfillOrder", "Progress", "backfill_job", "unpack_backfill"]

QUEUE = KIND = "backfill"
_OVERLAP_S = 120.0  # a delivery of the last minutes may still be on its way, a tracker's index a little behind
_MOST_PAGES = 1000
_MOST_PASSES = 50  # each takes about half of what is left
_SPARE_S = 5.0  # of the lease, for what was just read


class BackfillOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which connection is to be asked."""

    schema: int = 1
    connection: str
    round: int
    """Counts the askings of this connection."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to when everything is known, by the tracker's clock."""

    schema: int = 1
    round: int = 0
    since_at: str = ""
    """RFC 3339; empty before the first asking."""


_ENCODER = msgspec.msgpack.Encoder()
_ORDER = msgspec.msgpack.Decoder(BackfillOrder)
_PROGRESS = msgspec.msgpack.Decoder(Progress)

Take = Callable[[Connection, Task], bool]
"""Takes a task in as if its delivery had come, and says whether it was news; what was scored before is left alone."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one reading of the list came to."""

    new: int
    latest: datetime
    """The latest change that was seen."""
    now: datetime | None
    """The tracker's time of day at its beginning."""
    whole: bool
    """Whether the list was read to its end."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """Asks trackers what was missed. Holds no state."""

    tracker: Tracker
    facts: Facts
    sightings: Sightings
    clock: Clock

    def progress(self, connection: str) -> Progress:
        """How far the asking has come."""
        found = self.facts.get(_fact(connection))
        return _PROGRESS.decode(found) if found is not None else Progress()

    def begin(self, connection: str) -> None:
        """Note that what is changed from now on is to be known, if this connection is new and the clock can say when.

        Else the first round notes it, by the tracker's clock.
        """
        if not self.progress(connection).since_at and self.clock.wall_trusted():
            self._keep(connection, Progress(since_at=instant_text(self.clock.wall_at())))

    def run(self, connection: Connection, turn: Turn, take: Take) -> tuple[int, bool]:
        """Ask for what was changed since the last round and take it; returns how many were new, and whether all came.

        Pages are often numbered, and what is written meanwhile moves to the end of the list, so that others slip over
        the edge of a page that was read already: it is asked until a whole pass brings nothing new. A round that has no
        instant to begin with only notes one: what was there before the connection is nobody's absence.
        Raises as `Tracker.page`, `Tracker.read` and `take` do.
        """
        before = self.progress(connection.name)
        since = self._since(before, connection.terms.backfill_days)
        count, now = 0, None
        for _ in range(_MOST_PASSES):
            seen = self._pass(since, turn, take, only_look=not before.since_at)
            count, now = count + seen.new, now or seen.now
            if not seen.whole:
                # What was passed over lies before `latest` only if this pass brought something new.
                reached = since if seen.new else seen.latest
                self._keep(connection.name, Progress(round=before.round, since_at=instant_text(reached)))
                return count, False
            if not seen.new:
                break
        known_until = now - timedelta(seconds=_OVERLAP_S) if now is not None else seen.latest
        self._keep(connection.name, Progress(round=before.round + 1, since_at=instant_text(known_until)))
        return count, True

    def _pass(self, since: datetime, turn: Turn, take: Take, *, only_look: bool) -> _Pass:
        """Read the whole list once, as far as time allows."""
        cursor, new, latest = "", 0, since
        now: datetime | None = None
        for _ in range(_MOST_PAGES):
            listing, date = self.tracker.page(instant_text(since), cursor, turn)
            now = now or _tracker_now(date) or (self.clock.wall_at() if self.clock.wall_trusted() else None)
            if only_look:
                break
            for task in listing.tasks:
                new += self._take(task, turn, take)
                latest = max(latest, _changed_at(task) or latest)
            cursor = listing.next_cursor
            if not cursor:
                break
            if self.clock.monotonic_s() > turn.deadline_s - _SPARE_S:
                return _Pass(new, latest, now, whole=False)
        return _Pass(new, latest, now, whole=True)

    def _take(self, task: Task, turn: Turn, take: Take) -> int:
        connection = turn.connection
        try:
            if not task.whole and self.sightings.last(connection.name, task.id) is None:
                task = self.tracker.read(task.id, turn)  # a list may show less than the task itself does
            return int(take(connection, task))
        except (InvalidInput, TaskGone, TrackerRefused):
            return 0  # deleted, hidden from this account, or no task at all; the others are none the worse for it

    def _since(self, before: Progress, most_days: int) -> datetime:
        """From when to ask: never further back than the operator wants, as far as the clock can be trusted."""
        since = datetime.fromisoformat(before.since_at) if before.since_at else self.clock.wall_at()
        if not self.clock.wall_trusted():
            return since
        return max(since, self.clock.wall_at() - timedelta(days=most_days))

    def _keep(self, connection: str, progress: Progress) -> None:
        self.facts.put(_fact(connection), _ENCODER.encode(progress))


def backfill_job(order: BackfillOrder, *, day: int) -> NewJob:
    """Return the job; of one round there is one a day of the node's, so that a dead letter does not end the asking."""
    return NewJob(
        queue=QUEUE,
        kind=KIND,
        payload=_ENCODER.encode(order),
        key=f"backfill:{order.connection}:{order.round}:{day}",
    )


def unpack_backfill(payload: bytes) -> BackfillOrder:
    """Decode the payload. Raises msgspec.DecodeError for one that another version wrote."""
    return _ORDER.decode(payload)


def _fact(connection: str) -> str:
    return f"backfill {connection}"


def _tracker_now(date: str) -> datetime | None:
    """The tracker's own time of day, which needs no clock of ours (RFC 9110, 6.6.1)."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _changed_at(task: Task) -> datetime | None:
    try:
        moment = datetime.fromisoformat(task.revision)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
