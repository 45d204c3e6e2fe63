"""One exchange: what is promised to a caller, whatever the other side does."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.exchange import Outgoing
from holdfast.outbound.refusals import (
    AnswerTooLarge,
    ExchangeUncertain,
    LinkDown,
    MalformedOutgoing,
    NotAllowed,
    OverBudget,
)
from tests.outbound.scripted import OK, Gate, Scripted, answers, closes_after, drips, read_request

Servers = Callable[..., Scripted]
Gates = Callable[..., Gate]


def test_an_answer_comes_back_whole_with_its_headers_in_lower_case(server: Servers, gate: Gates) -> None:
    one = server(answers(b'HTTP/1.1 201 Created\r\nETag: "7"\r\nContent-Length: 2\r\n\r\nok'))
    incoming = gate(f"127.0.0.1:{one.port}").send(one.url(), "PATCH", b'{"priority":"P0"}')
    assert (incoming.status, incoming.headers["etag"], incoming.body) == (201, '"7"', b"ok")


def test_the_request_arrives_as_it_was_given(server: Servers, gate: Gates) -> None:
    seen: list[bytes] = []
    one = server(lambda client: (seen.append(read_request(client)), client.sendall(OK)))
    gate(f"127.0.0.1:{one.port}").send(one.url(path="/t/1?a=b"), "PATCH", b"{}", Authorization="Bearer x")
    assert seen[0].startswith(b"PATCH /t/1?a=b HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{one.port}\r\n".encode() in seen[0]
    assert b"Authorization: Bearer x\r\n" in seen[0]


def test_one_connection_serves_many_requests(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    way = gate(f"127.0.0.1:{one.port}")
    assert [way.send(one.url()).status for _ in range(5)] == [200] * 5
    assert one.connections == 1


def test_a_connection_the_other_side_closed_meanwhile_is_not_used_again(server: Servers, gate: Gates) -> None:
    one = server(closes_after(OK))
    way = gate(f"127.0.0.1:{one.port}")
    way.send(one.url())
    time.sleep(0.05)  # the close must have arrived
    assert way.send(one.url()).status == 200


def test_a_redirect_is_an_answer_and_is_not_followed(server: Servers, gate: Gates) -> None:
    target = server(answers(OK))
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target.url()}\r\nContent-Length: 0\r\n\r\n"
    one = server(answers(head.encode()))
    incoming = gate(f"127.0.0.1:{one.port}", f"127.0.0.1:{target.port}").send(one.url(), "POST", b"{}")
    assert (incoming.status, target.connections) == (307, 0)


def test_no_packet_goes_to_a_host_that_is_not_allowed(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    way = gate("tracker.example")
    with pytest.raises(NotAllowed, match=r"outbound\.allow"):
        way.send(one.url())
    assert one.connections == 0
    assert f"127.0.0.1:{one.port}" in way.finding("outbound-not-allowed")
    assert way.count("other", "not-allowed") == 1


def test_a_refused_connection_surely_applied_nothing(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    one.stop()
    with pytest.raises(LinkDown, match="Connection refused"):
        gate(f"127.0.0.1:{one.port}").send(one.url(), "PATCH", b"{}")


def test_a_name_nobody_knows_is_a_link_that_is_down(gate: Gates) -> None:
    with pytest.raises(LinkDown, match=r"nosuch\.invalid: expected its address"):
        gate("nosuch.invalid").send("http://nosuch.invalid/")


def test_a_resolver_that_hangs_is_not_waited_for(gate: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    way = gate("tracker.example", connect_timeout_s=0.2)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(1.0) or [])
    began = time.monotonic()
    with pytest.raises(LinkDown, match=r"within 0\.2 s"):
        way.send("http://tracker.example/")
    assert time.monotonic() - began < 0.8


def test_look_ups_that_hang_take_so_many_threads_and_no_more(gate: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answered.wait(20) and [])
    way = gate(*(f"t{i}.example" for i in range(17)), connect_timeout_s=0.02)
    try:
        for i in range(16):
            with pytest.raises(LinkDown, match="found no answer"):
                way.send(f"http://t{i}.example/")
        with pytest.raises(LinkDown, match="16 look-ups that hang"):
            way.send("http://t16.example/")
    finally:
        answered.set()


def test_the_second_address_of_a_name_is_tried_when_the_first_is_silent(
    server: Servers, gate: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = server(answers(OK))
    found = [(2, 1, 6, "", (address, one.port)) for address in ("127.9.9.9", "127.0.0.1")]
    literal, system = ("127.9.9.9", "127.0.0.1"), socket.getaddrinfo
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *a, **k: system(host, *a, **k) if host in literal else found)
    assert gate(f"tracker.example:{one.port}").send(one.url("tracker.example")).status == 200


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
    ids=["status", "head", "body", "chunk", "last"],
)
def test_a_slow_drip_ends_at_the_deadline(server: Servers, gate: Gates, start: bytes) -> None:
    one = server(drips(start))
    way = gate(f"127.0.0.1:{one.port}")
    began = time.monotonic()
    with pytest.raises(ExchangeUncertain, match=r"no whole answer in time|may have been applied"):
        way.send(one.url(), "PATCH", b"{}", within_s=0.4)
    assert 0.2 < time.monotonic() - began < 1.5


def test_a_client_s_own_limit_counts_where_it_is_shorter_than_the_deadline(server: Servers, gate: Gates) -> None:
    one = server(drips(b""))
    began = time.monotonic()
    with pytest.raises(ExchangeUncertain):
        gate(f"127.0.0.1:{one.port}", timeout_s=0.3).send(one.url(), within_s=60)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    ],
)
def test_after_the_request_left_anything_but_a_whole_answer_is_uncertain(
    server: Servers, gate: Gates, reply: bytes
) -> None:
    one = server(closes_after(reply))
    with pytest.raises(ExchangeUncertain, match="may have been applied"):
        gate(f"127.0.0.1:{one.port}").send(one.url(), "PATCH", b"{}")


def test_an_answer_over_the_limit_is_not_read_to_its_end(server: Servers, gate: Gates) -> None:
    one = server(closes_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 300_000))
    way = gate(f"127.0.0.1:{one.port}", response_bytes=100_000)
    for _ in range(7):  # which is no reason to rest: the host is there
        with pytest.raises(AnswerTooLarge, match="at most 100000 bytes"):
            way.send(one.url())


def test_a_gigabyte_in_a_megabyte_of_gzip_costs_no_memory(server: Servers, gate: Gates) -> None:
    bomb = gzip.compress(bytes(200 << 20), 1)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    one = server(closes_after(head.encode() + bomb))
    way = gate(f"127.0.0.1:{one.port}", response_bytes=1 << 20)
    tracemalloc.start()
    with pytest.raises(AnswerTooLarge):
        way.send(one.url())
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8 << 20


def test_gzip_is_unpacked(server: Servers, gate: Gates) -> None:
    packed = gzip.compress(b'{"tasks":[]}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    one = server(answers(head.encode() + packed))
    assert gate(f"127.0.0.1:{one.port}").send(one.url()).body == b'{"tasks":[]}'


def test_an_answer_given_before_the_whole_request_was_read_is_heard(server: Servers, gate: Gates) -> None:
    def early(client: socket.socket) -> None:
        client.recv(1000)
        client.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        one.stopping.wait(2)

    one = server(early)
    assert gate(f"127.0.0.1:{one.port}").send(one.url(), "POST", bytes(50_000)).status == 413


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET\r\nX: y", {}), ("GET", {"X": "a\r\nHost: evil.example"}), ("GET", {"X\n": "a"}), ("G€T", {})],
)
def test_a_line_break_smuggles_nothing_into_the_head(
    server: Servers, gate: Gates, method: str, headers: dict[str, str]
) -> None:
    one = server(answers(OK))
    with pytest.raises(MalformedOutgoing) as caught:
        gate(f"127.0.0.1:{one.port}").send(one.url(), method, **headers)
    assert "evil" not in str(caught.value)  # it may be a token


def test_a_request_shows_where_it_goes_and_no_secret() -> None:
    request = Outgoing(method="GET", url="https://t.example/a?key=s3cret", headers={"Authorization": "Bearer s3cret"})
    assert "s3cret" not in f"{request!r} {request}"


def test_a_deadline_that_has_passed_sends_nothing(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    with pytest.raises(LinkDown, match="deadline passed"):
        gate(f"127.0.0.1:{one.port}").send(one.url(), within_s=-1)
    assert one.connections == 0


def test_a_minute_has_so_many_requests_and_then_says_when(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    way = gate(f"127.0.0.1:{one.port}", requests_per_minute=3)
    for _ in range(3):
        way.send(one.url())
    with pytest.raises(OverBudget, match="requests_per_minute = 3") as caught:
        way.send(one.url())
    assert 15 < caught.value.retry_after_s <= 20
    way.clock.ahead_s += caught.value.retry_after_s
    assert way.send(one.url()).status == 200


def test_a_day_has_so_many_bytes_over_restarts_too(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    way = gate(f"127.0.0.1:{one.port}", bytes_per_day=1 << 20)
    way.send(one.url(), "POST", bytes(1 << 20))
    with pytest.raises(OverBudget, match="mib_per_day = 1"):
        way.send(one.url())
    assert way.finding("outbound-budget-spent")
    assert way.tally.kept[1] > 1 << 20
    way.tally.today = 1
    assert way.send(one.url()).status == 200


def test_a_host_that_keeps_failing_gets_rests_and_one_probe_each(server: Servers, gate: Gates) -> None:
    one = server(closes_after(b""))
    way = gate(f"127.0.0.1:{one.port}")
    for _ in range(5):
        with pytest.raises(ExchangeUncertain):
            way.send(one.url())
    with pytest.raises(LinkDown, match="5 failures in a row"):
        way.send(one.url())
    assert one.connections == 5
    way.clock.ahead_s += 3
    with pytest.raises(ExchangeUncertain):
        way.send(one.url())
    assert one.connections == 6


def test_a_host_that_answers_again_is_forgiven_and_the_alert_clears(server: Servers, gate: Gates) -> None:
    healthy: list[bool] = []
    one = server(lambda client: read_request(client) and healthy and client.sendall(OK))
    way = gate(f"127.0.0.1:{one.port}")
    for _ in range(5):
        with pytest.raises(ExchangeUncertain):
            way.send(one.url())
    assert str(one.port) in way.finding("outbound-unreachable")
    healthy.append(True)
    way.clock.ahead_s += 3
    assert way.send(one.url()).status == 200
    assert not way.outbound.findings()


def test_a_server_error_is_an_answer_and_no_reason_to_rest(server: Servers, gate: Gates) -> None:
    one = server(answers(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"))
    way = gate(f"127.0.0.1:{one.port}")
    replies = [way.send(one.url()) for _ in range(8)]
    assert {(reply.status, reply.headers["retry-after"]) for reply in replies} == {(503, "7")}


def test_new_limits_count_for_the_next_exchange(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    way = gate(f"127.0.0.1:{one.port}")
    way.send(one.url())
    way.outbound.reconfigure(Gate(("tracker.example",)).limits)
    with pytest.raises(NotAllowed):
        way.send(one.url())


def test_how_each_host_fares_can_be_read(server: Servers, gate: Gates) -> None:
    good, bad = server(answers(OK)), server(closes_after(b""))
    way = gate(f"127.0.0.1:{good.port}", f"127.0.0.1:{bad.port}")
    way.send(good.url())
    with pytest.raises(ExchangeUncertain):
        way.send(bad.url())
    standing = way.outbound.standing()
    fares = {one.host: (one.state, one.failures) for one in standing.hosts}
    assert fares == {f"127.0.0.1:{good.port}": ("answers", 0), f"127.0.0.1:{bad.port}": ("fails", 1)}
    assert set(standing.allowed) == set(fares)
    assert 0 < standing.bytes_today < standing.bytes_per_day


def test_many_threads_share_the_way_out_while_its_limits_change(server: Servers, gate: Gates) -> None:
    one = server(answers(OK))
    way = gate(f"127.0.0.1:{one.port}", requests_per_minute=100_000)
    with ThreadPoolExecutor(16) as pool:
        sent = [pool.submit(way.send, one.url(), "POST", b"x" * 1000) for _ in range(400)]
        for _ in range(5):
            way.outbound.reconfigure(way.limits)
        assert {one.result().status for one in sent} == {200}
    assert way.count(f"127.0.0.1:{one.port}", "answered") == 400
    assert way.tally.load()[1] <= way.outbound.standing().bytes_today
