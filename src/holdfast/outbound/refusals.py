"""What can go wrong on the way out, split by what the caller may conclude."""

from __future__ import annotations

from holdfast.errors import InvalidInput, Refused, Unavailable

__all__ = [
    "AnswerTooLarge",
    "ExchangeUncertain",
    "LinkDown",
    "MalformedOutgoing",
    "NotAllowed",
    "OverBudget",
    "TlsRefused",
]


class NotAllowed(Refused):
    """The node may not talk to this host, or not like this; no packet left."""


class MalformedOutgoing(InvalidInput):
    """The request cannot be written down in HTTP; nothing of it left."""


class LinkDown(Unavailable):
    """The other side was not reached: the request was surely not applied."""


class TlsRefused(Unavailable):
    """The other side could not prove who it is: the request was surely not sent, and a person should look."""


class OverBudget(Unavailable):
    """The node's own limit on what leaves is reached; no packet left."""


class ExchangeUncertain(Unavailable):
    """The request was sent and no whole answer came back: it may have been applied or not."""


class AnswerTooLarge(ExchangeUncertain):
    """The answer is longer than the node reads; what it answers may have been applied."""
