"""The chain, as a property: whatever single byte is altered, the entry it belongs to is named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.digest import canonical
from holdfast.ledger.chain import GENESIS, Audit, Link, Verdict, entry_hash, erased_through, payload_digest, through
from holdfast.record import Header

payloads = st.lists(st.none() | st.binary(min_size=1, max_size=60), min_size=1, max_size=12)


def _chain(sealed: list[bytes | None]) -> list[Link]:
    links: list[Link] = []
    previous = GENESIS
    for number, payload in enumerate(sealed, start=1):
        header = Header(
            sequence=number,
            kind="decision",
            recorded_at="2026-03-01T12:00:00.000Z",
            tier="small",
            package=None,
            score=number / 7,
            band="P2",
            subject_hmac=None,
            payload_sha256=payload_digest(payload) if payload is not None else None,
        )
        encoded = canonical(header)
        previous = entry_hash(previous, encoded)
        links.append(Link(number, encoded, previous, payload))
    return links


def _verdict(links: list[Link]) -> Verdict:
    audit = Audit()
    audit.take(links)
    return audit.verdict()


@given(sealed=payloads)
def test_every_chain_we_make_holds(sealed: list[bytes | None]) -> None:
    verdict = _verdict(_chain(sealed))
    assert verdict.ok
    assert verdict.headers_only == sealed.count(None)


@given(sealed=payloads, pick=st.data())
def test_one_altered_byte_is_located_by_its_sequence(sealed: list[bytes | None], pick: st.DataObject) -> None:
    links = _chain(sealed)
    at = pick.draw(st.integers(0, len(links) - 1))
    link = links[at]
    part = pick.draw(st.sampled_from(["header", "hash", *(["sealed"] if link.sealed else [])]))
    content = bytearray(getattr(link, part))
    content[pick.draw(st.integers(0, len(content) - 1))] ^= pick.draw(st.integers(1, 255))
    parts = {"header": link.header, "hash": link.hash, "sealed": link.sealed, part: bytes(content)}
    links[at] = Link(link.sequence, **parts)  # type: ignore[arg-type]
    assert _verdict(links).breaks[0][0] == link.sequence


@given(sealed=payloads, pick=st.data())
def test_a_missing_entry_is_noticed_unless_it_was_the_last(sealed: list[bytes | None], pick: st.DataObject) -> None:
    links = _chain([*sealed, b"the last"])
    at = pick.draw(st.integers(0, len(links) - 2))
    del links[at]
    assert not _verdict(links).ok


@given(sequence=st.integers(0, 2**62))
def test_a_retention_entry_says_how_far_it_erased(sequence: int) -> None:
    assert erased_through(through(sequence)) == sequence


@given(band=st.none() | st.text())
def test_a_strange_band_erases_nothing(band: str | None) -> None:
    assert erased_through(band) == 0 or (band or "").removeprefix("through ").isdigit()


def test_an_erasure_is_believed_only_if_the_walk_meets_it() -> None:
    audit = Audit(claimed_through=2)
    links = _chain([b"one", b"two", b"three"])
    audit.take(
        Link(link.sequence, link.header, link.hash, None if link.sequence < 3 else link.sealed) for link in links
    )
    assert audit.verdict().breaks == ((2, "no retention entry says that payloads were erased up to here"),)
