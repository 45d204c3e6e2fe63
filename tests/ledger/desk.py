"""A ledger on a real disk, with a clock the test holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from holdfast.database import Database, DatabaseLimits
from holdfast.facts import Facts
from holdfast.ledger.journal import Journal, LedgerLimits
from holdfast.ledger.reserve import ReserveLimits
from holdfast.record import Draft
from holdfast.tier import Tier
from holdfast.vault import Vault

MIB = 1 << 20


@dataclass
class HeldClock:
    """A clock that moves when the test says so."""

    monotonic: float = 1000.0
    wall: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))

    def monotonic_s(self) -> float:
        return self.monotonic

    def wall_at(self) -> datetime:
        return self.wall

    def wall_trusted(self) -> bool:
        return self.wall.year >= 2025


@dataclass
class Desk:
    """Everything one ledger needs, built in order, in one directory."""

    directory: Path
    clock: HeldClock
    database: Database
    vault: Vault
    facts: Facts
    journal: Journal
    closed: bool = False

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.journal.close()
        self.facts.persist_age()
        self.database.close()


OpenDesk = Callable[..., Desk]


def limits_at(directory: Path, *, audit: Literal["required", "best-effort"] = "required") -> LedgerLimits:
    """Limits of a small ledger in `directory`."""
    reserve = ReserveLimits(file=directory / "reserve", size_bytes=MIB, release_bytes=MIB // 4, min_free_bytes=MIB)
    return LedgerLimits(anchor_file=directory / "anchor", reserve=reserve, audit=audit)


def open_desk_at(
    directory: Path,
    *,
    clock: HeldClock | None = None,
    vfs: str | None = None,
    limits: LedgerLimits | None = None,
    database_limits: DatabaseLimits | None = None,
) -> Desk:
    """Build a ledger in `directory`, or open the one that is there."""
    held = clock or HeldClock()
    database = Database(directory / "node.db", database_limits, vfs=vfs, spare=directory / "reserve")
    vault = Vault(database, directory / "node.key")
    facts = Facts(database, vault, clock=held)
    journal = Journal(database, vault, facts=facts, clock=held, limits=limits or limits_at(directory))
    return Desk(directory, held, database, vault, facts, journal)


def draft(number: int, *, subject: str = "", text: str = "the printer is out of toner") -> Draft:
    """A decision about task `number`."""
    return Draft(
        kind="decision",
        payload=f"{number}: {text}".encode(),
        reference=f"dec_{number}",
        subject=subject or f"task-{number}",
        tier=Tier.SMALL,
        score=float(number % 100),
        band=f"P{number % 4}",
    )
