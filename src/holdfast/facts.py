"""Small durable truths: the node's age, keys seen before, changes of tier, settings in force."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import msgspec

from holdfast.clock import Clock
from holdfast.database import Database, Transaction
from holdfast.digest import Digest
from holdfast.errors import Unavailable
from holdfast.tier import Transition
from holdfast.vault import Vault

__all__ = ["Facts", "Seen"]

T = TypeVar("T")

_PERSIST_AGE_EVERY_S = 60.0  # what a power cut may take from the node's age; more often only wears the flash
_MOST_TRANSITIONS = 10_000
_NOTES_KEPT_DAYS = 400  # longer than any task is worked on; afterwards it counts as one nobody here has written
_TRANSITION = msgspec.json.Decoder(Transition)
_SETTINGS = "settings generation"
_AGE = "age_s"

_MIGRATIONS = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE transitions (id INTEGER PRIMARY KEY, at TEXT NOT NULL, transition BLOB NOT NULL) STRICT",
    """CREATE TABLE seen_keys (
        key BLOB PRIMARY KEY, body_sha256 BLOB, sequence INTEGER NOT NULL, day INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX seen_keys_by_day ON seen_keys (day)",
    "CREATE TABLE notes (key BLOB PRIMARY KEY, value BLOB NOT NULL, day INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX notes_by_day ON notes (day)",
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key that was used before."""

    sequence: int
    """Of the ledger entry that the first use made."""
    body_sha256: bytes | None


class Facts:
    """Reads and writes the small truths in `node.db`; `_lock` guards the age.

    What takes a `transaction` becomes durable with the caller's unit of work; without one it commits by itself.
    """

    def __init__(self, database: Database, vault: Vault, *, clock: Clock, seen_days: int = 30) -> None:
        """`seen_days`: how long idempotency keys are known, in the node's own days."""
        self._seen_days = seen_days
        self._keys_pruned_on: int | None = None
        self._database = database
        self._vault = vault
        self._clock = clock
        database.migrate("facts", _MIGRATIONS)
        stored = self.get(_AGE)
        self._lock = threading.Lock()
        self._age_at_start_s = float(stored) if stored is not None else 0.0
        self._started_s = clock.monotonic_s()
        self._persisted_s = self._age_at_start_s

    # The node's age.

    def age_s(self) -> float:
        """Seconds this node has run since it was set up; it survives restarts and no wall clock can move it."""
        return self._age_at_start_s + max(self._clock.monotonic_s() - self._started_s, 0.0)

    def age_days(self) -> int:
        """Whole days of `age_s`."""
        return int(self.age_s() // 86_400)

    def step(self) -> None:
        """Persist the age every minute and forget old keys every day. Called by the node's sense loop."""
        if self.age_s() - self._persisted_s >= _PERSIST_AGE_EVERY_S:
            self.persist_age()
        if self._keys_pruned_on != self.age_days():
            with suppress(Unavailable):  # the disk is full or failing: the next step tries again
                self.forget_keys(older_than_days=self._seen_days)
                self.forget_notes(older_than_days=_NOTES_KEPT_DAYS)
                self._keys_pruned_on = self.age_days()

    def persist_age(self) -> None:
        """Make the age durable, if the disk takes it; called at every stop."""
        with self._lock, suppress(Unavailable):  # lost are minutes of age: payloads are then kept that much longer
            age_s = max(self.age_s(), self._persisted_s)
            self.put(_AGE, repr(age_s).encode())
            self._persisted_s = age_s

    # Idempotency keys.

    def recall(self, transaction: Transaction, key: str) -> Seen | None:
        """Say what the first use of idempotency key `key` led to, if it was used."""
        row = transaction.row("SELECT sequence, body_sha256 FROM seen_keys WHERE key = ?", (self._hashed(key),))
        return Seen(sequence=row[0], body_sha256=row[1]) if row else None

    def remember(self, transaction: Transaction, key: str, *, sequence: int, body_sha256: bytes | None) -> None:
        """Keep the first use of `key`, as a keyed hash only, until `forget_keys`."""
        values = (self._hashed(key), body_sha256, sequence, self.age_days())
        transaction.run("INSERT INTO seen_keys (key, body_sha256, sequence, day) VALUES (?, ?, ?, ?)", values)

    def forget_keys(self, *, older_than_days: int) -> int:
        """Forget keys first used more than `older_than_days` of the node's own days ago; returns how many."""
        oldest = self.age_days() - older_than_days

        def unit(transaction: Transaction) -> int:
            transaction.run("DELETE FROM seen_keys WHERE day < ?", (oldest,))
            return transaction.changed()

        return self._database.commit(unit)

    # Notes about things outside: what was last written on a task, what of it was last scored.

    def note(self, space: str, name: str, value: bytes, transaction: Transaction | None = None) -> None:
        """Keep `value` about `name`, which is kept as a keyed hash only; `value` itself is not sealed."""
        values = (self._note_key(space, name), value, self.age_days())
        self._within(transaction, lambda t: t.run("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", values))

    def noted(self, space: str, name: str, transaction: Transaction | None = None) -> bytes | None:
        """The last note about `name`, or None."""
        key = self._note_key(space, name)

        def query(t: Transaction) -> bytes | None:
            row = t.row("SELECT value FROM notes WHERE key = ?", (key,))
            return row[0] if row else None

        return query(transaction) if transaction is not None else self._database.read(query)

    def forget_notes(self, *, older_than_days: int) -> int:
        """Forget notes last changed more than `older_than_days` of the node's own days ago; returns how many."""
        oldest = self.age_days() - older_than_days

        def unit(transaction: Transaction) -> int:
            transaction.run("DELETE FROM notes WHERE day < ?", (oldest,))
            return transaction.changed()

        return self._database.commit(unit)

    # Changes of tier.

    def add_transition(self, transition: Transition, transaction: Transaction | None = None) -> None:
        """Keep `transition`; the oldest beyond ten thousand go."""
        encoded = msgspec.json.encode(transition)

        def unit(t: Transaction) -> None:
            t.run("INSERT INTO transitions (at, transition) VALUES (?, ?)", (transition.at, encoded))
            t.run("DELETE FROM transitions WHERE id <= (SELECT max(id) FROM transitions) - ?", (_MOST_TRANSITIONS,))

        self._within(transaction, unit)

    def transitions(self, *, since: str = "", limit: int = 1000) -> list[Transition]:
        """The latest transitions at or after `since` (RFC 3339, UTC), newest first."""
        sql = "SELECT transition FROM transitions WHERE at >= ? ORDER BY id DESC LIMIT ?"
        return [_TRANSITION.decode(row[0]) for row in self._database.read(lambda t: t.rows(sql, (since, limit)))]

    # Settings in force.

    def settings_generation(self, settings: Digest) -> int:
        """The number of the settings with this digest: one more than the last when they differ from the last."""

        def unit(transaction: Transaction) -> int:
            row = transaction.row("SELECT value FROM facts WHERE name = ?", (_SETTINGS,))
            number, _, last = row[0].decode().partition(" ") if row else ("0", "", "")
            if last == settings:
                return int(number)
            self.put(_SETTINGS, f"{int(number) + 1} {settings}".encode(), transaction)
            return int(number) + 1

        return self._database.commit(unit)

    # Anything else that is small.

    def get(self, name: str, transaction: Transaction | None = None) -> bytes | None:
        """The value kept under `name`, or None."""

        def query(t: Transaction) -> bytes | None:
            row = t.row("SELECT value FROM facts WHERE name = ?", (name,))
            return row[0] if row else None

        return query(transaction) if transaction is not None else self._database.read(query)

    def put(self, name: str, value: bytes, transaction: Transaction | None = None) -> None:
        """Keep `value` under `name`."""
        self._within(transaction, lambda t: t.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value)))

    def drop(self, name: str, transaction: Transaction | None = None) -> None:
        """Forget `name`."""
        self._within(transaction, lambda t: t.run("DELETE FROM facts WHERE name = ?", (name,)))

    def _within(self, transaction: Transaction | None, unit: Callable[[Transaction], None]) -> None:
        if transaction is not None:
            unit(transaction)
        else:
            self._database.commit(unit)

    def _note_key(self, space: str, name: str) -> bytes:
        return self._hashed(f"note\0{space}\0{name}")

    def _hashed(self, key: str) -> bytes:
        return self._vault.hmac("idempotency", key.encode())
