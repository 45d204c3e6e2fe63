"""A load of tickets sent over HTTP by a few closed-loop callers, and what came back for each."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

__all__ = ["Reply", "Sample", "score_all"]

_TIMEOUT_S = 30.0  # above the longest deadline a node grants, so that a hang is seen as one


class _Route(msgspec.Struct, frozen=True):
    label: str
    confidence: float


class _ServedBy(msgspec.Struct, frozen=True):
    tier: str
    stage: str
    degraded: bool


class Reply(msgspec.Struct, frozen=True):
    """The part of a score reply that a rehearsal looks at."""

    decision_id: str
    task_id: str
    score: float
    priority: str
    route: _Route
    served_by: _ServedBy
    recorded: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One ticket's way through the node."""

    index: int
    status: int
    """HTTP status; 0 when no answer came."""
    latency_ms: float
    sent_s: float
    """Monotonic."""
    reply: Reply | None

    @property
    def ok(self) -> bool:
        """A ticket counts as answered only with a decision that is on disk."""
        return self.status == 200 and self.reply is not None and self.reply.recorded


class _Caller:
    """One connection, used by one thread."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        self._decoder = msgspec.json.Decoder(Reply)

    def score(self, index: int, body: bytes) -> Sample:
        started_s = time.monotonic()
        status, reply = 0, None
        try:
            self._connection.request("POST", "/v1/triage/score", body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            content = response.read()
            status = response.status
            reply = self._decoder.decode(content) if status == 200 else None
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            self._connection.close()
        return Sample(index, status, (time.monotonic() - started_s) * 1000, started_s, reply)

    def close(self) -> None:
        self._connection.close()


def score_all(
    address: tuple[str, int], bodies: Sequence[bytes], *, callers: int, on_sample: Callable[[Sample], None]
) -> list[Sample]:
    """Send every body once from `callers` connections, each waiting for its answer; return the samples in input order.

    `on_sample` is called after each answer, from the thread that got it.
    """
    taken = iter(range(len(bodies)))
    lock = threading.Lock()
    samples: list[Sample] = []

    def work() -> None:
        caller = _Caller(*address)
        while True:
            with lock:
                index = next(taken, None)
            if index is None:
                break
            sample = caller.score(index, bodies[index])
            with lock:
                samples.append(sample)
            on_sample(sample)
        caller.close()

    threads = [threading.Thread(target=work, name=f"caller-{i}", daemon=True) for i in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(samples, key=lambda sample: sample.index)
