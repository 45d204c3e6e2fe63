"""Bell: tells the lanes of a queue that there may be work, so that none has to poll."""

from __future__ import annotations

import threading

__all__ = ["Bell"]


class Bell:
    """Counts its rings; `_changed` guards the count. A lane that was busy while it rang does not miss the ring."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    def wait(self, seen: int, *, timeout_s: float) -> None:
        """Return once it has rung more often than `seen` times, or after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._rings != seen, timeout=max(timeout_s, 0.0))
