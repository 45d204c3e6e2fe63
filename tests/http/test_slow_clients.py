"""Clients that dawdle, and more of them than the node takes."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress

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
    assert b"retry-after" in last


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
