"""Clients that prove themselves by certificate: of our authority, under a name that counts, not revoked."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import Authority, Issued
from tests.http.test_tls import command, configured
from tests.served import JSON, TICKET, Served

BODY = json.dumps(TICKET).encode()


@dataclass
class Lan:
    """A node that asks for certificates, and the authority whose list of revoked ones it reads."""

    node: Served
    authority: Authority
    trusted: Path

    def ask(self, method: str, path: str, issued: Issued | None, **headers: str) -> int:
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if issued is not None:
            context.load_cert_chain(issued.certificate, issued.key)
        link = http.client.HTTPSConnection("localhost", self.node.port, context=context, timeout=10)
        try:
            link.request(method, path, BODY if method == "POST" else None, {**JSON, **headers})
            return link.getresponse().status
        finally:
            link.close()

    def refuses(self, issued: Issued) -> bool:
        """Whether the handshake itself fails."""
        try:
            self.ask("GET", "/livez", issued)
        except OSError:
            return True
        return False


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    place = tmp_path_factory.mktemp("lan")
    authority = Authority(place / "authority")
    trusted = place / "clients.pem"
    trusted.write_bytes(authority.file.read_bytes() + authority.revoke())
    clients = 'tls_clients = { "desk.lan" = "operator", "Wall.lan" = "viewer" }'
    text = configured(authority.issue("localhost"), f'tls_client_ca = "{trusted}"', clients)
    node = Served(place, text)
    yield Lan(node, authority, trusted)
    node.stop()


def test_a_name_that_counts_comes_in_with_its_role_and_no_more(lan: Lan) -> None:
    desk, wall = lan.authority.issue("desk.lan"), lan.authority.issue("wall.lan")
    assert lan.ask("POST", "/v1/triage/score", desk) == 200
    assert lan.ask("GET", "/v1/node/status", wall) == 200
    assert lan.ask("POST", "/v1/triage/score", wall) == 403


def test_another_name_of_the_same_authority_needs_a_token_like_anybody(lan: Lan) -> None:
    assert lan.ask("GET", "/v1/node/status", lan.authority.issue("guest.lan")) == 401
    assert lan.ask("GET", "/v1/node/status", None) == 401
    assert lan.ask("GET", "/livez", None) == 200


def test_a_token_counts_beside_a_certificate(lan: Lan) -> None:
    secret = command(lan.node, "token", "create", "beside").stdout.strip()
    wall = lan.authority.issue("wall.lan")
    assert lan.ask("GET", "/v1/node/status", None, Authorization=f"Bearer {secret}") == 200
    assert lan.ask("GET", "/v1/node/status", wall, Authorization="Bearer hf_wrong") == 401


def test_a_certificate_that_does_not_hold_ends_the_handshake(lan: Lan, tmp_path: Path) -> None:
    assert lan.refuses(Authority(tmp_path, "somebody else").issue("desk.lan"))
    assert lan.refuses(lan.authority.issue("desk.lan", days=(-30, -1)))
    assert lan.refuses(lan.authority.issue("desk.lan", days=(1, 30)))


def test_a_revoked_certificate_is_refused_after_a_reload(lan: Lan) -> None:
    lost = lan.authority.issue("desk.lan")
    assert lan.ask("GET", "/v1/node/status", lost) == 200
    lan.trusted.write_bytes(lan.authority.file.read_bytes() + lan.authority.revoke(lost))
    assert command(lan.node, "config", "reload").returncode == 0
    assert lan.refuses(lost)
    assert lan.ask("GET", "/v1/node/status", lan.authority.issue("desk.lan")) == 200


def test_a_list_that_cannot_be_read_is_told_and_the_old_one_stays(lan: Lan) -> None:
    before = lan.trusted.read_bytes()
    lan.trusted.write_text("nothing")
    reload = command(lan.node, "config", "reload")
    assert (reload.returncode, "server.tls_client_ca" in reload.stderr) == (78, True)
    assert lan.ask("GET", "/v1/node/status", lan.authority.issue("desk.lan")) == 200
    lan.trusted.write_bytes(before)
