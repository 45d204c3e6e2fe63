"""The answerer: asks the tiers of a route in turn until one answers; RULES always does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from holdfast.answer.history import TierHistory
from holdfast.answer.pressure import Pressure, PressureLimits, advance
from holdfast.answer.router import Standing, attempt_s, route
from holdfast.clock import Clock
from holdfast.finding import Finding, Severity
from holdfast.inference import Answer, Attempt, Domain, InferenceRequest, Outcome, ServedBy, Serving, Stage, TextOutput
from holdfast.measure import Measures
from holdfast.runtime.engine import Engine, EngineSet, TierUnavailable
from holdfast.tier import TIERS, Reason, Signal, Step, Tier, Transition

__all__ = ["AnswerLimits", "Answerer", "served_by_for"]


_PRESSURES = {
    Reason.TEMPERATURE: ("The node is too hot: the full tier rests and the small tier answers.", "Cool the node."),
    Reason.MEMORY_PRESSURE: (
        "The node is short of memory: the full tier gave its memory back and the small tier answers.",
        "Stop what else runs on this machine, or give it more memory.",
    ),
}


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """What the answerer may be told by the operator."""

    pressure: PressureLimits = field(default_factory=PressureLimits)
    overload_quiet_s: float = 5.0
    """An overload is over, for the history, when nothing was turned away for this long."""


class Answerer:
    """Any number of threads may ask. Its state is two references replaced whole, and a history with its own lock."""

    def __init__(self, clock: Clock, measures: Measures, limits: AnswerLimits) -> None:
        self._clock, self._measures, self._limits = clock, measures, limits
        self._pressure = Pressure()
        self._signals: tuple[Signal, ...] = ()
        self._history = TierHistory(clock, measures, overload_quiet_s=limits.overload_quiet_s)

    def ask(self, request: InferenceRequest, engines: EngineSet, serving: Serving) -> Answer:
        """The first answer on the route. Never raises TierUnavailable; records nothing."""
        attempts: list[Attempt] = []
        for step in self._steps(request, engines):
            if step.skipped is not None:
                self._note(serving.package, step.tier, step.skipped)
                attempts.append(Attempt(tier=step.tier, outcome=Outcome.SKIPPED, ms=0.0, reason=step.skipped))
                continue
            outputs = self._attempt(request, engines.engines[step.tier], serving.package, attempts=attempts)
            if outputs is not None:
                served_by = _served_by(outputs, tuple(attempts), engines=engines, serving=serving)
                return Answer(outputs=outputs, served_by=served_by)
        raise AssertionError("RULES is on every route and always answers")

    def sense(self, signals: Sequence[Signal]) -> None:
        """Take new measurements of the node: heat and lack of memory put FULL to rest."""
        self._signals = tuple(signals)
        self._pressure = advance(
            self._pressure, self._signals, limits=self._limits.pressure, at_s=self._clock.monotonic_s()
        )

    @property
    def pressure(self) -> Reason | None:
        """Why FULL rests on this node; null when it does not."""
        return self._pressure.reason

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know: heat or lack of memory keeps the best tier at rest."""
        sentence = _PRESSURES.get(self._pressure.reason) if self._pressure.reason else None
        if sentence is None:
            return ()
        return (
            Finding(
                name=f"tier-rests-{self._pressure.reason}",
                severity=Severity.WARNING,
                sentence=sentence[0],
                next_step=sentence[1],
                component="answer",
            ),
        )

    def step(self, active: Sequence[tuple[Serving, EngineSet]]) -> None:
        """Compare the best available tier of every active package with a moment ago; never blocks."""
        for serving, engines in active:
            if self._pressure.reason is Reason.MEMORY_PRESSURE and Tier.FULL in engines.engines:
                engines.engines[Tier.FULL].release()
            self._history.observe(serving.package, self._standing(engines, text_count=1), self._signals)

    def drain_transitions(self) -> tuple[Transition, ...]:
        """The changes since the last call, oldest first, for the node to keep."""
        return self._history.drain()

    def best_tier(self, package: str) -> Tier:
        """The best tier of `package` at the last step; RULES before the first."""
        return self._history.best_tier(package)

    def _standing(self, engines: EngineSet, *, text_count: int) -> Standing:
        return Standing(
            conditions={tier: engine.condition(text_count) for tier, engine in engines.engines.items()},
            absent=engines.absent,
            configured=engines.configured,
            pressure=self._pressure.reason,
        )

    def _steps(self, request: InferenceRequest, engines: EngineSet) -> tuple[Step, ...]:
        remaining_s = request.deadline_s - self._clock.monotonic_s()
        return route(self._standing(engines, text_count=len(request.texts)), remaining_s).steps

    def _attempt(
        self, request: InferenceRequest, engine: Engine, package: str, *, attempts: list[Attempt]
    ) -> tuple[TextOutput, ...] | None:
        started_s = self._clock.monotonic_s()
        bounded = replace(request, deadline_s=started_s + attempt_s(request.deadline_s - started_s))
        try:
            outputs = engine.answer(bounded)
        except TierUnavailable as unavailable:
            reason: Reason | None = unavailable.reason
            outputs = None
            self._note(package, engine.tier, unavailable.reason)
        else:
            reason = None
        spent_s = self._clock.monotonic_s() - started_s
        outcome = Outcome.FAILED if outputs is None else Outcome.ANSWERED
        attempts.append(Attempt(tier=engine.tier, outcome=outcome, ms=round(spent_s * 1e3, 3), reason=reason))
        if outputs is not None:
            self._measures.observe("inference_seconds", package, engine.tier, value=spent_s)
            self._measures.add("tier_served_total", package, engine.tier, amount=len(outputs))
        return outputs

    def _note(self, package: str, tier: Tier, reason: Reason) -> None:
        if reason is Reason.OVERLOADED and tier is Tier.FULL:
            self._history.overloaded(package)


