"""The node's certificate: read whole or not at all, and watched."""

from __future__ import annotations

import shutil
import ssl
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.node.tls import Tls, TlsFilesUnusable
from holdfast.settings.tree import Server, Settings
from tests.certificates import Authority, Issued, encrypted
from tests.outbound.scripted import HeldClock


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def part(issued: Issued | None, **more: object) -> tuple[Tls, HeldClock]:
    """The part of a node with these files, and its clock."""
    files = {"tls_certificate": str(issued.certificate), "tls_key": str(issued.key)} if issued else {}
    server = Server(**files, **more)  # type: ignore[arg-type]  # a test may set any of them
    clock = HeldClock()
    node = SimpleNamespace(loaded=SimpleNamespace(settings=Settings(server=server)), state=SimpleNamespace(clock=clock))
    return Tls(node), clock  # type: ignore[arg-type]  # the two things of a node it looks at


def shown(context: ssl.SSLContext, authority: Authority) -> str:
    """Serial number of the certificate a client of `context` sees, by a handshake in memory."""
    into, out, back, forth = (ssl.MemoryBIO() for _ in range(4))
    client_context = ssl.create_default_context(cafile=str(authority.file))
    client = client_context.wrap_bio(into, out, server_hostname="localhost")
    server = context.wrap_bio(back, forth, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            back.write(out.read())
            into.write(forth.read())
    return str((client.getpeercert() or {})["serialNumber"])


def names(tls: Tls) -> list[str]:
    return [finding.name for finding in tls.findings()]


def test_without_files_the_node_speaks_plain_http() -> None:
    tls, _ = part(None)
    tls.reconfigure()
    assert (tls.open(), tls.names, tls.findings()) == (None, (), ())


def test_the_context_serves_the_certificate_and_no_old_version(authority: Authority) -> None:
    tls, _ = part(authority.issue("localhost", "10.0.0.7"))
    context = tls.open()
    assert context is not None
    assert shown(context, authority)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls.names == ("localhost", "10.0.0.7")


def test_a_new_pair_of_files_is_served_after_a_reload(authority: Authority) -> None:
    issued, renewed = authority.issue("localhost"), authority.issue("localhost")
    tls, _ = part(issued)
    context = tls.open()
    before = shown(context, authority)
    shutil.copy(renewed.certificate, issued.certificate)
    shutil.copy(renewed.key, issued.key)
    tls.reconfigure()
    assert shown(context, authority) != before


def test_half_a_pair_is_told_and_the_old_one_goes_on(authority: Authority) -> None:
    issued, other = authority.issue("localhost"), authority.issue("localhost")
    tls, _ = part(issued)
    context = tls.open()
    before = shown(context, authority)
    shutil.copy(other.certificate, issued.certificate)
    with pytest.raises(TlsFilesUnusable, match="found the key of another than"):
        tls.reconfigure()
    assert shown(context, authority) == before


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        ("missing", "", r"server\.tls_certificate .*missing: expected a file the node can read, found: No such file"),
        ("", "missing", r"server\.tls_key .*missing: expected a file"),
        ("text", "", "expected a PEM certificate"),
        ("", "text", "expected an unencrypted PEM key"),
        ("", "encrypted", "expected an unencrypted PEM key"),
        ("text", "text", "expected a PEM certificate"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, authority: Authority, certificate: str, key: str, expected: str
) -> None:
    issued = authority.issue("localhost")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "encrypted").write_bytes(encrypted(issued.key))
    pair = Issued(tmp_path / certificate if certificate else issued.certificate, tmp_path / key if key else issued.key)
    with pytest.raises(TlsFilesUnusable, match=expected):
        part(pair)[0].open()


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((-30, -1), ["tls-certificate-invalid"]),
        ((1, 30), ["tls-certificate-invalid"]),
        ((-1, 5), ["tls-certificate-ends"]),
        ((-1, 90), []),
    ],
)
def test_a_certificate_past_its_days_is_served_and_told(
    authority: Authority, days: tuple[int, int], expected: list[str]
) -> None:
    tls, clock = part(authority.issue("localhost", days=days))
    assert tls.open() is not None
    assert names(tls) == expected
    clock.trusted = False
    assert names(tls) == []


def test_a_key_that_others_may_read_is_told(authority: Authority) -> None:
    issued = authority.issue("localhost", days=(-1, 90))
    tls, _ = part(issued)
    tls.open()
    assert names(tls) == []
    issued.key.chmod(0o644)
    assert names(tls) == ["tls-key-exposed"]


def welcome(tls: Tls, authority: Authority, issued: Issued) -> bool:
    """Whether a client with this certificate is let in, by a handshake in memory."""
    into, out, back, forth = (ssl.MemoryBIO() for _ in range(4))
    client_context = ssl.create_default_context(cafile=str(authority.file))
    client_context.load_cert_chain(issued.certificate, issued.key)
    client = client_context.wrap_bio(into, out, server_hostname="localhost")
    server = tls.context.wrap_bio(back, forth, server_side=True)
    for _ in range(4):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        back.write(out.read())
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError:
            return False
        into.write(forth.read())
    return tls.clients.caller_of(server.getpeercert()) is not None


def test_a_client_s_dates_count_only_while_the_node_knows_the_day(authority: Authority, tmp_path: Path) -> None:
    clients = {"tls_client_ca": str(authority.file), "tls_clients": {"desk.lan": "viewer"}}
    tls, clock = part(authority.issue("localhost"), **clients)
    tls.open()
    ended, foreign = authority.issue("desk.lan", days=(-30, -1)), Authority(tmp_path).issue("desk.lan")
    assert [welcome(tls, authority, one) for one in (authority.issue("desk.lan"), ended, foreign)] == [
        True,
        False,
        False,
    ]
    clock.trusted = False
    tls.step()
    assert [welcome(tls, authority, one) for one in (ended, foreign)] == [True, False]
    clock.trusted = True
    tls.step()
    assert not welcome(tls, authority, ended)
