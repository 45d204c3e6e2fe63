"""The log: one JSON object per line on stderr, never a word of a ticket."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

__all__ = ["Log", "Stream"]

_MOST_WAITING = 10_000  # request lines; beyond it the oldest go, and the next flush says how many
_MOST_TEXTS = 2_000  # events, and batches of request lines, that nobody has taken yet; the oldest go
_STOP_S = 1.0
_STDERR = 2


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Take all of `text`, waiting if need be."""

    def flush(self) -> object:
        """Hand over what was kept back."""


class _Stderr:
    """Standard error without Python's buffer: its lock, held by a write that waits, would break the node's end."""

    def write(self, text: str, /) -> None:
        left = text.encode()
        while left:
            left = left[os.write(_STDERR, left) :]

    def flush(self) -> None:
        """Nothing is kept back."""


class Log:
    """Any thread may write, and none waits: a thread of the log's own hands the lines to the stream, in order.

    Events go out at once; request lines wait for `flush`, which the node calls. A stream that takes nothing costs
    the oldest lines, never an answer; the next line that gets through says how many.
    """

    def __init__(self, stream: Stream | None = None) -> None:
        self._stream = stream if stream is not None else _Stderr()
        self._encoder = msgspec.json.Encoder()
        self._waiting: deque[tuple[str, str, int, float, str]] = deque(maxlen=_MOST_WAITING)
        self._offered = 0
        self._changed = threading.Condition()  # guards what follows
        self._texts: deque[str] = deque()
        self._lost = 0
        self._writing = False
        self._thread: threading.Thread | None = None

    def info(self, event: str, **facts: Any) -> None:
        """Write what happened. `facts` must not hold text of a ticket."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Write what somebody should look at."""
        self._write("warning", event, facts)

    def failure(self, event: str, **facts: Any) -> None:
        """Write what failed."""
        self._write("error", event, facts)

    def request(self, request_id: str, route: str, status: int, seconds: float, *, caller: str) -> None:
        """Note one answered request; written by the next flush. caller: the name of who asked, where it is known."""
        self._waiting.append((request_id, route, status, seconds, caller))
        self._offered += 1

    def flush(self) -> None:
        """Write the request lines that wait."""
        lines: list[bytes] = []
        at = _now()
        while self._waiting:
            request_id, route, status, seconds, caller = self._waiting.popleft()
            facts = {"request_id": request_id, "route": route, "status": status, "ms": round(seconds * 1e3, 2)}
            if caller:
                facts["caller"] = caller
            lines.append(self._encoder.encode({"at": at, "level": "info", "event": "request", **facts}))
        lost, self._offered = self._offered - len(lines), 0
        if lost > 0:
            self._write("warning", "request-lines-lost", {"count": lost})
        if lines:
            self._put(b"\n".join(lines).decode() + "\n")

    def settle(self, *, within_s: float = _STOP_S) -> bool:
        """Wait until the stream has taken everything, no longer than `within_s`; say whether it has."""
        end_s = time.monotonic() + within_s
        with self._changed:
            while self._texts or self._writing:
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
        return True

    def _write(self, level: str, event: str, facts: dict[str, Any]) -> None:
        self._put(self._line(level, event, facts))

    def _line(self, level: str, event: str, facts: dict[str, Any]) -> str:
        return self._encoder.encode({"at": _now(), "level": level, "event": event, **facts}).decode() + "\n"

    def _put(self, text: str) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
                self._thread.start()
            if len(self._texts) >= _MOST_TEXTS:
                self._lost += self._texts.popleft().count("\n")
            self._texts.append(text)
            self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            text = self._next()
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                # A log nobody can take (closed pipe, full disk) must never cost an answer.
                continue

    def _next(self) -> str:
        """The next text, once there is one; the one before is written."""
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            while not self._texts:
                self._changed.wait()
            self._writing = True
            text, lost, self._lost = self._texts.popleft(), self._lost, 0
        return (self._line("warning", "lines-lost", {"count": lost}) if lost else "") + text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
