"""Wire: a request and an answer of the fake tracker, and the table that finds who answers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from tests.trackers.board import Board, Card

__all__ = ["Reply", "Request", "Route", "answer", "basic", "commenting", "found", "page", "seconds"]


@dataclass(frozen=True)
class Request:
    """One call of the API; `path` still has its percent signs, `headers` are in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    account: str
    origin: str

    def get(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]

    def json(self) -> dict[str, Any]:
        """The body; ValueError where it is no JSON object."""
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise ValueError("not an object")  # noqa: TRY004  # one class for every bad body
        return value


@dataclass(frozen=True)
class Reply:
    status: int
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Answerer = Callable[[Request, Board, tuple[str, ...]], Reply]
Route = tuple[str, str, Answerer]
"""Method, pattern of the path, who answers."""


def answer(routes: tuple[Route, ...], request: Request, board: Board, *, missing: Any) -> Reply:
    """Find the route and ask it; the tracker's own 404 and 405 else."""
    known = False
    for method, pattern, who in routes:
        match = re.fullmatch(pattern, request.path)
        if match is not None:
            known = True
            if method == request.method:
                return who(request, board, tuple(unquote(part) for part in match.groups()))
    return Reply(405, missing) if known else Reply(404, missing)


def found(board: Board, number: str) -> Card | None:
    """The card of that number."""
    return board.cards.get(int(number)) if number.isdigit() else None


def page(cards: list[Card], number: int, size: int) -> tuple[list[Card], bool]:
    """Page `number`, from 1, and whether there is a next."""
    start = (max(number, 1) - 1) * size
    return cards[start : start + size], start + size < len(cards)


def seconds(at: datetime) -> str:
    """`2026-01-31T12:00:00Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def basic(headers: Mapping[str, str]) -> str:
    """`user:password` of an Authorization header; empty where there is none."""
    kind, _, text = headers.get("authorization", "").partition(" ")
    return base64.b64decode(text).decode() if kind.lower() == "basic" else ""


def commenting(missing: Any) -> Answerer:
    """What takes a comment on the card of the route's first part; `missing` is said where there is none."""

    def comment(request: Request, board: Board, parts: tuple[str, ...]) -> Reply:
        card = found(board, parts[0])
        if card is None:
            return Reply(404, missing)
        board.edit(card.number, request.account, {"comment": request.json()["body"]})
        return Reply(201, {"id": len(card.comments), "body": card.comments[-1].text})

    return comment
