"""What the dialects share: reading JSON that others wrote, and answers that say no."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

import msgspec

from holdfast.apps.triage.dialect import MalformedEvent, TaskGone, TrackerRefused, UnreadableEvent
from holdfast.exchange import Incoming

__all__ = ["decoded", "encode", "instant", "next_page", "reply_body", "safe_path"]

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*|[.+-][A-Za-z0-9_.+-]*[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_MOST_ID = 200  # with a number and its mark still a ticket's id, which has 256 characters at most
_SHOWN = 200
_FIRST_YEAR = 1970  # trackers written in Go say 0001-01-01 where they mean never

encode = msgspec.json.Encoder().encode


def decoded(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """Decode `body`, which came from a tracker. Raises MalformedEvent."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MalformedEvent(f"{what}: {str(error)[:_SHOWN]}") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableEvent(f"{what}: expected its JSON in UTF-8, found {str(error)[:_SHOWN]}") from error


def reply_body(reply: Incoming, what: str) -> bytes:
    """Return the body of an answer that says yes. Raises TaskGone, TrackerRefused."""
    if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise TaskGone(f"{what}: the tracker has it no more, or not for this token: status {reply.status}")
    if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        said = reply.body[:_SHOWN].decode("utf-8", "replace")
        raise TrackerRefused(f"{what}: expected a status from 200 to 299, found {reply.status}: {said}")
    return reply.body


def instant(text: str | None) -> str | None:
    """Return the instant or day that `text` names, written one way and to the second; None for one nobody can mean.

    Deliveries and answers of one tracker write the same instant differently: that must not look like an edit.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year < _FIRST_YEAR:
        return None
    if moment.tzinfo is None or len(text) == len("2026-05-01"):
        return text
    try:
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except OverflowError:  # the last day there is, in a time zone where it ends later
        return None


def next_page(link: str) -> str:
    """Return the page number behind `rel="next"` of a Link header (RFC 8288); empty on the last page."""
    for part in link.split(","):
        target, _, relation = part.partition(";")
        if 'rel="next"' in relation:
            _, _, query = target.strip(" <>").partition("?")
            return next((one.removeprefix("page=") for one in query.split("&") if one.startswith("page=")), "")
    return ""


def safe_path(path: str, what: str, *, segments: int | None = None) -> str:
    """Return `path` (`owner/repo`) if each part is a name that means itself in a URL. Raises MalformedEvent."""
    parts = path.split("/")
    if len(path) > _MOST_ID or (segments or len(parts)) != len(parts) or not all(map(_NAME.fullmatch, parts)):
        raise MalformedEvent(f"{what}: expected names joined by slashes, found {path[:80]!r}")
    return path
