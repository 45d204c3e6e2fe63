"""Power cuts: every append that was acknowledged is in the ledger, and the chain holds."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from holdfast.database import DatabaseLimits
from holdfast.database import writer as writer_module
from tests.faults.powercut_vfs import PowerCutVFS, half

from .desk import Desk, draft, open_desk_at

THREADS = 8
APPENDS_A_THREAD = 40
CUTS_A_ROUND = 10
SMALL_LOG = DatabaseLimits(checkpoint_pages=60)  # so that cuts fall into checkpoints too

_names = itertools.count()


@dataclass
class Cut:
    """What the platter held at one moment, and what had been acknowledged by then."""

    files: dict[str, bytes]
    acknowledged: list[tuple[int, int]]


@dataclass
class Round:
    """One run of a node that appends from several threads while images of a power cut are taken."""

    directory: Path
    rng: random.Random
    survives: Callable[[], bool] = lambda: False
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)

    def run(self) -> None:
        vfs = PowerCutVFS(f"powercut-{next(_names)}")
        desk = open_desk_at(self.directory, vfs=vfs.vfs_name, database_limits=SMALL_LOG)
        self._next = self.rng.randrange(20)
        vfs.before_change = lambda: self._maybe_cut(vfs)
        threads = [threading.Thread(target=self._append, args=(desk, n)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        vfs.before_change = lambda: None
        desk.close()
        vfs.unregister()

    def _append(self, desk: Desk, thread: int) -> None:
        for number in range(thread * 1000, thread * 1000 + APPENDS_A_THREAD):
            recorded = desk.journal.append(draft(number, text="x" * (number * 37 % 3000)))
            self.acknowledged.append((recorded.sequence or 0, number))

    def _maybe_cut(self, vfs: PowerCutVFS) -> None:
        self._next -= 1
        if self._next > 0 or len(self.cuts) >= CUTS_A_ROUND:
            return
        self._next = self.rng.randrange(1, 250)
        acknowledged = list(self.acknowledged)  # before the image: what is acknowledged later need not be in it
        others = {name: (self.directory / name).read_bytes() for name in ("node.key", "anchor")}
        self.cuts.append(Cut(vfs.image(self.survives) | others, acknowledged))


def _restore(cut: Cut, directory: Path) -> Path:
    directory.mkdir()
    for name, content in cut.files.items():
        (directory / name).write_bytes(content)
    (directory / "node.key").chmod(0o600)
    return directory


def _losses(cut: Cut, directory: Path) -> list[str]:
    """What is wrong with the ledger after the cut; empty when nothing is."""
    desk = open_desk_at(_restore(cut, directory))
    try:
        verdict = desk.journal.verify()
        found = [str(verdict)] if not verdict.ok else []
        for sequence, number in cut.acknowledged:
            entry = desk.journal.entry(sequence)
            if entry is None or not (entry.payload or b"").startswith(f"{number}:".encode()):
                found.append(f"entry {sequence} was acknowledged and is gone")
        return found
    finally:
        desk.close()


def _cuts(tmp_path: Path, count: int, *, seed: int, torn: bool) -> Iterator[tuple[Cut, Path]]:
    """`count` cuts over several runs, each run going on from the last cut of the one before."""
    rng = random.Random(seed)
    directory = tmp_path / "first"
    directory.mkdir()
    taken = 0
    while taken < count:
        one = Round(directory, rng, half(rng) if torn else lambda: False)
        one.run()
        for cut in one.cuts:
            taken += 1
            yield cut, tmp_path / f"cut-{taken}"
        directory = _restore(one.cuts[-1], tmp_path / f"after-{taken}")


def _assert_nothing_lost(tmp_path: Path, count: int, *, seed: int, torn: bool) -> None:
    acknowledged = 0
    for cut, directory in _cuts(tmp_path, count, seed=seed, torn=torn):
        acknowledged += len(cut.acknowledged)
        assert _losses(cut, directory) == []
    assert acknowledged > 20 * count  # the cuts did fall among acknowledged appends


def test_after_20_power_cuts_every_acknowledged_append_is_in_the_ledger(tmp_path: Path) -> None:
    _assert_nothing_lost(tmp_path, 20, seed=1, torn=False)


def test_after_10_power_cuts_with_half_written_sectors_nothing_is_lost(tmp_path: Path) -> None:
    _assert_nothing_lost(tmp_path, 10, seed=2, torn=True)


@pytest.mark.faults
def test_after_200_power_cuts_every_acknowledged_append_is_in_the_ledger(tmp_path: Path) -> None:
    _assert_nothing_lost(tmp_path, 200, seed=3, torn=False)


@pytest.mark.faults
def test_after_200_power_cuts_with_half_written_sectors_nothing_is_lost(tmp_path: Path) -> None:
    _assert_nothing_lost(tmp_path, 200, seed=4, torn=True)


def test_the_power_cut_catches_a_database_that_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = writer_module.open_writer

    def hasty(*args: object, **options: object) -> apsw.Connection:
        connection = original(*args, **options)  # type: ignore[arg-type]
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(writer_module, "open_writer", hasty)
    rng = random.Random(5)
    (tmp_path / "first").mkdir()
    one = Round(tmp_path / "first", rng)
    one.run()
    monkeypatch.undo()
    assert any(_losses(cut, tmp_path / f"cut-{n}") for n, cut in enumerate(one.cuts))
