"""The model worker dies again and again: no request fails, and the full tier is soon back."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.served import Served
from tests.stories.conftest import command, wait_for_tier
from tests.stories.traffic import Traffic


def _workers(node: Served) -> list[int]:
    children = psutil.Process(node.process.pid).children(recursive=True)
    return [child.pid for child in children if "holdfast.runtime.worker" in _command_line(child)]


def _command_line(child: psutil.Process) -> str:
    try:
        return " ".join(child.cmdline())
    except psutil.Error:  # ended since it was listed
        return ""


def _kill_all_workers(node: Served) -> float:
    """SIGKILL every worker; return the seconds until the full tier is ready again."""
    killed = _workers(node)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    while not set(_workers(node)) - set(killed):
        time.sleep(0.005)
    wait_for_tier(node, "full")
    return time.monotonic() - started


def _story(node: Served, *, kills: int, apart_s: float) -> tuple[Traffic, list[float]]:
    traffic = Traffic(node)
    back_s = []
    for _ in range(kills):
        time.sleep(apart_s)
        back_s.append(_kill_all_workers(node))
    time.sleep(apart_s / 2)
    traffic.stop()
    return traffic, back_s


def _decisions(node: Served) -> int:
    done = command(node, "ledger", "verify", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    found = 0
    cursor = ""
    while True:
        page = node.ask("GET", f"/v1/triage/decisions?limit=200{cursor}").json()
        found += len(page["decisions"])
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_two_kills_cost_no_request_and_every_answer_is_in_the_ledger_once(full_node: Served) -> None:
    traffic, back_s = _story(full_node, kills=2, apart_s=2.0)
    assert traffic.failures == []
    assert max(back_s) <= 2.0
    assert _decisions(full_node) == len(traffic.answers)


@pytest.mark.faults
def test_twenty_kills_eight_seconds_apart_leave_most_answers_full(full_node: Served) -> None:
    traffic, back_s = _story(full_node, kills=20, apart_s=8.0)
    assert traffic.failures == []
    assert max(back_s) <= 2.0
    assert traffic.share_of("full") >= 0.85
    assert _decisions(full_node) == len(traffic.answers)
