"""Clients that dawdle, and more of them than the node takes."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.served import TICKET, Answer, Served, Start, busy_slots, eventually

QUICK = "[server]\nheader_timeout_s = 0.5\nbody_timeout_s = 0.5\nconnections = 20\n"
HEAD = b"POST /v1/triage/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: lo", HEAD, HEAD + b"\r\n", HEAD + b'\r\n{"id":'])
def test_a_client_that_dawdles_is_closed(start: Start, sent: bytes) -> None:
    node = start(QUICK)
    started = time.monotonic()
    received = node.raw(sent, wait_s=6.0)
    assert time.monotonic() - started < 3.5
    assert received.startswith(b"HTTP/1.1 408")
    assert b"\r\nx-request-id: raw-" in received
    assert b"retry-after" not in received


def test_a_dripping_client_is_closed_although_it_always_sends(start: Start) -> None:
    node = start(QUICK)
    with socket.create_connection(("127.0.0.1", node.port), timeout=5) as client:
        client.sendall(HEAD)
        started = time.monotonic()
        with suppress(OSError):  # reset or broken pipe, as the kernel sees it
            while time.monotonic() - started < 6:
                client.sendall(b"x")
                time.sleep(0.05)
    assert time.monotonic() - started < 3.5


def test_more_connections_than_allowed_are_told_so(start: Start) -> None:
    node = start(QUICK)
    with ExitStack() as open_clients:
        clients = [
            open_clients.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=5)) for _ in range(25)
        ]
        last = clients[-1].recv(4096)
    assert last.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: 1\r\n" in last
    assert b"\r\nx-request-id: raw-" in last


def test_the_owner_gets_in_when_every_connection_is_taken_and_takes_none_himself(start: Start) -> None:
    node = start(QUICK.replace("timeout_s = 0.5", "timeout_s = 20"))
    address = str(node.data / "holdfast.sock")
    with ExitStack() as open_clients:
        owners = [open_clients.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(25)]
        for owner in owners:
            owner.settimeout(5)
            owner.connect(address)
        clients = [
            open_clients.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=5)) for _ in range(21)
        ]
        assert clients[20].recv(4096).startswith(b"HTTP/1.1 503")
        for one in (owners[0], owners[24], clients[0], clients[19]):
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_client_that_never_reads_is_cut_off(start: Start) -> None:
    node = start(QUICK)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", node.port))
        client.settimeout(0.5)
        with suppress(OSError):  # once the node stops reading, nothing more can be sent
            client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)
        assert eventually(lambda: _held(node, client))
        assert eventually(lambda: not _held(node, client), within_s=5.0)
    assert node.ask("GET", "/livez").status == 200


def _held(node: Served, client: socket.socket) -> bool:
    """Whether the node's end of this connection is still open in the node."""
    ends = f":{node.port:04X}", f":{client.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *_, inode = line.split()[:10]
        if local.endswith(ends[0]) and remote.endswith(ends[1]):
            return inode != "0"  # without an inode the kernel alone keeps it
    return False


def test_a_full_limiter_answers_503_with_retry_after_and_health_goes_on(start: Start) -> None:
    node = start("[limits]\nanswering = 1\noperator = 1\n")
    body = json.dumps({"tickets": [{**TICKET, "description": "word " * 800}] * 200}).encode()
    head = (
        f"POST /v1/triage/score:batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as busy:
        busy.sendall(head + body)
        assert eventually(lambda: busy_slots(node) == 1)
        refused = _first_refusal(node, while_busy_s=5.0)
        assert node.ask("GET", "/livez").status == 200
    assert refused is not None
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1


def _first_refusal(node: Served, *, while_busy_s: float) -> Answer | None:
    end = time.monotonic() + while_busy_s
    while time.monotonic() < end:
        answer = node.post("/v1/triage/score", TICKET)
        if answer.status != 200:
            return answer
    return None


def test_pipelined_requests_are_answered_in_order(node: Served) -> None:
    received = node.raw(
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        wait_s=3.0,
    )
    assert received.index(b"live\n") < received.index(b"ready: ")


def test_a_client_that_leaves_in_the_middle_harms_nobody(node: Served) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", node.port), timeout=5) as client:
            client.sendall(HEAD + b'\r\n{"id"')
    assert node.post("/v1/triage/score", TICKET).status == 200
