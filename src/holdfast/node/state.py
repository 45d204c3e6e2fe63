"""What survives a power cut, opened in order: lock, database, vault, facts, journal, store, jobs."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from holdfast.clock import Clock, SystemClock
from holdfast.database import Database
from holdfast.facts import Facts
from holdfast.jobs import Jobs, Moments
from holdfast.ledger.journal import Journal, LedgerLimits
from holdfast.ledger.reserve import ReserveLimits
from holdfast.measure import Measures
from holdfast.node.lock import DirectoryLock
from holdfast.node.queues import queue_limits
from holdfast.settings.tree import Settings
from holdfast.store.shelf import Store, StoreLimits
from holdfast.tokens import Tokens
from holdfast.vault import Vault

__all__ = ["State", "open_state"]

_MIB = 1 << 20
_RESERVE = "ledger.reserve"
_FLOOR_AT = datetime(2026, 11, 1, tzinfo=UTC)  # no clock is right that says a time before this version was made


@dataclass(frozen=True, slots=True)
class State:
    """Everything durable of one node, owned by this process until `close`."""

    directory: Path
    clock: Clock
    measures: Measures
    lock: DirectoryLock
    database: Database
    vault: Vault
    facts: Facts
    journal: Journal
    store: Store
    jobs: Jobs
    tokens: Tokens

    def close(self) -> None:
        """Make the last of it durable and give the directory up."""
        try:
            self.facts.persist_age()
            self.tokens.keep_uses()
            self.journal.close()
        finally:
            self.database.close()
            self.lock.release()


def open_state(settings: Settings, directory: Path, *, measures: Measures, lock: DirectoryLock | None = None) -> State:
    """Take the lock, unless it is given, and open everything. Raises DataDirectoryBusy, HumanNeeded, OSError."""
    lock = lock or DirectoryLock(directory)
    try:
        clock = SystemClock(floor_at=_FLOOR_AT)
        database = Database(directory / "node.db", measures=measures, spare=directory / _RESERVE)
        vault = Vault(database, _key_file(settings, directory))
        facts = Facts(database, vault, clock=clock)
        journal = Journal(database, vault, facts=facts, clock=clock, limits=_ledger_limits(settings, directory))
        store = Store(directory / "packages", limits=_store_limits(settings), clock=clock)
        moments = Moments(age=facts, clock=clock)
        tokens = Tokens(database, clock=clock)
        jobs = Jobs(database, vault, moments=moments, limits=queue_limits(settings), rng=random.SystemRandom())
    except BaseException:
        lock.release()
        raise
    return State(directory, clock, measures, lock, database, vault, facts, journal, store, jobs, tokens)


def _key_file(settings: Settings, directory: Path) -> Path:
    """The configured key, else systemd's credential, else the node's own file."""
    if settings.ledger.key_file:
        return Path(settings.ledger.key_file)
    credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / "node.key"
    return credential if credential.is_absolute() and credential.is_file() else directory / "node.key"


def _ledger_limits(settings: Settings, directory: Path) -> LedgerLimits:
    chosen = settings.ledger
    return LedgerLimits(
        anchor_file=Path(chosen.anchor_file) if chosen.anchor_file else directory / "ledger.anchor",
        reserve=ReserveLimits(file=directory / _RESERVE, size_bytes=chosen.reserve_mib * _MIB),
        retention_days=chosen.retention_days,
        audit=chosen.audit,
    )


def _store_limits(settings: Settings) -> StoreLimits:
    return StoreLimits(quota_bytes=settings.data.package_quota_mib * _MIB)
