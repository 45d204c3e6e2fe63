"""The head anchor: a small signed file outside the database that a truncated or older ledger cannot satisfy."""

from __future__ import annotations

import hmac
import os
import threading
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.clock import Clock
from holdfast.digest import canonical
from holdfast.measure import Measures
from holdfast.vault import Vault

__all__ = ["Anchor", "AnchorFile", "AnchorKeeper"]

_EVERY_S = 0.2  # an fsync of its own for each commit would halve the ledger's rate


class Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ledger's head was when the anchor was written."""

    sequence: int
    hash: str
    written_at: str
    loss: str = ""
    """What an earlier anchor saw and the ledger no longer had; stays until an operator accepts the loss."""


class _Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    anchor: Anchor
    hmac: str


_DECODER = msgspec.json.Decoder(_Signed)


class AnchorFile:
    """Reads and atomically replaces the anchor."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self.path = path
        self._vault = vault

    def read(self) -> Anchor | None:
        """The anchor; None when there is no file. An altered one comes back as an anchor that says so in `loss`."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unusable(f"{self.path} cannot be read ({error.strerror})")
        try:
            signed = _DECODER.decode(content)
        except msgspec.MsgspecError:
            return _unusable(f"{self.path} is not an anchor")
        if not hmac.compare_digest(self._hmac(signed.anchor), signed.hmac):
            return _unusable(f"{self.path} was altered, or written with another node's key")
        return signed.anchor

    def write(self, anchor: Anchor) -> None:
        """Replace the file so that a power cut leaves the old one or the new one, whole. Raises OSError."""
        part = self.path.with_name(self.path.name + ".part")
        with part.open("wb") as file:
            file.write(canonical(_Signed(anchor=anchor, hmac=self._hmac(anchor))) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _hmac(self, anchor: Anchor) -> str:
        return self._vault.hmac("anchor", canonical(anchor)).hex()


class AnchorKeeper:
    """Writes the anchor behind the ledger, on a thread of its own.

    `_changed` guards what is to be written; `_writing` is held while it is, so that an older one never comes last.
    `advance` is told only of durable entries, so the anchor can lag behind the ledger and never be ahead of it.
    """

    def __init__(self, file: AnchorFile, *, clock: Clock, measures: Measures) -> None:
        self._file = file
        self._clock = clock
        self._measures = measures
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._sequence = -1
        self._hash = b""
        self._wanted = False
        self._loss = ""
        self._closing = threading.Event()
        self.failed = False
        """The last write failed: the file on disk is older than it should be."""
        self._thread = threading.Thread(target=self._loop, name="ledger-anchor", daemon=True)

    def start(self, sequence: int, head_hash: bytes, *, loss: str) -> None:
        """Write the first anchor of this run at once, then keep it up to date."""
        self._loss = loss
        self.advance(sequence, head_hash)
        self._write()
        self._thread.start()

    @property
    def loss(self) -> str:
        """What the ledger was found to have lost; empty when nothing."""
        return self._loss

    def accept_loss(self) -> None:
        """Stop saying that something was lost; an entry of the ledger records who decided so."""
        with self._changed:
            self._loss = ""
            self._wanted = True
        self._write()

    def advance(self, sequence: int, head_hash: bytes) -> None:
        """Note that the entry at `sequence` is durable."""
        with self._changed:
            if sequence > self._sequence:
                self._sequence, self._hash, self._wanted = sequence, head_hash, True
                self._changed.notify()

    def close(self) -> None:
        """Write what is not written yet and stop."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        self._write()

    def _loop(self) -> None:
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing.is_set())
            self._write()
            self._closing.wait(_EVERY_S)

    def _write(self) -> None:
        with self._writing:
            with self._changed:
                wanted, self._wanted = self._wanted, False
                sequence, head_hash, loss = self._sequence, self._hash.hex(), self._loss
            if not wanted:
                return
            at = _text(self._clock.wall_at())
            try:
                self._file.write(Anchor(sequence=sequence, hash=head_hash, written_at=at, loss=loss))
                self.failed = False
            except OSError:  # the old anchor still holds, it only proves less; `failed` becomes a finding
                self.failed = True
                self._measures.add("swallowed_errors_total", "ledger-anchor")
                with self._changed:
                    self._wanted = True


def _unusable(why: str) -> Anchor:
    return Anchor(sequence=0, hash="", written_at="", loss=why)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
