"""Every background loop and one job lane hang for a minute: a webhook is still answered, and others written back."""

from __future__ import annotations

import time
from pathlib import Path

from tests.served import Served, eventually
from tests.stories.desk import PATIENT, Desk
from tests.stories.hanging_node import FILE, HANG_S
from tests.trackers.control import connection, tracker

SLOW = PATIENT.replace("[outbound]", "[outbound]\ntimeout_s = 90")


def _names(sign: Path, what: str) -> set[str]:
    file = sign.with_suffix(what)
    return set(file.read_text().split()) if file.exists() else set()


def test_a_webhook_is_answered_in_two_seconds_with_every_loop_and_one_lane_hung(tmp_path: Path) -> None:
    sign = tmp_path / "hang"
    with tracker("tasking-space") as fake:
        module = "tests.stories.hanging_node"
        node = Served(tmp_path / "node", connection(fake, tmp_path) + SLOW, {FILE: str(sign)}, module=module)
        one = Desk(node, fake)
        try:
            fake.fail("hang", seconds=HANG_S)
            stuck = one.new("This one's lane hangs")
            sign.touch()
            # A loop with a longer period has not come to its next step; those with one of seconds all have.
            assert eventually(lambda: {"supervise", "sense", "jobs"} <= _names(sign, ".hung"), within_s=15)
            number = fake.create("Production database is down", "Nobody can pay.")
            started = time.monotonic()
            answer = one.deliver(number)
            took_s = time.monotonic() - started
            assert (answer.status, took_s < 2) == (202, True), took_s
            assert one.written(number)
            assert fake.writes(stuck) == (0, 0)
        finally:
            sign.unlink(missing_ok=True)
            node.process.kill()
            node.process.wait()
