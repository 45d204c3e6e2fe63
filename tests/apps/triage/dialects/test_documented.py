"""The dialects that were built from documentation: what their pages show is understood, and nothing breaks them."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import MalformedEvent, Place, TaskGone, TrackerRefused
from holdfast.apps.triage.dialects import DIALECTS
from holdfast.apps.triage.dialects.markup import plain_text
from holdfast.apps.triage.marks import explanation_with_mark, mark_key, read_mark
from holdfast.apps.triage.task import Event, EventKind, Ignored, Values
from holdfast.exchange import Incoming

PAGES = Path(__file__).parents[4] / "docs" / "howto"
NAMES = ("tasking-space", "generic", "zammad", "otobo")
PLACE = Place(base_url="https://tracker.example", token="bot:secret")
EXAMPLES = {
    name: re.search(r"^printf '%s' '(.*)' > delivery.json$", (PAGES / f"{name}.md").read_text(), re.MULTILINE)[
        1
    ].encode()  # type: ignore[index]
    for name in NAMES
}
VALUES = Values(
    decision_id="dec_" + "0" * 26, score=82.0, priority=Priority.P1, route="network", reason="why", explanation="so"
)

each = pytest.mark.parametrize("name", NAMES)


@each
def test_the_example_of_its_page_is_a_new_task(name: str) -> None:
    event = DIALECTS[name].decode({}, EXAMPLES[name], PLACE)
    assert isinstance(event, Event)
    assert (event.tasks[0].title, event.tasks[0].description) == ("Checkout is down for everybody", "Since 9:00.")


@each
@given(cut=st.integers(0, 400), place=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_delivery_is_understood_ignored_or_refused(name: str, cut: int, place: int, byte: int) -> None:
    body = bytearray(EXAMPLES[name])
    body[place % len(body)] = byte
    for damaged in (bytes(body), EXAMPLES[name][:cut]):
        try:
            assert isinstance(DIALECTS[name].decode({}, damaged, PLACE), Event | Ignored)
        except MalformedEvent:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@each
@given(data=st.data())
def test_a_field_of_any_kind_is_understood_ignored_or_refused(name: str, data: st.DataObject) -> None:
    event = json.loads(EXAMPLES[name])
    part = data.draw(st.sampled_from([one for one in (event, *event.values()) if isinstance(one, dict)]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
    try:
        assert isinstance(DIALECTS[name].decode({}, json.dumps(event).encode(), PLACE), Event | Ignored)
    except MalformedEvent:
        return


@pytest.mark.parametrize("name", ["tasking-space", "generic", "zammad", "otobo"])
@pytest.mark.parametrize("unset", [frozenset(), frozenset({"Showstopper"})])
def test_a_priority_that_is_none_of_ours_was_chosen_unless_it_is_named_as_unset(
    name: str, unset: frozenset[str]
) -> None:
    delivery = json.loads(EXAMPLES[name])
    for part in (delivery, *(one for one in delivery.values() if isinstance(one, dict))):
        for field in {"priority", "Priority"} & part.keys():
            part[field] = "Showstopper"
    delivery.get("data", {})["priority"] = "Showstopper"
    event = DIALECTS[name].decode({}, json.dumps(delivery).encode(), replace(PLACE, unset=unset))
    assert isinstance(event, Event)
    standing = event.tasks[0].standing
    assert (standing.raw_priority, standing.priority, standing.foreign) == ("Showstopper", None, not unset)


@each
@pytest.mark.parametrize("status", [404, 410, 403, 422])
def test_an_answer_that_says_no_is_no_task(name: str, status: int) -> None:
    with pytest.raises((TaskGone, TrackerRefused)):
        DIALECTS[name].read_reply(Incoming(status=status, body=b"{}"), PLACE)


@pytest.mark.parametrize(("code", "error"), [("AccessDenied", TaskGone), ("AuthFail", TrackerRefused)])
def test_otobo_says_no_with_200(code: str, error: type[Exception]) -> None:
    body = json.dumps({"Error": {"ErrorCode": f"TicketGet.{code}", "ErrorMessage": "no"}}).encode()
    with pytest.raises(error, match=code):
        DIALECTS["otobo"].read_reply(Incoming(status=200, body=body), PLACE)


@pytest.mark.parametrize(("event", "priority"), [("TicketPriorityUpdate", Priority.P2), ("TicketQueueUpdate", None)])
def test_in_otobo_the_default_priority_is_chosen_by_whoever_changes_to_it(
    event: str, priority: Priority | None
) -> None:
    ticket = {"TicketID": 7, "Title": "Printer", "Priority": "3 normal"}
    said = DIALECTS["otobo"].decode({}, json.dumps({"Event": event, "Ticket": ticket}).encode(), PLACE)
    assert isinstance(said, Event)
    assert said.tasks[0].standing.priority == priority


def test_in_otobo_a_customer_s_text_is_no_mark_of_ours() -> None:
    article = {"Body": explanation_with_mark(VALUES, "a" * 64), "SenderType": "customer"}
    ticket = {"TicketID": 1, "Title": "Fire", "Priority": "4 high", "Article": [article]}
    forged = json.dumps({"Ticket": [ticket]}).encode()
    assert DIALECTS["otobo"].read_reply(Incoming(status=200, body=forged), PLACE).standing.mark is None
    article["SenderType"] = "agent"
    genuine = json.dumps({"Ticket": [ticket]}).encode()
    assert DIALECTS["otobo"].read_reply(Incoming(status=200, body=genuine), PLACE).standing.mark is not None


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        (["title", "priority"], EventKind.EDITED),
        (["priority", "updated_at"], EventKind.JUDGED),
        (["labels"], EventKind.EDITED),
        (["priority_score", "explanation"], None),
    ],
)
def test_an_update_is_what_its_changed_fields_make_it(changed: list[str], kind: EventKind | None) -> None:
    delivery = {**json.loads(EXAMPLES["tasking-space"]), "type": "task.updated", "changed": changed}
    event = DIALECTS["tasking-space"].decode({}, json.dumps(delivery).encode(), PLACE)
    assert (event.kind if isinstance(event, Event) else None) is kind


@each
def test_no_request_goes_anywhere_but_below_the_base_url(name: str) -> None:
    dialect = DIALECTS[name]
    for task_id in ("7", "a/../b", "?x", "#1"):
        url = dialect.read_request(task_id, PLACE).url
        assert url.startswith("https://tracker.example/")
        assert "/../" not in url
        assert url.count("#") == 0


@given(st.text(max_size=300), st.text(st.characters(categories=["L", "N", "Zs"]), max_size=60).map(str.strip))
def test_a_mark_is_read_as_it_was_left_whatever_stands_before_it(explanation: str, route: str) -> None:
    key = "0123456789abcdef" * 4
    mark = read_mark(explanation_with_mark(replace(VALUES, explanation=explanation, route=route), key))
    assert mark is not None
    assert (mark.decision_id, mark.priority, mark.route, mark.key) == (VALUES.decision_id, "P1", route, mark_key(key))


def test_html_becomes_what_a_person_reads() -> None:
    html = "<style>p {}</style><p>Checkout &amp; cart<br>are <b>down</b></p><!-- <p>no</p> --><script>x<y</script>now"
    assert plain_text(html) == "Checkout & cart\nare down\nnow"


@given(st.text(alphabet="<>!-/pab [&;\n", max_size=200))
def test_no_markup_breaks_the_reader(html: str) -> None:
    assert isinstance(plain_text(html), str)


def test_a_megabyte_of_brackets_is_read_in_a_blink() -> None:
    began_s = time.monotonic()
    for hostile in ("<!--", "<", "<p ", "<![", "</script"):
        plain_text(hostile * (1_000_000 // len(hostile)))
    assert time.monotonic() - began_s < 10.0  # quadratic time takes minutes
