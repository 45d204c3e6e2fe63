"""Calendars: windows of the week in a time zone, holidays left out, daylight saving understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from holdfast.apps.triage.rubric import zone_named
from holdfast.errors import InvalidInput

__all__ = ["DAYS", "CalendarSpec", "InvalidCalendar", "WeeklyCalendar", "WindowSpec", "build_calendar"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT = time(0, 0)
_ONE_DAY = timedelta(days=1)


class InvalidCalendar(InvalidInput):
    """A calendar of a rule file is not one; `field` is its dotted key."""


class WindowSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Days of the week and a span of local time; a span that ends before it begins runs past midnight."""

    days: tuple[str, ...] = DAYS
    from_: str = "00:00"
    to: str = "24:00"


class CalendarSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A calendar as a rule file writes it."""

    timezone: str
    windows: tuple[WindowSpec, ...] = (WindowSpec(),)
    holidays: tuple[str, ...] = ()
    """Local dates on which no window begins: `2026-12-25`, or `12-25` for every year."""


@dataclass(frozen=True, slots=True)
class _Window:
    days: frozenset[int]
    begin: time
    end: time
    """00:00 means the end of the day."""

    def covers(self, local: datetime, *, open_today: bool, open_yesterday: bool) -> bool:
        now = local.time()
        overnight = self.end <= self.begin
        if open_today and local.weekday() in self.days and now >= self.begin and (overnight or now < self.end):
            return True
        yesterday = (local.weekday() - 1) % 7
        return open_yesterday and overnight and yesterday in self.days and now < self.end


@dataclass(frozen=True, slots=True)
class WeeklyCalendar:
    """Windows that come back every week. A night window belongs, with its holiday, to the day on which it begins."""

    zone: tzinfo
    windows: tuple[_Window, ...]
    holidays: frozenset[date]
    yearly_holidays: frozenset[tuple[int, int]]

    def covers(self, at: datetime) -> bool:
        """Say whether `at` (aware) lies in a window: the wall clock of the zone decides, in both hours of a shift.

        An instant whose yesterday or wall clock is outside the calendar of years 1 to 9999 lies in none.
        """
        try:
            local = at.astimezone(self.zone)
            today, yesterday = local.date(), local.date() - _ONE_DAY
        except OverflowError:
            return False
        open_today, open_yesterday = self._open(today), self._open(yesterday)
        return any(
            window.covers(local, open_today=open_today, open_yesterday=open_yesterday) for window in self.windows
        )

    def _open(self, day: date) -> bool:
        return day not in self.holidays and (day.month, day.day) not in self.yearly_holidays


def build_calendar(name: str, spec: CalendarSpec) -> WeeklyCalendar:
    """Compile `spec`. Raises InvalidCalendar naming `calendars.<name>.<key>`."""
    where = f"calendars.{name}"
    if not spec.windows:
        raise InvalidCalendar(f"{where}.windows: expected at least one window, found none", field=f"{where}.windows")
    windows = tuple(_window(window, where=f"{where}.windows.{index}") for index, window in enumerate(spec.windows))
    fixed: set[date] = set()
    yearly: set[tuple[int, int]] = set()
    for holiday in spec.holidays:
        day = _day(holiday, where=f"{where}.holidays")
        if len(holiday) == len("12-25"):
            yearly.add((day.month, day.day))
        else:
            fixed.add(day)
    zone = zone_named(spec.timezone, field=f"{where}.timezone")
    return WeeklyCalendar(zone, windows, frozenset(fixed), frozenset(yearly))


def _window(spec: WindowSpec, *, where: str) -> _Window:
    unknown = [day for day in spec.days if day not in DAYS]
    if unknown or not spec.days:
        raise InvalidCalendar(
            f"{where}.days: expected days out of {', '.join(DAYS)}, found {unknown[0] if unknown else 'none'!r}",
            field=f"{where}.days",
        )
    days = frozenset(DAYS.index(day) for day in spec.days)
    return _Window(days, _time(spec.from_, where=f"{where}.from"), _time(spec.to, where=f"{where}.to"))


def _time(value: str, *, where: str) -> time:
    if value == "24:00":
        return _MIDNIGHT
    try:
        if len(value) in (len("08:00"), len("08:00:00")):
            return time.fromisoformat(value)
    except ValueError:
        pass  # said below, with what was found
    raise InvalidCalendar(f"{where}: expected a time of day such as 08:00 or 24:00, found {value[:40]!r}", field=where)


def _day(text: str, *, where: str) -> date:
    """A date from text; of a yearly one in a leap year, so that 02-29 is a day."""
    try:
        return date.fromisoformat(f"2000-{text}" if len(text) == len("12-25") else text)
    except ValueError as error:
        raise InvalidCalendar(
            f"{where}: expected a date such as 2026-12-25, or 12-25 for every year, found {text[:40]!r}", field=where
        ) from error
