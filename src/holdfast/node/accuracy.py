"""Accuracy on a node: a loop that folds the ledger's headers, and a metric by package version."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from holdfast.finding import Finding
from holdfast.ledger.headers import headers_after
from holdfast.node.active import BUILTIN, builtin_loadout
from holdfast.node.loop import Loop
from holdfast.report.accuracy import AccuracyReport, Fold, Period
from holdfast.tier import Reason

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Accuracy"]

_EVERY_S = 5.0
_PER_READ = 5_000  # headers: about 20 ms
_METRIC_DAYS = 30


class Accuracy:
    """`_lock` guards the fold; nobody else waits for it longer than one read."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._fold = Fold()
        rules = builtin_loadout(Reason.NO_PACKAGE)
        self._builtin = {str(rules.digest): (BUILTIN, rules.version)}
        self._loop = Loop("accuracy", self.step, every_s=_EVERY_S, seen=(node.measures, node.log))

    def start(self) -> None:
        """Begin to follow the ledger."""
        self._loop.start()

    def stop(self) -> None:
        """End after the step that runs."""
        self._loop.stop()

    def reconfigure(self) -> None:
        """Nothing to take."""

    def findings(self) -> tuple[Finding, ...]:
        """A figure is no finding: what is good enough is for people to say."""
        return ()

    def step(self) -> None:
        """Read what is new and set the metric."""
        while self._read():
            pass
        with self._lock:
            latest = self._fold.latest(_METRIC_DAYS)
        names = self._names()
        shown: dict[tuple[str, ...], float] = {
            names.get(digest, (digest, "")): round(1 - changed / decisions, 6)
            for digest, (decisions, changed) in latest.items()
        }
        self._node.measures.replace("accuracy_ratio", shown)

    def report(self, period: Period) -> AccuracyReport:
        """What people let stand, up to this moment."""
        while self._read():
            pass
        with self._lock:
            return self._fold.report(period, names=self._names())

    def _read(self) -> bool:
        """Take the next headers; say whether there may be more."""
        with self._lock:
            found = headers_after(self._node.state.database, self._fold.through, limit=_PER_READ)
            self._fold.take(found)
        return len(found) == _PER_READ

    def _names(self) -> dict[str, tuple[str, str]]:
        """Package digest -> name and version, of what is held or served."""
        packages = self._node.state.store.state().packages.items()
        past = {str(one.digest): (name, one.version) for name, slots in packages for one in slots.history}
        held = {str(one.digest): (name, one.version) for name, slots in packages for one in slots.installed}
        return {**past, **held, **self._builtin}
