"""Tickets at the edge: absent, empty, huge, malformed, in another encoding."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.ticket import (
    InvalidTicket,
    MalformedTicket,
    Ticket,
    decode_batch,
    decode_ticket,
    read_circumstances,
    read_instant,
)
from holdfast.errors import InvalidInput

WHOLE = {"id": "T-1", "title": "t"}


def body(**more) -> bytes:
    return json.dumps(WHOLE | more).encode()


def nested(depth: int) -> dict:
    value: dict = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"\xff\xfe{\x00}\x00",
        json.dumps(WHOLE).encode("utf-16"),
        b'\xef\xbb\xbf{"id":"1","title":"t"}',
        b'{"id":"1","title":"\xff"}',
        b'{"id":"1","title":"\\ud800"}',
        b'{"id":"1","title":"t","metadata":{"a":NaN}}',
        b"[" * 1_000_000,
        b'{"id":"1","title":"t","metadata":{"a":' + b"[" * 1_000_000,
    ],
)
def test_what_is_not_one_json_object_in_utf8_is_malformed(raw: bytes) -> None:
    with pytest.raises((MalformedTicket, InvalidTicket)):
        decode_ticket(raw)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"{}", "/id"),
        (b'{"id":"1"}', "/title"),
        (b"[]", "/"),
        (body(id=""), "/id"),
        (body(id=3), "/id"),
        (body(id="x" * 300), "/id"),
        (body(title=None), "/title"),
        (body(metadata=[]), "/metadata"),
        (body(surprise=1), "/surprise"),
        (body(deadline_ms=0), "/deadline_ms"),
        (body(deadline_ms=10**9), "/deadline_ms"),
        (body(attachments=[{"name": "a", "x": 1}]), "/attachments/0/x"),
        (body(attachments=[{"name": "a", "text": "t", "base64": "dA=="}]), "/attachments/0"),
        (body(attachments=[{"name": "a", "base64": "dA"}]), "/attachments/0/base64"),
        (body(attachments=[{"name": "a"}, {"name": "b", "base64": "d\u00e9=="}]), "/attachments/1/base64"),
        (body(metadata=nested(16)), "/metadata"),
        (body(metadata={"a": [1] * 20_000}), "/metadata"),
        (body(metadata={"a": 10**19 * 2}), "/metadata"),
    ],
)
def test_a_wrong_field_is_named_by_its_pointer(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidTicket) as caught:
        decode_ticket(raw)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"deadline_at": "tomorrow"}, "/metadata/deadline_at"),
        ({"deadline_at": 12}, "/metadata/deadline_at"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "/metadata/created_at"),
        ({"created_at": "9999-12-31T23:59:59-12:00"}, "/metadata/created_at"),
        ({"created_at": "0001-01-01"}, "/metadata/created_at"),
        ({"deadline_at": "9999-12-31"}, "/metadata/deadline_at"),
        ({"requester": "ann"}, "/metadata/requester"),
        ({"requester": {"role": 3}}, "/metadata/requester/role"),
        ({"labels": "one"}, "/metadata/labels"),
        ({"labels": [1]}, "/metadata/labels/0"),
        ({"customer_tier": {}}, "/metadata/customer_tier"),
    ],
)
def test_known_metadata_of_a_wrong_kind_is_named(metadata: dict, field: str) -> None:
    with pytest.raises(InvalidTicket) as caught:
        read_circumstances(decode_ticket(body(metadata=metadata)), UTC)
    assert caught.value.field == field


@pytest.mark.parametrize("metadata", [{}, {"deadline_at": None}, {"requester": None}, {"sla": {"x": [1, None, True]}}])
def test_absent_null_and_unknown_metadata_are_fine(metadata: dict) -> None:
    known = read_circumstances(decode_ticket(body(metadata=metadata)), UTC)
    assert known.deadline_at is None
    assert known.requester.role is None


def test_an_empty_title_and_a_huge_description_are_tickets() -> None:
    assert decode_ticket(body(title="")).text.strip() == ""
    assert len(decode_ticket(body(description="x" * 900_000)).description) == 900_000


def test_a_batch_takes_one_to_256_tickets_and_names_the_wrong_one() -> None:
    assert len(decode_batch(json.dumps({"tickets": [WHOLE] * 256}).encode())) == 256
    for wrong in ([], [WHOLE] * 257):
        with pytest.raises(InvalidTicket):
            decode_batch(json.dumps({"tickets": wrong}).encode())
    with pytest.raises(InvalidTicket) as caught:
        decode_batch(json.dumps({"tickets": [WHOLE, WHOLE | {"metadata": nested(16)}]}).encode())
    assert caught.value.field == "/tickets/1/metadata"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T10:00:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-01-15T10:00:00", datetime(2026, 1, 15, 9, tzinfo=UTC)),
        ("2026-05-01", datetime(2026, 5, 1, 21, 59, 59, tzinfo=UTC)),
    ],
)
def test_an_instant_without_an_offset_is_local_and_a_date_is_its_end(text: str, utc: datetime) -> None:
    assert read_instant(text, ZoneInfo("Europe/Berlin"), field="/at") == utc


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_an_invalid_ticket(text: str) -> None:
    try:
        moment = read_instant(text, UTC, field="/at")
    except InvalidTicket:
        return
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-30", "9999-12-31", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_day_at_either_end_of_the_calendar_is_no_date(text: str, zone: str) -> None:
    with pytest.raises(InvalidTicket) as caught:
        read_instant(text, ZoneInfo(zone), field="/at")
    assert caught.value.field == "/at"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
KEYS = ["id", "title", "description", "metadata", "attachments", "deadline_ms", "at", "x"]


@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_any_json_object_is_a_ticket_or_an_invalid_one(value: dict) -> None:
    try:
        ticket = decode_ticket(json.dumps(value).encode())
        read_circumstances(ticket, UTC)
    except InvalidInput:
        return
    assert isinstance(ticket, Ticket)
