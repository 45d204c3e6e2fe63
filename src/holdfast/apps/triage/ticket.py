"""Ticket: what somebody asks to have ranked, checked once at the edge."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any

import msgspec

from holdfast.errors import InvalidInput
from holdfast.inference import compose_text

__all__ = [
    "MAX_BATCH",
    "Attachment",
    "Circumstances",
    "InvalidTicket",
    "MalformedTicket",
    "Requester",
    "Ticket",
    "check_ticket",
    "decode_batch",
    "decode_ticket",
    "read_circumstances",
    "read_instant",
]

MAX_BATCH = 256
_MAX_DEPTH = 16  # nesting inside metadata; trackers send 3 or 4 levels
_MAX_VALUES = 10_000  # values inside metadata, so that a 1 MiB list of digits costs no more than a form
_MAX_INTEGER = 2**64 - 1  # the widest integer that JSON readers, MessagePack and rules agree on
_MIN_INTEGER = -(2**63)

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class MalformedTicket(InvalidInput):
    """The body is not JSON in UTF-8, so no field can be named."""


class InvalidTicket(InvalidInput):
    """One field of the ticket is wrong; `field` is its JSON pointer."""


class Requester(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as the tracker knows."""

    id: str | None = None
    role: str | None = None
    tier: str | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that came with the ticket: text, or bytes in base64."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    media_type: Annotated[str, msgspec.Meta(max_length=256)] = "application/octet-stream"
    text: str | None = None
    base64: str | None = None


class Ticket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request for work, as a tracker or a person sends it. Unknown keys inside `metadata` are kept for rules."""

    id: _Id
    title: str
    description: str = ""
    metadata: dict[str, Any] = {}
    attachments: tuple[Attachment, ...] = ()
    deadline_ms: Annotated[int, msgspec.Meta(ge=1, le=30_000)] | None = None
    """How long the caller waits for the answer; not the ticket's own deadline."""
    at: str | None = None
    """The instant to score for; the node's clock when absent."""
    reprocess: bool = False
    """Score it once more when the best tier is back, if a lower one has to answer now."""

    @property
    def text(self) -> str:
        """What the model reads."""
        return compose_text(self.title, self.description)


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of `metadata` that scoring itself reads."""

    created_at: str | None = None
    deadline_at: str | None = None
    requester: Requester | None = None
    customer_tier: str | None = None
    team: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The known part of a ticket's metadata, with instants aware and in UTC."""

    created_at: datetime | None
    deadline_at: datetime | None
    requester: Requester
    customer_tier: str | None
    team: str | None
    labels: tuple[str, ...]


