"""People first: what somebody chose in the tracker is never overwritten, and is kept as an override."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.served import eventually
from tests.stories.desk import Desk, desk

EACH_WAY = pytest.mark.parametrize("idempotent", ["yes", "no"])


def _overrides(one: Desk, number: int) -> list[dict[str, object]]:
    found = one.node.ask("GET", f"/v1/triage/decisions?task_id=TS-{number}").json()["decisions"]
    return [one["decision"]["override"] for one in found if one["decision"].get("override")]


@EACH_WAY
def test_a_signed_webhook_is_written_back_once_and_its_redelivery_replayed(tmp_path: Path, idempotent: str) -> None:
    with desk(tmp_path, "tasking-space", "--idempotent", idempotent) as one:
        delivery = one.fake.delivery(one.fake.create("Production database is down", "Nobody can pay."))
        first = delivery.to(one.node)
        assert (first.status, one.written(delivery.number)) == (202, True)
        again = delivery.to(one.node)
        assert (again.status, again.headers["holdfast-replay"]) == (200, "true")
        assert again.json()["decision_id"] == first.json()["decision_id"]
        assert one.idle()
        assert one.fake.writes(delivery.number) == (1, 1)


@EACH_WAY
def test_a_priority_that_a_person_chose_before_the_write_stays(tmp_path: Path, idempotent: str) -> None:
    with desk(tmp_path, "tasking-space", "--idempotent", idempotent) as one:
        one.fake.fail("503", on="read", times=3)
        number = one.new("Printer is out of toner", "Third floor.")
        one.fake.edit(number, by="emily", priority="P0")
        assert one.idle()
        assert one.fake.card(number)["priority"] == "P0"
        assert one.fake.state()["overruled"] == []


@EACH_WAY
def test_a_priority_that_a_person_chose_between_read_and_write_stays(tmp_path: Path, idempotent: str) -> None:
    with desk(tmp_path, "tasking-space", "--idempotent", idempotent) as one:
        number = one.fake.create("Printer is out of toner", "Third floor.")
        one.fake.meanwhile(number, by="emily", priority="P0")
        one.deliver(number)
        assert eventually(lambda: one.fake.card(number)["priority"] == "P0")
        assert one.idle()
        assert (one.fake.card(number)["priority"], one.fake.state()["overruled"]) == ("P0", [])


def test_a_later_change_by_a_person_is_recorded_as_an_override_with_who(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        number = one.new("Printer is out of toner", "Third floor.")
        assert one.written(number)
        one.fake.edit(number, by="emily", priority="P0")
        assert one.deliver(number).status == 200
        override = _overrides(one, number)[0]
        assert (override["priority"], override["by"]) == ("P0", "emily")


def test_after_a_person_chose_an_edit_of_the_text_writes_nothing(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        number = one.new("Printer is out of toner", "Third floor.")
        assert one.written(number)
        one.fake.edit(number, by="emily", priority="P0")
        one.deliver(number)
        one.fake.edit(number, by="emily", title="Every printer is out of toner, production stands still")
        one.deliver(number)
        assert one.idle()
        assert (one.fake.card(number)["priority"], one.fake.writes(number)) == ("P0", (1, 1))


def test_the_node_s_own_write_is_no_new_task_to_it(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        one.fake.send_to(f"http://127.0.0.1:{one.node.port}/v1/hooks/desk")
        number = one.fake.create("Production database is down", "Nobody can pay.")
        assert one.written(number)
        assert eventually(lambda: len(one.fake.state()["sent"]) == 2)
        own = one.fake.state()["sent"][1]
        assert (own["by"], own["status"], "ignored" in own["answer"]) == ("holdfast-bot", 200, True)
        assert one.idle()
        assert one.fake.writes(number) == (1, 1)


def test_in_shadow_mode_nothing_is_written(tmp_path: Path) -> None:
    with desk(tmp_path, mode="shadow") as one:
        number = one.new()
        assert one.idle()
        assert one.fake.state()["calls"] == {"read": 0, "write": 0}
        found = one.node.ask("GET", f"/v1/triage/decisions?task_id=TS-{number}").json()["decisions"]
        assert len(found) == 1
