"""A proxy: everything goes through it when it is named, nothing when it is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from holdfast.outbound.refusals import LinkDown
from tests.certificates import Authority
from tests.outbound.scripted import OK, Gate, Scripted, answers, read_request

Servers = Callable[..., Scripted]
Gates = Callable[..., Gate]


def _tunnels(heads: list[bytes], target_port: int) -> Callable[[socket.socket], None]:
    def script(client: socket.socket) -> None:
        heads.append(read_request(client))
        with socket.create_connection(("127.0.0.1", target_port)) as target:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(target, client), daemon=True)
            back.start()
            _pump(client, target)
            back.join(timeout=2)

    return script


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # either side may be gone
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


def test_plain_http_is_asked_of_the_proxy_with_the_whole_url(server: Servers, gate: Gates) -> None:
    heads: list[bytes] = []
    password = "p%40ss"
    proxy = server(lambda client: (heads.append(read_request(client)), client.sendall(OK)))
    way = gate("tracker.example", proxy=f"http://user:{password}@127.0.0.1:{proxy.port}")
    assert way.send("http://tracker.example/tasks").status == 200
    assert heads[0].startswith(b"GET http://tracker.example/tasks HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in heads[0]


def test_https_goes_through_a_tunnel_and_is_checked_at_its_far_end(
    server: Servers, gate: Gates, authority: Authority
) -> None:
    target = server(answers(OK), authority.issue("tracker.example"))
    heads: list[bytes] = []
    proxy = server(_tunnels(heads, target.port))
    way = gate("tracker.example", proxy=f"http://127.0.0.1:{proxy.port}")
    assert way.send("https://tracker.example/tasks", Authorization="Bearer s3cret").status == 200
    assert heads[0].startswith(b"CONNECT tracker.example:443 HTTP/1.")
    assert b"s3cret" not in heads[0]


def test_a_proxy_that_refuses_the_tunnel_is_a_link_that_is_down(server: Servers, gate: Gates) -> None:
    proxy = server(answers(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))
    with pytest.raises(LinkDown, match="407"):
        gate("tracker.example", proxy=f"http://127.0.0.1:{proxy.port}").send("https://tracker.example/")


def test_a_proxy_of_the_environment_is_not_used(server: Servers, gate: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, target = server(answers(OK)), server(answers(OK))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    gate(f"127.0.0.1:{target.port}").send(target.url())
    assert (proxy.connections, target.connections) == (0, 1)
