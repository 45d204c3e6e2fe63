"""Retention: after so many of the node's own days, destroy the day's key and delete what it protected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from holdfast.database import Database, Transaction
from holdfast.digest import canonical
from holdfast.ledger.chain import through
from holdfast.ledger.rows import claimed_through, delete_payloads, last_before_day
from holdfast.record import Draft
from holdfast.vault import Vault

__all__ = ["Append", "Retention"]

_PAYLOADS_PER_UNIT = 500  # so that no append waits long behind a deletion
_UNITS_PER_STEP = 20


class Append(Protocol):
    """The journal's own `append`."""

    def __call__(self, draft: Draft, *, extra: Callable[[Transaction], None]) -> object:
        """Record `draft`, with `extra` in the same unit of work."""


class Retention:
    """Erases what is older than it may be. Used by one thread, the node's sense loop.

    Age is the node's own, counted in days it has run: a wall clock that jumps to 1970 or 2100 erases nothing early and
    keeps nothing longer. Days on which the node was switched off do not count.
    """

    def __init__(self, database: Database, vault: Vault, *, days: int) -> None:
        self._database = database
        self._vault = vault
        self._days = days
        self._done_before = 0

    def step(self, age_days: int, append: Append) -> bool:
        """Erase what is due, a bounded amount at a time; True when something was erased."""
        before = age_days - self._days
        if before <= self._done_before:
            return False
        last = self._database.read(partial(last_before_day, day=before))
        if last > self._database.read(claimed_through):
            self._destroy(last, before, append)
        deleted = self._delete(last)
        if deleted < _PAYLOADS_PER_UNIT * _UNITS_PER_STEP:
            self._done_before = before
        return deleted > 0

    def _destroy(self, last: int, before: int, append: Append) -> None:
        """Destroy the keys of all days before `before`, and say so in the chain, in one unit of work."""
        draft = Draft(kind="retention", band=through(last), payload=canonical({"days_before": before}))
        append(draft, extra=lambda t: self._destroy_keys(t, before))
        self._vault.forget_days(before=before)

    def _destroy_keys(self, transaction: Transaction, before: int) -> None:
        self._vault.destroy_days(transaction, before=before)

    def _delete(self, last: int) -> int:
        total = 0
        for _ in range(_UNITS_PER_STEP):
            deleted = self._database.commit(partial(delete_payloads, through=last, limit=_PAYLOADS_PER_UNIT))
            total += deleted
            if deleted < _PAYLOADS_PER_UNIT:
                break
        return total
