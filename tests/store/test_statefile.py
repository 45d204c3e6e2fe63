"""The state file: two checked copies, one moment of change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from holdfast.digest import Digest, canonical
from holdfast.store.slots import Slots, StoreState
from holdfast.store.statefile import StateFile, StateTooNew

STATE = StoreState(generation=7, packages={"triage-test": Slots(active=Digest("sha256:" + "a" * 64))})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    StateFile(tmp_path).write(STATE)
    return tmp_path


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_new_store_has_an_empty_state_and_no_finding(tmp_path: Path) -> None:
    assert StateFile(tmp_path).read() == (StoreState(), None)


def test_what_was_written_is_read(directory: Path) -> None:
    assert StateFile(directory).read() == (STATE, None)


@pytest.mark.parametrize("position", [0, 63, 64, 65, 200, -1])
def test_a_flipped_bit_anywhere_is_seen_and_the_copy_read(directory: Path, position: int) -> None:
    flip(directory / "slots.json", position)
    state, finding = StateFile(directory).read()
    assert state == STATE
    assert finding is not None
    assert finding.name == "store-state-damaged"


def test_with_both_copies_damaged_the_loss_is_said(directory: Path) -> None:
    flip(directory / "slots.json", 70)
    flip(directory / "slots.copy.json", 71)
    state, finding = StateFile(directory).read()
    assert state == StoreState()
    assert finding is not None
    assert finding.name == "store-state-lost"


def test_state_of_a_newer_holdfast_is_refused_by_name(directory: Path) -> None:
    body = canonical({"schema": "holdfast.store/2", "surprise": 1})
    (directory / "slots.json").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    with pytest.raises(StateTooNew, match=r"holdfast\.store/2"):
        StateFile(directory).read()


def test_state_that_requires_an_unknown_feature_is_refused_by_name(directory: Path) -> None:
    body = canonical({"schema": "holdfast.store/1", "requires": ["deltas"]})
    (directory / "slots.json").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    with pytest.raises(StateTooNew, match="deltas"):
        StateFile(directory).read()


def test_a_state_file_that_is_a_link_is_not_followed(directory: Path) -> None:
    (directory / "slots.json").rename(directory / "elsewhere")
    (directory / "slots.json").symlink_to(directory / "elsewhere")
    state, finding = StateFile(directory).read()
    assert state == STATE
    assert finding is not None
