"""Tokens: what is kept of them, and when they stop to let anybody in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.access import Role, Scope, Unauthenticated
from holdfast.database import Database
from holdfast.measure import Measures
from holdfast.tokens import PREFIX, ClockUntrusted, NewToken, NoSuchToken, TokenExists, Tokens
from tests.outbound.scripted import HeldClock


class Kept:
    """Tokens in a file that can be opened again, and the clock they go by."""

    def __init__(self, directory: Path) -> None:
        self.path, self.clock = directory / "node.db", HeldClock()
        self.open()

    def open(self) -> None:
        self.database = Database(self.path, measures=Measures())
        self.tokens = Tokens(self.database, clock=self.clock)

    def reopen(self) -> None:
        self.tokens.keep_uses()
        self.database.close()
        self.open()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path)
    yield one
    one.database.close()


def test_a_token_lets_its_holder_in_with_what_it_was_given(kept: Kept) -> None:
    asked = NewToken(name="desk", role="operator", scopes=(Scope.SCORE,), teams=("net",))
    secret, _ = kept.tokens.create(asked)
    caller, _ = kept.tokens.authenticate(secret)
    assert secret.startswith(PREFIX)
    assert (caller.name, caller.role, caller.scopes, caller.teams) == (
        "token desk",
        Role.OPERATOR,
        (Scope.SCORE,),
        ("net",),
    )


def test_the_secret_is_nowhere_on_the_disk(kept: Kept, tmp_path: Path) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk"))
    kept.reopen()
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"desk" in on_disk
    assert secret.encode() not in on_disk
    assert secret.removeprefix(PREFIX).encode() not in on_disk
    assert kept.tokens.authenticate(secret)[0].name == "token desk"


@pytest.mark.parametrize("change", ["", "x", "hf_", "hf_" + "A" * 43, "é" * 50, "\udcff", "hf_" + "A" * 100_000])
def test_anything_else_lets_nobody_in(kept: Kept, change: str) -> None:
    kept.tokens.create(NewToken(name="desk"))
    with pytest.raises(Unauthenticated):
        kept.tokens.authenticate(change)


def test_one_changed_letter_lets_nobody_in(kept: Kept) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk"))
    for place in range(len(secret)):
        other = "A" if secret[place] != "A" else "B"
        with pytest.raises(Unauthenticated):
            kept.tokens.authenticate(secret[:place] + other + secret[place + 1 :])
    with pytest.raises(Unauthenticated):
        kept.tokens.authenticate(secret + "A")


def test_a_revoked_token_lets_nobody_in_from_then_on(kept: Kept) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk"))
    kept.tokens.revoke("desk")
    with pytest.raises(Unauthenticated, match="desk, which is revoked"):
        kept.tokens.authenticate(secret)
    kept.reopen()
    with pytest.raises(Unauthenticated):
        kept.tokens.authenticate(secret)


def test_a_node_whose_tokens_are_all_revoked_does_not_fall_open(kept: Kept) -> None:
    kept.tokens.create(NewToken(name="desk"))
    kept.tokens.revoke("desk")
    assert kept.tokens.any
    kept.tokens.forget("desk")
    assert not kept.tokens.any


def test_a_token_ends_on_its_day(kept: Kept) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk", days=30))
    kept.clock.now_at += timedelta(days=29)
    assert kept.tokens.authenticate(secret)
    kept.clock.now_at += timedelta(days=2)
    with pytest.raises(Unauthenticated, match="desk, which expired"):
        kept.tokens.authenticate(secret)


def test_an_expiry_does_not_count_while_the_node_does_not_know_the_day(kept: Kept) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk", days=30))
    kept.clock.now_at += timedelta(days=3650)
    kept.clock.trusted = False
    assert kept.tokens.authenticate(secret)


def test_a_node_that_does_not_know_the_day_makes_only_tokens_without_end(kept: Kept) -> None:
    kept.clock.trusted = False
    with pytest.raises(ClockUntrusted, match="trusted clock"):
        kept.tokens.create(NewToken(name="desk"))
    assert kept.tokens.create(NewToken(name="desk", days=None))


def test_a_name_is_used_once_until_it_is_forgotten(kept: Kept) -> None:
    kept.tokens.create(NewToken(name="desk"))
    kept.tokens.revoke("desk")
    with pytest.raises(TokenExists, match="--forget"):
        kept.tokens.create(NewToken(name="desk"))
    kept.tokens.forget("desk")
    assert kept.tokens.create(NewToken(name="desk"))


@pytest.mark.parametrize("verb", ["revoke", "forget"])
def test_a_name_nobody_has_is_told(kept: Kept, verb: str) -> None:
    with pytest.raises(NoSuchToken, match="token list"):
        getattr(kept.tokens, verb)("nobody")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "é", "a\n"])
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": name}, NewToken)


def test_the_last_use_is_kept_over_a_restart(kept: Kept) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk"))
    assert kept.tokens.all()[0].last_used_at is None
    kept.tokens.authenticate(secret)
    kept.reopen()
    assert kept.tokens.all()[0].last_used_at == kept.clock.now_at.replace(microsecond=0)


def test_the_use_of_a_minute_is_one_write(kept: Kept) -> None:
    secret, _ = kept.tokens.create(NewToken(name="desk"))
    kept.tokens.authenticate(secret)
    kept.tokens.step()
    assert kept.database.read(lambda t: t.row("SELECT last_used_at FROM tokens")) == (None,)
    kept.clock.ahead_s += 61
    kept.tokens.step()
    assert kept.database.read(lambda t: t.row("SELECT last_used_at FROM tokens")) != (None,)


def test_a_token_that_ends_soon_is_told_once_its_time_comes(kept: Kept) -> None:
    kept.tokens.create(NewToken(name="desk", days=30))
    kept.tokens.create(NewToken(name="old", days=30))
    kept.tokens.revoke("old")
    assert not kept.tokens.findings()
    kept.clock.now_at += timedelta(days=20)
    assert [finding.name for finding in kept.tokens.findings()] == ["token-expires"]
    assert "old" not in kept.tokens.findings()[0].sentence
