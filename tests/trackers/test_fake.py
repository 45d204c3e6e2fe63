"""The fake tracker itself: what it counts, whom it protects, how it misbehaves."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.trackers.board import ACCOUNT, Board
from tests.trackers.control import FakeTracker, tracker
from tests.trackers.faults import Fault, Faults
from tests.trackers.registry import SPEAKERS
from tests.trackers.speakers.speaker import TOKEN


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeTracker]:
    with tracker("tasking-space") as one:
        yield one


def _call(fake: FakeTracker, method: str, path: str, value: Any = None, **headers: str) -> tuple[int, Any]:
    connected = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=5)
    given = {"Authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    try:
        connected.request(method, f"/api{path}", json.dumps(value) if value is not None else None, given)
        response = connected.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connected.close()


def test_a_write_that_changes_nothing_is_raw_but_not_effective(fake: FakeTracker) -> None:
    number = fake.create("Server down")
    for _ in range(2):
        _call(fake, "PATCH", f"/tasks/TS-{number}", {"priority": "P1"})
    assert fake.writes(number) == (2, 1)


def test_a_known_idempotency_key_is_answered_without_a_second_write(fake: FakeTracker) -> None:
    number = fake.create("Server down")
    first = _call(fake, "PATCH", f"/tasks/TS-{number}", {"priority": "P1"}, Idempotency_Key="k1")
    fake.edit(number, priority="P3")
    assert _call(fake, "PATCH", f"/tasks/TS-{number}", {"priority": "P1"}, Idempotency_Key="k1") == first
    assert fake.card(number)["priority"] == "P3"


def test_if_match_with_an_old_version_is_refused(fake: FakeTracker) -> None:
    number = fake.create("Server down")
    fake.meanwhile(number, priority="P0")
    status, _ = _call(fake, "PATCH", f"/tasks/TS-{number}", {"priority": "P3"}, If_Match='"1"')
    assert (status, fake.card(number)["priority"]) == (412, "P0")


def test_overruling_a_person_is_seen() -> None:
    board = Board()
    number = board.create("Server down", labels=["hardware"]).number
    board.edit(number, "emily", {"priority": "P0"})
    board.edit(number, ACCOUNT, {"priority": "P3", "labels": []})
    assert {one["field"] for one in board.overruled} == {"priority", "labels"}


def test_applied_then_cut_changes_the_task_and_answers_nothing(fake: FakeTracker) -> None:
    number = fake.create("Server down")
    fake.fail("cut", on="write")
    with pytest.raises((http.client.HTTPException, OSError)):
        _call(fake, "PATCH", f"/tasks/TS-{number}", {"priority": "P1"})
    assert fake.writes(number) == (1, 1)


def test_chance_faults_are_the_same_for_the_same_seed() -> None:
    def play() -> list[str | None]:
        faults = Faults()
        faults.chances(0.3, seed=5, kinds=["500", "cut"])
        return [fault.kind if (fault := faults.next("write")) else None for _ in range(50)]

    assert play() == play()
    assert 5 <= sum(kind is not None for kind in play()) <= 25


def test_a_planned_fault_hits_as_often_as_told() -> None:
    faults = Faults()
    faults.planned = [Fault("500", on="write", times=2)]
    seen = [faults.next("read"), faults.next("write"), faults.next("write"), faults.next("write")]
    assert [one.kind if one else "" for one in seen] == ["", "500", "500", ""]


@pytest.mark.parametrize("name", sorted(set(SPEAKERS) - {"alertmanager"}))
def test_every_tracker_refuses_a_wrong_token(name: str) -> None:
    with tracker(name) as one:
        connected = http.client.HTTPConnection("127.0.0.1", one.port, timeout=5)
        path = SPEAKERS[name].prefix + {"otobo": "/Ticket"}.get(name, "/tasks")
        connected.request("GET", path, headers={"User-Agent": "test", "Authorization": "Bearer wrong"})
        response = connected.getresponse()
        content = response.read()
        connected.close()
        assert response.status in {401, 403} or b"AuthFail" in content


def test_a_write_that_was_cut_inside_its_body_changes_nothing(fake: FakeTracker) -> None:
    number, before = fake.create("Server down"), fake.state()["calls"]["write"]
    with socket.create_connection(("127.0.0.1", fake.port), timeout=5) as client:
        head = f"PATCH /api/tasks/TS-{number} HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer {TOKEN}\r\n"
        client.sendall(head.encode() + b"Idempotency-Key: k2\r\nContent-Length: 30\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert fake.state()["calls"]["write"] == before
