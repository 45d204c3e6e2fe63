"""The doorman: who calls over the network, by token, and how often they may."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from holdfast.access import Caller, Role, TooManyRequests, Unauthenticated
from holdfast.bucket import Bucket
from holdfast.clock import Clock
from holdfast.errors import HumanNeeded
from holdfast.http.messages import Endpoint
from holdfast.tokens import Token, Tokens

__all__ = ["Doorman", "Unguarded"]

_FAILURES_PER_MINUTE = 30  # from one address; a forgotten script must not fill the log, guessing is hopeless anyway
_REMEMBERED = 1024  # addresses and tokens whose buckets are kept
_LONGEST_HEADER = 512
_ANYBODY = Caller(name="anybody", role=Role.VIEWER)


class Unguarded(HumanNeeded):
    """Others than this machine would reach a node that has no tokens."""


class Doorman:
    """Asks for a token once the node has any. Runs on the event loop only, so nothing is locked."""

    def __init__(self, tokens: Tokens, clock: Clock, *, exposed: bool) -> None:
        """`exposed`: nobody comes in unproved, ever: others than this machine reach the address, or certificates do."""
        self._tokens, self._clock, self._exposed = tokens, clock, exposed
        self._failures: dict[str, Bucket] = {}
        self._buckets: dict[str, Bucket] = {}

    @property
    def asks(self) -> bool:
        """Say whether a token is needed: not on the loopback of a node that has none."""
        return self._exposed or self._tokens.any

    def require_tokens(self, host: str) -> None:
        """Return unless nobody could come in at `host`. Raises Unguarded."""
        if self._exposed and not self._tokens.any:
            raise Unguarded(
                f"server.host: expected a token before the node listens on {host}, found none; "
                "make the first with `holdfast token create NAME --role operator`"
            )

    def admit(
        self, endpoint: Endpoint, headers: Mapping[bytes, bytes], *, address: str, certified: Caller | None
    ) -> Caller:
        """Return who calls `endpoint`, by certificate or token. Raises Unauthenticated, TooManyRequests."""
        if endpoint.needs is None:
            return certified or _ANYBODY
        if certified is not None and b"authorization" not in headers:
            return certified
        try:
            known, token = self._tokens.authenticate(_secret(headers))
        except Unauthenticated:
            # Only what was tried counts, and a good token always passes: whoever shares the address with a guesser
            # must not be locked out.
            if b"authorization" in headers:
                self._slow_down(address)
            raise
        self._pace(token)
        return known

    def _pace(self, token: Token) -> None:
        now_s = self._clock.monotonic_s()
        bucket = _bucket(self._buckets, token.name, now_s, per_minute=token.requests_per_minute)
        if wait_s := bucket.take(now_s, per_minute=token.requests_per_minute):
            raise TooManyRequests(
                f"token {token.name}: expected at most {token.requests_per_minute} requests in a minute, found more",
                retry_after_s=wait_s,
            )

    def _slow_down(self, address: str) -> None:
        now_s = self._clock.monotonic_s()
        bucket = _bucket(self._failures, address, now_s, per_minute=_FAILURES_PER_MINUTE)
        if wait_s := bucket.take(now_s, per_minute=_FAILURES_PER_MINUTE):
            raise TooManyRequests(
                f"header Authorization: expected at most {_FAILURES_PER_MINUTE} failed attempts in a minute "
                "from one address, found more",
                retry_after_s=wait_s,
            )


def _bucket(buckets: dict[str, Bucket], name: str, now_s: float, *, per_minute: int) -> Bucket:
    """The bucket of `name`; the least recently made goes when there are too many."""
    found = buckets.get(name)
    if found is None:
        if len(buckets) >= _REMEMBERED:
            del buckets[next(iter(buckets))]
        found = buckets[name] = Bucket(float(per_minute), now_s)
    return found


def _secret(headers: Mapping[bytes, bytes]) -> str:
    """The token in `headers`. Raises Unauthenticated when there is none.

    Bearer (RFC 6750, 2.1), or the password of Basic, which is all a browser can send for the node's own pages.
    """
    given = headers.get(b"authorization", b"")[:_LONGEST_HEADER]
    scheme, _, rest = given.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip().decode("latin-1")
    if scheme.lower() == b"basic":
        return _password(rest.strip())
    raise Unauthenticated(
        "header Authorization: expected `Bearer hf_…` with a token of this node, found none; an admin makes one with "
        "`holdfast token create`; a browser may give the token as password, with any user name"
    )


def _password(encoded: bytes) -> str:
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2].decode("latin-1")
    except binascii.Error as error:
        raise Unauthenticated(
            "header Authorization: expected Basic credentials in base64, found something else"
        ) from error
