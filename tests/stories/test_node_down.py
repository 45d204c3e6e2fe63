"""The node was down: when it is back it asks what it missed, and scores that once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from holdfast.apps.triage.dialects import DIALECTS
from tests.served import eventually
from tests.stories.desk import Desk, desk, settled

PROJECTS = {"github": "acme/shop", "gitea": "acme/shop", "gitlab": "acme/shop", "jira": "SHOP"}


def _missed(one: Desk, count: int) -> list[int]:
    """Tasks made while the node is down; no delivery of them ever comes."""
    return one.fake.create_many([{"title": f"Cannot log in {i}", "description": "since noon"} for i in range(count)])


def _missed_once(directory: Path, dialect: str) -> bool:
    with desk(directory, dialect, project=PROJECTS.get(dialect, "")) as one:
        seen = one.new()
        assert one.written(seen)
        one.node.stop(signal.SIGKILL)
        missed = _missed(one, 5)
        one.node.start()
        state = settled(one.fake, 6, within_s=20)
        return state["effective_writes"] == {str(number): 1 for number in [seen, *missed]}


@pytest.mark.parametrize("dialect", ["tasking-space", "gitea", "otobo"])
def test_what_came_while_the_node_was_down_is_scored_once(tmp_path: Path, dialect: str) -> None:
    """One that lists by change, one that lists the newest first, one that lists nothing but ids."""
    assert _missed_once(tmp_path, dialect)


@pytest.mark.faults
@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"alertmanager", "tasking-space", "gitea", "otobo"}))
def test_on_every_other_tracker_what_came_while_the_node_was_down_is_scored_once(tmp_path: Path, dialect: str) -> None:
    assert _missed_once(tmp_path, dialect)


def test_a_second_start_asks_again_and_finds_nothing_new(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        one.written(one.new())
        one.node.stop()
        _missed(one, 120)
        one.node.start()
        # The tracker numbers its pages, and what is written moves to the end: nobody may slip over an edge.
        assert len(settled(one.fake, 121, within_s=30)["effective_writes"]) == 121
        listed = one.fake.state()["calls"]["read"]
        one.node.stop()
        one.node.start()
        assert eventually(lambda: one.fake.state()["calls"]["read"] > listed)
        assert one.idle()
        assert set(one.fake.state()["effective_writes"].values()) == {1}


def test_a_missed_task_that_a_person_has_judged_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        one.written(one.new())
        one.node.stop()
        number = one.fake.create("Printer is out of toner")
        one.fake.edit(number, by="emily", priority="P0")
        one.node.start()
        assert eventually(lambda: one.fake.state()["calls"]["read"] > 2)
        assert one.idle()
        assert (one.fake.card(number)["priority"], one.fake.state()["overruled"]) == ("P0", [])


def test_a_late_redelivery_of_what_was_backfilled_is_no_second_write(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        one.written(one.new())
        one.node.stop()
        number = _missed(one, 1)[0]
        one.node.start()
        assert one.written(number)
        assert one.deliver(number).status == 200
        assert one.idle()
        assert one.fake.writes(number)[1] == 1
