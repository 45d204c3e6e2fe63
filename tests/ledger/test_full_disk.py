"""A full or failing disk under the ledger: payloads stop first, then headers; it comes back by itself."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import apsw
import pytest

from holdfast.database import DatabaseBusy, DatabaseLimits
from holdfast.errors import Unavailable
from holdfast.ledger.journal import LedgerFull, LedgerLimits
from holdfast.ledger.reserve import Mode, ReserveLimits
from holdfast.record import Recorded
from tests.faults.failing_vfs import FailingVFS

from .desk import MIB, Desk, OpenDesk, draft, limits_at


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", directory], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs to be root to mount a small file system")
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


@pytest.fixture
def failing(request: pytest.FixtureRequest) -> Iterator[FailingVFS]:
    vfs = FailingVFS(request.node.name)
    yield vfs
    vfs.failure = None
    vfs.unregister()


def _on_small_disk(open_desk: OpenDesk, disk: Path) -> Desk:
    reserve = ReserveLimits(file=disk / "reserve", size_bytes=4 * MIB, release_bytes=MIB, min_free_bytes=2 * MIB)
    return open_desk(disk, limits=LedgerLimits(anchor_file=disk / "anchor", reserve=reserve))


def _fill(disk: Path) -> Path:
    """Take every byte that is free."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 << 10))
        except OSError:
            return ballast


def _append_until(desk: Desk, mode: Mode) -> list[Recorded]:
    recorded = []
    for number in range(200_000):
        if desk.journal.mode is mode:
            return recorded
        try:
            recorded += desk.journal.append_many([draft(number, text="x" * 2000)] * 16)
        except LedgerFull:
            assert desk.journal.mode is Mode.FULL
    raise AssertionError(f"the ledger never became {mode}, it is {desk.journal.mode}")


def _recover(desk: Desk) -> None:
    for _ in range(200):
        desk.journal.step()
        if desk.journal.mode is Mode.OK:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"the ledger did not come back, it is {desk.journal.mode}: {desk.journal.findings()}")


def test_on_a_full_disk_payloads_stop_first_and_headers_go_on(open_desk: OpenDesk, small_disk: Path) -> None:
    desk = _on_small_disk(open_desk, small_disk)
    desk.journal.append(draft(1))
    _fill(small_disk)
    recorded = desk.journal.append_many([draft(n) for n in range(200)])[-1]
    entry = desk.journal.entry(recorded.sequence or 0)
    assert desk.journal.mode is Mode.HEADERS_ONLY
    assert entry is not None
    assert (entry.state, entry.header.payload_sha256) == ("headers_only", None)


def test_the_reserve_carries_thousands_of_headers_and_then_says_ledger_full(
    open_desk: OpenDesk, small_disk: Path
) -> None:
    desk = _on_small_disk(open_desk, small_disk)
    _fill(small_disk)
    kept = _append_until(desk, Mode.FULL)
    with pytest.raises(LedgerFull, match="free space under") as refusal:
        desk.journal.append(draft(1))
    assert len(kept) > 2000
    assert refusal.value.retry_after_s > 0
    assert desk.journal.findings()[0].name == "ledger-full"


def test_nothing_that_was_acknowledged_on_a_full_disk_is_lost(open_desk: OpenDesk, small_disk: Path) -> None:
    desk = _on_small_disk(open_desk, small_disk)
    _append_until(desk, Mode.HEADERS_ONLY)
    _fill(small_disk)
    kept = _append_until(desk, Mode.FULL)
    verdict = desk.journal.verify()
    assert verdict.ok, verdict
    assert verdict.head_sequence == kept[-1].sequence


def test_when_space_returns_the_ledger_comes_back_by_itself(open_desk: OpenDesk, small_disk: Path) -> None:
    desk = _on_small_disk(open_desk, small_disk)
    ballast = _fill(small_disk)
    _append_until(desk, Mode.FULL)
    ballast.unlink()
    _recover(desk)
    recorded = desk.journal.append(draft(5))
    assert desk.journal.find("dec_5").state == "kept"  # type: ignore[union-attr]
    assert recorded.recorded
    assert (small_disk / "reserve").stat().st_size == 4 * MIB
    assert desk.journal.findings() == ()
    assert desk.journal.verify().ok


