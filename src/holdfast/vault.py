"""Sealing: a key per record, wrapped by its day's key, wrapped by the node's; destroying a key is the deletion."""

from __future__ import annotations

import hmac
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.database import Database, Transaction
from holdfast.errors import HumanNeeded

__all__ = ["WRAPPED_KEY_BYTES", "KeyFileExposed", "KeyFileWrong", "Purpose", "Sealed", "Vault"]

_KEY_BYTES = 32
_NONCE_BYTES = 12  # what AES-GCM takes without another pass (NIST SP 800-38D 5.2.1.1)
_TAG_BYTES = 16
WRAPPED_KEY_BYTES = _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES

Purpose = Literal["subject", "reference", "idempotency", "anchor"]
"""What a keyed hash is for; equal texts give unrelated hashes for different purposes."""

_PURPOSES: tuple[Purpose, ...] = ("subject", "reference", "idempotency", "anchor")

_MIGRATIONS = (
    "CREATE TABLE day_keys (day INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT",
    "CREATE TABLE key_check (id INTEGER PRIMARY KEY CHECK (id = 1), proof BLOB NOT NULL) STRICT",
)


class KeyFileExposed(HumanNeeded):
    """Others than the owner can read the node's key."""


class KeyFileWrong(HumanNeeded):
    """The key file is missing, malformed, or not the one this node's state was sealed with."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A payload that only its key opens, and that key, wrapped by its day's key."""

    day: int
    payload: bytes
    """Nonce, ciphertext, tag (AES-256-GCM)."""
    wrapped_key: bytes


class Vault:
    """The node's key and what it protects. `_lock` guards the day keys held in memory."""

    def __init__(self, database: Database, key_file: Path) -> None:
        """Read the node's key, or make it when this node has no sealed state yet.

        Raises KeyFileExposed, KeyFileWrong.
        """
        self._database = database
        database.migrate("vault", _MIGRATIONS)
        proof = database.read(lambda t: t.row("SELECT proof FROM key_check"))
        node_key = _read_key(key_file, may_create=proof is None)
        self._node = AESGCM(_derived(node_key, "wrap"))
        self._hash_keys = {purpose: _derived(node_key, purpose) for purpose in _PURPOSES}
        self._check(key_file, _derived(node_key, "check"), proof)
        self._lock = threading.Lock()
        self._days: dict[int, AESGCM] = {}

    def hmac(self, purpose: Purpose, text: bytes) -> bytes:
        """HMAC-SHA256 of `text` under the node's key for `purpose`."""
        return hmac.digest(self._hash_keys[purpose], text, "sha256")

    def seal(self, day: int, payload: bytes) -> Sealed:
        """Seal `payload` under a fresh key wrapped by the key of `day`, which is made durable first if it is new."""
        return self.seal_many(day, (payload,))[0]

    def seal_many(self, day: int, payloads: Sequence[bytes]) -> list[Sealed]:
        """Seal each of `payloads` under a key of its own."""
        day_key = self._day_key(day)
        step = _KEY_BYTES + 2 * _NONCE_BYTES
        fresh = os.urandom(step * len(payloads))  # one system call for all
        return [
            _seal(day, payload, day_key=day_key, fresh=fresh[i * step : (i + 1) * step])
            for i, payload in enumerate(payloads)
        ]

    def unseal(self, sealed: Sealed) -> bytes | None:
        """Return the payload; None when a key on the way was destroyed, or the bytes are not what was sealed."""
        day_key = self._known_day_key(sealed.day)
        if day_key is None:
            return None
        try:
            key = _open(day_key, sealed.wrapped_key)
            return _open(AESGCM(key), sealed.payload)
        except (InvalidTag, ValueError):
            return None

    def destroy_days(self, transaction: Transaction, *, before: int) -> int:
        """Overwrite the keys of all days before `before` in place; returns how many there were.

        The rows stay, as zeros of the same length: SQLite then overwrites the very bytes, where a deletion could leave
        a copy in a page it rebalances. Call `forget_days` once the unit is durable.
        """
        zeros = bytes(WRAPPED_KEY_BYTES)
        transaction.run("UPDATE day_keys SET wrapped = ? WHERE day < ? AND wrapped <> ?", (zeros, before, zeros))
        return transaction.changed()

    def forget_days(self, *, before: int) -> None:
        """Drop the keys of all days before `before` from memory."""
        with self._lock:
            for day in [day for day in self._days if day < before]:
                del self._days[day]

    def _day_key(self, day: int) -> AESGCM:
        key = self._days.get(day) or self._known_day_key(day)
        if key is not None:
            return key
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = nonce + self._node.encrypt(nonce, os.urandom(_KEY_BYTES), None)
        self._database.commit(  # another thread may have been first: then its key stays
            lambda t: t.run("INSERT OR IGNORE INTO day_keys VALUES (?, ?)", (day, wrapped))
        )
        key = self._known_day_key(day)
        if key is None:
            raise KeyFileWrong(f"the key of day {day} was destroyed or does not open with this node's key")
        return key

    def _known_day_key(self, day: int) -> AESGCM | None:
        with self._lock:
            held = self._days.get(day)
        if held is not None:
            return held
        row = self._database.read(lambda t: t.row("SELECT wrapped FROM day_keys WHERE day = ?", (day,)))
        if row is None:
            return None
        try:
            key = AESGCM(_open(self._node, row[0]))
        except InvalidTag:
            return None
        with self._lock:
            return self._days.setdefault(day, key)

    def _check(self, key_file: Path, check_key: bytes, proof: tuple[bytes, ...] | None) -> None:
        expected = hmac.digest(check_key, b"holdfast", "sha256")
        if proof is None:
            self._database.commit(lambda t: t.run("INSERT INTO key_check VALUES (1, ?)", (expected,)))
        elif not hmac.compare_digest(proof[0], expected):
            raise KeyFileWrong(
                f"{key_file} is not the key that {self._database.path} was sealed with; put the right key file back"
            )


def _seal(day: int, payload: bytes, *, day_key: AESGCM, fresh: bytes) -> Sealed:
    key, nonce, wrap_nonce = fresh[:_KEY_BYTES], fresh[_KEY_BYTES:-_NONCE_BYTES], fresh[-_NONCE_BYTES:]
    return Sealed(
        day=day,
        payload=nonce + AESGCM(key).encrypt(nonce, payload, None),
        wrapped_key=wrap_nonce + day_key.encrypt(wrap_nonce, key, None),
    )


def _open(key: AESGCM, sealed: bytes) -> bytes:
    return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)


def _derived(node_key: bytes, purpose: str) -> bytes:
    """One key for each purpose: HKDF-Expand (RFC 5869 2.3) with a single block, the node's key being uniform."""
    return hmac.digest(node_key, b"holdfast " + purpose.encode() + b"\x01", "sha256")


def _read_key(key_file: Path, *, may_create: bool) -> bytes:
    if not key_file.exists():
        if not may_create:
            raise KeyFileWrong(f"{key_file} is missing and this node has sealed state; put the key file back")
        _create_key(key_file)
    mode = stat.S_IMODE(key_file.stat().st_mode)
    if mode & 0o077:
        raise KeyFileExposed(f"{key_file}: mode {mode:04o} lets others read the node's key; run chmod 600 on it")
    key = key_file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise KeyFileWrong(f"{key_file}: expected {_KEY_BYTES} bytes, found {len(key)}; put the right key file back")
    return key


def _create_key(key_file: Path) -> None:
    """Write a new key so that a power cut leaves either no file or a whole one."""
    part = key_file.with_name(key_file.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, os.urandom(_KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.rename(key_file)
    directory = os.open(key_file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
