"""Whether a value in the tracker is a person's: whoever it was must be known, or it must be nobody else's."""

from __future__ import annotations

from dataclasses import replace as dc_replace
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.apps.triage.connections import Connection
from holdfast.apps.triage.decision import Decision, Priority, Routing
from holdfast.apps.triage.dialect import Place
from holdfast.apps.triage.dialects import DIALECTS
from holdfast.apps.triage.judging import Sighting, is_older, judged_by_a_person
from holdfast.apps.triage.signatures import Secrets
from holdfast.apps.triage.task import Event, EventKind, Standing, Task
from holdfast.apps.triage.writing import Said, Written
from holdfast.digest import Digest
from holdfast.inference import ServedBy, Stage
from holdfast.settings.flows import Connection as Terms
from holdfast.tier import Tier

DIGEST = Digest("sha256:" + "0" * 64)
PRIORITIES = st.sampled_from(Priority)


def _decision(priority: Priority, route: str = "network") -> Decision:
    served = ServedBy(
        tier=Tier.RULES,
        stage=Stage.RULES,
        package="builtin",
        version="1",
        digest=DIGEST,
        variant="",
        runtime="",
        unsigned=False,
        degraded=False,
        approximate=False,
        reasons=(),
        attempts=(),
    )
    return Decision(
        decision_id="dec_1",
        task_id="a/b#1",
        score=50.0,
        priority=priority,
        route=Routing(label=route, confidence=1.0),
        contributions=(),
        served_by=served,
        recorded=True,
        latency_ms=1.0,
        at="",
        request_id="",
        rules_digest=DIGEST,
        settings_generation=1,
    )


def _connection(account: str = "") -> Connection:
    terms = Terms(dialect="github", routes={"network": "team/network", "hardware": "team/hardware"}, account=account)
    place = Place(base_url="https://x.example", account=account, routes=terms.routes)
    return Connection(name="forge", dialect=DIALECTS["github"], terms=terms, secrets=Secrets((), ()), place=place)


def _event(priority: Priority | None, *, kind: EventKind = EventKind.JUDGED, by: str = "", route: str = "") -> Event:
    standing = Standing(priority=priority, raw_priority=priority or "", route=route)
    return Event(kind=kind, tasks=(Task(id="a/b#1", title="", standing=standing),), by=by, name="labeled")


def _sighting(**more: Any) -> Sighting:
    given = {"decision_id": "dec_1", "seal": b"", "revision": "", "raw_priority": "", "route": "", "echoes": ()}
    return Sighting(**(given | more))


def _said(priority: Priority) -> Said:
    return Said(decision_id="dec_1", sequence=1, priority=priority, key="k")


@given(ours=PRIORITIES, theirs=PRIORITIES)
def test_a_person_who_is_known_judges_by_whatever_differs(ours: Priority, theirs: Priority) -> None:
    written = Written(said=_said(theirs))
    judged = judged_by_a_person(
        _connection("bot"), _event(theirs, by="ann"), _decision(ours), seen=_sighting(), written=written
    )
    assert (judged.priority if judged else None) == (theirs if theirs != ours else None)


@given(ours=PRIORITIES, theirs=PRIORITIES, intended=st.booleans())
def test_where_nobody_is_named_what_we_wrote_is_ours(ours: Priority, theirs: Priority, intended: bool) -> None:
    said = _said(theirs)
    written = Written(intended=said) if intended else Written(said=said)
    assert judged_by_a_person(_connection(), _event(theirs), _decision(ours), seen=_sighting(), written=written) is None


@given(ours=PRIORITIES, theirs=PRIORITIES)
def test_what_the_tracker_showed_all_along_was_chosen_by_nobody_since(ours: Priority, theirs: Priority) -> None:
    assume(ours != theirs)
    event, decision = _event(theirs, kind=EventKind.EDITED), _decision(ours)
    seen = _sighting(raw_priority=str(theirs))
    assert judged_by_a_person(_connection(), event, decision, seen=seen, written=Written()) is None
    judged = judged_by_a_person(_connection(), event, decision, seen=_sighting(raw_priority="?"), written=Written())
    assert judged is not None
    assert judged.priority == theirs


def test_what_the_tracker_tells_late_of_an_earlier_write_is_nobodys_judgement() -> None:
    said, earlier = replace(_said(Priority.P2), revision="2026-03-01T10:00:00Z"), (_said(Priority.P1),)
    written, events = Written(said=said, earlier=earlier), (_event(Priority.P1), _event(Priority.P1, by="bot"))
    for event, at in product(events, ("2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T10:00:01Z")):
        judged = judged_by_a_person(
            _connection(), dc_replace(event, at=at), _decision(Priority.P2), seen=_sighting(), written=written
        )
        assert (judged is not None) is (at > said.revision)


@pytest.mark.parametrize("band", [Priority.P0, Priority.P1])
def test_one_word_for_two_bands_is_no_disagreement(band: Priority) -> None:
    """In Zammad both are `3 high`; somebody who only comments has not judged."""
    connection = dc_replace(_connection("bot"), dialect=DIALECTS["zammad"])
    standing = Standing(priority=Priority.P0, raw_priority="3 high")
    event = Event(kind=EventKind.EDITED, tasks=(Task(id="5", title="", standing=standing),), by="ann")
    written, seen = Written(said=_said(band)), _sighting(raw_priority="2 normal")
    assert judged_by_a_person(connection, event, _decision(band), seen=seen, written=written) is None


@pytest.mark.parametrize(("at", "judged"), [("2026-03-01T10:00:01Z", True), ("2026-03-01T10:00:00Z", False)])
def test_who_sets_our_priority_back_to_the_trackers_default_has_judged(at: str, judged: bool) -> None:
    """The commonest correction of a false P0 in Zammad; before our write the default stood there by itself."""
    connection = dc_replace(_connection("bot"), dialect=DIALECTS["zammad"])
    task = Task(id="5", title="", standing=Standing(raw_priority="2 normal"))
    event = Event(kind=EventKind.EDITED, tasks=(task,), by="ann", at=at)
    written = Written(said=replace(_said(Priority.P0), raw_priority="3 high", revision="2026-03-01T10:00:00Z"))
    found = judged_by_a_person(connection, event, _decision(Priority.P0), seen=_sighting(), written=written)
    assert (found.priority if found else None) == (Priority.P2 if judged else None)


def test_a_route_is_told_in_our_words_and_our_own_is_none() -> None:
    connection, decision = _connection("bot"), _decision(Priority.P1)
    routes = [
        judged_by_a_person(
            connection, _event(None, by="ann", route=word), decision, seen=_sighting(), written=Written()
        )
        for word in ("team/hardware", "team/network", "")
    ]
    assert [one.route if one else None for one in routes] == ["hardware", None, None]


def test_a_priority_that_was_taken_off_is_no_judgement_of_ours_to_record() -> None:
    event = _event(None, by="ann")
    assert judged_by_a_person(_connection(), event, _decision(Priority.P1), seen=_sighting(), written=Written()) is None


def test_a_delivery_is_late_only_where_both_say_when() -> None:
    seen = _sighting(revision="2026-03-01T10:00:00+01:00")
    revisions = ("2026-03-01T08:59:59Z", "2026-03-01T09:00:00.900Z", "2026-03-01T09:00:01Z", "17", "", "2026-03-01")
    late = [is_older(Task(id="1", title="", revision=one), seen) for one in revisions]
    assert late == [True, False, False, False, False, False]
