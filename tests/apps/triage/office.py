"""A triage app over a real ledger, a real answerer, the real RULES, and one small tier that says what a test wants."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.answer.answerer import Answerer, AnswerLimits
from holdfast.apps.triage.app import Call, Scored, TriageApp
from holdfast.apps.triage.scoring import Lens, Policy, read_lens
from holdfast.apps.triage.ticket import Ticket
from holdfast.digest import Digest
from holdfast.inference import Domain, HeadOutput, InferenceRequest, Serving, Stage, TextOutput
from holdfast.measure import Measures
from holdfast.runtime.engine import Condition, EngineSet
from holdfast.runtime.rules_engine import RulesEngine
from holdfast.runtime.rules_table import BUILTIN_TABLE
from holdfast.tier import Tier
from tests.apps.triage.examples import PRIORITY, ROUTE
from tests.ledger.desk import Desk, open_desk_at

DIGEST = Digest("sha256:" + "1" * 64)


@dataclass
class SmallTier:
    """Says how urgent a text is from its length, the same on every call; `shift` makes it another machine."""

    tier: Tier = Tier.SMALL
    variant: str = "ngram"
    runtime: str = "numpy/test"
    calls: int = 0
    shift: float = 0.0
    domain: Domain = Domain.IN
    texts: list[str] = field(default_factory=list)

    def answer(self, request: InferenceRequest) -> tuple[TextOutput, ...]:
        self.calls += 1
        self.texts += request.texts
        return tuple(self._judge(text) for text in request.texts)

    def _judge(self, text: str) -> TextOutput:
        critical = min(0.9, len(text) / 100 + self.shift)
        severity = HeadOutput(probabilities=(1 - critical, 0.0, critical), stage=Stage.NGRAM, domain=self.domain)
        team = HeadOutput(probabilities=(0.2, 0.8), stage=Stage.NGRAM, domain=self.domain)
        return TextOutput(heads={"severity": severity, "team": team})

    def condition(self, text_count: int) -> Condition:
        return Condition()

    def release(self) -> None: ...


@dataclass
class View:
    """What the node shows one request."""

    serving: Serving
    engines: EngineSet
    lens: Lens
    policy: Policy
    team: str = ""
    arm: str = ""


@dataclass
class Office:
    """Everything the app needs, and the app."""

    desk: Desk
    small: SmallTier
    view: View
    app: TriageApp

    def call(self, **how) -> Call:
        now_s = self.desk.clock.monotonic_s()
        return Call(deadline_s=now_s + 1.0, started_s=now_s, request_id="req-1", **how)

    def score(self, text: str = "Printer out of toner", *, task: str = "T-1", key: str | None = None, **more) -> Scored:
        return self.app.score(Ticket(id=task, title=text, **more), self.view, self.call(idempotency_key=key))


def open_office(directory: Path, policy: Policy, **how) -> Office:
    """Build an office on `directory`."""
    desk = open_desk_at(directory, **how)
    small = SmallTier()
    heads = (PRIORITY, ROUTE)
    engines = EngineSet({Tier.SMALL: small, Tier.RULES: RulesEngine(BUILTIN_TABLE, heads)}, configured=Tier.SMALL)
    serving = Serving(
        package="triage-en",
        version="1.0.0",
        digest=DIGEST,
        unsigned=True,
        rules_digest=policy.rules.digest,
        settings_generation=3,
    )
    view = View(serving, engines, read_lens(heads), policy)
    app = TriageApp(
        Answerer(desk.clock, Measures(), AnswerLimits()), desk.journal, clock=desk.clock, rng=random.Random(5)
    )
    return Office(desk, small, view, app)
