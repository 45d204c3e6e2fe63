"""Tokens: who may call over the network; only a hash of each is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.access import Caller, Role, Scope, Unauthenticated
from holdfast.clock import Clock
from holdfast.database import Database, Transaction
from holdfast.errors import InvalidInput, Unavailable
from holdfast.finding import Finding, Severity

__all__ = ["PREFIX", "ClockUntrusted", "NewToken", "NoSuchToken", "Token", "TokenExists", "Tokens", "TooManyTokens"]

PREFIX = "hf_"
_SECRET_BYTES = 32  # beyond guessing, so that one fast hash is enough at rest
_LONGEST_SECRET = 100
_MOST_TOKENS = 1000
_PERSIST_USE_EVERY_S = 60.0
_SOON = timedelta(days=14)

_MIGRATIONS = (
    """CREATE TABLE tokens (
        name TEXT PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, token BLOB NOT NULL, last_used_at TEXT
    ) STRICT, WITHOUT ROWID""",
)


class NoSuchToken(InvalidInput):
    """No token has this name."""


class TokenExists(InvalidInput):
    """A token of this name exists, or existed and is kept as revoked."""


class TooManyTokens(InvalidInput):
    """The table is full."""


class ClockUntrusted(InvalidInput):
    """The node does not know what day it is."""


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new token may."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._@-]{1,64}\Z")]
    role: str = "viewer"
    scopes: tuple[Scope, ...] = ()
    teams: tuple[str, ...] = ()
    days: Annotated[int, Meta(ge=1, le=3650)] | None = 365
    """Until it expires; None: never."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] = 6000


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One token as it is kept and listed: nothing here lets anybody in."""

    name: str
    role: str
    scopes: tuple[Scope, ...] = ()
    teams: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    requests_per_minute: int
    last_used_at: datetime | None = None

    def caller(self) -> Caller:
        """Who calls with it."""
        return Caller(name=f"token {self.name}", role=Role[self.role.upper()], scopes=self.scopes, teams=self.teams)


_DECODER = msgspec.json.Decoder(Token)


class _Known(msgspec.Struct, frozen=True):
    sha256: bytes
    token: Token
    caller: Caller


class Tokens:
    """All of them in memory, each change durable first. `_lock` guards changes; the mapping is replaced whole."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        database.migrate("tokens", _MIGRATIONS)
        self._by_start: Mapping[bytes, _Known] = {}
        self._used: dict[str, datetime] = {}
        self._persisted_s = clock.monotonic_s()
        self._read()

    @property
    def any(self) -> bool:
        """Say whether there is one, good or not: a node whose tokens all expired must not fall open."""
        return bool(self._by_start)

    def authenticate(self, secret: str) -> tuple[Caller, Token]:
        """Return who holds `secret`. Raises Unauthenticated. Takes microseconds and no lock: the event loop calls it.

        Expiry counts only while the wall clock can be trusted: a node that wakes in 1970 must not lock everybody out.
        """
        given = _hashed(secret[:_LONGEST_SECRET])
        known = self._by_start.get(given[:8])
        if known is None or not hmac.compare_digest(known.sha256, given):
            raise Unauthenticated("header Authorization: expected a token of this node, found one it does not know")
        token = known.token
        if token.revoked_at is not None:
            raise Unauthenticated(f"header Authorization: expected a good token, found {token.name}, which is revoked")
        now_at = self._clock.wall_at()
        if token.expires_at is not None and now_at >= token.expires_at and self._clock.wall_trusted():
            raise Unauthenticated(
                f"header Authorization: expected a good token, found {token.name}, "
                f"which expired {token.expires_at:%Y-%m-%d}; an admin makes another with `holdfast token create`"
            )
        self._used[token.name] = now_at
        return known.caller, token

    def create(self, asked: NewToken) -> tuple[str, Token]:
        """Make a token; its secret is returned once and never kept.

        Raises TokenExists, TooManyTokens, ClockUntrusted, InvalidInput.
        """
        if asked.role.upper() not in Role.__members__:
            names = ", ".join(role.name.lower() for role in Role)
            raise InvalidInput(f"role: expected one of {names}, found {asked.role[:40]!r}", field="/role")
        if asked.days is not None and not self._clock.wall_trusted():
            raise ClockUntrusted(
                f"days: expected a trusted clock to count them from, found {self._clock.wall_at():%Y-%m-%d}; "
                "set the clock, or ask for a token that never expires",
                field="/days",
            )
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        now_at = self._clock.wall_at().replace(microsecond=0)
        token = Token(
            name=asked.name,
            role=asked.role.lower(),
            scopes=tuple(dict.fromkeys(asked.scopes)),
            teams=tuple(dict.fromkeys(asked.teams)),
            created_at=now_at,
            expires_at=None if asked.days is None else now_at + timedelta(days=asked.days),
            requests_per_minute=asked.requests_per_minute,
        )
        self._change(lambda transaction: _insert(transaction, token, _hashed(secret)))
        return secret, token

    def all(self) -> tuple[Token, ...]:
        """Every token, revoked ones too, by name, with the last use."""
        tokens = sorted((known.token for known in tuple(self._by_start.values())), key=lambda token: token.name)
        return tuple(
            msgspec.structs.replace(one, last_used_at=self._used.get(one.name, one.last_used_at)) for one in tokens
        )

    def revoke(self, name: str) -> Token:
        """Let nobody in with it from the next request on. Raises NoSuchToken."""
        token = self._named(name)
        if token.revoked_at is not None:
            return token
        revoked = msgspec.structs.replace(token, revoked_at=self._clock.wall_at().replace(microsecond=0))
        self._change(lambda transaction: _update(transaction, revoked))
        return revoked

    def forget(self, name: str) -> Token:
        """Remove it from the table; its name is free again. Raises NoSuchToken."""
        token = self._named(name)
        self._change(lambda transaction: transaction.run("DELETE FROM tokens WHERE name = ?", (name,)))
        return token

    def step(self) -> None:
        """Keep the times of last use every minute. Called by the node's sense loop."""
        now_s = self._clock.monotonic_s()
        if now_s - self._persisted_s >= _PERSIST_USE_EVERY_S:
            self._persisted_s = now_s
            self.keep_uses()

    def keep_uses(self) -> None:
        """Make the times of last use durable, if the disk takes them; called at a stop."""
        used, self._used = self._used, {}
        if not used:
            return
        with suppress(Unavailable):  # lost is a time of last use
            self._change(lambda transaction: _note_uses(transaction, used))

    def findings(self) -> tuple[Finding, ...]:
        """Tokens that soon let nobody in any more."""
        if not self._clock.wall_trusted():
            return ()
        now_at = self._clock.wall_at()
        ending = [
            f"{token.name} ({token.expires_at:%Y-%m-%d})"
            for token in self.all()
            if token.revoked_at is None and token.expires_at is not None and now_at < token.expires_at <= now_at + _SOON
        ]
        if not ending:
            return ()
        return (
            Finding(
                name="token-expires",
                severity=Severity.NOTICE,
                sentence=f"Tokens expire within two weeks: {', '.join(ending)}.",
                next_step="Make others with `holdfast token create`, hand them over, then revoke these.",
                component="tokens",
            ),
        )

    def _named(self, name: str) -> Token:
        found = next((known.token for known in self._by_start.values() if known.token.name == name), None)
        if found is None:
            raise NoSuchToken(f"token {name[:64]!r}: expected one of `holdfast token list`, found none of this name")
        return found

    def _change(self, unit: Callable[[Transaction], None]) -> None:
        with self._lock:
            self._database.commit(unit)
            self._read()

    def _read(self) -> None:
        rows = self._database.read(lambda t: t.rows("SELECT sha256, token, last_used_at FROM tokens"))
        self._by_start = {sha256[:8]: _known(sha256, token, used) for sha256, token, used in rows}


