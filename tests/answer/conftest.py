"""In-memory tiers and a held clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.answer.answerer import Answerer, AnswerLimits
from holdfast.digest import Digest
from holdfast.inference import HeadOutput, InferenceRequest, Serving, Stage, TextOutput
from holdfast.measure import Measures
from holdfast.runtime.engine import Condition, EngineSet, TierUnavailable
from holdfast.runtime.rules_engine import RulesEngine
from holdfast.runtime.rules_table import BUILTIN_TABLE
from holdfast.tier import Reason, Tier

ZERO = Digest("sha256:" + "0" * 64)
STAGES = {Tier.FULL: Stage.ENCODER, Tier.SMALL: Stage.NGRAM}


@dataclass
class HeldClock:
    """Time that moves when a test says so."""

    now_s: float = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_at(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now_s)

    def wall_trusted(self) -> bool:
        return True


@dataclass
class MemoryEngine:
    """A tier that answers, or fails, as told."""

    tier: Tier
    clock: HeldClock
    fails: Reason | None = None
    takes_s: float = 0.0
    state: Condition = field(default_factory=Condition)
    deadlines: list[float] = field(default_factory=list)
    released: int = 0
    variant: str = "memory"
    runtime: str = "memory-1"

    def answer(self, request: InferenceRequest) -> tuple[TextOutput, ...]:
        self.deadlines.append(request.deadline_s - self.clock.now_s)
        self.clock.now_s += self.takes_s
        if self.fails is not None:
            raise TierUnavailable(self.fails)
        head = HeadOutput(probabilities=(0.25, 0.75), stage=STAGES[self.tier])
        return tuple(TextOutput(heads={"priority": head}) for _ in request.texts)

    def condition(self, text_count: int) -> Condition:
        return self.state

    def release(self) -> None:
        self.released += 1


@dataclass
class House:
    """An answerer over two in-memory tiers and the real RULES."""

    clock: HeldClock
    full: MemoryEngine
    small: MemoryEngine
    answerer: Answerer
    engines: EngineSet
    serving: Serving
    measures: Measures

    def ask(self, *texts: str, within_s: float = 1.0):
        request = InferenceRequest(texts=texts or ("help",), deadline_s=self.clock.now_s + within_s)
        return self.answerer.ask(request, self.engines, self.serving)

    def step(self) -> None:
        self.answerer.step([(self.serving, self.engines)])

    def history(self) -> list[tuple[Tier, Tier, Reason]]:
        return [(t.before, t.after, t.reason) for t in self.answerer.drain_transitions()]


@pytest.fixture
def serving() -> Serving:
    return Serving(
        package="triage-en", version="1.0.0", digest=ZERO, unsigned=True, rules_digest=ZERO, settings_generation=1
    )


@pytest.fixture
def make_house(serving: Serving) -> Callable[..., House]:
    def build(**how) -> House:
        clock = HeldClock()
        full, small = MemoryEngine(Tier.FULL, clock), MemoryEngine(Tier.SMALL, clock)
        measures = Measures()
        tiers = {Tier.FULL: full, Tier.SMALL: small, Tier.RULES: RulesEngine(BUILTIN_TABLE)}
        without = how.pop("without", ())
        engines = EngineSet({tier: engine for tier, engine in tiers.items() if tier not in without}, **how)
        answerer = Answerer(clock, measures, AnswerLimits())
        return House(clock, full, small, answerer, engines, serving, measures)

    return build


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()
