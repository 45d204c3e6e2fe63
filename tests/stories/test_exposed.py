"""A node on the LAN: the tracker's webhooks come in over TLS, decisions go out over TLS, and nobody else comes in."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from tests.certificates import Authority
from tests.served import JSON, TICKET, Served
from tests.stories.conftest import command
from tests.stories.desk import PATIENT, Desk
from tests.trackers.control import connection, tracker


@dataclass
class Exposed:
    """Node and tracker, both with certificates of the same authority, and a token for whoever scores."""

    desk: Desk
    authority: Authority
    secret: str

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        context = ssl.create_default_context(cafile=str(self.authority.file))
        link = http.client.HTTPSConnection("localhost", self.desk.node.port, context=context, timeout=10)
        try:
            link.request("POST", path, body, headers)
            return link.getresponse().status
        finally:
            link.close()


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    place = tmp_path_factory.mktemp("exposed")
    authority = Authority(place / "authority")
    own, theirs = authority.issue("localhost"), authority.issue("127.0.0.1")
    with tracker("tasking-space", "--certificate", str(theirs.certificate), "--key", str(theirs.key)) as fake:
        trust = PATIENT.replace("[outbound]", f'[outbound]\nca_file = "{authority.file}"')
        server = f'[server]\nhost = "0.0.0.0"\ntls_certificate = "{own.certificate}"\ntls_key = "{own.key}"\n'
        configuration = connection(fake, place) + trust + server
        (place / "holdfast.toml").write_text(configuration)
        offline = SimpleNamespace(config=place / "holdfast.toml", data=place / "data")
        secret = command(offline, "token", "create", "helpdesk", "--role", "operator", "--scope", "score")
        node = Served(place, configuration)
        yield Exposed(Desk(node, fake), authority, secret.stdout.strip())
        node.stop()


def test_a_signed_delivery_needs_no_token_and_is_written_back_over_tls(exposed: Exposed) -> None:
    number = exposed.desk.fake.create("Production database is down", "Nobody can pay.")
    delivery = exposed.desk.fake.delivery(number)
    assert exposed.post("/v1/hooks/desk", delivery.body, delivery.headers) == 202
    assert exposed.desk.written(number)


def test_a_delivery_whose_signature_does_not_hold_is_refused(exposed: Exposed) -> None:
    number = exposed.desk.fake.create("Production database is down", "Nobody can pay.")
    delivery = exposed.desk.fake.delivery(number)
    assert exposed.post("/v1/hooks/desk", delivery.body + b" ", delivery.headers) == 401
    assert exposed.desk.fake.writes(number) == (0, 0)


def test_a_ticket_is_scored_for_whoever_has_the_token_and_for_nobody_else(exposed: Exposed) -> None:
    body = json.dumps(TICKET).encode()
    assert exposed.post("/v1/triage/score", body, JSON) == 401
    assert exposed.post("/v1/triage/score", body, {**JSON, "Authorization": f"Bearer {exposed.secret}"}) == 200
    path = "/v1/triage/decisions/x/override"
    assert exposed.post(path, body, {**JSON, "Authorization": f"Bearer {exposed.secret}"}) == 403
