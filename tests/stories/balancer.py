"""A small balancer: the next node for each request, another one where nobody listens, 502 where an answer was lost."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Balancer", "balancer"]

_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Balancer:
    """As nginx does by default: a request that was sent is not sent to the next one (it may have been carried out)."""

    backends: list[int]
    port: int = 0
    answered: dict[int, int] = field(default_factory=dict)
    """Backend -> answers it gave."""
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_on(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            first = next(self._turn)
        for i in range(len(self.backends)):
            port = self.backends[(first + i) % len(self.backends)]
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                link.connect()
            except OSError:
                continue
            try:
                link.request("POST", path, body, headers)
                response = link.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                return 502, {}, b""
            finally:
                link.close()
            with self._lock:
                self.answered[port] = self.answered.get(port, 0) + 1
            return response.status, {n: v for n, v in response.getheaders() if n.lower() not in _HOP}, content
        return 502, {}, b""


@contextmanager
def balancer(*backends: int) -> Iterator[Balancer]:
    """Serve one in this process."""
    one = Balancer(list(backends))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: text for name, text in self.headers.items() if name.lower() != "connection"}
            status, back, content = one.pass_on(self.path, headers, body)
            self.send_response(status)
            for name, text in back.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    one.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
