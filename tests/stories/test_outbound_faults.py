"""What can go wrong on the way to the tracker: each is survived, and a person can see it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.served import eventually
from tests.stories.conftest import command
from tests.stories.desk import PATIENT, Desk, desk

QUICK = PATIENT.replace("[outbound]", "[outbound]\ntimeout_s = 0.7\nconnect_timeout_s = 0.7")


def _jobs(one: Desk) -> list[dict[str, Any]]:
    done = command(one.node, "jobs", "list", "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["jobs"])


def _told(one: Desk, *words: str) -> bool:
    """Whether the node's own account of its jobs names the trouble."""
    return eventually(lambda: all(word in json.dumps(_jobs(one)) for word in words), within_s=10)


@pytest.fixture(scope="module", params=["yes", "no"])
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose tracker knows idempotency keys, and one whose does not."""
    with desk(tmp_path_factory.mktemp("faults"), "tasking-space", "--idempotent", request.param, more=QUICK) as one:
        yield one


@pytest.mark.parametrize("kind", ["500", "502", "503", "429", "drop", "garbage"])
def test_a_tracker_that_fails_twice_is_written_once(each: Desk, kind: str) -> None:
    each.fake.fail(kind, times=2)
    number = each.new()
    assert each.written(number, within_s=20)
    assert each.idle()
    assert each.fake.writes(number)[1] == 1


def test_applied_then_cut_is_not_written_again(each: Desk) -> None:
    each.fake.fail("cut", on="write")
    number = each.new()
    assert each.idle()
    assert each.fake.writes(number) == (1, 1)


@pytest.mark.parametrize("kind", ["hang", "late", "drip"])
def test_a_tracker_that_is_too_slow_is_left_after_the_timeout_and_written_once(each: Desk, kind: str) -> None:
    each.fake.fail(kind, on="write", seconds=0.02 if kind == "drip" else 2.0)
    number = each.new()
    assert each.written(number, within_s=20)
    assert each.idle()
    assert each.fake.writes(number)[1] == 1


def test_retry_after_is_waited_for(each: Desk) -> None:
    each.fake.fail("429", retry_after_s=1)
    started = time.monotonic()
    assert each.written(each.new())
    assert time.monotonic() - started >= 1


def test_a_redirect_is_not_followed_and_is_told(tmp_path: Path) -> None:
    with desk(tmp_path, more=QUICK) as one:
        one.fake.fail("redirect", times=-1, location="http://127.0.0.1:1/elsewhere")
        one.new()
        assert _told(one, "redirect")


def test_an_answer_that_never_ends_is_not_read_to_its_end(each: Desk) -> None:
    before = each.node.resident_bytes()
    each.fake.fail("huge")
    number = each.new()
    assert each.written(number)
    assert each.node.resident_bytes() - before < 32 << 20


def test_a_name_that_nobody_knows_is_told_and_the_webhook_is_taken(tmp_path: Path) -> None:
    with desk(tmp_path, more=QUICK, base_url="http://tracker.invalid/api") as one:
        number = one.fake.create("Production database is down")
        started = time.monotonic()
        assert one.deliver(number).status == 202
        assert time.monotonic() - started < 2
        assert _told(one, "tracker.invalid")


def test_a_tracker_that_is_down_gets_its_write_when_it_is_back(tmp_path: Path) -> None:
    with desk(tmp_path, more=QUICK) as one:
        one.fake.fail("drop", times=-1)
        number = one.new()
        assert not one.written(number, within_s=1.5)
        one.fake.behave()
        assert one.written(number, within_s=40)
        assert one.fake.writes(number)[1] == 1


def test_a_wrong_token_is_told_and_costs_nothing_when_it_is_put_right(tmp_path: Path) -> None:
    with desk(tmp_path, more=QUICK) as one:
        right = (tmp_path / "token").read_text()
        (tmp_path / "token").write_text("wrong")
        assert command(one.node, "config", "reload").returncode == 0
        number = one.new()
        assert _told(one, "token_file")
        (tmp_path / "token").write_text(right)
        assert command(one.node, "config", "reload").returncode == 0
        assert one.written(number, within_s=40)


def _certificate(directory: Path, host: str) -> tuple[str, str]:
    """A certificate that signs itself, for one address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake tracker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = serialization.PrivateFormat.PKCS8
    plain = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    (directory / "tls.key").write_bytes(plain)
    (directory / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(directory / "tls.pem"), str(directory / "tls.key")


def _tls(directory: Path, host: str) -> list[str]:
    certificate, key = _certificate(directory, host)
    return ["--certificate", certificate, "--key", key]


def test_a_certificate_that_nobody_vouches_for_is_refused_and_told(tmp_path: Path) -> None:
    with desk(tmp_path, "tasking-space", *_tls(tmp_path, "127.0.0.1"), more=QUICK) as one:
        number = one.new()
        assert _told(one, "certificate")
        assert one.fake.writes(number) == (0, 0)


def test_a_certificate_of_the_ca_file_is_trusted(tmp_path: Path) -> None:
    options = _tls(tmp_path, "127.0.0.1")
    more = QUICK.replace("[outbound]", f'[outbound]\nca_file = "{tmp_path}/tls.pem"')
    with desk(tmp_path, "tasking-space", *options, more=more) as one:
        assert one.written(one.new())


def test_a_certificate_for_another_host_is_refused_even_from_the_ca_file(tmp_path: Path) -> None:
    options = _tls(tmp_path, "127.0.0.2")
    more = QUICK.replace("[outbound]", f'[outbound]\nca_file = "{tmp_path}/tls.pem"')
    with desk(tmp_path, "tasking-space", *options, more=more) as one:
        number = one.new()
        assert _told(one, "certificate")
        assert one.fake.writes(number) == (0, 0)


def test_a_node_long_without_its_best_tier_still_takes_tickets(tmp_path: Path) -> None:
    """Every ticket is worth a second look then; when no more of them fit, the first look still counts."""
    with desk(tmp_path, more=f"{PATIENT}\n[queues.reprocess]\nmax_waiting = 2\n") as one:
        numbers = [one.new(f"Cannot log in {i}") for i in range(6)]
        assert all(one.written(number) for number in numbers)
        assert one.queue("reprocess")["ready"] <= 2


def test_a_write_that_the_tracker_refuses_is_a_dead_letter_until_a_person_retries_it(tmp_path: Path) -> None:
    with desk(tmp_path, more=QUICK) as one:
        one.fake.fail("422", on="write", times=-1)
        number = one.new()
        assert eventually(lambda: one.queue()["dead"] == 1)
        dead = next(job for job in _jobs(one) if job["state"] == "dead")
        assert "422" in dead["reason"]
        one.fake.behave()
        assert command(one.node, "jobs", "retry", str(dead["id"])).returncode == 0
        assert one.written(number)