def served_by_for(answer: Answer, index: int) -> ServedBy:
    """Who answered text number `index` of a batch: its own stage, cut and domain, the batch's tier and attempts."""
    output = answer.outputs[index]
    shared = answer.served_by
    domains = {domain.value for domain in Domain}
    return msgspec.structs.replace(
        shared,
        stage=_stage(shared.tier, (output,)),
        approximate=output.approximate,
        reasons=tuple(r for r in shared.reasons if r not in domains) + _domain_reasons((output,)),
    )


def _served_by(
    outputs: tuple[TextOutput, ...], attempts: tuple[Attempt, ...], *, engines: EngineSet, serving: Serving
) -> ServedBy:
    tier = attempts[-1].tier
    engine = engines.engines[tier]
    causes = [*engines.shortfall, *(a.reason for a in attempts if a.reason not in {None, Reason.PINNED})]
    lower = TIERS.index(tier) > TIERS.index(engines.configured)
    return ServedBy(
        tier=tier,
        stage=_stage(tier, outputs),
        package=serving.package,
        version=serving.version,
        digest=serving.digest,
        variant=engine.variant,
        runtime=engine.runtime,
        unsigned=serving.unsigned,
        degraded=lower or bool(engines.shortfall),
        approximate=any(output.approximate for output in outputs),
        reasons=tuple(dict.fromkeys(cause.value for cause in causes if cause)) + _domain_reasons(outputs),
        attempts=attempts,
    )


def _stage(tier: Tier, outputs: tuple[TextOutput, ...]) -> Stage:
    if tier is Tier.RULES:
        return Stage.RULES
    stages = {head.stage for output in outputs for head in output.heads.values()}
    return Stage.ENCODER if Stage.ENCODER in stages else Stage.NGRAM


def _domain_reasons(outputs: tuple[TextOutput, ...]) -> tuple[str, ...]:
    domains = {head.domain for output in outputs for head in output.heads.values()}
    return tuple(sorted(domain.value for domain in domains - {Domain.IN}))
