"""Small durable truths: age, seen keys, transitions, settings generation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.database import Database, Transaction
from holdfast.digest import digest_bytes
from holdfast.facts import Facts
from holdfast.tier import Reason, Tier, Transition
from holdfast.vault import Vault

from .ledger.desk import HeldClock

DAY_S = 86_400.0
Reopen = Callable[[], Facts]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "node.db")
    yield opened
    opened.close()


@pytest.fixture
def reopen(database: Database, clock: HeldClock, tmp_path: Path) -> Reopen:
    """Facts as a restart finds them: what was not committed is gone."""
    return lambda: Facts(database, Vault(database, tmp_path / "node.key"), clock=clock, seen_days=7)


@pytest.fixture
def facts(reopen: Reopen) -> Facts:
    return reopen()


def _transition(at: str, after: Tier = Tier.SMALL) -> Transition:
    return Transition(package="triage-en", before=Tier.FULL, after=after, reason=Reason.CRASHED, at=at)


def test_the_age_grows_with_the_monotonic_clock_only(facts: Facts, clock: HeldClock) -> None:
    clock.monotonic += 90.0
    clock.wall = clock.wall.replace(year=2100)
    assert facts.age_s() == 90.0


def test_a_crash_costs_at_most_a_minute_of_age(facts: Facts, reopen: Reopen, clock: HeldClock) -> None:
    for _ in range(1000):
        clock.monotonic += 1.0
        facts.step()
    assert 940.0 <= reopen().age_s() <= 1000.0


def test_a_clean_stop_costs_no_age(facts: Facts, reopen: Reopen, clock: HeldClock) -> None:
    clock.monotonic += 12.5
    facts.persist_age()
    clock.monotonic = 3.0  # the machine booted again
    assert reopen().age_s() == 12.5


def test_the_age_never_goes_back(facts: Facts, clock: HeldClock) -> None:
    clock.monotonic -= 500.0
    assert facts.age_s() == 0.0


def test_a_key_is_recalled_with_its_first_body_and_is_not_on_disk(facts: Facts, database: Database) -> None:
    database.commit(lambda t: facts.remember(t, "the-key", sequence=7, body_sha256=b"body"))
    seen = database.read(lambda t: facts.recall(t, "the-key"))
    assert seen is not None
    assert (seen.sequence, seen.body_sha256) == (7, b"body")
    assert b"the-key" not in b"".join(path.read_bytes() for path in database.path.parent.glob("node.db*"))


def test_keys_are_forgotten_by_the_nodes_age(facts: Facts, database: Database, clock: HeldClock) -> None:
    database.commit(lambda t: facts.remember(t, "key", sequence=1, body_sha256=None))
    clock.monotonic += 7 * DAY_S
    facts.step()
    assert database.read(lambda t: facts.recall(t, "key")) is not None
    clock.monotonic += DAY_S
    facts.step()
    assert database.read(lambda t: facts.recall(t, "key")) is None


def test_transitions_come_back_newest_first_and_since_a_time(facts: Facts) -> None:
    for hour in range(5):
        facts.add_transition(_transition(f"2026-03-01T0{hour}:00:00.000Z"))
    found = facts.transitions(since="2026-03-01T02:00:00.000Z", limit=2)
    assert [one.at[11:13] for one in found] == ["04", "03"]


def test_only_the_latest_ten_thousand_transitions_are_kept(facts: Facts, database: Database) -> None:
    def many(transaction: Transaction) -> None:
        for number in range(10_050):
            facts.add_transition(_transition(f"2026-03-01T00:00:00.{number:06}Z"), transaction)

    database.commit(many)
    assert len(facts.transitions(limit=20_000)) == 10_000


def test_the_settings_generation_rises_only_when_the_settings_change(facts: Facts, reopen: Reopen) -> None:
    first, second = digest_bytes(b"1"), digest_bytes(b"2")
    generations = [facts.settings_generation(digest) for digest in (first, first, second, second, first)]
    assert generations == [1, 1, 2, 2, 3]
    assert reopen().settings_generation(first) == 3


def test_facts_within_a_unit_of_work_are_undone_with_it(facts: Facts, database: Database) -> None:
    def unit(transaction: Transaction) -> None:
        facts.put("name", b"value", transaction)
        facts.add_transition(_transition("2026-03-01T00:00:00.000Z"), transaction)
        facts.remember(transaction, "key", sequence=1, body_sha256=None)
        raise LookupError

    with pytest.raises(LookupError):
        database.commit(unit)
    assert (facts.get("name"), facts.transitions()) == (None, [])
    assert database.read(lambda t: facts.recall(t, "key")) is None


def test_a_value_is_kept_replaced_and_dropped(facts: Facts) -> None:
    facts.put("name", b"one")
    facts.put("name", b"two")
    assert facts.get("name") == b"two"
    facts.drop("name")
    assert facts.get("name") is None


def test_a_note_outlives_a_restart_and_is_known_by_its_space_and_name(facts: Facts, reopen: Reopen) -> None:
    facts.note("written", "team/desk#7", b"P1")
    facts.note("written", "team/desk#7", b"P0")
    assert reopen().noted("written", "team/desk#7") == b"P0"
    assert reopen().noted("scored", "team/desk#7") is None


def test_notes_nobody_touched_for_long_are_forgotten(facts: Facts, clock: HeldClock) -> None:
    facts.note("written", "old", b"P1")
    clock.monotonic += 401 * DAY_S
    facts.note("written", "new", b"P1")
    facts.step()
    assert facts.noted("written", "old") is None
    assert facts.noted("written", "new") == b"P1"
