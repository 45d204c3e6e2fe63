"""Sender: delivers every change to the addresses it was given, as trackers do, from a thread of its own."""

from __future__ import annotations

import http.client
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.trackers.board import Board, Change
from tests.trackers.speakers.speaker import Speaker

__all__ = ["Sender", "post"]


@dataclass
class Sender:
    """`log` has one entry per delivery: number, event, by, status of the last attempt, attempts."""

    speaker: Speaker
    board: Board
    log: list[dict[str, Any]] = field(default_factory=list)
    _waiting: queue.Queue[tuple[Change, dict[str, str], bytes]] = field(default_factory=queue.Queue)
    _urls: list[str] = field(default_factory=list)
    _attempts: int = 1

    def begin(self, urls: list[str], secret: str, *, attempts: int) -> None:
        """From now on deliver; the body is made in the moment of the change."""
        started = bool(self._urls)
        self._urls, self._attempts = urls, attempts

        def tell(change: Change) -> None:
            self._waiting.put((change, *self.speaker.delivery(change, self.board.cards[change.number], secret)))

        self.board.told = tell
        if not started:
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            change, headers, body = self._waiting.get()
            for url in self._urls:
                self.log.append(
                    {
                        "number": change.number,
                        "event": change.event,
                        "by": change.by,
                        **self._deliver(url, headers, body),
                    }
                )

    def _deliver(self, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        status, content, attempts = 0, b"", 0
        while attempts < self._attempts and not 200 <= status < 500:
            if attempts:
                time.sleep(0.2)
            status, content = post(url, headers, body)
            attempts += 1
        return {"status": status, "attempts": attempts, "answer": content.decode(errors="replace")[:2000]}


def post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Send it; status 0 where nobody answered."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
