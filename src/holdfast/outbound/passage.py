"""Passage: one request over one connection, sent whole and answered within a size and a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING

from holdfast.clock import Clock
from holdfast.exchange import Incoming, Outgoing
from holdfast.outbound.address import Address
from holdfast.outbound.links import Links, told
from holdfast.outbound.refusals import AnswerTooLarge, ExchangeUncertain, MalformedOutgoing
from holdfast.outbound.watchdog import Watchdog

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import BaseHTTPResponse

__all__ = ["Exchange"]

_PIECE_BYTES = 64 << 10
_NO_BODY = frozenset({"GET", "HEAD"})
_LEAST_TIMEOUT_S = 0.001  # a socket takes 0 for "do not wait"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way."""

    address: Address
    request: Outgoing
    links: Links
    response_bytes: int
    spend: Callable[[int], None]
    """Told how many bytes went over the wire, headers about."""

    def run(self, clock: Clock, left_s: float) -> Incoming:
        """Connect, send, read. Raises LinkDown, TlsRefused, ExchangeUncertain, MalformedOutgoing."""
        end_s = clock.monotonic_s() + left_s
        with Watchdog(after_s=left_s) as watchdog:
            connection = self.links.take(self.address, now_s=clock.monotonic_s())
            if connection is None:
                connection = self.links.open(self.address, watchdog, wait_s=left_s, dates=clock.wall_trusted())
            watchdog.guard(connection)
            connection.timeout = max(end_s - clock.monotonic_s(), _LEAST_TIMEOUT_S)
            try:
                incoming = self._over(connection, watchdog)
            except BaseException:
                connection.close()
                raise
        if watchdog.expired:
            connection.close()
        elif connection.sock is not None:  # else the answer was the last
            self.links.give(self.address, connection, now_s=clock.monotonic_s())
        return incoming

    def _over(self, connection: HTTPConnection, watchdog: Watchdog) -> Incoming:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # loaded by Links already

        try:
            incoming = self._read(self._ask(connection))
        except (OSError, HTTPError, HTTPException) as error:
            raise self._uncertain("no whole answer in time" if watchdog.expired else told(error)) from error
        if watchdog.expired:
            raise self._uncertain("no whole answer in time")  # its end is what the watchdog did
        if self._lacks_its_end(incoming):
            raise self._uncertain("a head without its end")
        return incoming

    def _uncertain(self, found: str) -> ExchangeUncertain:
        return ExchangeUncertain(
            f"{self.address.authority}: expected an answer to {self.request.method}, found: {found}; "
            "it may have been applied"
        )

    def _lacks_its_end(self, incoming: Incoming) -> bool:
        """Say whether the connection may have been cut within the head, which http.client takes for its end."""
        framed = "content-length" in incoming.headers or "transfer-encoding" in incoming.headers
        bodiless = self.request.method == "HEAD" or incoming.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        return not (framed or bodiless or incoming.body)

    def _ask(self, connection: HTTPConnection) -> BaseHTTPResponse:
        request = self.request
        headers = {"Host": self.address.host_header, "User-Agent": "holdfast", "Accept-Encoding": "gzip"}
        if self.address.scheme == "http":
            headers |= self.links.proxy_headers()
        headers |= request.headers
        body = None if not request.body and request.method in _NO_BODY else request.body
        self.spend(len(request.body) + sum(len(name) + len(value) + 4 for name, value in headers.items()))
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        try:
            connection.request(
                request.method, self.links.target(self.address), body=body, headers=headers, preload_content=False
            )
        except BrokenPipeError:
            pass  # the other side has its answer already: 413 before the end of a body
        except (ValueError, UnicodeError) as error:
            # What HTTP cannot carry is not quoted: it may be a token.
            raise MalformedOutgoing(
                f"{request!r}: expected a method and headers that HTTP can carry, found {type(error).__name__}; "
                "look for line breaks in the token file"
            ) from None
        return connection.getresponse()

    def _read(self, response: BaseHTTPResponse) -> Incoming:
        pieces: list[bytes] = []
        size = 0
        try:
            # Decoded bytes are bounded at each step: a megabyte of gzip may hold a gigabyte.
            while piece := response.read(_PIECE_BYTES, decode_content=True):
                size += len(piece)
                if size > self.response_bytes:
                    raise AnswerTooLarge(
                        f"{self.address.authority}: expected an answer of at most {self.response_bytes} bytes "
                        f"(outbound.response_kib), found status {response.status} and more"
                    )
                pieces.append(piece)
        finally:
            self.spend(response.tell())
        headers: dict[str, str] = {name.lower(): value for name, value in response.headers.items()}
        return Incoming(status=response.status, headers=headers, body=b"".join(pieces))
