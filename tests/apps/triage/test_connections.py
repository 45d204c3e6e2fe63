"""A connection is ready to be used, or says in one sentence why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.apps.triage.connections import Connection, connect
from holdfast.apps.triage.decision import Priority
from holdfast.settings.flows import Connection as Terms


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in (("secret", "a secret that is long enough\n"), ("token", "a token\n"), ("short", "short")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "long").write_bytes(b"x" * 5000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    return tmp_path


def _connect(files: Path, **terms: Any) -> Connection:
    given = {"dialect": "github", "secret_files": ("secret",), "token_file": "token", "base_url": "https://x.example/"}
    return connect("forge", Terms(**(given | terms)), files)


def test_secrets_and_token_are_read_without_the_line_s_end(files: Path) -> None:
    connection = _connect(files)
    assert connection.fault == ""
    assert connection.secrets.texts == (b"a secret that is long enough",)
    assert (connection.place.token, connection.place.base_url) == ("a token", "https://x.example")


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"secret_files": ()}, "no secret_files"),
        ({"secret_files": ("nowhere",)}, "nowhere"),
        ({"secret_files": ("short",)}, "at least 16 characters"),
        ({"secret_files": ("long",)}, "at most 4096 bytes"),
        ({"secret_files": ("binary",)}, "utf-8"),
        ({"dialect": "generic"}, "whsec_"),
    ],
)
def test_without_a_good_secret_nothing_is_believed_and_the_reason_is_told(files: Path, terms: Any, said: str) -> None:
    connection = _connect(files, **terms)
    assert said in connection.fault
    assert connection.secrets.texts == ()


@pytest.mark.parametrize("name", ["nowhere", "long", "two lines"])
def test_a_token_that_is_none_does_not_stop_deliveries(files: Path, name: str) -> None:
    (files / "two lines").write_text("a token\nX-Evil: another\n")
    connection = _connect(files, token_file=name)
    assert "token_file" in connection.fault
    assert "another" not in connection.fault
    assert (connection.secrets.texts != (), connection.place.token) == (True, "")


def test_a_band_that_is_none_is_named(files: Path) -> None:
    connection = _connect(files, priorities={"P0": "critical", "P7": "whenever"})
    assert "found P7" in connection.fault
    assert connection.place.priorities == {Priority.P0: "critical"}


@pytest.mark.parametrize(("mode", "exposed"), [(0o644, ("token",)), (0o640, ()), (0o600, ())])
def test_files_that_every_user_may_read_are_named(files: Path, mode: int, exposed: tuple[str, ...]) -> None:
    (files / "token").chmod(mode)
    assert _connect(files).exposed == exposed


@pytest.mark.parametrize(
    ("terms", "writes"),
    [
        ({}, True),
        ({"mode": "shadow"}, False),
        ({"mode": "reply"}, False),
        ({"base_url": ""}, False),
        ({"dialect": "alertmanager"}, False),
    ],
)
def test_decisions_go_back_only_where_they_can_and_may(files: Path, terms: Any, writes: bool) -> None:
    assert _connect(files, **terms).writes == writes


def test_no_secret_shows_in_what_is_printed(files: Path) -> None:
    shown = repr(_connect(files))
    assert "a secret" not in shown
    assert "a token" not in shown
