"""Circuit: whether a host that failed several times in a row is worth another try now. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Circuit"]

_FAILURES = 5  # in a row; fewer would rest a host for one bad minute of a radio link
_REST_S, _REST_MOST_S = 2.0, 30.0


@dataclass(slots=True)
class Circuit:
    """One host's failures in a row. A host at rest gets one probe at the end of each rest, everybody else waits."""

    failures: int = 0
    rests_until_s: float = 0.0
    reason: str = ""
    """Why the last exchange failed; empty when it did not."""

    @property
    def open(self) -> bool:
        """Say whether the host is given rests."""
        return self.failures >= _FAILURES

    def enter(self, now_s: float) -> float:
        """Return 0 if a request may go now, else how many seconds are left to wait."""
        if not self.open:
            return 0.0
        if now_s < self.rests_until_s:
            return self.rests_until_s - now_s
        self.rests_until_s = now_s + self._rest_s()  # this one is the probe
        return 0.0

    def failed(self, now_s: float, reason: str) -> None:
        """Count one exchange that came to nothing."""
        self.failures += 1
        self.reason = reason
        self.rests_until_s = now_s + self._rest_s()

    def worked(self) -> None:
        """The host answered, whatever it said."""
        self.failures, self.rests_until_s, self.reason = 0, 0.0, ""

    def _rest_s(self) -> float:
        beyond = min(max(self.failures - _FAILURES, 0), 10)
        return float(min(_REST_S * 2**beyond, _REST_MOST_S))
