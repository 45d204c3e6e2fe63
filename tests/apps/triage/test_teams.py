"""Which team a ticket is for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.teams import labels_of, team_of

TEAMS = {"office": ("Printer", "desk"), "cloud": ("outage", "desk")}
LABELS = labels_of(TEAMS)


@pytest.mark.parametrize(
    ("metadata", "team"),
    [
        ({}, ""),
        ({"team": "cloud"}, "cloud"),
        ({"team": "cloud", "labels": ["printer"]}, "cloud"),
        ({"team": "somebody-elses", "labels": ["printer"]}, "office"),
        ({"labels": ["bug", "PRINTER", "outage"]}, "office"),
        ({"labels": ["bug"]}, ""),
        ({"labels": "printer"}, ""),
        ({"team": 7, "labels": [None, 1]}, ""),
    ],
)
def test_a_ticket_is_for_the_team_it_names_else_for_that_of_its_first_known_label(metadata, team) -> None:
    assert team_of(metadata, TEAMS, LABELS) == team


def test_of_two_teams_with_one_label_the_first_by_name_has_it() -> None:
    assert LABELS["desk"] == "cloud"


@given(st.dictionaries(st.sampled_from(["team", "labels", "x"]), st.recursive(st.none() | st.text(), st.lists)))
def test_whatever_the_metadata_holds_the_answer_is_a_team_or_none(metadata) -> None:
    assert team_of(metadata, TEAMS, LABELS) in {"", *TEAMS}
