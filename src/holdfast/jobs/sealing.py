"""Sealing: what a job carries, and what is told of its runs, as the disk keeps it."""

from __future__ import annotations

import msgspec

from holdfast.vault import Sealed, Vault

__all__ = ["Content", "Envelopes", "Telling"]


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What a job carries."""

    key: str = ""
    payload: bytes = b""


class Telling(msgspec.Struct, frozen=True, array_like=True):
    """What is told of its last run."""

    reason: str = ""
    log: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_SEALED = msgspec.msgpack.Decoder(Sealed)
_CONTENT = msgspec.msgpack.Decoder(Content)
_TELLING = msgspec.msgpack.Decoder(Telling)


class Envelopes:
    """Seals under the key of a day that is known to be durable, so that it may be called inside a unit of work."""

    def __init__(self, vault: Vault, day: int) -> None:
        self._vault = vault
        self._day = -1
        self.renew(day)

    def renew(self, day: int) -> None:
        """Seal under the key of `day` from now on. Never inside a unit of work: the key may have to be made."""
        if day != self._day:
            self._vault.seal(day, b"")
            self._day = day

    def seal(self, value: Content | Telling) -> bytes:
        """Return `value` sealed."""
        return _ENCODER.encode(self._vault.seal(self._day, _ENCODER.encode(value)))

    def content(self, sealed: bytes | None) -> Content | None:
        """Return what a job carries; None when it is gone, or its key was destroyed."""
        opened = self._open(sealed)
        return _CONTENT.decode(opened) if opened is not None else None

    def telling(self, sealed: bytes | None) -> Telling:
        """Return what is told of its last run; empty when there is nothing, or its key was destroyed."""
        opened = self._open(sealed)
        return _TELLING.decode(opened) if opened is not None else Telling()

    def _open(self, sealed: bytes | None) -> bytes | None:
        return self._vault.unseal(_SEALED.decode(sealed)) if sealed else None
