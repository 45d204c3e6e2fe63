"""A node's answering half under load: real workers, real signals, many callers who each want one answer in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from holdfast.answer.answerer import Answerer, AnswerLimits
from holdfast.inference import InferenceRequest, ServedBy
from holdfast.measure import Measures
from holdfast.runtime.engine import EngineSet
from holdfast.runtime.full_engine import FullEngine, FullLimits
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.runtime.pool import WorkerPool
from holdfast.runtime.rules_engine import RulesEngine, rules_heads
from holdfast.runtime.rules_table import BUILTIN_TABLE
from holdfast.tier import Reason, Tier, Transition
from tests.runtime import tiny
from tests.runtime.tiny import clock, until

DEADLINE_S = 1.0


@dataclass
class Taken:
    """One request: who answered it, and how long it took."""

    at_s: float
    took_s: float
    served_by: ServedBy | None
    error: BaseException | None = None


@dataclass
class House:
    """An answerer over real engines, and everything that was asked."""

    answerer: Answerer
    engines: EngineSet
    pool: WorkerPool
    measures: Measures
    taken: list[Taken] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)

    def ask(self, *texts: str, within_s: float = DEADLINE_S) -> ServedBy:
        request = InferenceRequest(texts=texts, deadline_s=clock.monotonic_s() + within_s)
        return self.answerer.ask(request, self.engines, tiny.serving()).served_by

    def take(self, text: str) -> None:
        started_s = time.monotonic()
        served_by = error = None
        try:
            served_by = self.ask(text)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it is what the test counts
            error = raised
        self.taken.append(Taken(started_s, time.monotonic() - started_s, served_by, error))

    def step(self) -> None:
        self.pool.step(clock.monotonic_s())
        self.answerer.step([(tiny.serving(), self.engines)])
        self.transitions += self.answerer.drain_transitions()

    def tiers(self, since_s: float = 0.0) -> dict[Tier, int]:
        found = [taken.served_by.tier for taken in self.taken if taken.served_by and taken.at_s >= since_s]
        return {tier: found.count(tier) for tier in Tier if tier in found}

    def failed(self) -> list[Taken]:
        return [taken for taken in self.taken if taken.error is not None]

    def slowest_s(self) -> float:
        return max(taken.took_s for taken in self.taken)

    def reasons(self) -> set[Reason]:
        return {transition.reason for transition in self.transitions}

    def until_full(self, timeout_s: float = 15.0) -> float:
        """Wait until the full tier answers; how long that took."""
        started_s = time.monotonic()
        until(lambda: self.ask("hello").tier is Tier.FULL, timeout_s)
        return time.monotonic() - started_s


@contextmanager
def answering(*, cascade: bool = False, **limits) -> Iterator[House]:
    """The answering half of a node, stepped by a loop of its own."""
    manifest, files, measures = tiny.manifest(), tiny.files(), Measures()
    with tiny.supervised(**limits) as supervised:
        full = FullEngine(
            manifest, files, supervised.pool, limits=FullLimits(cascade=cascade, cached_answers=0), measures=measures
        )
        small, rules = LinearEngine(manifest, files), RulesEngine(BUILTIN_TABLE, rules_heads(manifest.heads))
        engines = EngineSet({Tier.FULL: full, Tier.SMALL: small, Tier.RULES: rules})
        house = House(Answerer(clock, measures, AnswerLimits()), engines, supervised.pool, measures)
        with _repeating(house.step, every_s=0.02):
            house.until_full()
            until(lambda: house.answerer.best_tier("tiny") is Tier.FULL)  # the history has seen it too
            yield house


@contextmanager
def under_load(house: House, *, callers: int = 4, text: str = "server down", every_s: float = 0.004) -> Iterator[None]:
    """Callers who ask again and again until the block ends; every one of them is answered."""
    house.taken.clear()
    over = threading.Event()

    def call() -> None:
        while not over.wait(every_s):
            house.take(text)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def _repeating(step, *, every_s: float) -> Iterator[None]:
    over = threading.Event()

    def loop() -> None:
        while not over.wait(every_s):
            step()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
