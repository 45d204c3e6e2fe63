"""A storm of webhooks, a tracker that fails, a node that is killed: exactly one effective write per task."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from holdfast.apps.triage.dialects import DIALECTS
from tests.stories.desk import Storm, desk, settled, tally

TEXTS = ("Production database is down", "Printer is out of toner", "Cannot log in", "Please order a new laptop")


def _storm(
    directory: Path, *, tasks: int, kills: int, idempotent: str, dialect: str = "tasking-space"
) -> dict[str, Any]:
    with desk(directory, dialect, "--idempotent", idempotent) as one:
        made = [{"title": f"{TEXTS[i % len(TEXTS)]} {i}", "description": f"Report {i}"} for i in range(tasks)]
        numbers = one.fake.create_many(made)
        one.fake.fail_by_chance(0.3, seed=7)
        storm = Storm(one, one.fake.deliveries(numbers), random.Random(3))
        storm.run(callers=8, kills=kills)
        settled(one.fake, tasks, within_s=60 + tasks / 10)
        assert one.idle(within_s=60)
        state, slowest_s = one.fake.state(), max(sent.took_s for sent in storm.taken)
        attempts = sum(sent.attempts for sent in storm.taken)
        print(tally(state), f"deliveries {attempts}, slowest {slowest_s:.2f} s, dead {one.queue()['dead']}")  # noqa: T201
        assert slowest_s < 2
        return state


def _each_once(state: dict[str, Any], tasks: int) -> bool:
    counts = state["effective_writes"]
    return len(counts) == tasks and set(counts.values()) == {1}


@pytest.mark.parametrize("idempotent", ["yes", "no"])
def test_a_hundred_and_fifty_webhooks_and_two_kills_write_each_task_once(tmp_path: Path, idempotent: str) -> None:
    state = _storm(tmp_path, tasks=150, kills=2, idempotent=idempotent)
    assert _each_once(state, 150)
    assert state["overruled"] == []


@pytest.mark.faults
@pytest.mark.parametrize("idempotent", ["yes", "no"])
def test_ten_thousand_webhooks_and_twenty_kills_write_each_task_once(tmp_path: Path, idempotent: str) -> None:
    state = _storm(tmp_path, tasks=10_000, kills=20, idempotent=idempotent)
    assert _each_once(state, 10_000)
    assert state["overruled"] == []
    assert sum(state["faults"].values()) > 1000


@pytest.mark.faults
@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"alertmanager", "tasking-space"}))
def test_on_every_tracker_five_hundred_webhooks_and_six_kills_write_each_task_once(
    tmp_path: Path, dialect: str
) -> None:
    """Most of them have neither idempotency keys nor conditional writes: reading before writing must do."""
    state = _storm(tmp_path, tasks=500, kills=6, idempotent="own", dialect=dialect)
    assert _each_once(state, 500)
    assert state["overruled"] == []
