"""Speaker: what the fake must know of one tracker: its API, its deliveries, its names."""

from __future__ import annotations

from typing import Protocol

from tests.trackers.board import Board, Card, Change
from tests.trackers.wire import Reply, Request

__all__ = ["TOKEN", "Speaker"]

TOKEN = "tracker-token-for-tests"


class Speaker(Protocol):
    """One tracker's dialect, as its makers document it. No state: that is the board's."""

    name: str
    default_priority: str
    """What a task shows where nobody chose."""
    prefix: str
    """Where the API begins; part of the `base_url` a user configures."""
    conditional: bool
    idempotent: bool

    def api(self, request: Request, board: Board) -> Reply:
        """Answer a call below `prefix`."""

    def number(self, request: Request) -> int | None:
        """The card a call is about, so that a person can edit it in that very moment."""

    def task_id(self, card: Card) -> str:
        """What people call the card."""

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of the webhook about a change."""