class _Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tickets: Annotated[tuple[Ticket, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


_TICKET = msgspec.json.Decoder(Ticket)
_BATCH = msgspec.json.Decoder(_Batch)
_NOBODY = Requester()
_NOTHING = Circumstances(None, None, _NOBODY, None, None, ())


def decode_ticket(body: bytes) -> Ticket:
    """Read one ticket from JSON. Raises MalformedTicket or InvalidTicket, never anything else."""
    ticket: Ticket = _decode(_TICKET, body)
    check_ticket(ticket)
    return ticket


def decode_batch(body: bytes) -> tuple[Ticket, ...]:
    """Read `{"tickets": [...]}`, 1 to 256 of them. Raises MalformedTicket or InvalidTicket."""
    batch: _Batch = _decode(_BATCH, body)
    for position, ticket in enumerate(batch.tickets):
        check_ticket(ticket, where=f"/tickets/{position}")
    return batch.tickets


def check_ticket(ticket: Ticket, *, where: str = "") -> None:
    """Check what the type cannot say: the size of `metadata`, the content of attachments. Raises InvalidTicket."""
    if ticket.metadata:
        _check_metadata(ticket.metadata, where)
    for position, attachment in enumerate(ticket.attachments):
        if attachment.text is not None and attachment.base64 is not None:
            raise InvalidTicket(
                f"attachment {attachment.name!r} has both text and base64, expected one of them",
                field=f"{where}/attachments/{position}",
            )
        if attachment.base64 is not None:
            _check_base64(attachment.base64, field=f"{where}/attachments/{position}/base64")


def _check_base64(text: str, *, field: str) -> None:
    try:
        b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidTicket(
            f"{field}: expected bytes in base64 (RFC 4648, section 4), found something else: {error}", field=field
        ) from error


def read_circumstances(ticket: Ticket, zone: tzinfo) -> Circumstances:
    """Return the known metadata of `ticket`, with zoneless instants taken to be in `zone`. Raises InvalidTicket."""
    if not ticket.metadata:
        return _NOTHING
    try:
        known = msgspec.convert(ticket.metadata, _Known)
    except msgspec.ValidationError as error:
        sentence, field = _explain(error)
        raise InvalidTicket(f"ticket {ticket.id!r}: {sentence}", field=f"/metadata{field}") from error
    created, deadline = known.created_at, known.deadline_at
    return Circumstances(
        created_at=read_instant(created, zone, field="/metadata/created_at") if created else None,
        deadline_at=read_instant(deadline, zone, field="/metadata/deadline_at") if deadline else None,
        requester=known.requester or _NOBODY,
        customer_tier=known.customer_tier,
        team=known.team,
        labels=known.labels,
    )


def read_instant(text: str, zone: tzinfo, *, field: str) -> datetime:
    """Return the instant `text` names, in UTC. Raises InvalidTicket naming `field`.

    RFC 3339 with an offset; without one, local time in `zone`; a date alone means the end of that day in `zone`, which
    is what a due date in a tracker means.
    """
    try:
        if len(text) == len("2026-05-01"):
            day = date.fromisoformat(text)
            moment = datetime.combine(day, time(23, 59, 59), zone)
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC)
        moment - timedelta(days=2), moment + timedelta(days=2)  # an instant at either end of the calendar is no date
    except (ValueError, OverflowError) as error:
        raise InvalidTicket(
            f"{field}: expected an instant such as 2026-05-01T17:00:00+02:00, found {text[:80]!r}", field=field
        ) from error
    return moment


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:  # the decode line
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        sentence, field = _explain(error)
        raise InvalidTicket(f"ticket: {sentence}", field=field or "/") from error
    except RecursionError as error:
        raise MalformedTicket("ticket: nested too deeply, expected at most 16 levels inside metadata") from error
    except ValueError as error:  # msgspec.DecodeError and UnicodeDecodeError are both
        raise MalformedTicket(f"ticket: expected one JSON object in UTF-8, found: {error}") from error


def _explain(error: msgspec.ValidationError) -> tuple[str, str]:
    """Split msgspec's sentence into what is wrong and a JSON pointer to it."""
    sentence, _, path = str(error).partition(" - at `$")
    pointer = path.rstrip("`").replace("[...]", "/*").replace("[", "/").replace("]", "").replace(".", "/")
    missing = sentence.partition("missing required field `")[2] or sentence.partition("unknown field `")[2]
    if missing:
        pointer = f"{pointer}/{missing.rstrip('`')}"
    return sentence[:1].lower() + sentence[1:], pointer


def _check_metadata(metadata: dict[str, Any], where: str) -> None:
    """Walk `metadata` breadth first, so that depth costs no stack. Raises InvalidTicket."""
    level: list[Any] = [metadata]
    seen = 0
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            children = value.values() if type(value) is dict else value
            seen += len(value)
            below += [child for child in children if type(child) is dict or type(child) is list]
            if any(type(child) is int and not _MIN_INTEGER <= child <= _MAX_INTEGER for child in children):
                raise InvalidTicket("metadata: expected integers of at most 64 bits", field=f"{where}/metadata")
        if seen > _MAX_VALUES:
            raise InvalidTicket(f"metadata: expected at most {_MAX_VALUES} values", field=f"{where}/metadata")
        if not below:
            return
        level = below
    raise InvalidTicket(f"metadata: expected at most {_MAX_DEPTH} levels of nesting", field=f"{where}/metadata")
