"""The gate: every exchange with the outside, allowed, bounded in time, size and number, and told truly."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

from holdfast.bucket import Bucket
from holdfast.clock import Clock
from holdfast.exchange import Incoming, Outgoing
from holdfast.finding import Finding
from holdfast.measure import Measures
from holdfast.outbound.address import Address, is_allowed, parse_address
from holdfast.outbound.budget import DayBudget, Tally
from holdfast.outbound.circuit import Circuit
from holdfast.outbound.links import LinkLimits, Links
from holdfast.outbound.passage import Exchange
from holdfast.outbound.refusals import AnswerTooLarge, ExchangeUncertain, LinkDown, NotAllowed, OverBudget, TlsRefused
from holdfast.outbound.standing import HostStanding, Standing
from holdfast.outbound.troubles import troubles

__all__ = ["Outbound", "OutboundLimits"]

_REMEMBER_REFUSED_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundLimits:
    """Where the node may go, and what that may cost."""

    allowed: frozenset[tuple[str, int]] = frozenset()
    """Host and port."""
    links: LinkLimits
    timeout_s: float
    response_bytes: int
    requests_per_minute: int
    bytes_per_day: int


@dataclass(slots=True)
class _Host:
    budget: Bucket
    circuit: Circuit = field(default_factory=Circuit)
    tls_fault: str = ""

    def standing(self, name: str, now_s: float) -> HostStanding:
        """How it fares."""
        circuit = self.circuit
        if self.tls_fault:
            state: Literal["answers", "fails", "rests", "untrusted"] = "untrusted"
        elif circuit.failures:
            state = "rests" if circuit.open else "fails"
        else:
            state = "answers"
        return HostStanding(
            host=name,
            state=state,
            failures=circuit.failures,
            reason=self.tls_fault or circuit.reason,
            rests_s=round(max(circuit.rests_until_s - now_s, 0.0), 1) if circuit.open else 0.0,
        )


class Outbound:
    """The one way out, for any number of threads. `_lock` guards the hosts and what was refused."""

    def __init__(self, limits: OutboundLimits, clock: Clock, measures: Measures, *, tally: Tally) -> None:
        self._limits, self._clock, self._measures = limits, clock, measures
        self._links = Links(limits.links)
        self._day = DayBudget(tally)
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self._refused: tuple[str, float] | None = None

    def send(self, request: Outgoing, *, deadline_s: float) -> Incoming:
        """Exchange `request` for its answer, whatever its status; redirects are answers.

        `deadline_s`: monotonic; `timeout_s` of the limits counts, too. Raises NotAllowed; LinkDown or TlsRefused when
        the request surely did not leave; OverBudget; ExchangeUncertain when it left and no whole answer came.
        """
        limits, links = self._limits, self._links
        address = self._admit(request, limits)
        now_s = self._clock.monotonic_s()
        host = self._enter(address, now_s, limits)
        left_s = min(deadline_s - now_s, limits.timeout_s)
        if left_s <= 0:
            raise LinkDown(f"{address.authority}: expected time for an exchange, found the deadline passed")
        try:
            exchange = Exchange(address, request, links, response_bytes=limits.response_bytes, spend=self._day.spend)
            incoming = exchange.run(self._clock, left_s)
        except (LinkDown, TlsRefused, ExchangeUncertain) as error:
            self._failed(address, host, error)
            raise
        with self._lock:
            host.circuit.worked()
            host.tls_fault = ""
        self._measures.add("outbound_requests_total", address.authority, "answered")
        return incoming

    def reconfigure(self, limits: OutboundLimits) -> None:
        """Take new limits for the next exchange; those in flight end under the old ones."""
        with self._lock:
            links, self._links, self._limits = self._links, Links(limits.links), limits
            names = {Address("http", host, port, "/").authority for host, port in limits.allowed}
            self._hosts = {name: host for name, host in self._hosts.items() if name in names}
            self._refused = None
        links.close()

    def close(self) -> None:
        """Close idle connections and keep the day's count."""
        self._links.close()
        self._day.keep()

    def standing(self) -> Standing:
        """How each host fares, and what is used up."""
        now_s, limits = self._clock.monotonic_s(), self._limits
        with self._lock:
            hosts = tuple(host.standing(name, now_s) for name, host in sorted(self._hosts.items()))
            refused = self._refused[0] if self._refused and now_s - self._refused[1] < _REMEMBER_REFUSED_S else ""
        return Standing(
            allowed=tuple(sorted(Address("http", host, port, "/").authority for host, port in limits.allowed)),
            hosts=hosts,
            bytes_today=self._day.used_bytes(),
            bytes_per_day=limits.bytes_per_day,
            refused=refused,
        )

    def findings(self) -> tuple[Finding, ...]:
        """Hosts that cannot be reached or trusted, a spent budget, a refused destination."""
        return troubles(self.standing())

    def _admit(self, request: Outgoing, limits: OutboundLimits) -> Address:
        address = parse_address(request.url)
        if not is_allowed(address, limits.allowed):
            with self._lock:
                self._refused = (address.authority, self._clock.monotonic_s())
            self._measures.add("outbound_requests_total", "other", "not-allowed")
            raise NotAllowed(
                f"outbound {request.method} to {address.authority}: expected a host of outbound.allow or of a "
                "connection's base_url, found neither"
            )
        return address

    def _enter(self, address: Address, now_s: float, limits: OutboundLimits) -> _Host:
        name = address.authority
        with self._lock:
            host = self._hosts.get(name)
            if host is None:
                host = self._hosts[name] = _Host(Bucket(float(limits.requests_per_minute), now_s))
            rest_s = host.circuit.enter(now_s)
            wait_s = 0.0 if rest_s else host.budget.take(now_s, per_minute=limits.requests_per_minute)
        if rest_s:
            self._measures.add("outbound_requests_total", name, "resting")
            raise LinkDown(
                f"{name}: expected a host that can be reached, found {host.circuit.failures} failures in a row, "
                f"the last: {host.circuit.reason}",
                retry_after_s=rest_s,
            )
        day_s = self._day.take(limits.bytes_per_day)
        if wait_s or day_s:
            self._measures.add("outbound_requests_total", name, "over-budget")
            limit = (
                f"outbound.requests_per_minute = {limits.requests_per_minute}"
                if wait_s
                else f"outbound.mib_per_day = {limits.bytes_per_day >> 20}"
            )
            raise OverBudget(
                f"{name}: expected to stay within {limit}, found it used up", retry_after_s=wait_s or day_s
            )
        return host

    def _failed(self, address: Address, host: _Host, error: LinkDown | TlsRefused | ExchangeUncertain) -> None:
        with self._lock:
            if isinstance(error, AnswerTooLarge):
                host.circuit.worked()  # it is there, and says more than is read
            else:
                host.circuit.failed(self._clock.monotonic_s(), str(error).partition(": ")[2])
            host.tls_fault = str(error) if isinstance(error, TlsRefused) else ""
        result = {"LinkDown": "link-down", "TlsRefused": "tls-refused"}.get(type(error).__name__, "uncertain")
        self._measures.add("outbound_requests_total", address.authority, result)
