"""A real node in a process of its own, asked over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TICKET = {"id": "T-1", "title": "Production database is down", "description": "Customers cannot check out."}
JSON = {"Content-Type": "application/json"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """`holdfast serve` on a free port. `configuration` is the text of its file."""

    directory: Path
    configuration: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    module: str = "holdfast"
    """What is run: another one wraps it, for what cannot be done to a node from outside."""

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "data"
        self.config = self.directory / "holdfast.toml"
        self.config.write_text(self.configuration)
        self.log_path = self.directory / "log"
        self.start()

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            arguments = ["--config", str(self.config), "--data", str(self.data), "serve", "--port", str(self.port)]
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, *arguments],
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
            )
        self.port = self._listening_port()

    def _listening_port(self) -> int:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for event in self.events("listening"):
                if event.get("pid") == self.process.pid:
                    return int(event["port"])
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"the node did not start: {self.log_path.read_text()[-2000:]}")

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [line for line in self.log_path.read_text().splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
        finally:
            connection.close()

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.ask("POST", path, json.dumps(value).encode(), {**JSON, **given})

    def raw(self, content: bytes, *, wait_s: float = 10.0) -> bytes:
        """Send bytes as they are and read until the node closes the connection or `wait_s` pass."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait_s) as client:
            client.sendall(content)
            received = b""
            try:
                while chunk := client.recv(65536):
                    received += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return received

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def settled_bytes(self, *, quiet_s: float = 1.0) -> int:
        """Resident memory once it has not changed for `quiet_s`: the node has loaded what it loads beside answering."""
        held, since_s = self.resident_bytes(), time.monotonic()
        while time.monotonic() - since_s < quiet_s:
            time.sleep(0.05)
            if abs(self.resident_bytes() - held) > 1 << 20:
                held, since_s = self.resident_bytes(), time.monotonic()
        return held

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=20)


Start = Callable[..., Served]


def eventually(condition: Callable[[], object], *, within_s: float = 5.0) -> bool:
    """Whether `condition` comes true in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def busy_slots(node: Served) -> int:
    """Requests the answering limiter works on."""
    queues = node.ask("GET", "/v1/node/queue").json()["queues"]
    return next(one["waiting"] for one in queues if one["queue"] == "answering")


def starting(directory: Path) -> Iterator[Start]:
    """For a fixture: yields what starts nodes, and stops them all when the test has ended."""
    started: list[Served] = []

    def begin(configuration: str = "", **environment: str) -> Served:
        one = Served(directory / f"node{len(started)}", configuration, environment)
        started.append(one)
        return one

    try:
        yield begin
    finally:
        for one in started:
            one.stop()
