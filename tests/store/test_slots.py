"""Slots: whatever is done in whatever order, what is active is held and good."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.digest import Digest
from holdfast.errors import HoldfastError
from holdfast.store.slots import (
    BadMark,
    Installed,
    Slots,
    activated,
    collected,
    fallen,
    kept,
    pinned,
    staged,
    unpinned,
)

AT = "2026-05-01T12:00:00Z"
VERSIONS = [
    Installed(
        version=f"1.{i}.0",
        digest=Digest(f"sha256:{i:064x}"),
        size_bytes=1,
        installed_at=AT,
        signers=(),
        blobs=(Digest(f"sha256:{i:064x}"),),
    )
    for i in range(5)
]
VERBS: dict[str, Callable[[Slots, Installed], Slots]] = {
    "stage": lambda slots, version: staged(slots, version, at=AT),
    "activate": lambda slots, version: activated(slots, version.digest, at=AT),
    "roll back": lambda slots, _: (
        activated(slots, slots.previous, at=AT, event="rolled_back") if slots.previous else slots
    ),
    "damaged": lambda slots, _: fallen(slots, BadMark(kind="damaged", sentence="x"), at=AT),
    "unhealthy": lambda slots, _: fallen(slots, BadMark(kind="unhealthy", sentence="x"), at=AT),
    "pin": lambda slots, version: pinned(slots, version, at=AT) if slots.by_digest(version.digest) else slots,
    "unpin": lambda slots, version: unpinned(slots, version, at=AT),
    "collect": lambda slots, _: collected(slots, at=AT),
}
moves = st.lists(st.tuples(st.sampled_from(sorted(VERBS)), st.integers(0, 4)), max_size=40)


def after(steps: list[tuple[str, int]]) -> Slots:
    slots = Slots()
    for verb, i in steps:
        try:
            slots = VERBS[verb](slots, VERSIONS[i])
        except HoldfastError:
            continue
    return slots


@given(moves)
@settings(derandomize=True, max_examples=300)
def test_the_active_version_is_always_held_and_never_bad(steps: list[tuple[str, int]]) -> None:
    slots = after(steps)
    if slots.active is not None:
        assert slots.by_digest(slots.active)
        assert slots.active not in slots.bad


@given(moves)
@settings(derandomize=True, max_examples=300)
def test_what_is_kept_is_held_and_previous_is_not_active(steps: list[tuple[str, int]]) -> None:
    slots = after(steps)
    assert all(slots.by_digest(digest) for digest in kept(slots))
    assert slots.previous is None or slots.previous != slots.active


@given(moves)
@settings(derandomize=True, max_examples=300)
def test_history_counts_up_and_is_bounded(steps: list[tuple[str, int]]) -> None:
    numbers = [happening.number for happening in after(steps).history]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 200


def test_falling_twice_reaches_the_version_before_the_previous_one() -> None:
    slots = after([step for i in range(3) for step in (("stage", i), ("activate", i))])
    mark = BadMark(kind="damaged", sentence="x")
    once = fallen(slots, mark, at=AT)
    twice = fallen(once, mark, at=AT)
    assert (once.active, twice.active) == (VERSIONS[1].digest, VERSIONS[0].digest)
    assert twice.fallen_from == VERSIONS[2].digest
