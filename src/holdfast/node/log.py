"""The log: one JSON object per line on stderr, never a word of a ticket."""

from __future__ import annotations

import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

__all__ = ["Log"]

_MOST_WAITING = 10_000  # request lines; beyond it the oldest go, and the next flush says how many


class Log:
    """Any thread may write. Events are written at once; request lines wait for `flush`, which the node calls."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._encoder = msgspec.json.Encoder()
        self._lock = threading.Lock()  # guards the stream
        self._waiting: deque[tuple[str, str, int, float]] = deque(maxlen=_MOST_WAITING)
        self._offered = 0

    def info(self, event: str, **facts: Any) -> None:
        """Write what happened. `facts` must not hold text of a ticket."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Write what somebody should look at."""
        self._write("warning", event, facts)

    def failure(self, event: str, **facts: Any) -> None:
        """Write what failed."""
        self._write("error", event, facts)

    def request(self, request_id: str, route: str, status: int, seconds: float) -> None:
        """Note one answered request; written by the next flush."""
        self._waiting.append((request_id, route, status, seconds))
        self._offered += 1

    def flush(self) -> None:
        """Write the request lines that wait."""
        lines: list[bytes] = []
        at = _now()
        while self._waiting:
            request_id, route, status, seconds = self._waiting.popleft()
            facts = {"request_id": request_id, "route": route, "status": status, "ms": round(seconds * 1e3, 2)}
            lines.append(self._encoder.encode({"at": at, "level": "info", "event": "request", **facts}))
        lost, self._offered = self._offered - len(lines), 0
        if lost > 0:
            self._write("warning", "request-lines-lost", {"count": lost})
        if lines:
            self._put(b"\n".join(lines).decode() + "\n")

    def _write(self, level: str, event: str, facts: dict[str, Any]) -> None:
        line = {"at": _now(), "level": level, "event": event, **facts}
        self._put(self._encoder.encode(line).decode() + "\n")

    def _put(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                # A log nobody can take (closed pipe, full disk) must never cost an answer.
                return


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
