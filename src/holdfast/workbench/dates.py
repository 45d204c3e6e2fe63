"""Dates as ticket exports write them: one format per file, and never a guess between day and month."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from holdfast.workbench.rows import UnreadableTickets

__all__ = ["ISO", "choose_format", "parse_date"]

ISO = "iso"
"""RFC 3339 and its ISO 8601 relatives; a time without zone is UTC."""
_EPOCH_S = "epoch_s"
_EPOCH_MS = "epoch_ms"
_CANDIDATES = (ISO, _EPOCH_S, _EPOCH_MS, "%m/%d/%y", "%m/%d/%Y", "%d/%m/%y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d")
_EPOCH_DIGITS = {_EPOCH_S: 10, _EPOCH_MS: 13}  # 10 digits of seconds: 2001-09-09 to 2286-11-20
_MAX_MISFIT_SHARE = 0.02  # rows that one format may fail on before it is not the file's format; they are named


def parse_date(text: str, date_format: str) -> datetime | None:
    """Return `text` in UTC, or None if it is not in `date_format` (a strptime pattern or a name of this module)."""
    text = text.strip()
    try:
        return _READERS[date_format](text) if date_format in _READERS else _strptime(text, date_format)
    except (ValueError, OverflowError):
        return None


def choose_format(texts: Sequence[str], *, where: str) -> str:
    """Return the one format that fits `texts`. Raises UnreadableTickets when none or more than one does."""
    allowed = len(texts) * _MAX_MISFIT_SHARE
    fitting = [one for one in _CANDIDATES if _misfits(texts, one, allowed) <= allowed]
    if not texts or fitting == [ISO]:
        return ISO
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        unread = (text for text in texts if all(parse_date(text, one) is None for one in _CANDIDATES))
        sample = next(unread, texts[0]).strip()[:40]
        raise UnreadableTickets(
            f"{where}: expected dates such as 2024-06-30 or 2024-06-30T12:00:00Z, found {sample!r}; "
            "name the pattern with --date-format, for example '%d %b %Y'"
        )
    sample = texts[0].strip()[:40]
    raise UnreadableTickets(
        f"{where}: {sample!r} fits {' and '.join(fitting)}; say which with --date-format '{fitting[0]}'"
    )


def _misfits(texts: Sequence[str], date_format: str, allowed: float) -> int:
    misfits = 0
    for text in texts:
        misfits += parse_date(text, date_format) is None
        if misfits > allowed:
            break
    return misfits


def _strptime(text: str, pattern: str) -> datetime:
    if pattern.endswith("%y") and re.search(r"\d{4}$", text):
        raise ValueError(text)
    return _utc(datetime.strptime(text, pattern))  # noqa: DTZ007 - a date without zone is UTC, as documented


def _iso(text: str) -> datetime:
    if text.isdigit():  # 20240630 would be ISO, but so would an epoch: digits alone are no date of ours
        raise ValueError(text)
    return _utc(datetime.fromisoformat(text))


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _epoch(name: str) -> Callable[[str], datetime]:
    def read(text: str) -> datetime:
        whole = text.split(".", 1)[0]
        if len(whole) != _EPOCH_DIGITS[name]:
            raise ValueError(text)
        return datetime.fromtimestamp(float(text) / (1000 if name == _EPOCH_MS else 1), tz=UTC)

    return read


_READERS: dict[str, Callable[[str], datetime]] = {
    ISO: _iso,
    _EPOCH_S: _epoch(_EPOCH_S),
    _EPOCH_MS: _epoch(_EPOCH_MS),
}
