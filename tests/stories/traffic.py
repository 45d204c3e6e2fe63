"""A load of real tickets on a node, counted answer by answer."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field

from holdfast.workbench.bundled import load_head
from tests.served import Served


@dataclass
class Traffic:
    """Callers that send a ticket, wait for the answer, pause, and send the next, until stopped."""

    node: Served
    callers: int = 2
    pause_s: float = 0.01
    answers: dict[str, dict] = field(default_factory=dict)
    """Ticket id -> reply, for every 200."""
    failures: list[tuple[str, object]] = field(default_factory=list)
    """Ticket id and status or error of everything else."""

    def __post_init__(self) -> None:
        head = load_head("route")
        self._texts = [head.reading.tickets[i].text for i in head.split.held[:2000]]
        self._lock = threading.Lock()
        self._sent = 0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(self.callers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=40)

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=10)
        while not self._stopping.is_set():
            with self._lock:
                number = self._sent = self._sent + 1
            self._send(connection, f"T-{number}", f"{self._texts[number % len(self._texts)]} {number}")
            time.sleep(self.pause_s)
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, identifier: str, text: str) -> None:
        body = json.dumps({"id": identifier, "title": "", "description": text})
        try:
            connection.request("POST", "/v1/triage/score", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            reply = json.loads(content)
        except ValueError:
            self.failures.append((identifier, (response.status, response.getheaders(), content)))
            return
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.failures.append((identifier, error))
            return
        if response.status == 200:
            self.answers[identifier] = reply
        else:
            self.failures.append((identifier, (response.status, reply)))

    def share_of(self, tier: str) -> float:
        return sum(reply["served_by"]["tier"] == tier for reply in self.answers.values()) / len(self.answers)