def test_a_ledger_opened_on_a_full_disk_keeps_headers_from_the_start(open_desk: OpenDesk, small_disk: Path) -> None:
    first = _on_small_disk(open_desk, small_disk)
    first.journal.append(draft(1))
    first.close()
    _fill(small_disk)
    second = _on_small_disk(open_desk, small_disk)
    assert second.journal.mode is Mode.HEADERS_ONLY
    assert second.journal.append(draft(2)).recorded


def test_the_anchor_never_runs_ahead_on_a_full_disk(open_desk: OpenDesk, small_disk: Path) -> None:
    desk = _on_small_disk(open_desk, small_disk)
    _fill(small_disk)
    _append_until(desk, Mode.FULL)
    desk.close()
    (small_disk / "ballast").unlink()
    assert _on_small_disk(open_desk, small_disk).journal.verify().ok


@pytest.mark.parametrize("failure", [apsw.IOError, apsw.FullError], ids=["eio", "full"])
def test_a_disk_that_refuses_every_write_is_answered_503_not_with_a_lie(
    open_desk: OpenDesk, failing: FailingVFS, failure: type[apsw.Error]
) -> None:
    desk = open_desk(vfs=failing.vfs_name)
    desk.journal.append(draft(1))
    failing.failure = failure
    with pytest.raises(LedgerFull):
        desk.journal.append(draft(2))
    failing.failure = None
    _recover(desk)
    assert desk.journal.append(draft(3)).sequence == 2
    assert desk.journal.verify().ok


def test_best_effort_answers_with_recorded_false_instead(
    open_desk: OpenDesk, failing: FailingVFS, tmp_path: Path
) -> None:
    desk = open_desk(vfs=failing.vfs_name, limits=limits_at(tmp_path, audit="best-effort"))
    failing.failure = apsw.IOError
    assert desk.journal.append(draft(1)) == Recorded(recorded=False, sequence=None)
    assert [one.recorded for one in desk.journal.append_many([draft(2)] * 3)] == [False] * 3


@pytest.mark.parametrize("audit", ["required", "best-effort"])
def test_an_overloaded_disk_is_a_refusal_or_an_unrecorded_answer(
    open_desk: OpenDesk, tmp_path: Path, audit: Literal["required", "best-effort"]
) -> None:
    patience = DatabaseLimits(commit_timeout_s=0.5)
    desk = open_desk(limits=limits_at(tmp_path, audit=audit), database_limits=patience)
    begun, free = threading.Event(), threading.Event()
    desk.database.submit(lambda _: begun.set() or free.wait(30))
    assert begun.wait(10)  # else what follows could join its group, and would be uncertain, not refused
    answers = [_recorded(desk) for _ in range(2)]
    free.set()
    assert answers == [None if audit == "required" else False] * 2


def _recorded(desk: Desk) -> bool | None:
    try:
        return desk.journal.append(draft(2)).recorded
    except DatabaseBusy:
        return None


def test_one_failed_write_costs_one_payload_and_no_entry(open_desk: OpenDesk, failing: FailingVFS) -> None:
    desk = open_desk(vfs=failing.vfs_name)
    desk.journal.append(draft(1))
    failing.failure = apsw.IOError
    original = failing.check

    def once() -> None:
        failing.failure, failing.check = None, original  # type: ignore[method-assign]
        raise apsw.IOError("simulated")

    failing.check = once  # type: ignore[method-assign]
    assert desk.journal.append(draft(2)).sequence == 2
    assert [entry.state for entry in map(desk.journal.entry, (1, 2)) if entry] == ["kept", "headers_only"]


def test_other_changes_fail_plainly_while_the_disk_does(open_desk: OpenDesk, failing: FailingVFS) -> None:
    desk = open_desk(vfs=failing.vfs_name)
    failing.failure = apsw.FullError
    with pytest.raises(Unavailable, match="no room on the file system"):
        desk.facts.put("name", b"value")
    failing.failure = None
    desk.facts.put("name", b"value")
    assert desk.facts.get("name") == b"value"
