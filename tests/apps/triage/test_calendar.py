"""Calendars: windows, holidays, nights, and the two hours when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.calendar import CalendarSpec, WindowSpec, build_calendar
from holdfast.errors import InvalidInput

OFFICE = build_calendar(
    "office",
    CalendarSpec(
        timezone="Europe/Berlin",
        windows=(WindowSpec(days=("mon", "tue", "wed", "thu", "fri"), from_="08:00", to="18:00"),),
        holidays=("2026-04-06", "12-25"),
    ),
)
NIGHT = build_calendar(
    "night",
    CalendarSpec(
        timezone="Europe/Berlin",
        windows=(WindowSpec(days=("fri",), from_="22:00", to="06:00"),),
        holidays=("2026-05-01",),
    ),
)


@pytest.mark.parametrize(
    ("instant", "open_"),
    [
        ("2026-03-04T07:00:00Z", True),  # 08:00 in winter
        ("2026-03-04T06:59:59Z", False),
        ("2026-07-01T06:00:00Z", True),  # 08:00 in summer
        ("2026-07-01T16:00:00Z", False),  # 18:00 is closed
        ("2026-03-07T10:00:00Z", False),  # Saturday
        ("2026-04-06T10:00:00Z", False),  # a holiday of that year
        ("2025-12-25T10:00:00Z", False),  # one of every year
        ("2026-12-25T10:00:00Z", False),
    ],
)
def test_business_hours_follow_the_local_clock(instant: str, open_: bool) -> None:
    assert OFFICE.covers(datetime.fromisoformat(instant)) is open_


@pytest.mark.parametrize(
    ("instant", "open_"),
    [
        ("2026-03-06T21:30:00Z", True),  # Friday 22:30
        ("2026-03-07T04:59:00Z", True),  # Saturday 05:59
        ("2026-03-07T05:00:00Z", False),
        ("2026-03-05T21:30:00Z", False),  # Thursday night
        ("2026-05-01T20:30:00Z", False),  # a holiday's night does not begin
        ("2026-05-02T02:00:00Z", False),  # nor go on
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(instant: str, open_: bool) -> None:
    assert NIGHT.covers(datetime.fromisoformat(instant)) is open_


def test_the_hour_that_happens_twice_is_covered_twice_and_the_skipped_one_never() -> None:
    small_hours = WindowSpec(from_="02:00", to="03:00")
    calendar = build_calendar("x", CalendarSpec(timezone="Europe/Berlin", windows=(small_hours,)))
    autumn = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(24)]
    spring = [datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in range(20)]
    assert [at.hour for at in autumn if calendar.covers(at)] == [0, 1]
    assert [at.hour for at in spring if calendar.covers(at)] == []


@given(st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_a_calendar_and_its_complement_never_agree(at: datetime) -> None:
    day = build_calendar("d", CalendarSpec(timezone="Asia/Kathmandu", windows=(WindowSpec(from_="06:00", to="22:00"),)))
    night = build_calendar(
        "n", CalendarSpec(timezone="Asia/Kathmandu", windows=(WindowSpec(from_="22:00", to="06:00"),))
    )
    assert day.covers(at) is not night.covers(at)


def test_a_whole_day_has_no_gap_at_midnight() -> None:
    always = build_calendar("a", CalendarSpec(timezone="Europe/Berlin"))
    begin = datetime(2026, 3, 28, tzinfo=UTC)
    assert all(always.covers(begin + timedelta(minutes=minute)) for minute in range(0, 2 * 24 * 60, 7))


@pytest.mark.parametrize(
    "spec",
    [
        CalendarSpec(timezone="Mars/Olympus"),
        CalendarSpec(timezone="UTC", windows=()),
        CalendarSpec(timezone="UTC", windows=(WindowSpec(days=()),)),
        CalendarSpec(timezone="UTC", windows=(WindowSpec(to="25:00"),)),
        CalendarSpec(timezone="UTC", holidays=("02-30",)),
        CalendarSpec(timezone="UTC", holidays=("christmas",)),
    ],
)
def test_what_is_no_calendar_is_refused(spec: CalendarSpec) -> None:
    with pytest.raises(InvalidInput, match=r"calendars\.x"):
        build_calendar("x", spec)


@pytest.mark.parametrize(
    ("instant", "zone"),
    [
        ("0001-01-01T12:00:00Z", "UTC"),
        ("0001-01-01T00:00:00Z", "Pacific/Pago_Pago"),
        ("9999-12-31T23:59:59Z", "Pacific/Kiritimati"),
    ],
)
def test_where_the_calendar_ends_no_window_is_open_and_asking_is_no_error(instant: str, zone: str) -> None:
    always = build_calendar("always", CalendarSpec(timezone=zone))
    assert always.covers(datetime.fromisoformat(instant)) is False
