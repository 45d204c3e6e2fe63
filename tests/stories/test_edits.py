"""A task that is edited again and again, and delivered out of order: the latest judgement is the one that stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stories.desk import Desk, desk

TITLES = ("Printer is out of toner", "Production is down for everybody, data loss", "Please order a new laptop")
WORDS = {"Highest": "P0", "High": "P1", "Medium": "P2", "Low": "P3"}


def _stands(one: Desk, number: int) -> str:
    card = one.fake.card(number)
    labels = [name.removeprefix("priority/") for name in card["labels"] if name.startswith("priority/")]
    return WORDS.get(card["priority"], card["priority"]) or ", ".join(labels)


def _latest(one: Desk) -> str:
    return str(one.node.ask("GET", "/v1/triage/decisions?limit=1").json()["decisions"][0]["decision"]["priority"])


@pytest.mark.parametrize("dialect", ["tasking-space", "github", "jira"])
def test_after_thirty_edits_at_once_the_latest_decision_stands_in_the_tracker(tmp_path: Path, dialect: str) -> None:
    with desk(tmp_path, dialect) as one:
        number = one.new("Cannot log in")
        deliveries = []
        for i in range(30):
            one.fake.edit(number, title=f"{TITLES[i % 3]} {i}")
            deliveries.append(one.fake.delivery(number))
        with ThreadPoolExecutor(6) as pool:
            assert {answer.status for answer in pool.map(lambda each: each.to(one.node), deliveries)} <= {200, 202}
        assert one.idle()
        assert _stands(one, number) == _latest(one)
        assert one.fake.state()["overruled"] == []


@pytest.mark.parametrize("dialect", ["tasking-space", "github", "jira"])
def test_one_delivery_sent_twenty_times_at_once_is_one_decision_and_one_write(tmp_path: Path, dialect: str) -> None:
    with desk(tmp_path, dialect) as one:
        delivery = one.fake.delivery(one.fake.create("Cannot log in"))
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: delivery.to(one.node), range(20)))
        assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
        assert len({answer.json()["decision_id"] for answer in answers}) == 1
        assert one.written(delivery.number)
        assert one.idle()
        assert one.fake.writes(delivery.number) == (1, 1)
