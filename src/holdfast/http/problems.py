"""Errors as answers: one table from error class to status, and RFC 9457 problem details."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from holdfast.access import Unauthenticated
from holdfast.errors import InvalidInput, Refused, Unavailable, kinds_of
from holdfast.http.messages import Reply

__all__ = [
    "STATUSES",
    "BodyTooLarge",
    "CrossSite",
    "Forwarded",
    "InvalidField",
    "MalformedBody",
    "MalformedHead",
    "NoSuchPath",
    "Problem",
    "UnknownHost",
    "WrongMediaType",
    "next_try",
    "problem",
    "status_of",
]


class NoSuchPath(InvalidInput):
    """Nothing is served at this path."""


class MalformedBody(InvalidInput):
    """The body is not what its media type says."""


class MalformedHead(InvalidInput):
    """The head of the request says two things."""


class BodyTooLarge(InvalidInput):
    """The body is longer than the node accepts."""


class WrongMediaType(InvalidInput):
    """The body's media type is not one this path takes."""


class InvalidField(InvalidInput):
    """One field, parameter or header has a value that cannot be used."""


class UnknownHost(Refused):
    """The Host header names a host this node does not serve."""


class CrossSite(Refused):
    """A page of another site sent a request that changes state."""


class Forwarded(Refused):
    """A proxy stands between a node without tokens and its caller."""


# By name: the error classes of every room are here, and importing them all would load every room at start.
# A test resolves each name.
STATUSES: Mapping[str, int] = {
    "NoSuchPath": 404,
    "MethodNotAllowed": 405,
    "UnknownModel": 404,
    "NoSuchModel": 404,
    "MalformedTicket": 400,
    "UnreadableEvent": 400,
    "NoSuchDecision": 404,
    "NothingKnown": 404,
    "NoSuchExperiment": 404,
    "NotReprocessed": 404,
    "NoSuchJob": 404,
    "NoSuchQueue": 404,
    "NoSuchConnection": 404,
    "SignatureRefused": 401,
    "KeyReused": 409,
    "DecisionGone": 410,
    "DecisionUnreadable": 410,
    "MalformedBody": 400,
    "MalformedHead": 400,
    "BodyTooLarge": 413,
    "WrongMediaType": 415,
    "InvalidField": 422,
    "UnknownHost": 403,
    "CrossSite": 403,
    "Forwarded": 403,
    "Forbidden": 403,
    "NotYourTeam": 403,
    "Unauthenticated": 401,
    "TooManyRequests": 429,
    "InvalidInput": 422,
    "Refused": 403,
    "Unavailable": 503,
    "HumanNeeded": 503,
    "HoldfastError": 500,
}

_ENCODER = msgspec.json.Encoder()
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details, and the request it belongs to."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    pointer: str = ""
    """JSON pointer of the field at fault."""
    kinds: tuple[str, ...] = ()
    """The error's classes, for the command line to choose its exit code from."""


def status_of(error: BaseException) -> int:
    """Return the status of the most particular class the table knows; 500 for what it does not."""
    return next((STATUSES[kind] for kind in kinds_of(error) if kind in STATUSES), 500)


def next_try(error: BaseException) -> list[tuple[bytes, bytes]]:
    """Return the header that says when to try again, in whole seconds, or with what."""
    if isinstance(error, Unauthenticated):
        # Basic for browsers, which cannot send anything else from their address bar.
        challenges = (b'Bearer realm="holdfast"', b'Basic realm="holdfast", charset="UTF-8"')
        return [(b"www-authenticate", challenge) for challenge in challenges]
    if "SignatureRefused" in kinds_of(error):
        return [(b"www-authenticate", b'Signature realm="hooks"')]  # RFC 9110, 15.5.2: every 401 says what it wants
    if not isinstance(error, Unavailable):
        return []
    return [(b"retry-after", str(max(1, round(error.retry_after_s))).encode())]


def problem(error: BaseException, request_id: str) -> Reply:
    """Render `error` as application/problem+json."""
    status = status_of(error)
    known = status != HTTPStatus.INTERNAL_SERVER_ERROR
    words = _WORD.sub(" ", type(error).__name__).lower() if known else "internal error"
    body = Problem(
        type="urn:holdfast:problem:" + words.replace(" ", "-"),
        title=words.capitalize(),
        status=status,
        detail=str(error) if known else "the node failed on this request; its log names the request id",
        request_id=request_id,
        pointer=getattr(error, "field", ""),
        kinds=kinds_of(error),
    )
    return Reply(_ENCODER.encode(body), status, b"application/problem+json", next_try(error))
