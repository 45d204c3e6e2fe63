"""Links: connections to hosts, opened with a deadline, checked by TLS, kept while they are good."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from holdfast.outbound.address import Address
from holdfast.outbound.refusals import LinkDown, TlsRefused
from holdfast.outbound.watchdog import Watchdog

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

__all__ = ["LinkLimits", "Links", "told"]

_IDLE_S = 15.0  # servers close idle connections after 20 to 75 s; a request on a closing one has an uncertain end
_IDLE_PER_HOST = 4
_RESOLVERS = 16  # look-ups that hang in the system's resolver at most; each holds a thread until it gives up
_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME
_TLS_RETRY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """How a connection is made."""

    connect_timeout_s: float
    proxy: str = ""
    ca_file: str = ""


def _tls_context(ca_file: str, *, judge_dates: bool) -> ssl.SSLContext:
    """Trust the system's authorities and those of `ca_file`. Raises TlsRefused if the file cannot be used.

    `judge_dates` is False while the wall clock cannot be trusted: chain and host name are checked all the same.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            found = error.strerror if isinstance(error, OSError) and error.strerror else "no certificate in it"
            raise TlsRefused(
                f"outbound.ca_file {Path(ca_file).name}: expected a PEM file of certificates, found: {found}",
                retry_after_s=_TLS_RETRY_S,
            ) from error
    if not judge_dates:
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: HTTPConnection
    since_s: float


class Links:
    """Connections of one set of limits. `_lock` guards what is idle and the TLS contexts."""

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[_Idle]] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._resolvers = threading.BoundedSemaphore(_RESOLVERS)
        self._closed = False

    def take(self, address: Address, *, now_s: float) -> HTTPConnection | None:
        """Return a connection that is open already, or None."""
        with self._lock:
            idle = self._idle.get((address.scheme, address.authority), [])
            while idle:
                one = idle.pop()
                if now_s - one.since_s <= _IDLE_S and one.connection.is_connected:
                    return one.connection
                one.connection.close()
        return None

    def give(self, address: Address, connection: HTTPConnection, *, now_s: float) -> None:
        """Keep a connection whose answer was read whole."""
        with self._lock:
            idle = self._idle.setdefault((address.scheme, address.authority), [])
            if not self._closed and len(idle) < _IDLE_PER_HOST:
                idle.append(_Idle(connection, now_s))
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle, and from now on what is given back."""
        with self._lock:
            self._closed = True
            gone = [one.connection for idle in self._idle.values() for one in idle]
            self._idle.clear()
        for connection in gone:
            connection.close()

    def open(self, address: Address, watchdog: Watchdog, *, wait_s: float, dates: bool) -> HTTPConnection:
        """Find the host, connect, and have it prove who it is. Raises LinkDown, TlsRefused."""
        proxy = urlsplit(self._limits.proxy) if self._limits.proxy else None
        host, port = (proxy.hostname or "", proxy.port or 80) if proxy else (address.host, address.port)
        wait_s = min(wait_s, self._limits.connect_timeout_s)
        refusal: LinkDown | None = None
        for literal in self._resolve(host, port, wait_s=wait_s):
            connection = self._build(address, (literal, port), wait_s=wait_s, dates=dates)
            watchdog.guard(connection)
            try:
                _connect(connection, address)
            except LinkDown as error:
                refusal = error
                if watchdog.expired:
                    break
            else:
                return connection
        raise refusal or LinkDown(f"{address.authority}: expected an address, found none")

    def _build(self, address: Address, place: tuple[str, int], *, wait_s: float, dates: bool) -> HTTPConnection:
        # urllib3: 0.07 s of a cold start that a node without trackers need not spend.
        from urllib3 import disable_warnings  # noqa: PLC0415  # the same
        from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415  # the same
        from urllib3.exceptions import SystemTimeWarning  # noqa: PLC0415  # the same

        disable_warnings(SystemTimeWarning)  # the node itself says when its clock cannot be trusted
        if address.scheme == "http":
            return HTTPConnection(*place, timeout=wait_s)
        context = self._context(dates=dates)
        connection = HTTPSConnection(*place, timeout=wait_s, ssl_context=context, server_hostname=address.host)
        if self._limits.proxy:
            connection.set_tunnel(address.host, address.port, headers=self.proxy_headers())
        return connection

    def proxy_headers(self) -> dict[str, str]:
        """What the proxy must be told with each request or tunnel."""
        proxy = urlsplit(self._limits.proxy)
        if not proxy.username:
            return {}
        from urllib3.util import make_headers  # noqa: PLC0415  # as in build

        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        return {name.title(): value for name, value in make_headers(proxy_basic_auth=pair).items()}

    def target(self, address: Address) -> str:
        """What stands in the request line: a proxy needs the whole URL of what is not tunnelled."""
        absolute = bool(self._limits.proxy) and address.scheme == "http"
        return f"http://{address.host_header}{address.target}" if absolute else address.target

    def _context(self, *, dates: bool) -> ssl.SSLContext:
        with self._lock:
            if dates not in self._contexts:
                self._contexts[dates] = _tls_context(self._limits.ca_file, judge_dates=dates)
            return self._contexts[dates]

    def _resolve(self, host: str, port: int, *, wait_s: float) -> list[str]:
        """Return the addresses of `host`, best first. Raises LinkDown.

        On a thread of its own, because the system's resolver knows no deadline.
        """
        if ":" in host or host.replace(".", "").isdigit():
            return [host]
        if not self._resolvers.acquire(blocking=False):
            raise LinkDown(f"{host}: expected its address, found {_RESOLVERS} look-ups that hang", retry_after_s=5.0)
        answer: SimpleQueue[list[str] | OSError] = SimpleQueue()
        thread = threading.Thread(
            target=_look_up, args=(host, port, answer, self._resolvers.release), name="resolve", daemon=True
        )
        thread.start()
        try:
            found = answer.get(timeout=max(wait_s, 0.001))
        except Empty as error:
            raise LinkDown(f"{host}: expected its address within {wait_s:.1f} s, found no answer") from error
        if isinstance(found, OSError):
            raise LinkDown(f"{host}: expected its address, found: {found.strerror or found}") from found
        return found


def _connect(connection: HTTPConnection, address: Address) -> None:
    """Open `connection`. Raises LinkDown, TlsRefused; nothing of a request has left then."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # as in Links

    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise TlsRefused(
            f"{address.authority}: expected a certificate for {address.host} by a trusted authority, "
            f"found: {error.verify_message or error.reason}; see outbound.ca_file",
            retry_after_s=_TLS_RETRY_S,
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        connection.close()
        raise LinkDown(f"{address.authority}: expected a TLS connection, found it closed by the other side") from error
    except ssl.SSLError as error:
        connection.close()
        raise TlsRefused(
            f"{address.authority}: expected a TLS connection, found: {error.reason or error}",
            retry_after_s=_TLS_RETRY_S,
        ) from error
    except (OSError, HTTPError, HTTPException) as error:
        connection.close()
        raise LinkDown(f"{address.authority}: expected a connection, found: {told(error)}") from error


def told(error: BaseException) -> str:
    """Say what went wrong without addresses of objects in it."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if error.__cause__ is not None:
        return told(error.__cause__)
    return str(error).rpartition(": ")[2][:200] or type(error).__name__


def _look_up(host: str, port: int, answer: SimpleQueue[list[str] | OSError], done: Callable[[], None]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.put(list(dict.fromkeys(str(place[4][0]) for place in found)))
    except OSError as error:
        answer.put(error)
    except UnicodeError as error:
        answer.put(OSError(str(error)))
    finally:
        done()
