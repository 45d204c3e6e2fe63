"""Who is at the other end: only whom a trusted authority vouches for, under that name, today."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.outbound.refusals import ExchangeUncertain, LinkDown, TlsRefused
from tests.certificates import Authority
from tests.outbound.scripted import OK, Gate, Scripted, answers, drips

Servers = Callable[..., Scripted]
Gates = Callable[..., Gate]


def test_an_authority_of_ca_file_is_trusted(server: Servers, gate: Gates, authority: Authority) -> None:
    one = server(answers(OK), authority.issue("localhost"))
    way = gate(f"localhost:{one.port}")
    assert [way.send(one.url("localhost")).status for _ in range(2)] == [200, 200]
    assert one.connections == 1


def test_an_address_in_the_certificate_counts(server: Servers, gate: Gates, authority: Authority) -> None:
    one = server(answers(OK), authority.issue("127.0.0.1"))
    assert gate(f"127.0.0.1:{one.port}").send(one.url()).status == 200


def test_an_authority_nobody_named_is_refused(server: Servers, gate: Gates, tmp_path: Path) -> None:
    one = server(answers(OK), Authority(tmp_path, "somebody else").issue("localhost"))
    way = gate(f"localhost:{one.port}")
    with pytest.raises(TlsRefused, match=r"unable to get local issuer certificate; see outbound\.ca_file"):
        way.send(one.url("localhost"), "PATCH", b"{}")
    assert way.finding("outbound-tls-refused")
    assert way.count(f"localhost:{one.port}", "tls-refused") == 1


@pytest.mark.parametrize(
    ("issued", "expected"),
    [
        (("localhost", (-30, -1)), "certificate has expired"),
        (("localhost", (1, 30)), "not yet valid"),
        (("other.example", (-1, 30)), "[Hh]ostname mismatch"),
        (("127.0.0.1", (-1, 30)), "[Hh]ostname mismatch"),
    ],
)
def test_a_certificate_of_another_day_or_name_is_refused(
    server: Servers, gate: Gates, authority: Authority, issued: tuple[str, tuple[int, int]], expected: str
) -> None:
    one = server(answers(OK), authority.issue(issued[0], days=issued[1]))
    with pytest.raises(TlsRefused, match=expected):
        gate(f"localhost:{one.port}").send(one.url("localhost"))


def test_a_node_that_does_not_know_the_day_checks_everything_but_the_dates(
    server: Servers, gate: Gates, authority: Authority, tmp_path: Path
) -> None:
    ended = server(answers(OK), authority.issue("localhost", days=(-30, -1)))
    foreign = server(answers(OK), Authority(tmp_path, "somebody else").issue("localhost"))
    way = gate(f"localhost:{ended.port}", f"localhost:{foreign.port}")
    way.clock.trusted = False
    assert way.send(ended.url("localhost")).status == 200
    with pytest.raises(TlsRefused):
        way.send(foreign.url("localhost"))


def test_a_server_that_speaks_no_tls_is_refused(server: Servers, gate: Gates) -> None:
    one = server(lambda client: client.recv(1000) and client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(TlsRefused, match="expected a TLS connection"):
        gate(f"localhost:{one.port}").send(f"https://localhost:{one.port}/")


def test_a_certificate_that_became_good_is_accepted_and_the_alert_clears(
    server: Servers, gate: Gates, authority: Authority
) -> None:
    one = server(answers(OK), authority.issue("other.example"))
    way = gate(f"localhost:{one.port}")
    with pytest.raises(TlsRefused):
        way.send(one.url("localhost"))
    renewed = authority.issue("localhost")
    one._context.load_cert_chain(renewed.certificate, renewed.key)
    assert way.send(one.url("localhost")).status == 200
    assert not way.outbound.findings()


def test_a_handshake_that_hangs_ends_in_time_and_surely_applied_nothing(server: Servers, gate: Gates) -> None:
    one = server(lambda client: one.stopping.wait(5))
    began = time.monotonic()
    with pytest.raises(LinkDown, match=r"no answer in time|closed by the other side"):
        gate(f"localhost:{one.port}", connect_timeout_s=0.3).send(f"https://localhost:{one.port}/")
    assert time.monotonic() - began < 1.5


def test_a_drip_inside_tls_ends_at_the_deadline(server: Servers, gate: Gates, authority: Authority) -> None:
    one = server(drips(b""), authority.issue("localhost"))
    began = time.monotonic()
    with pytest.raises(ExchangeUncertain):
        gate(f"localhost:{one.port}").send(one.url("localhost"), within_s=0.4)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_named(
    server: Servers, gate: Gates, authority: Authority, tmp_path: Path, content: str | None
) -> None:
    one = server(answers(OK), authority.issue("localhost"))
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TlsRefused, match=r"outbound\.ca_file ca\.pem: expected a PEM file of certificates"):
        gate(f"localhost:{one.port}", ca_file=path).send(one.url("localhost"))
