"""Who may come in: hosts, origins, proxies; and what every path says about methods."""

from __future__ import annotations

import json
import signal
import socket
import struct

import pytest

from tests.served import JSON, TICKET, Served, Start, eventually

BODY = json.dumps(TICKET).encode()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:8470", "[::1]:80", "127.8.9.1", "LOCALHOST:1"])
def test_a_loopback_host_is_served(node: Served, host: str) -> None:
    assert node.ask("GET", "/readyz", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[2001:db8::1]",
        "",
        "127.0.0.1.nip.io",
        "[::1",
        "::1",
        "[127.0.0.1]",
        "127.0.0.1:abc",
        "127.0.0.1:80:80",
        "user@127.0.0.1",
        "[::1]x",
        "127.0.0.1:999999",
    ],
)
def test_another_host_is_403_so_that_dns_rebinding_reaches_nothing(node: Served, host: str) -> None:
    answer = node.ask("GET", "/readyz", headers={"Host": host})
    assert answer.status == 403
    assert answer.json()["title"] == "Unknown host"


def test_a_configured_host_is_served(start: Start) -> None:
    one = start('[server]\nhosts = ["Triage.Example"]\norigins = ["http://wall.example"]\n')
    assert one.ask("GET", "/livez", headers={"Host": "triage.example:8470"}).status == 200
    assert one.ask("POST", "/v1/triage/score", BODY, {**JSON, "Origin": "http://wall.example"}).status == 200
    assert one.ask("POST", "/v1/triage/score", BODY, {**JSON, "Origin": "http://other.example"}).status == 403


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_cannot_change_anything(node: Served, header: dict[str, str]) -> None:
    assert node.ask("POST", "/v1/triage/score", BODY, {**JSON, **header}).status == 403


@pytest.mark.parametrize("header", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_the_node_s_own_pages_and_programs_may(node: Served, header: dict[str, str]) -> None:
    origin = {"Origin": f"http://127.0.0.1:{node.port}"} if header else {}
    assert node.ask("POST", "/v1/triage/score", BODY, {**JSON, **header, **origin}).status == 200


@pytest.mark.parametrize(
    "name",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Real-IP",
        "Via",
        "WL-Proxy-Forwarded",
        "X-Original-For",
        "X-Envoy-External-Address",
        "X-ProxyUser-Ip",
        "CF-Ray",
        "Fastly-Client-IP",
        "X-Cluster-Client-IP",
        "CDN-Loop",
        "True-Client-IP",
    ],
)
def test_a_proxy_in_front_of_an_open_node_is_refused(node: Served, name: str) -> None:
    assert node.ask("GET", "/readyz", headers={name: "192.0.2.1"}).status == 403


@pytest.mark.parametrize("hosts", [("localhost", "localhost"), ("localhost", "evil.example")])
def test_two_hosts_are_400(node: Served, hosts: tuple[str, str]) -> None:
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    received = node.raw(f"GET /livez HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode(), wait_s=3.0)
    assert received.startswith(b"HTTP/1.1 400")


def test_another_header_may_come_twice(node: Served) -> None:
    twice = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nAccept: a\r\nAccept: b\r\nConnection: close\r\n\r\n"
    assert node.raw(twice, wait_s=3.0).startswith(b"HTTP/1.1 200")


def test_operator_verbs_are_not_served_over_tcp(node: Served) -> None:
    assert node.post("/v1/operator/config.reload", {}).status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "GET"])
def test_a_method_the_path_does_not_take_is_405_with_allow(node: Served, method: str) -> None:
    answer = node.ask(method, "/v1/triage/score", BODY, JSON)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_options_lists_the_methods(node: Served) -> None:
    answer = node.ask("OPTIONS", "/readyz")
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS", b"")


def test_head_is_get_without_the_body(node: Served) -> None:
    head, get = node.ask("HEAD", "/openapi.json"), node.ask("GET", "/openapi.json")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize(
    "path", ["/nope", "/v1", "/v1/triage", "//x", "/v1/triage/decisions/", "/%2e%2e/etc", "/livez/x"]
)
def test_an_unknown_path_is_a_404_problem(node: Served, path: str) -> None:
    answer = node.ask("GET", path)
    assert answer.status in (404, 405) or path == "/v1/triage/decisions/"
    assert answer.status != 500


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/triage/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/triage/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_the_node_lives(node: Served, junk: bytes) -> None:
    received = node.raw(junk, wait_s=2.0)
    assert received == b"" or received.startswith(b"HTTP/1.1 4")
    assert node.ask("GET", "/livez").status == 200


def test_a_client_that_resets_before_it_is_accepted_is_checked_like_any_other(start: Start) -> None:
    node = start()
    head = f"Host: evil.example\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    node.process.send_signal(signal.SIGSTOP)  # so that the reset is there before the node can accept
    for path in (b"/v1/triage/score", b"/v1/operator/tiers.show"):
        with socket.create_connection(("127.0.0.1", node.port), timeout=5) as client:
            client.sendall(b"POST " + path + b" HTTP/1.1\r\n" + head + BODY)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    node.process.send_signal(signal.SIGCONT)
    assert eventually(lambda: 'route="none",status="403"} 2' in node.ask("GET", "/metrics").body.decode())
    assert 'status="200"' not in _requests_but_metrics(node)


def _requests_but_metrics(node: Served) -> str:
    lines = node.ask("GET", "/metrics").body.decode().splitlines()
    return "\n".join(line for line in lines if "requests_total" in line and 'route="/metrics"' not in line)
