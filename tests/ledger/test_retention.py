"""Retention and erasure: by the node's own age, and really gone."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.database import Transaction
from holdfast.ledger.query import Query

from .desk import Desk, OpenDesk, draft

DAY_S = 86_400.0


def _states(desk: Desk) -> list[str]:
    return [entry.state for entry in reversed(desk.journal.list(Query(kinds=("decision",))).entries)]


def _pass_days(desk: Desk, days: float) -> None:
    desk.clock.monotonic += days * DAY_S
    desk.facts.step()
    desk.journal.step()


def test_a_payload_is_kept_for_thirty_of_the_nodes_days_and_then_erased(desk: Desk) -> None:
    desk.journal.append(draft(1))
    _pass_days(desk, 30)
    assert _states(desk) == ["kept"]
    _pass_days(desk, 1)
    assert _states(desk) == ["erased"]
    assert desk.journal.verify().ok


def test_only_the_days_that_are_over_are_erased(desk: Desk) -> None:
    for number in range(4):
        desk.journal.append_many([draft(number * 10 + n) for n in range(5)])
        desk.clock.monotonic += DAY_S
    _pass_days(desk, 28.5)
    verdict = desk.journal.verify()
    assert _states(desk) == ["erased"] * 10 + ["kept"] * 10
    assert (verdict.ok, verdict.erased, verdict.sealed) == (True, 10, 11)


def test_an_erased_day_cannot_be_opened_even_with_its_old_payload(desk: Desk) -> None:
    desk.journal.append(draft(1))
    sealed = desk.database.read(lambda t: t.row("SELECT sealed FROM payloads"))
    _pass_days(desk, 31)
    assert sealed is not None
    desk.database.commit(lambda t: t.run("INSERT INTO payloads VALUES (1, ?)", sealed))
    assert _states(desk) == ["erased"]


@pytest.mark.parametrize(
    "walls",
    [
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
    ],
    ids=["1970 to now", "now to 2100 to now"],
)
def test_a_jumping_wall_clock_erases_nothing_early_and_keeps_nothing_longer(
    desk: Desk, walls: tuple[datetime, ...]
) -> None:
    for number, wall in enumerate(walls):
        desk.clock.wall = wall
        desk.journal.append(draft(number))
        _pass_days(desk, 0.01)
    assert _states(desk) == ["kept"] * len(walls)
    _pass_days(desk, 31)
    assert _states(desk) == ["erased"] * len(walls)


def test_the_nodes_age_goes_on_after_a_restart_with_a_new_monotonic_clock(open_desk: OpenDesk) -> None:
    first = open_desk()
    first.journal.append(draft(1))
    _pass_days(first, 20)
    first.close()
    second = open_desk()  # its clock begins at 1000 s again, as after a reboot
    _pass_days(second, 10.5)
    assert _states(second) == ["kept"]
    _pass_days(second, 0.6)
    assert _states(second) == ["erased"]


def test_retention_that_was_interrupted_is_finished_after_a_restart(open_desk: OpenDesk) -> None:
    first = open_desk()
    first.journal.append_many([draft(n) for n in range(20)])
    left = first.database.read(lambda t: t.rows("SELECT * FROM payloads WHERE sequence > 10"))
    _pass_days(first, 31)
    first.database.commit(lambda t: t.run_many("INSERT INTO payloads VALUES (?, ?)", left))
    first.close()
    second = open_desk()
    _pass_days(second, 0)
    assert second.database.read(lambda t: t.row("SELECT count(*) FROM payloads WHERE sequence <= 20")) == (0,)
    assert second.journal.verify().ok


def test_erasing_a_subject_erases_all_of_its_entries_and_no_other(desk: Desk) -> None:
    desk.journal.append_many([draft(n, subject=f"person-{n % 3}") for n in range(9)])
    erased = desk.journal.erase("person-1")
    assert (erased.entries, erased.purged) == (3, True)
    assert _states(desk) == ["kept", "erased", "kept"] * 3
    assert desk.journal.verify().ok


def test_erasing_twice_or_somebody_unknown_changes_nothing_and_is_recorded(desk: Desk) -> None:
    desk.journal.append(draft(1, subject="person"))
    assert desk.journal.erase("person").entries == 1
    assert desk.journal.erase("nobody").entries == 0
    assert desk.journal.verify().ok


def test_an_erased_decision_is_still_replayed_without_its_payload(desk: Desk) -> None:
    desk.journal.append(draft(1, subject="person"), idempotency_key="key", body_sha256=b"b")
    desk.journal.erase("person")
    again = desk.journal.append(draft(1, subject="person"), idempotency_key="key", body_sha256=b"b")
    assert (again.replayed, again.sequence, again.payload) == (True, 1, None)


def _raw(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.iterdir()) if path.name.startswith("node.db"))


def _spread(desk: Desk) -> None:
    """Many entries of changing size over many pages, some of them about one person."""
    for start in range(0, 600, 60):
        desk.journal.append_many(
            [draft(n, subject=f"person-{n % 7}", text=f"secret-{n} " * (n % 40)) for n in range(start, start + 60)]
        )
        desk.journal.erase("person-6")  # earlier erasures move pages about before the one that is looked at


def test_plaintext_is_nowhere_in_the_files(desk: Desk) -> None:
    _spread(desk)
    assert b"secret-" not in _raw(desk.directory)
    assert b"person-" not in _raw(desk.directory)


def test_the_keys_of_an_erased_subject_are_nowhere_in_the_files(desk: Desk) -> None:
    _spread(desk)
    before, full = dict(desk.database.read(_keys_of_decisions)), _raw(desk.directory)
    desk.journal.erase("person-3")
    left, raw = dict(desk.database.read(_keys_of_decisions)), _raw(desk.directory)
    gone = [key for sequence, key in before.items() if left[sequence] != key]
    assert len(gone) == 86
    assert all(key in full for key in gone)
    assert not [key for key in gone if key in raw]


def test_an_erasure_that_a_reader_held_up_is_finished_by_the_next_step(desk: Desk) -> None:
    desk.journal.append(draft(1, subject="person"))
    ((_, key),) = desk.database.read(_keys_of_decisions)

    def erase_while_reading(transaction: Transaction) -> bool:
        transaction.row("SELECT count(*) FROM entries")
        return desk.journal.erase("person").purged

    assert not desk.database.read(erase_while_reading)
    assert key in _raw(desk.directory)
    desk.journal.step()
    assert key not in _raw(desk.directory)


def test_an_erasure_before_a_crash_is_finished_after_the_restart(desk: Desk, open_desk: OpenDesk) -> None:
    desk.journal.append(draft(1, subject="person"))
    ((_, key),) = desk.database.read(_keys_of_decisions)
    desk.database.read(lambda t: (t.row("SELECT count(*) FROM entries"), desk.journal.erase("person")))
    crashed = shutil.copytree(desk.directory, desk.directory / "crashed", ignore=shutil.ignore_patterns("crashed"))
    assert key in _raw(crashed)
    restarted = open_desk(crashed)
    restarted.journal.step()
    assert key not in _raw(crashed)


def test_the_key_of_an_erased_day_is_nowhere_in_the_files(desk: Desk) -> None:
    _spread(desk)
    keys = [row[0] for row in desk.database.read(lambda t: t.rows("SELECT wrapped FROM day_keys"))]
    _pass_days(desk, 31)
    raw = _raw(desk.directory)
    assert len(keys) == 1
    assert not [key for key in keys if key in raw]


def test_the_database_without_the_key_file_opens_nothing(desk: Desk) -> None:
    """The node's key lies in a file of its own and in no other."""
    _spread(desk)
    assert (desk.directory / "node.key").read_bytes() not in _raw(desk.directory)


def _keys_of_decisions(transaction: Transaction) -> list[tuple[int, bytes]]:
    sql = "SELECT sequence, record_key FROM entries WHERE kind = 'decision'"
    return [(row[0], row[1]) for row in transaction.rows(sql)]
