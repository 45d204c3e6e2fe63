"""The node dies between a write and noting it, and a person takes the value back before it returns."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from holdfast.apps.triage.dialects import DIALECTS
from tests.served import eventually
from tests.stories.desk import Desk, desk
from tests.trackers.registry import SPEAKERS

NO_MARK = {"github", "gitea", "gitlab", "zammad"}
"""Nothing tells a value that was taken back from one that was never written: docs/howto/pair.md says so."""


def _take_back(one: Desk, number: int) -> None:
    card = one.fake.card(number)
    if card["priority"]:
        one.fake.edit(number, priority=SPEAKERS[one.fake.name].default_priority)
    else:
        one.fake.edit(number, labels=[name for name in card["labels"] if not name.startswith("priority/")])


@pytest.mark.faults
@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"alertmanager"}))
def test_what_a_person_took_back_while_the_node_was_dead_is_as_the_page_on_pairs_says(
    tmp_path: Path, dialect: str
) -> None:
    with desk(tmp_path, dialect) as one:
        one.fake.fail("late", on="write", seconds=4.0)
        number = one.new("Production is down for everybody", "Nobody can pay.")
        assert eventually(lambda: one.fake.writes(number)[1] == 1)
        one.node.stop(signal.SIGKILL)
        _take_back(one, number)
        one.node.start()
        assert one.idle()
        assert bool(one.fake.state()["overruled"]) == (dialect in NO_MARK)
