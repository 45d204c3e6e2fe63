"""The node that is rehearsed with: started as a user would start it, watched and stopped from outside."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil

from holdfast.errors import Unavailable

__all__ = ["Footprint", "Subject", "free_port"]

_POLL_S = 0.02
_STOP_S = 15.0  # a node drains for at most 10 s


_WORKER = "holdfast.runtime.worker"


class SubjectDidNotStart(Unavailable):
    """The node under rehearsal ended or stayed silent."""


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """What the node and its workers hold and have used."""

    cpu_s: float
    rss_bytes: int
    pss_bytes: int
    processes: int


def free_port(preferred: int, *, host: str = "127.0.0.1") -> int:
    """Return `preferred`, or the next port that nothing listens on."""
    for port in range(preferred, 65536):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise SubjectDidNotStart(f"no free port from {preferred} up on {host}")


class Subject:
    """A `holdfast serve` of its own, with its configuration file and data directory. Not shared between threads."""

    def __init__(self, config: Path, data_dir: Path, *, port: int, module: str = "holdfast") -> None:
        """`module`: what is run; another one wraps it, for what cannot be done to a node from outside."""
        self.host, self.port = "127.0.0.1", port
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        arguments = ["--config", str(config), "--data", str(data_dir), "serve", "--port", str(port)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of one GET. Raises OSError when nobody answers."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body of one POST of JSON. Raises OSError when nobody answers."""
        return self._ask("POST", path, body)

    def readiness(self) -> str | None:
        """Return the tier that readiness names; None while no tier can answer or nobody listens."""
        try:
            status, content = self.get("/readyz")
        except OSError:
            return None
        return content.decode().removeprefix("ready: ").strip() if status == 200 else None

    def wait_until_answering(self, *, timeout_s: float) -> float:
        """Wait until some tier can answer; return the seconds it took. Raises SubjectDidNotStart."""
        return self._wait_for(("full", "small", "rules"), timeout_s)

    def wait_for_tier(self, tier: str, *, timeout_s: float) -> float:
        """Wait until readiness names `tier`; return the seconds it took. Raises SubjectDidNotStart."""
        return self._wait_for((tier,), timeout_s)

    def _wait_for(self, tiers: tuple[str, ...], timeout_s: float) -> float:
        started_s = time.monotonic()
        found: str | None = None
        while time.monotonic() - started_s < timeout_s:
            if self.process.poll() is not None:
                raise SubjectDidNotStart(
                    f"the node ended with exit code {self.process.returncode}; see {self.log_path}"
                )
            found = self.readiness()
            if found in tiers:
                return time.monotonic() - started_s
            time.sleep(_POLL_S)
        wanted = " or ".join(tiers)
        raise SubjectDidNotStart(
            f"the node did not reach tier {wanted} in {timeout_s:.0f} s, at {found}; see {self.log_path}"
        )

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30.0)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Return the process ids of the node's model workers."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child.pid for child in children if _WORKER in _command_line(child)]

    def kill_workers(self) -> int:
        """SIGKILL every model worker; return how many there were."""
        pids = self.workers()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def footprint(self) -> Footprint:
        """Measure the node and its workers together."""
        node = psutil.Process(self.process.pid)
        family = [node, *node.children(recursive=True)]
        memory = [process.memory_full_info() for process in family]
        times = [process.cpu_times() for process in family]
        return Footprint(
            cpu_s=sum(t.user + t.system for t in times)
            + node.cpu_times().children_user
            + node.cpu_times().children_system,
            rss_bytes=sum(m.rss for m in memory),
            pss_bytes=sum(m.pss for m in memory),
            processes=len(family),
        )

    def stop(self) -> int:
        """SIGTERM, then SIGKILL when draining takes too long; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def _command_line(process: psutil.Process) -> str:
    """What the process was started as; nothing for one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
