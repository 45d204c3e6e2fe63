"""What the sense loop does each second: measure the node, keep the ledger's house, raise and clear alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from holdfast.errors import HoldfastError
from holdfast.finding import Finding, Severity
from holdfast.node.guard import Guard
from holdfast.record import Draft
from holdfast.watch.alerts import AlertLimits, Alerts
from holdfast.watch.probes import Probes, resident_bytes

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Senses"]

_ALERT_FILE = "alerts.json"


class Senses:
    """Belongs to one loop; what others read of it is replaced whole."""

    def __init__(self, node: Node) -> None:
        self._node = node
        directory = node.state.directory
        self._probes = Probes(node.state.clock, directory)
        self._alerts = Alerts(node.state.clock, node.measures, AlertLimits(file=directory / _ALERT_FILE))
        self._guard = Guard("sense", seen=(node.measures, node.log))
        self._parts: tuple[tuple[str, Callable[[], object]], ...] = (
            ("facts", node.state.facts.step),
            ("journal", node.state.journal.step),
            ("tokens", node.state.tokens.step),
            ("tls", lambda: node.parts.tls.step()),  # noqa: PLW0108  # as teams
            ("rules", node.take_new_rules),
            ("teams", lambda: node.parts.teams.step()),  # noqa: PLW0108  # the parts are built after the senses
            ("package-events", self._record_package_events),
            ("pressure", self._sense),
            ("measures", self._measure),
            ("alerts", lambda: self._alerts.hold(self.findings())),
            ("log", node.log.flush),
        )
        self.disk_free_bytes = 0
        self.resident_bytes = 0

    def step(self) -> None:
        """One second's worth."""
        for name, part in self._parts:
            with self._guard.part(name):
                part()

    def stop(self) -> None:
        """Write what waits."""
        self._record_package_events()
        self._node.log.flush()

    def findings(self) -> tuple[Finding, ...]:
        """What every component wants a person to know, worst first."""
        node = self._node
        found = [
            *node.findings(),
            *(finding for part in node.parts.all() for finding in part.findings()),
            *node.state.journal.findings(),
            *node.state.store.findings(),
            *node.state.tokens.findings(),
            *node.answerer.findings(),
        ]
        faults = dict.fromkeys(active.override_fault for active in node.parts.teams.actives())  # each once, in order
        found += [_override_refused(fault) for fault in faults if fault]
        if node.rules_watch is not None:
            found += node.rules_watch.findings()
        for pool in node.pools():
            found += pool.findings()
        order = (Severity.CRITICAL, Severity.WARNING, Severity.NOTICE)
        return tuple(sorted(found, key=lambda finding: (order.index(finding.severity), finding.name)))

    def _sense(self) -> None:
        node = self._node
        signals = self._probes.signals()
        node.answerer.sense(signals)
        for signal in signals:
            if signal.kind == "temperature_c":
                node.measures.set("temperature_celsius", value=signal.value)

    def _measure(self) -> None:
        node = self._node
        self.disk_free_bytes = self._probes.disk_free_bytes()
        self.resident_bytes = resident_bytes()
        node.measures.set("disk_free_bytes", value=float(self.disk_free_bytes))
        node.measures.set("resident_bytes", "node", value=float(self.resident_bytes))
        waiting = float(node.state.database.waiting())
        node.measures.set("queue_jobs", "ledger", "waiting", value=waiting)

    def _record_package_events(self) -> None:
        for event in self._node.state.store.events():
            draft = Draft(kind="package", payload=msgspec.json.encode(event))
            try:
                self._node.state.journal.append(draft)
            except HoldfastError as error:
                # The store keeps its own history; a full ledger must not stop the senses.
                self._node.log.failure("package-event-not-recorded", detail=str(error))


def _override_refused(fault: str) -> Finding:
    return Finding(
        name="override-refused",
        severity=Severity.WARNING,
        sentence=f"The overrides of the package are not in force, its own defaults are: {fault}.",
        next_step="Mend the value in the configuration, then run `holdfast config reload`.",
        component="node",
    )
