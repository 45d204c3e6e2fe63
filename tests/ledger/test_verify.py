"""Verification: what was altered, cut off or taken out is found, and where."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from holdfast.ledger.chain import Verdict

from .desk import Desk, OpenDesk, draft

ENTRIES = 40


@pytest.fixture
def closed(open_desk: OpenDesk, tmp_path: Path) -> Path:
    """The directory of a ledger of forty entries that nobody has open."""
    desk = open_desk()
    desk.journal.append_many([draft(n) for n in range(ENTRIES)])
    desk.close()
    return tmp_path


def _edit(directory: Path, sql: str, *bindings: object) -> None:
    connection = sqlite3.connect(directory / "node.db")
    with connection:
        connection.execute(sql, bindings)
    connection.close()


def _flip(directory: Path, column: str, sequence: int, *, at: int) -> None:
    table = "payloads" if column == "sealed" else "entries"
    connection = sqlite3.connect(directory / "node.db")
    sql = f"SELECT {column} FROM {table} WHERE sequence = ?"
    value = bytearray(connection.execute(sql, (sequence,)).fetchone()[0])
    value[at % len(value)] ^= 1
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE sequence = ?", (bytes(value), sequence))
    connection.commit()
    connection.close()


def _verify(open_desk: OpenDesk) -> Verdict:
    return open_desk().journal.verify()


def test_an_untouched_ledger_verifies(closed: Path, open_desk: OpenDesk) -> None:
    verdict = _verify(open_desk)
    assert verdict.ok
    assert (verdict.entries, verdict.sealed, verdict.breaks) == (ENTRIES, ENTRIES, ())


@pytest.mark.parametrize("column", ["header", "hash", "sealed"])
def test_one_altered_bit_is_located_by_its_sequence(closed: Path, open_desk: OpenDesk, column: str) -> None:
    rng = random.Random(2)
    sequence = rng.randrange(1, ENTRIES)
    _flip(closed, column, sequence, at=rng.randrange(1000))
    verdict = _verify(open_desk)
    assert not verdict.ok
    assert verdict.breaks[0][0] == sequence


def test_the_last_entry_altered_is_found_too(closed: Path, open_desk: OpenDesk) -> None:
    _flip(closed, "header", ENTRIES, at=60)
    assert _verify(open_desk).breaks[0][0] == ENTRIES


def test_an_entry_taken_out_is_found(closed: Path, open_desk: OpenDesk) -> None:
    _edit(closed, "DELETE FROM entries WHERE sequence = 12")
    verdict = _verify(open_desk)
    assert verdict.breaks[0] == (13, "entry 12 is missing before it")


def test_two_entries_that_changed_places_are_found(closed: Path, open_desk: OpenDesk) -> None:
    for old, new in ((7, -1), (8, 7), (-1, 8)):
        _edit(closed, "UPDATE entries SET sequence = ? WHERE sequence = ?", new, old)
    assert _verify(open_desk).breaks[0][0] == 7


def test_a_payload_deleted_without_an_erasure_is_found(closed: Path, open_desk: OpenDesk) -> None:
    _edit(closed, "DELETE FROM payloads WHERE sequence = 9")
    assert _verify(open_desk).breaks == ((9, "the payload is gone and no later entry says it was erased"),)


@pytest.mark.parametrize("edit", ["band = 'P3'", "team = 'another'"])
def test_an_index_column_that_would_hide_an_entry_is_found(closed: Path, open_desk: OpenDesk, edit: str) -> None:
    _edit(closed, f"UPDATE entries SET {edit} WHERE sequence = 1")
    assert _verify(open_desk).breaks == ((1, "its index columns disagree with its header"),)


def test_a_ledger_cut_short_is_found_against_the_anchor(closed: Path, open_desk: OpenDesk) -> None:
    _edit(closed, "DELETE FROM entries WHERE sequence > 30")
    _edit(closed, "DELETE FROM payloads WHERE sequence > 30")
    verdict = _verify(open_desk)
    assert not verdict.ok
    assert "saw entry 40, the ledger ends before it" in verdict.anchor


def test_an_older_copy_of_the_database_is_found_against_the_anchor(closed: Path, open_desk: OpenDesk) -> None:
    shutil.copy(closed / "node.db", closed / "old.db")
    desk = open_desk()
    desk.journal.append(draft(100))
    desk.close()
    (closed / "old.db").replace(closed / "node.db")
    assert "saw entry 41" in _verify(open_desk).anchor


def test_a_rewritten_past_is_found_against_the_anchor(closed: Path, open_desk: OpenDesk, tmp_path: Path) -> None:
    """Somebody with the database but not the node's key rebuilds the chain so that it holds in itself."""
    _edit(closed, "DELETE FROM entries")
    _edit(closed, "DELETE FROM payloads")
    anchor = (closed / "anchor").read_bytes()
    desk = open_desk()
    desk.journal.append_many([draft(n, text="all was well") for n in range(ENTRIES)])
    desk.close()
    (closed / "anchor").write_bytes(anchor)
    assert "with another hash" in _verify(open_desk).anchor


def test_a_loss_stays_reported_until_an_operator_accepts_it(closed: Path, open_desk: OpenDesk) -> None:
    _edit(closed, "DELETE FROM entries WHERE sequence > 30")
    first = open_desk()
    first.journal.append(draft(50))
    first.close()
    second = open_desk()
    assert "saw entry 40" in second.journal.verify().anchor
    assert [finding.name for finding in second.journal.findings()] == ["ledger-loss"]
    second.journal.accept_loss()
    assert (second.journal.findings(), second.journal.verify().anchor[:5]) == ((), "holds")


def test_a_missing_anchor_is_reported(closed: Path, open_desk: OpenDesk) -> None:
    (closed / "anchor").unlink()
    assert _verify(open_desk).anchor == "the anchor file is missing"


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 5000])
def test_an_anchor_that_is_not_one_is_reported(closed: Path, open_desk: OpenDesk, content: bytes) -> None:
    (closed / "anchor").write_bytes(content)
    assert "is not an anchor" in _verify(open_desk).anchor


def test_an_altered_anchor_is_reported(closed: Path, open_desk: OpenDesk) -> None:
    content = (closed / "anchor").read_bytes()
    (closed / "anchor").write_bytes(content.replace(b'"sequence":40', b'"sequence":30'))
    assert "was altered" in _verify(open_desk).anchor


def test_the_anchor_follows_the_ledger_within_a_second(desk: Desk) -> None:
    desk.journal.append(draft(1))
    deadline = 100
    while b'"sequence":1,' not in (desk.directory / "anchor").read_bytes() and deadline:
        desk.journal.verify()  # something real to do meanwhile
        deadline -= 1
        _wait_briefly()
    assert b'"sequence":1,' in (desk.directory / "anchor").read_bytes()


def _wait_briefly() -> None:
    threading.Event().wait(0.01)
