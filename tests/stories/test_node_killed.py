"""SIGKILL of the node under load: what was answered is in the ledger, and the chain holds."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.served import Served, Start
from tests.stories.conftest import command
from tests.stories.traffic import Traffic


def _kill_under_load(node: Served, rng: random.Random) -> list[str]:
    traffic = Traffic(node, callers=4, pause_s=0.0)
    time.sleep(rng.uniform(0.15, 0.5))
    node.stop(signal.SIGKILL)
    traffic.stop()
    return [reply["decision_id"] for reply in traffic.answers.values()]


def _story(node: Served, *, kills: int) -> list[str]:
    rng = random.Random(11)
    answered: list[str] = []
    for _ in range(kills):
        answered += _kill_under_load(node, rng)
        node.start()
    assert len(answered) > 10 * kills
    return [one for one in answered if node.ask("GET", f"/v1/triage/decisions/{one}").status != 200]


def test_four_kills_lose_no_answered_decision(start: Start) -> None:
    node = start()
    assert _story(node, kills=4) == []
    assert command(node, "ledger", "verify").returncode == 0


@pytest.mark.faults
def test_fifty_kills_lose_no_answered_decision(start: Start) -> None:
    node = start()
    assert _story(node, kills=50) == []
    assert command(node, "ledger", "verify").returncode == 0


def _commands_under_load(node: Served, count: int) -> tuple[Traffic, list[int]]:
    traffic = Traffic(node, callers=2)
    ticket = node.directory / "ticket.json"
    ticket.write_text('{"id": "C-1", "title": "Printer", "description": "out of toner"}')
    score, erase = ("triage", "score", "--ticket", str(ticket)), ("ledger", "erase", "--task", "C-2", "--yes")
    verbs = [score, ("config", "reload"), erase]
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: command(node, *verbs[i % len(verbs)]).returncode, range(count)))
    traffic.stop()
    return traffic, codes


def test_commands_that_change_state_at_once_are_all_done(start: Start) -> None:
    node = start()
    traffic, codes = _commands_under_load(node, 9)
    assert (codes, traffic.failures) == ([0] * 9, [])
    assert command(node, "ledger", "verify").returncode == 0


@pytest.mark.faults
def test_fifty_commands_that_change_state_at_once_are_all_done(start: Start) -> None:
    node = start()
    traffic, codes = _commands_under_load(node, 50)
    assert (codes, traffic.failures) == ([0] * 50, [])
    assert command(node, "ledger", "verify").returncode == 0
