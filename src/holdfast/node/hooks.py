"""Hooks: the node's connections to trackers, and the deliveries that come on them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.apps.triage.connections import Connection, connect
from holdfast.apps.triage.intake import Arrival, Intake, Outcome, Overruled, Shelves, Taken
from holdfast.apps.triage.signatures import Delivery, SignatureRefused
from holdfast.apps.triage.task import Task
from holdfast.errors import HoldfastError, InvalidInput
from holdfast.finding import Finding, Severity
from holdfast.settings.loading import Loaded

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Hooks", "NoSuchConnection", "Traffic", "connections_of"]

_LOG_EVERY_S = 60.0  # whoever guesses must not fill the log
_REFUSALS_SHOWN_S = 600.0  # long enough to be seen by whoever looks at alerts now and then


class NoSuchConnection(InvalidInput):
    """No connection of this name is configured."""


@dataclass(slots=True)
class _Refusals:
    count: int = 0
    last_s: float = 0.0
    logged_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What came on one connection since the node started."""

    outcomes: Mapping[str, int]
    since_last_s: float | None
    """Since the last delivery that was believed."""


class Hooks:
    """Takes deliveries. `_lock` guards the refusals and the traffic; the connections are replaced whole."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.connections: Mapping[str, Connection] = connections_of(node.loaded)
        state = node.state
        shelves = Shelves(state.database, state.journal, state.facts, state.vault, state.jobs, state.clock)
        self._intake = Intake(node.triage, shelves, snapshot_for=node.active_for)
        self._lock = threading.Lock()
        self._refusals: dict[str, _Refusals] = {}
        self._outcomes: dict[str, Counter[str]] = {}
        self._last_s: dict[str, float] = {}

    def start(self) -> None:
        """Nothing to begin: deliveries come by themselves."""

    def stop(self) -> None:
        """Nothing to end."""

    def reconfigure(self) -> None:
        """Take new connections, and read every secret again: one may have been put in another's place."""
        self.connections = connections_of(self._node.loaded)

    def connection(self, name: str) -> Connection:
        """The connection of this name. Raises NoSuchConnection."""
        found = self.connections.get(name)
        if found is None:
            raise NoSuchConnection(f"connection {name[:80]!r}: expected one of those in [connections], found none")
        return found

    def take(self, name: str, headers: Mapping[str, str], body: bytes, *, arrival: Arrival) -> Outcome:
        """Take one delivery. Raises NoSuchConnection, and as Intake.take does."""
        connection = self.connection(name)
        clock = self._node.state.clock
        delivery = Delivery(
            headers=headers,
            body=body,
            now_s=clock.wall_at().timestamp() if clock.wall_trusted() else None,
            tolerance_s=float(connection.terms.tolerance_s),
            depth=self._node.loaded.settings.limits.depth,
        )
        try:
            outcome = self._intake.take(connection, delivery, arrival)
        except SignatureRefused as error:
            self._refused(name, str(error), arrival.request_id)
            self._count(name, "refused")
            raise
        except HoldfastError:
            self._count(name, "failed")
            raise
        with self._lock:
            self._refusals.pop(name, None)
            self._last_s[name] = clock.monotonic_s()
        self._count(name, _word(outcome))
        return outcome

    def take_listed(self, connection: Connection, task: Task, *, arrival: Arrival) -> Outcome:
        """Take a task that was found by asking the tracker. Raises as Intake.take does."""
        outcome = self._intake.take_listed(connection, task, arrival)
        self._count(connection.name, _word(outcome))
        return outcome

    def findings(self) -> tuple[Finding, ...]:
        """Connections that take nothing, and those whose deliveries are refused."""
        now_s = self._node.state.clock.monotonic_s()
        with self._lock:
            recent = {n: r.count for n, r in self._refusals.items() if now_s - r.last_s < _REFUSALS_SHOWN_S}
        connections = self.connections.values()
        return (
            *(_unready(one) for one in connections if one.fault),
            *(_exposed(one) for one in connections if one.exposed),
            *(_unbelieved(name, count) for name, count in recent.items()),
        )

    def _refused(self, name: str, why: str, request_id: str) -> None:
        now_s = self._node.state.clock.monotonic_s()
        with self._lock:
            refusals = self._refusals.setdefault(name, _Refusals())
            refusals.count += 1
            refusals.last_s = now_s
            if now_s - refusals.logged_s < _LOG_EVERY_S:
                return
            refusals.logged_s, count = now_s, refusals.count
        self._node.log.warning("hook-refused", connection=name, count=count, request_id=request_id, detail=why)

    def traffic(self, name: str) -> Traffic:
        """What came on the connection of this name."""
        now_s = self._node.state.clock.monotonic_s()
        with self._lock:
            last_s = self._last_s.get(name)
            outcomes = dict(self._outcomes.get(name, ()))
        return Traffic(outcomes, None if last_s is None else round(now_s - last_s, 3))

    def _count(self, name: str, outcome: str) -> None:
        with self._lock:
            self._outcomes.setdefault(name, Counter())[outcome] += 1
        self._node.measures.add("hooks_total", name, outcome)


def connections_of(loaded: Loaded) -> dict[str, Connection]:
    """Every configured connection, with its secrets; relative file names count from the configuration file."""
    base = loaded.files[0].absolute().parent if loaded.files else Path.cwd()
    return {name: connect(name, terms, base) for name, terms in loaded.settings.connections.items()}


def _word(outcome: Outcome) -> str:
    if not isinstance(outcome, Taken | Overruled):
        return "ignored"
    if outcome.replayed:
        return "replayed"
    return "scored" if isinstance(outcome, Taken) else "overruled"


def _unready(connection: Connection) -> Finding:
    return Finding(
        name="connection-unready",
        severity=Severity.CRITICAL,
        sentence=f"Connection {connection.name} cannot be used as it is configured: {connection.fault}.",
        next_step="Mend the file or the setting, then `holdfast config reload`.",
        component="hooks",
    )


def _exposed(connection: Connection) -> Finding:
    files = ", ".join(connection.exposed)
    return Finding(
        name="secret-exposed",
        severity=Severity.WARNING,
        sentence=f"Every user of this machine may read secrets of connection {connection.name}: {files}.",
        next_step="chmod 600 them; if other people use this machine, make new ones.",
        component="hooks",
    )


def _unbelieved(name: str, count: int) -> Finding:
    return Finding(
        name="hook-refused",
        severity=Severity.WARNING,
        sentence=f"{count} deliveries to connection {name} were refused for their signature since the last good one.",
        next_step="Compare the tracker's secret with secret_files, and both clocks; or somebody is guessing.",
        component="hooks",
    )
