"""Every background loop and one job lane hang for a minute: a webhook is still answered, and others written back."""

from __future__ import annotations

import time
from pathlib import Path

from tests.served import Served, eventually
from tests.stories.desk import PATIENT, Desk
from tests.stories.hanging_node import FILE, HANG_S, LOG
from tests.trackers.control import connection, tracker

SLOW = PATIENT.replace("[outbound]", "[outbound]\ntimeout_s = 90")


def _names(sign: Path, what: str) -> set[str]:
    file = sign.with_suffix(what)
    return set(file.read_text().split()) if file.exists() else set()


def _hang_all(desk: Desk, sign: Path) -> None:
    """The log first, then every loop; each says so itself. The ledger's anchor comes to it with the next entry."""
    for one in (sign.with_name(LOG), sign):
        one.touch()
        desk.new("Cannot log in")
        hangs = eventually(lambda one=one: _names(one, ".hung") == _names(one, ".loops"), within_s=10)
        assert hangs, _names(one, ".loops") - _names(one, ".hung")


def test_a_webhook_is_answered_in_two_seconds_with_every_loop_and_one_lane_hung(tmp_path: Path) -> None:
    sign = tmp_path / "hang"
    with tracker("tasking-space") as fake:
        module = "tests.stories.hanging_node"
        node = Served(tmp_path / "node", connection(fake, tmp_path) + SLOW, {FILE: str(sign)}, module=module)
        one = Desk(node, fake)
        try:
            fake.fail("hang", on="write", seconds=HANG_S)
            stuck = one.new("This one's lane hangs")
            assert eventually(lambda: fake.state()["faults"] == {"hang": 1})
            _hang_all(one, sign)
            number = fake.create("Production database is down", "Nobody can pay.")
            started = time.monotonic()
            answer = one.deliver(number)
            took_s = time.monotonic() - started
            assert (answer.status, took_s < 2) == (202, True), took_s
            assert one.written(number)
            assert fake.writes(stuck) == (0, 0)
        finally:
            node.process.kill()
            node.process.wait()
