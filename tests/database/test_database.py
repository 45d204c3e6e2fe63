"""The database: units of work, one durable commit for many, readers beside it."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from holdfast.database import (
    CommitUncertain,
    Database,
    DatabaseBusy,
    DatabaseClosed,
    DatabaseDamaged,
    DatabaseLimits,
    DiskFailed,
    NewerState,
    Transaction,
)
from holdfast.measure import Measures
from tests.faults.failing_vfs import FailingVFS

IMPATIENT = DatabaseLimits(commit_timeout_s=0.05, waiting_units=3)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "node.db")
    opened.migrate("numbers", ["CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT"])
    yield opened
    opened.close()


def _add(number: int):
    return lambda t: t.run("INSERT INTO numbers VALUES (?)", (number,))


def _numbers(database: Database) -> list[int]:
    return [row[0] for row in database.read(lambda t: t.rows("SELECT number FROM numbers ORDER BY number"))]


def _count_commits(database: Database) -> int:
    return database.measures.histograms()["ledger_commit_seconds"][()].count


def _hold_writer(database: Database) -> threading.Event:
    """Keep the writer busy until the event is set."""
    began, free = threading.Event(), threading.Event()

    def unit(_: Transaction) -> None:
        began.set()
        free.wait(10)

    database.submit(unit)
    began.wait(10)
    return free


def test_a_unit_gives_its_value_back_once_it_is_durable(database: Database) -> None:
    assert database.commit(lambda t: t.row("SELECT 6 * 7")) == (42,)


def test_what_a_unit_raises_is_raised_and_nothing_of_it_is_kept(database: Database) -> None:
    def unit(transaction: Transaction) -> None:
        _add(1)(transaction)
        raise LookupError("no")

    with pytest.raises(LookupError):
        database.commit(unit)
    assert _numbers(database) == []


def test_units_that_wait_together_share_one_commit_and_fail_alone(database: Database) -> None:
    free = _hold_writer(database)
    futures = [database.submit(_add(number)) for number in (1, 2, 2, 3)]  # the second 2 violates the primary key
    before = _count_commits(database)
    free.set()
    errors = [future.exception(timeout=10) for future in futures]
    assert [type(error) for error in errors] == [type(None), type(None), apsw.ConstraintError, type(None)]
    assert _numbers(database) == [1, 2, 3]
    assert _count_commits(database) - before <= 2  # the held unit's own, and one for all four


def test_everything_from_many_threads_is_kept(database: Database) -> None:
    threads = [threading.Thread(target=lambda n=n: database.commit(_add(n))) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _numbers(database) == list(range(100))


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db", IMPATIENT)
    free = _hold_writer(database)
    for _ in range(3):
        database.submit(lambda _: None)
    with pytest.raises(DatabaseBusy, match="3 changes are waiting"):
        database.submit(lambda _: None)
    free.set()
    database.close()


def test_a_unit_that_was_not_begun_in_time_is_withdrawn(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db", IMPATIENT)
    ran: list[int] = []
    free = _hold_writer(database)
    with pytest.raises(DatabaseBusy, match="nothing was changed"):
        database.commit(lambda _: ran.append(1))
    free.set()
    database.close()
    assert ran == []


def test_a_unit_that_hangs_on_the_disk_is_said_to_be_uncertain(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db", IMPATIENT)
    free = threading.Event()
    with pytest.raises(CommitUncertain, match="may or may not be kept"):
        database.commit(lambda _: free.wait(10))
    free.set()
    database.close()


def test_a_reader_sees_one_snapshot_while_the_writer_goes_on(database: Database) -> None:
    database.commit(_add(1))

    def query(transaction: Transaction) -> tuple[int, int]:
        first = transaction.row("SELECT count(*) FROM numbers")
        database.commit(_add(2))
        second = transaction.row("SELECT count(*) FROM numbers")
        return (first or (0,))[0], (second or (0,))[0]

    assert database.read(query) == (1, 1)
    assert _numbers(database) == [1, 2]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DiskFailed, match="readonly"):
        database.read(_add(1))


def test_more_readers_than_connections_wait_and_then_are_told(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db", DatabaseLimits(readers=1, reader_timeout_s=0.05))
    with pytest.raises(DatabaseBusy, match="all 1 database readers are busy"):
        database.read(lambda _: database.read(lambda _: None))
    assert database.read(lambda t: t.row("SELECT 1")) == (1,)
    database.close()


def test_a_unit_may_not_wait_for_another_unit(database: Database) -> None:
    with pytest.raises(RuntimeError, match="may not wait"):
        database.commit(lambda _: database.commit(lambda _: None))


def test_a_closed_database_takes_nothing_and_closing_twice_is_no_error(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db")
    database.close()
    database.close()
    with pytest.raises(DatabaseClosed):
        database.commit(lambda _: None)
    with pytest.raises(DatabaseClosed):
        database.read(lambda _: None)


def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    first = Database(tmp_path / "node.db")
    first.migrate("numbers", ["CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT"])
    free = _hold_writer(first)
    futures = [first.submit(_add(number)) for number in range(20)]
    free.set()
    first.close()
    assert all(future.done() for future in futures)
    second = Database(tmp_path / "node.db")
    assert _numbers(second) == list(range(20))
    second.close()


def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    steps = ["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD COLUMN y INTEGER"]
    for count in (1, 1, 2, 2):
        database = Database(tmp_path / "node.db")
        database.migrate("a", steps[:count])
        database.close()
    database = Database(tmp_path / "node.db")
    database.commit(lambda t: t.run("INSERT INTO a (x, y) VALUES (1, 2)"))
    database.close()


def test_newer_state_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db")
    database.migrate("a", ["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD COLUMN y INTEGER"])
    with pytest.raises(NewerState, match="version 2, this Holdfast knows up to 1"):
        database.migrate("a", ["CREATE TABLE a (x INTEGER) STRICT"])
    assert database.read(lambda t: t.row("SELECT version FROM schema WHERE component = 'a'")) == (2,)
    database.close()


def test_a_migration_that_fails_changes_nothing(database: Database) -> None:
    with pytest.raises(apsw.SQLError):
        database.migrate("b", ["CREATE TABLE b (x INTEGER) STRICT", "CREATE NONSENSE"])
    assert database.read(lambda t: t.row("SELECT name FROM sqlite_schema WHERE name = 'b'")) is None


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"these are somebody's notes, and they are long enough" * 100)
    with pytest.raises(DatabaseDamaged, match="restore a backup"):
        Database(tmp_path / "node.db")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "node.db"))
    connection.execute("PRAGMA application_id = 77")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(DatabaseDamaged, match="another program"):
        Database(tmp_path / "node.db")


def test_others_cannot_read_the_file(database: Database) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.path.parent.iterdir()}
    assert set(modes.values()) == {0o600}


def test_every_promise_about_durability_is_asked_of_sqlite(database: Database) -> None:
    names = ("journal_mode", "synchronous", "secure_delete")
    found = {name: database.commit(lambda t, name=name: (t.row(f"PRAGMA {name}") or (None,))[0]) for name in names}
    assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}


def test_a_checkpoint_cuts_the_log(database: Database) -> None:
    database.commit(lambda t: t.run_many("INSERT INTO numbers VALUES (?)", [(n,) for n in range(1000)]))
    log = database.path.with_name("node.db-wal")
    assert log.stat().st_size > 0
    assert database.checkpoint()
    assert log.stat().st_size == 0


def test_a_reader_in_the_way_of_a_checkpoint_is_said_and_costs_nothing(database: Database) -> None:
    database.commit(_add(1))

    def query(transaction: Transaction) -> bool:
        transaction.row("SELECT count(*) FROM numbers")
        database.commit(_add(2))
        return database.checkpoint()

    assert not database.read(query)
    assert database.checkpoint()
    assert _numbers(database) == [1, 2]


def test_the_log_does_not_grow_without_bound(tmp_path: Path) -> None:
    database = Database(tmp_path / "node.db", DatabaseLimits(checkpoint_pages=50))
    database.migrate("blobs", ["CREATE TABLE blobs (content BLOB) STRICT"])
    for _ in range(300):
        database.commit(lambda t: t.run("INSERT INTO blobs VALUES (zeroblob(8000))"))
    assert (tmp_path / "node.db-wal").stat().st_size < 400 * 1024
    database.close()


def test_a_failing_disk_fails_the_whole_group_and_is_over_when_it_is(tmp_path: Path) -> None:
    vfs = FailingVFS("failing-database")
    database = Database(tmp_path / "node.db", measures=Measures(), vfs=vfs.vfs_name)
    database.migrate("numbers", ["CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT"])
    free = _hold_writer(database)
    futures = [database.submit(_add(number)) for number in range(5)]
    vfs.failure = apsw.IOError
    free.set()
    assert {type(future.exception(timeout=10)) for future in futures} == {DiskFailed}
    vfs.failure = None
    database.commit(_add(7))
    assert _numbers(database) == [7]
    database.close()
    vfs.unregister()


def test_a_checkpoint_on_a_failing_disk_is_reported_and_tried_again(tmp_path: Path) -> None:
    vfs = FailingVFS("failing-checkpoint")
    database = Database(tmp_path / "node.db", vfs=vfs.vfs_name)
    database.migrate("numbers", ["CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT"])
    vfs.failure = apsw.IOError
    with pytest.raises(DiskFailed):
        database.checkpoint()
    vfs.failure = None
    assert database.checkpoint()
    assert database.checkpoint_error() is None
    database.close()
    vfs.unregister()
