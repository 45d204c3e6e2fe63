"""A labelled ticket: one real ticket with what people decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = ["LabelledTicket"]


@dataclass(frozen=True, slots=True)
class LabelledTicket:
    """One real ticket with what people decided about it."""

    id: str
    text: str
    """Title and body as a model reads them (`compose_text`)."""
    labels: Mapping[str, str]
    """Head -> label; a head the ticket has no label for is absent. Never empty."""
    at: datetime | None
    """When it was written, UTC; None if the file does not say."""
    group: str
    """Project, customer: what a group hold-out keeps together; may be empty."""
    where: str
    """`file:line` of its row."""
