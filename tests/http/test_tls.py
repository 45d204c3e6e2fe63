"""A node that others reach: over TLS, with a token, and not otherwise."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.certificates import Authority, Issued
from tests.served import JSON, TICKET, Answer, Served, Start, eventually

BODY = json.dumps(TICKET).encode()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def configured(issued: Issued, *more: str) -> str:
    lines = (f'tls_certificate = "{issued.certificate}"', f'tls_key = "{issued.key}"', *more)
    return "[server]\n" + "\n".join(lines) + "\n"


def ask(node: Served, authority: Authority, path: str, **headers: str) -> Answer:
    """One request over TLS, the certificate checked for `localhost`."""
    context = ssl.create_default_context(cafile=str(authority.file))
    connection = http.client.HTTPSConnection("localhost", node.port, context=context, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def serial(node: Served) -> str:
    """Of the certificate the node shows now."""
    return ssl.get_server_certificate(("127.0.0.1", node.port), timeout=5)


def command(node: Served | SimpleNamespace, *arguments: str) -> subprocess.CompletedProcess[str]:
    common = [sys.executable, "-m", "holdfast", "--config", str(node.config), "--data", str(node.data)]
    return subprocess.run([*common, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_a_node_with_a_certificate_answers_over_tls_under_its_names(start: Start, authority: Authority) -> None:
    node = start(configured(authority.issue("localhost", "node.lan", "127.0.0.1")))
    assert ask(node, authority, "/readyz").status == 200
    assert ask(node, authority, "/readyz", Host=f"node.lan:{node.port}").status == 200
    assert ask(node, authority, "/readyz", Host="evil.example").status == 403


def test_a_ticket_is_scored_over_tls_on_a_kept_connection(start: Start, authority: Authority) -> None:
    node = start(configured(authority.issue("localhost")))
    context = ssl.create_default_context(cafile=str(authority.file))
    connection = http.client.HTTPSConnection("localhost", node.port, context=context, timeout=10)
    for _ in range(20):
        connection.request("POST", "/v1/triage/score", BODY, JSON)
        assert json.loads(connection.getresponse().read())["recorded"]
    connection.close()


@pytest.mark.parametrize(
    "junk", [b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x00" * 500, b"\x16\x03\x01\xff\xff"]
)
def test_what_is_not_tls_gets_nothing_and_the_node_lives(start: Start, authority: Authority, junk: bytes) -> None:
    node = start(configured(authority.issue("localhost"), "header_timeout_s = 1.0"))
    assert b"200" not in node.raw(junk, wait_s=3.0)
    assert ask(node, authority, "/livez").status == 200


def test_clients_that_never_finish_the_handshake_hold_nobody_up(start: Start, authority: Authority) -> None:
    node = start(configured(authority.issue("localhost"), "header_timeout_s = 0.5"))
    hanging = [socket.create_connection(("127.0.0.1", node.port), timeout=10) for _ in range(200)]
    began = time.monotonic()
    assert ask(node, authority, "/livez").status == 200
    assert time.monotonic() - began < 1.0
    assert all(client.recv(1) == b"" for client in hanging)
    for client in hanging:
        client.close()


def test_more_unfinished_handshakes_than_connections_are_dropped_at_once(start: Start, authority: Authority) -> None:
    node = start(configured(authority.issue("localhost"), "connections = 8", "header_timeout_s = 2.0"))
    hanging = [socket.create_connection(("127.0.0.1", node.port), timeout=10) for _ in range(40)]
    assert eventually(lambda: _open_files(node) <= 40)
    assert command(node, "status").returncode == 0
    for client in hanging:
        client.close()
    assert eventually(lambda: _answers(node, authority))


def _open_files(node: Served) -> int:
    return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))


def _answers(node: Served, authority: Authority) -> bool:
    try:
        return ask(node, authority, "/livez").status == 200
    except OSError:
        return False


def test_a_slow_head_inside_tls_is_cut_off_too(start: Start, authority: Authority) -> None:
    node = start(configured(authority.issue("localhost"), "header_timeout_s = 0.5"))
    context = ssl.create_default_context(cafile=str(authority.file))
    with (
        socket.create_connection(("127.0.0.1", node.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"GET /livez HT")
        assert client.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_renewed_certificate_is_shown_after_a_reload_without_a_cut_connection(
    start: Start, authority: Authority
) -> None:
    issued, renewed = authority.issue("localhost"), authority.issue("localhost")
    node = start(configured(issued))
    before = serial(node)
    context = ssl.create_default_context(cafile=str(authority.file))
    connection = http.client.HTTPSConnection("localhost", node.port, context=context, timeout=10)
    connection.request("GET", "/livez")
    connection.getresponse().read()
    shutil.copy(renewed.certificate, issued.certificate)
    assert command(node, "config", "reload").returncode == 78  # beside the key of the first
    assert serial(node) == before
    shutil.copy(renewed.key, issued.key)
    assert command(node, "config", "reload").returncode == 0
    assert serial(node) != before
    connection.request("GET", "/livez")
    assert connection.getresponse().read() == b"live\n"
    connection.close()


def test_a_lan_bind_with_token_and_tls_asks_for_the_token_even_when_none_is_left(
    tmp_path: Path, authority: Authority
) -> None:
    configuration = configured(authority.issue("localhost"), 'host = "0.0.0.0"')
    with pytest.raises(AssertionError, match="holdfast token create"):
        Served(tmp_path, configuration)
    first = SimpleNamespace(config=tmp_path / "holdfast.toml", data=tmp_path / "data")
    secret = command(first, "token", "create", "wall").stdout.strip()
    node = Served(tmp_path, configuration)
    try:
        assert ask(node, authority, "/healthz").status == 401
        assert ask(node, authority, "/healthz", Authorization=f"Bearer {secret}").status == 200
        assert command(node, "token", "revoke", "wall", "--forget").returncode == 0
        assert ask(node, authority, "/healthz").status == 401
    finally:
        node.stop()
