"""Priority and route as labels: what is written is read back, and what others put there stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Place
from holdfast.apps.triage.dialects import labels
from holdfast.apps.triage.task import Task, Values

ROUTES = {"network": "team/network", "hardware": "team/hardware"}
WORDS = {Priority.P0: "critical", Priority.P1: "high"}
PLACES = st.builds(
    Place,
    base_url=st.just("https://x.example"),
    priorities=st.sampled_from([{}, WORDS]),
    label_prefix=st.sampled_from(["priority/", "prio:"]),
    routes=st.sampled_from([{}, ROUTES]),
)
LABELS = st.lists(
    st.sampled_from(["bug", "priority/P0", "priority/P3", "prio:high", "team/network", "priority/", "x,y"]), unique=True
)


def _values(priority: Priority, route: str) -> Values:
    return Values(decision_id="dec_1", score=50.0, priority=priority, route=route, reason="", explanation="")


def _after(present: list[str], values: Values, place: Place) -> list[str]:
    task = Task(id="a/b#1", title="", standing=labels.standing(present, place))
    change = labels.change(task, values, place)
    return [one for one in present if one not in change.remove] + list(change.add)


@given(place=PLACES, present=LABELS, priority=st.sampled_from(Priority), data=st.data())
def test_what_is_written_is_read_back(
    place: Place, present: list[str], priority: Priority, data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(["", *place.routes.values()]))
    standing = labels.standing(_after(present, _values(priority, route), place), place)
    assert standing.priority == priority
    assert not route or standing.route == route


@given(place=PLACES, present=LABELS, priority=st.sampled_from(Priority))
def test_a_label_that_says_neither_priority_nor_route_stays(
    place: Place, present: list[str], priority: Priority
) -> None:
    after = _after(present, _values(priority, ""), place)
    assert labels.metadata_labels(after, place) == labels.metadata_labels(present, place)


@given(place=PLACES, present=LABELS, priority=st.sampled_from(Priority))
def test_writing_the_same_again_changes_nothing(place: Place, present: list[str], priority: Priority) -> None:
    values = _values(priority, "")
    once = _after(present, values, place)
    assert _after(once, values, place) == once


def test_of_two_priorities_the_one_just_put_there_counts() -> None:
    place = Place(base_url="")
    both = ["priority/P1", "priority/P3"]
    assert labels.standing(both, place).priority == Priority.P1
    assert labels.standing(both, place, latest="priority/P3").priority == Priority.P3


def test_a_priority_in_a_word_nobody_told_us_is_shown_but_means_nothing_to_us() -> None:
    standing = labels.standing(["priority/someday"], Place(base_url=""))
    assert (standing.priority, standing.raw_priority, standing.foreign) == (None, "someday", True)
    assert not labels.standing(["priority/someday"], Place(base_url="", unset=frozenset({"someday"}))).foreign


def test_the_label_of_a_former_route_goes() -> None:
    values = Values(
        decision_id="dec_1", score=1.0, priority=Priority.P2, route="new", reason="", explanation="", former_route="old"
    )
    assert _after(["old", "bug"], values, Place(base_url="")) == ["bug", "priority/P2", "new"]
