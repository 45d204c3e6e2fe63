"""Held-out tickets as a client would send them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from holdfast.workbench.tickets import LabelledTicket

__all__ = ["UnseenTicket", "draw"]


@dataclass(frozen=True, slots=True)
class UnseenTicket:
    """One held-out ticket: what is sent, and what people said of it."""

    id: str
    title: str
    description: str
    labels: Mapping[str, str]

    def body(self, *, suffix: str = "") -> bytes:
        """The JSON body of a score request; `suffix` makes the text new to every cache."""
        return msgspec.json.encode({"id": self.id, "title": self.title, "description": self.description + suffix})


def draw(held: Iterable[LabelledTicket], *, per_head: int, seed: int = 0) -> list[UnseenTicket]:
    """Draw up to `per_head` tickets of each label set, mixed; equal seeds draw the same tickets."""
    rng = random.Random(seed)  # noqa: S311  # a fixed draw, not a secret
    by_heads: dict[tuple[str, ...], list[LabelledTicket]] = {}
    for ticket in held:
        by_heads.setdefault(tuple(sorted(ticket.labels)), []).append(ticket)
    drawn = [ticket for tickets in by_heads.values() for ticket in rng.sample(tickets, min(per_head, len(tickets)))]
    rng.shuffle(drawn)
    return [_unseen(ticket) for ticket in drawn]


def _unseen(ticket: LabelledTicket) -> UnseenTicket:
    title, _, description = ticket.text.partition("\n")
    return UnseenTicket(ticket.id, title, description, ticket.labels)
