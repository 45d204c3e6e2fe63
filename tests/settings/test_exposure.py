"""Settings that would open the node to others, or send it where it cannot go, are refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.settings.loading import InvalidSettings, Sources, load, needs_restart


def fault(directory: Path, text: str) -> str:
    path = directory / "holdfast.toml"
    path.write_text(text)
    with pytest.raises(InvalidSettings) as caught:
        load(Sources(files=(path,)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('host = "0.0.0.0"\n', "server.tls_certificate and server.tls_key"),
        ('host = "::"\n', "server.tls_elsewhere"),
        ('host = "node.lan"\n', "docs/howto/lan.md"),
        ('tls_certificate = "x"\n', "server.tls_key: expected a file beside server.tls_certificate"),
        ('tls_key = "x"\n', "server.tls_certificate: expected a file beside server.tls_key"),
        ('tls_client_ca = "x"\ntls_certificate = "x"\ntls_key = "y"\n', "names in server.tls_clients"),
        ('tls_client_ca = "x"\n[server.tls_clients]\na = "viewer"\n', "expected server.tls_certificate"),
        ('[server.tls_clients]\na = "viewer"\n', "server.tls_clients: expected server.tls_client_ca"),
        ('tls_certificate = "x"\ntls_key = "y"\ntls_elsewhere = true\n', "TLS ends here or elsewhere"),
    ],
)
def test_a_bind_that_others_could_listen_to_is_refused(tmp_path: Path, lines: str, expected: str) -> None:
    assert expected in fault(tmp_path, "[server]\n" + lines)


@pytest.mark.parametrize(
    "lines",
    [
        'host = "0.0.0.0"\ntls_certificate = "x"\ntls_key = "y"\n',
        'host = "10.0.0.7"\ntls_elsewhere = true\n',
        'tls_certificate = "x"\ntls_key = "y"\n',
        'host = "::1"\n',
    ],
)
def test_one_that_nobody_can_is_accepted(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text("[server]\n" + lines)
    assert load(Sources(files=(path,)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[outbound]\nallow = ["a b"]\n', "outbound.allow: expected printable ASCII"),
        ('[outbound]\nallow = ["user@host"]\n', "outbound.allow: expected no user or password"),
        ('[outbound]\nproxy = "https://proxy.example"\n', "outbound.proxy: expected http://host:port"),
        ('[outbound]\nproxy = "proxy.example:3128"\n', "outbound.proxy: expected http://host:port"),
        ('[connections.a]\nbase_url = "tracker.example"\n', "connections.a.base_url: expected http(s)://host"),
        (
            f'[connections.a]\nbase_url = "https://u:{"p"}@tracker.example"\n',
            "connections.a.base_url: expected no user",
        ),
    ],
)
def test_a_place_that_is_none_is_refused_and_its_password_not_repeated(
    tmp_path: Path, text: str, expected: str
) -> None:
    told = fault(tmp_path, text)
    assert expected in told
    assert "u:p@" not in told


def test_what_may_leave_is_in_force_at_a_reload_and_where_the_node_listens_is_not() -> None:
    assert not needs_restart("outbound.allow")
    assert needs_restart("server.tls_certificate")
