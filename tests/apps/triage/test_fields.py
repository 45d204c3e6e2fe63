"""Every field the rule file's reader knows can be read from a ticket."""

from __future__ import annotations

import pytest

from holdfast.apps.triage.conditions import FIELDS
from holdfast.apps.triage.decision import Contribution
from holdfast.apps.triage.fields import Case, facts_of
from holdfast.apps.triage.ticket import Attachment, Ticket, read_circumstances
from holdfast.inference import HeadOutput, Stage
from holdfast.wording import Wording
from tests.apps.triage.examples import NOON

METADATA = {
    "created_at": "2026-03-01T00:00:00Z",
    "deadline_at": "2026-03-04T18:00:00Z",
    "requester": {"id": "u1", "role": "ceo", "tier": "gold"},
    "customer_tier": "enterprise",
    "team": "web",
    "labels": ["a", "b"],
    "sla": {"hours": 4, "names": ["x", 3, "y"], "deep": {"flag": True}},
}
TICKET = Ticket(id="T", title="title", description="more", metadata=METADATA, attachments=(Attachment(name="a.log"),))
FACTORS = tuple(
    Contribution(name=name, value=0.5, weight=0.25, points=12.5, source="")
    for name in ("model", "deadline", "requester", "keywords", "attachments")
)


@pytest.fixture
def facts():
    known = read_circumstances(TICKET, NOON.tzinfo)
    judged = HeadOutput(probabilities=(1.0,), stage=Stage.NGRAM)
    return facts_of(Case(TICKET, known, Wording(TICKET.text), judged, NOON, "desk", 50.0, FACTORS))


@pytest.mark.parametrize("field", FIELDS)
def test_a_known_field_has_a_value(facts, field: str) -> None:
    assert facts.value(field) is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hours_left", 6.0),
        ("requester.role", "ceo"),
        ("requester", 0.5),
        ("attachments", ("a.log",)),
        ("attachment_severity", 0.5),
        ("domain", "in"),
        ("metadata.sla.hours", 4),
        ("metadata.sla.names", ("x", "y")),
        ("metadata.sla.deep.flag", True),
        ("metadata.sla", None),
        ("metadata.sla.hours.more", None),
        ("metadata.", None),
        ("nothing", None),
    ],
)
def test_a_field_holds_what_the_ticket_says(facts, field: str, value) -> None:
    assert facts.value(field) == value
