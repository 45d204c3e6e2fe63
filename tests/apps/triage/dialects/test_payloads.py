"""Every real payload decodes to what it is, or is ignored with a reason; whatever else comes is refused with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import MalformedEvent, Place
from holdfast.apps.triage.dialects import DIALECTS
from holdfast.apps.triage.dialects.replies import instant
from holdfast.apps.triage.task import Event, EventKind, Ignored

VECTORS = Path(__file__).parents[3] / "vectors" / "webhooks"
EXPECTED: dict[str, dict] = json.loads((VECTORS / "expected.json").read_text())
PLACE = Place(base_url="https://tracker.example", account="holdfast-bot", routes={"network": "team/network"})
BODIES = {name: (VECTORS / name).read_bytes() for name in EXPECTED}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just([]),
    st.just({}),
    st.just([[{}]]),
    st.just("../../admin"),
    st.just("\x00"),
    st.just("9999-12-31T23:59:59-23:00"),
)


def _decode(name: str, body: bytes) -> Event | Ignored:
    return DIALECTS[name.partition("/")[0]].decode({}, body, PLACE)


def _event(name: str, body: bytes | None = None) -> Event:
    event = _decode(name, body if body is not None else BODIES[name])
    assert isinstance(event, Event)
    return event


def _changed(name: str, *path: str | int, value: object) -> bytes:
    whole = found = json.loads(BODIES[name])
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = value
    return json.dumps(whole).encode()


def _pointers(value: object, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [one for key in value for one in _pointers(value[key], (*path, key))]
    if isinstance(value, list):
        found += [one for index, item in enumerate(value) for one in _pointers(item, (*path, index))]
    return found


def test_every_payload_at_hand_has_its_verdict() -> None:
    files = {str(one.relative_to(VECTORS)) for one in VECTORS.glob("*/*.json") if one.parent.name in DIALECTS}
    assert files == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_payload_is_what_it_is(name: str) -> None:
    said, expected = _decode(name, BODIES[name]), EXPECTED[name]
    if isinstance(said, Ignored):
        assert {"ignored": said.reason} == expected
    else:
        assert {"kind": said.kind, "tasks": [one.id for one in said.tasks], "by": said.by} == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_a_payload_cut_anywhere_is_refused(name: str) -> None:
    body = BODIES[name].rstrip()
    for length in range(0, len(body), max(1, len(body) // 40)):
        with pytest.raises(MalformedEvent):
            _decode(name, body[:length])


@given(data=st.data())
@settings(max_examples=300)
def test_a_payload_with_anything_in_any_place_decodes_or_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EXPECTED)))
    path = data.draw(st.sampled_from(_pointers(json.loads(BODIES[name]))))
    body = _changed(name, *path, value=data.draw(JUNK))
    try:
        said = _decode(name, body)
    except MalformedEvent:
        return
    assert isinstance(said, Event | Ignored)


@given(name=st.sampled_from(sorted(DIALECTS)), body=st.binary(max_size=200))
def test_bytes_that_are_no_payload_are_refused(name: str, body: bytes) -> None:
    try:
        said = DIALECTS[name].decode({}, body, PLACE)
    except MalformedEvent:
        return
    assert isinstance(said, Ignored)


@pytest.mark.parametrize("name", sorted(DIALECTS))
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe{}", b"null", b'"text"', b"1e999"])
def test_hostile_json_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        DIALECTS[name].decode({}, body, PLACE)


LABELED = "github/issues.labeled.payload.json"
GITEA = "gitea/issue-label-event.json"
GITLAB = "gitlab/issue-event.json"
JIRA = "jira/issue_updated__priority.trimmed.json"
ALERT = "alertmanager/alert.json"


def test_github_says_who_put_which_priority() -> None:
    whole = json.loads(BODIES[LABELED])
    whole["label"] = {"name": "priority/P3"}
    whole["issue"]["labels"] += [{"name": "priority/P1"}, whole["label"], {"name": "team/network"}]
    event = _event(LABELED, json.dumps(whole).encode())
    task = event.tasks[0]
    assert (event.kind, event.by) == (EventKind.JUDGED, "Codertocat")
    assert (task.standing.priority, task.standing.route) == (Priority.P3, "team/network")
    assert task.metadata["labels"] == ["bug"]


@pytest.mark.parametrize("name", ["../../user", "a/b/c", "..", "a/..", "", "a b/c", "a/%2e%2e"])
def test_a_repository_that_would_lead_elsewhere_is_refused(name: str) -> None:
    for payload in ("github/issues.opened.payload.json", "gitea/issues-event.json"):
        with pytest.raises(MalformedEvent):
            _decode(payload, _changed(payload, "repository", "full_name", value=name))


def test_an_issue_of_a_pull_request_is_none() -> None:
    body = _changed(GITEA, "issue", "pull_request", value={"merged": False})
    assert _decode(GITEA, body) == Ignored("issues.label_updated: about a pull request")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"title": {"previous": "a", "current": "b"}}, EventKind.EDITED),
        ({"labels": {"previous": [], "current": [{"title": "bug"}]}}, EventKind.EDITED),
        ({"labels": {"previous": [], "current": [{"title": "priority/P0"}]}}, EventKind.JUDGED),
        ({"labels": {"previous": [{"title": "team/network"}], "current": []}}, EventKind.JUDGED),
        ({"assignees": {}, "updated_at": {}}, None),
    ],
)
def test_gitlab_says_what_changed(changes: dict, kind: EventKind | None) -> None:
    whole = json.loads(BODIES[GITLAB])
    whole["object_attributes"]["action"], whole["changes"] = "update", changes
    said = _decode(GITLAB, json.dumps(whole).encode())
    assert (said.kind if isinstance(said, Event) else None) == kind


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-23:00", "1970-01-01T00:00:00+23:59", "0001-01-01T00:00:00+09:00"]
)
def test_an_instant_at_the_end_of_time_breaks_nothing(text: str) -> None:
    assert instant(text) in {None, "1969-12-31T00:01:00Z"}


def test_of_several_labels_put_on_in_gitlab_at_once_the_priority_counts() -> None:
    whole = json.loads(BODIES[GITLAB])
    before, after = (
        [{"title": one} for one in names] for names in (["priority/P1"], ["a", "priority/P1", "priority/P3"])
    )
    whole["object_attributes"]["action"], whole["labels"] = "update", after
    whole["changes"] = {"labels": {"previous": before, "current": after}}
    assert _event(GITLAB, json.dumps(whole).encode()).tasks[0].standing.priority == Priority.P3


def test_a_priority_a_person_chose_in_jira_counts_even_if_it_is_the_default() -> None:
    event = _event(JIRA)
    assert (event.kind, event.by) == (EventKind.JUDGED, "Leonardo Franchi [Administrator]")
    assert event.tasks[0].standing.priority == Priority.P2


def test_the_priority_a_new_jira_issue_has_by_itself_was_chosen_by_nobody() -> None:
    standing = _event("jira/issue_created.json").tasks[0].standing
    assert (standing.priority, standing.raw_priority) == (None, "Major")


@pytest.mark.parametrize("field", ["name", "accountId", "emailAddress"])
def test_our_own_account_in_jira_is_known_by_any_of_its_names(field: str) -> None:
    assert _event(JIRA, _changed(JIRA, "user", field, value="holdfast-bot")).by == "holdfast-bot"


def test_a_jira_issue_whose_status_changed_is_not_edited() -> None:
    body = _changed(JIRA, "changelog", "items", 0, "field", value="status")
    assert _decode(JIRA, body) == Ignored("jira:issue_updated: nothing changed that is scored")


def test_an_alert_that_fires_again_is_another_task_and_one_that_is_repeated_is_not() -> None:
    again = _changed(ALERT, "alerts", 0, "startsAt", value="2020-02-07T00:17:58Z")
    repeated = _changed(ALERT, "groupKey", value="other")
    first = _event(ALERT).tasks[0].id
    assert _event(ALERT, again).tasks[0].id != first
    assert _event(ALERT, repeated).tasks[0].id == first


def test_resolved_alerts_are_ignored() -> None:
    assert _decode(ALERT, _changed(ALERT, "alerts", 0, "status", value="resolved")) == Ignored(
        "resolved: none of its alerts is firing"
    )


def test_more_alerts_than_a_batch_has_places_are_refused_with_what_to_do() -> None:
    whole = json.loads(BODIES[ALERT])
    whole["alerts"] = [{**whole["alerts"][0], "fingerprint": f"{number:016x}"} for number in range(257)]
    with pytest.raises(MalformedEvent, match="max_alerts"):
        _decode(ALERT, json.dumps(whole).encode())
