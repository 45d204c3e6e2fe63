"""Alerts: the findings that hold now, told where a person or a machine will see them."""

from __future__ import annotations

import contextlib
import os
import syslog
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.clock import Clock
from holdfast.finding import Finding, Severity
from holdfast.measure import Measures

__all__ = ["AlertLimits", "Alerts", "RaisedAlert", "write_syslog"]

_ORDER = (Severity.CRITICAL, Severity.WARNING, Severity.NOTICE)
_PRIORITIES = {
    Severity.CRITICAL: syslog.LOG_CRIT,
    Severity.WARNING: syslog.LOG_WARNING,
    Severity.NOTICE: syslog.LOG_NOTICE,
}


class RaisedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and since when it holds."""

    finding: Finding
    since: str
    """RFC 3339, UTC, as the node believed it."""


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """Where alerts go."""

    file: Path | None = None
    """Always holds what is raised now, as JSON; replaced whole, so that a reader never sees half."""
    syslog: bool = False


class Alerts:
    """Belongs to one loop; `raised` may be read by any thread, it is replaced whole."""

    def __init__(
        self,
        clock: Clock,
        measures: Measures,
        limits: AlertLimits,
        *,
        tell: Callable[[Severity, str], None] | None = None,
    ) -> None:
        """`tell` writes one line to the system's log; by default syslog, where it is on."""
        self._clock, self._measures, self._limits = clock, measures, limits
        self._tell = tell or (write_syslog if limits.syslog else _say_nothing)
        self._written: bytes | None = None
        self.raised: tuple[RaisedAlert, ...] = ()

    def hold(self, findings: Sequence[Finding]) -> bool:
        """Make `findings` what is raised: new ones are raised, missing ones cleared. Returns whether anything changed.

        Of several findings with one name the worst speaks for them.
        """
        known = {alert.finding.name: alert for alert in self.raised}
        now = {finding.name: finding for finding in sorted(findings, key=_rank, reverse=True)}
        alerts = [
            RaisedAlert(finding=finding, since=known[name].since if name in known else self._now())
            for name, finding in now.items()
        ]
        before = set(known)
        self.raised = tuple(sorted(alerts, key=lambda alert: _rank(alert.finding)))
        self._announce(before)
        self._write()
        self._measures.replace("alerts_active", {(f.name, f.severity.value): 1.0 for f in now.values()})
        return before != set(now)

    def _announce(self, before: set[str]) -> None:
        names = {alert.finding.name for alert in self.raised}
        for alert in self.raised:
            if alert.finding.name not in before:
                finding = alert.finding
                self._tell(finding.severity, f"raised {finding.name}: {finding.sentence} {finding.next_step}")
        for name in sorted(before - names):
            self._tell(Severity.NOTICE, f"cleared {name}")

    def _write(self) -> None:
        """Replace the alert file when its content changed; a full disk is counted and does not stop the senses."""
        if self._limits.file is None:
            return
        content = msgspec.json.format(msgspec.json.encode({"alerts": self.raised}), indent=2) + b"\n"
        if content == self._written:
            return
        try:
            _replace(self._limits.file, content)
        except OSError:
            # Metrics and the API still show the alerts, and the next change tries again.
            self._measures.add("swallowed_errors_total", "alert-file")
            return
        self._written = content

    def _now(self) -> str:
        return self._clock.wall_at().isoformat(timespec="seconds")


def write_syslog(severity: Severity, line: str) -> None:
    """One line to syslog, under `holdfast`."""
    syslog.openlog("holdfast", facility=syslog.LOG_DAEMON)
    syslog.syslog(_PRIORITIES[severity], line)


def _say_nothing(severity: Severity, line: str) -> None:
    del severity, line


def _rank(finding: Finding) -> tuple[int, str]:
    return _ORDER.index(finding.severity), finding.name


def _replace(path: Path, content: bytes) -> None:
    """Write beside `path`, make it durable, and rename. Raises OSError; then the old file is as it was."""
    beside = path.with_name(f".{path.name}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123 - the descriptor was opened with its mode
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
