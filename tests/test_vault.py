"""The vault: sealed, opened, destroyed; the key file and what is wrong with it."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.database import Database
from holdfast.vault import WRAPPED_KEY_BYTES, KeyFileExposed, KeyFileWrong, Sealed, Vault


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "node.db")
    yield opened
    opened.close()


@pytest.fixture
def vault(database: Database, tmp_path: Path) -> Vault:
    return Vault(database, tmp_path / "node.key")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(payload=st.binary(max_size=5000), day=st.integers(0, 3))
def test_what_was_sealed_opens_again(vault: Vault, payload: bytes, day: int) -> None:
    sealed = vault.seal(day, payload)
    assert vault.unseal(sealed) == payload
    assert len(sealed.wrapped_key) == WRAPPED_KEY_BYTES


def test_the_same_payload_never_seals_to_the_same_bytes(vault: Vault) -> None:
    sealed = vault.seal_many(0, [b"same"] * 50)
    assert len({one.payload for one in sealed}) == len({one.wrapped_key for one in sealed}) == 50


@pytest.mark.parametrize("field", ["payload", "wrapped_key"])
def test_an_altered_bit_opens_nothing(vault: Vault, field: str) -> None:
    sealed = vault.seal(0, b"payload")
    for at in range(len(getattr(sealed, field))):
        altered = bytearray(getattr(sealed, field))
        altered[at] ^= 1
        parts = {"payload": sealed.payload, "wrapped_key": sealed.wrapped_key, field: bytes(altered)}
        assert vault.unseal(Sealed(day=0, **parts)) is None


def test_a_payload_opens_only_with_its_own_day(vault: Vault) -> None:
    sealed = vault.seal(0, b"payload")
    vault.seal(1, b"another day")
    assert vault.unseal(Sealed(day=1, payload=sealed.payload, wrapped_key=sealed.wrapped_key)) is None


def test_a_destroyed_day_stays_closed_after_a_restart_and_other_days_open(
    vault: Vault, database: Database, tmp_path: Path
) -> None:
    old, new = vault.seal(3, b"old"), vault.seal(4, b"new")
    assert database.commit(lambda t: vault.destroy_days(t, before=4)) == 1
    vault.forget_days(before=4)
    for opened in (vault, Vault(database, tmp_path / "node.key")):
        assert (opened.unseal(old), opened.unseal(new)) == (None, b"new")


def test_a_destroyed_day_is_not_made_again(vault: Vault, database: Database) -> None:
    vault.seal(3, b"old")
    database.commit(lambda t: vault.destroy_days(t, before=4))
    vault.forget_days(before=4)
    with pytest.raises(KeyFileWrong, match="day 3 was destroyed"):
        vault.seal(3, b"late")


def test_a_restart_opens_what_was_sealed_before(vault: Vault, database: Database, tmp_path: Path) -> None:
    sealed = vault.seal(0, b"payload")
    assert Vault(database, tmp_path / "node.key").unseal(sealed) == b"payload"


def test_many_threads_beginning_a_day_use_one_key(vault: Vault, database: Database) -> None:
    sealed: list[Sealed] = []
    threads = [threading.Thread(target=lambda: sealed.append(vault.seal(9, b"x"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [vault.unseal(one) for one in sealed] == [b"x"] * 20
    assert database.read(lambda t: t.row("SELECT count(*) FROM day_keys")) == (1,)


def test_keyed_hashes_differ_by_purpose_and_by_node(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    database = Database(tmp_path / "other" / "node.db")
    other = Vault(database, tmp_path / "other" / "node.key")
    database.close()
    hashes = {vault.hmac("subject", b"T"), vault.hmac("reference", b"T"), other.hmac("subject", b"T")}
    assert len(hashes) == 3
    assert vault.hmac("subject", b"T") == vault.hmac("subject", b"T")


def test_a_new_key_file_is_private_and_whole(vault: Vault, tmp_path: Path) -> None:
    del vault
    status = (tmp_path / "node.key").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, 32)


def test_a_key_file_that_others_can_read_is_refused(vault: Vault, database: Database, tmp_path: Path) -> None:
    del vault
    (tmp_path / "node.key").chmod(0o640)
    with pytest.raises(KeyFileExposed, match="mode 0640"):
        Vault(database, tmp_path / "node.key")


def test_a_missing_key_file_is_not_replaced_once_there_is_sealed_state(
    vault: Vault, database: Database, tmp_path: Path
) -> None:
    del vault
    (tmp_path / "node.key").unlink()
    with pytest.raises(KeyFileWrong, match="put the key file back"):
        Vault(database, tmp_path / "node.key")
    assert not (tmp_path / "node.key").exists()


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(32)], ids=["empty", "short", "another"])
def test_a_wrong_key_file_is_refused(vault: Vault, database: Database, tmp_path: Path, content: bytes) -> None:
    del vault
    (tmp_path / "node.key").write_bytes(content)
    with pytest.raises(KeyFileWrong):
        Vault(database, tmp_path / "node.key")