def _known(sha256: bytes, encoded: bytes, last_used_at: str | None) -> _Known:
    token = _DECODER.decode(encoded)
    if last_used_at is not None:
        token = msgspec.structs.replace(token, last_used_at=datetime.fromisoformat(last_used_at))
    return _Known(sha256, token, token.caller())


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _insert(transaction: Transaction, token: Token, sha256: bytes) -> None:
    if transaction.row("SELECT 1 FROM tokens WHERE name = ?", (token.name,)):
        raise TokenExists(
            f"token {token.name!r}: expected a name that is free, found it taken; choose another, "
            "or `holdfast token revoke --forget` the old one"
        )
    count = transaction.row("SELECT count(*) FROM tokens")
    if count and count[0] >= _MOST_TOKENS:
        raise TooManyTokens(f"tokens: expected fewer than {_MOST_TOKENS}, found {count[0]}; forget revoked ones")
    transaction.run("INSERT INTO tokens VALUES (?, ?, ?, NULL)", (token.name, sha256, msgspec.json.encode(token)))


def _update(transaction: Transaction, token: Token) -> None:
    transaction.run("UPDATE tokens SET token = ? WHERE name = ?", (msgspec.json.encode(token), token.name))


def _note_uses(transaction: Transaction, used: Mapping[str, datetime]) -> None:
    rows = [
        (at.isoformat(timespec="seconds"), name) for name, at in tuple(used.items())
    ]  # whole: the event loop may still write
    transaction.run_many("UPDATE tokens SET last_used_at = ? WHERE name = ?", rows)
