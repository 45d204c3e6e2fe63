"""A node in this process, without sockets: what goes wrong in one part of a loop skips none of the others."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.database import DatabaseBusy
from holdfast.node.active import builtin_loadout
from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.settings.loading import Loaded
from holdfast.settings.tree import Settings
from holdfast.tier import Reason, Tier, Transition
from tests.served import eventually

TRANSITION = Transition(
    package="p", before=Tier.FULL, after=Tier.RULES, reason=Reason.CRASHED, at="2026-11-21T00:00:00Z"
)


class FakePool:
    """Workers that count what is done with them."""

    def __init__(self, *, depth: int = 0, broken: bool = False) -> None:
        self.depth, self.broken = depth, broken
        self.ready, self.closed = True, False
        self.steps = 0

    def step(self, _now_s: float) -> None:
        self.steps += 1
        if self.broken:
            raise ValueError("35 is not a valid Signals")

    def events(self) -> tuple[()]:
        return ()

    def findings(self) -> tuple[()]:
        return ()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    loaded = Loaded(settings=Settings(), files=(), origins={})
    node = Node(loaded, tmp_path / "data", log=Log(io.StringIO()), reread=lambda: loaded)
    yield node
    node.stop()


def failing(*_: object) -> None:
    raise KeyError("broken")


def test_a_pool_that_fails_skips_neither_the_others_nor_what_comes_after(node: Node, monkeypatch) -> None:
    broken, sound, retired = FakePool(broken=True), FakePool(), FakePool()
    node._pools = [broken, sound, retired]
    node._retired = [(time.monotonic() - 3.0, retired)]
    monkeypatch.setattr(node.answerer, "step", failing)
    monkeypatch.setattr(node.answerer, "drain_transitions", lambda: (TRANSITION,))
    node._supervise()
    assert (broken.steps, sound.steps) == (1, 1)
    assert retired.closed
    assert node.measures.numbers()["swallowed_errors_total"]["supervise",] == 2.0
    assert eventually(lambda: node.state.facts.transitions() == [TRANSITION])


def test_a_retired_pool_nobody_leases_is_closed_two_seconds_after_the_swap(node: Node) -> None:
    fresh, old, busy = FakePool(), FakePool(), FakePool(depth=1)
    node._pools = [fresh, old, busy]
    now_s = time.monotonic()
    node._retired = [(now_s, fresh), (now_s - 2.1, old), (now_s - 2.1, busy)]
    node._supervise()
    assert [fresh.closed, old.closed, busy.closed] == [False, True, False]


def test_transitions_the_disk_refused_are_written_later(node: Node, monkeypatch) -> None:
    submit, refusals = node.state.database.submit, [DatabaseBusy("full"), DatabaseBusy("full")]

    def sometimes(unit):
        if refusals:
            raise refusals.pop()
        return submit(unit if node._transitions._next_s else failing)

    monkeypatch.setattr(node.state.database, "submit", sometimes)
    node._transitions.add(TRANSITION)
    at_s = 100.0
    node._transitions.step(at_s)
    assert (len(refusals), node._transitions.kept_back) == (1, 1)
    while node._transitions.kept_back:
        at_s += 2.0
        node._transitions.step(at_s)
        time.sleep(0.01)
    assert node.state.facts.transitions() == [TRANSITION]


def test_a_transition_whose_commit_failed_is_sent_again(node: Node, monkeypatch) -> None:
    submit, units = node.state.database.submit, []

    def once_broken(unit):
        units.append(unit)
        return submit(failing if len(units) == 1 else unit)

    monkeypatch.setattr(node.state.database, "submit", once_broken)
    node._transitions.add(TRANSITION)
    at_s = 100.0
    while node._transitions.kept_back:
        node._transitions.step(at_s)
        at_s += 2.0
        time.sleep(0.01)
    assert len(units) == 2
    assert node.state.facts.transitions() == [TRANSITION]


def test_whatever_a_package_raises_at_start_rules_answers_and_the_load_is_tried_again(node: Node, monkeypatch) -> None:
    loads: list[float] = []

    def load():
        loads.append(time.monotonic())
        if len(loads) == 1:
            raise RuntimeError("a graph nobody has seen")
        return builtin_loadout(Reason.NO_PACKAGE)

    monkeypatch.setattr(node, "_loadout", load)
    thread = threading.Thread(target=node._load_at_start)
    thread.start()
    assert eventually(node.findings)
    assert node.active.loadout.absent[Tier.SMALL] is Reason.UNVERIFIED
    assert [finding.name for finding in node.senses.findings()].count("package-not-served") == 1
    thread.join(5.0)
    assert len(loads) == 2
    assert not node.findings()


def test_refreshes_follow_one_another_so_that_the_last_serves_what_the_store_says(node: Node, monkeypatch) -> None:
    inside, most = [0], [0]

    def load():
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        inside[0] -= 1
        return builtin_loadout(Reason.NO_PACKAGE)

    monkeypatch.setattr(node, "_loadout", load)
    threads = [threading.Thread(target=node.refresh) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_sense_that_fails_skips_none_of_the_others(node: Node, monkeypatch) -> None:
    flushed: list[bool] = []
    senses = node.senses
    senses._parts = tuple((name, failing if name == "rules" else part) for name, part in senses._parts)
    senses._parts += (("last", lambda: flushed.append(True)),)
    senses.step()
    senses.step()
    assert flushed == [True, True]
    assert senses.resident_bytes > 0
    assert node.measures.numbers()["swallowed_errors_total"]["sense",] == 2.0
