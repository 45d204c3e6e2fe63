"""Engine: the one Protocol that every tier answers through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from holdfast.errors import InvalidInput, Unavailable
from holdfast.inference import InferenceRequest, TextOutput
from holdfast.tier import Reason, Tier

__all__ = ["Condition", "Engine", "EngineSet", "InvalidTokens", "TierUnavailable"]


_CAUTION = 0.75  # expected times are means: a quarter of what is allowed is kept for the slower half of the requests


class TierUnavailable(Unavailable):
    """This tier cannot answer this request; the tier below may."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(
            f"tier unavailable, {reason.value}: {detail}" if detail else f"tier unavailable: {reason.value}"
        )
        self.reason = reason


class InvalidTokens(InvalidInput):
    """Token ids that are not of this model's vocabulary, none at all, or more than its window."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an engine could do if it were asked now."""

    refuses: Reason | None = None
    """Why it would raise TierUnavailable at once; null when it would try."""
    lacks: Reason | None = None
    """Why it is less than itself though it would try: a FULL whose worker is down and whose n-grams still answer."""
    wait_s: float = 0.0
    """Expected time in the queue before it starts on the request."""
    service_s: float = 0.0
    """Expected time it works on the request."""
    depth: int = 0
    """Requests running and waiting."""

    def late(self, allowed_s: float) -> Reason | None:
        """Say whether `allowed_s` is too short, and whether the queue or the work is to blame."""
        if allowed_s <= 0 or self.service_s > allowed_s * _CAUTION:
            return Reason.DEADLINE
        if self.wait_s + self.service_s > allowed_s * _CAUTION:
            return Reason.OVERLOADED
        return None


class Engine(Protocol):
    """Turns texts into one output per head. Any number of threads may call it at once."""

    @property
    def tier(self) -> Tier:
        """The tier it answers for."""

    @property
    def variant(self) -> str:
        """The package's name for the way it answers, `builtin` for what needs no package."""

    @property
    def runtime(self) -> str:
        """Engine, its version and the CPU feature class: `onnxruntime-1.31.1/avx512_vnni`."""

    def answer(self, request: InferenceRequest) -> tuple[TextOutput, ...]:
        """One output per text, in order, before `request.deadline_s`. Raises TierUnavailable."""

    def condition(self, text_count: int) -> Condition:
        """What would happen to a request of `text_count` texts; never blocks."""

    def release(self) -> None:
        """Give back memory that can be had again on demand; the next request may be refused while it comes back."""


@dataclass(frozen=True, slots=True)
class EngineSet:
    """The engines of one active package, frozen with its Serving: a request meets one set only."""

    engines: Mapping[Tier, Engine]
    """RULES is always among them."""
    configured: Tier = Tier.FULL
    """The best tier the operator wants served: a lower one answering is `degraded`."""
    absent: Mapping[Tier, Reason] = field(default_factory=dict)
    """Why a tier has no engine: not in the package, no package, unverified."""
    shortfall: tuple[Reason, ...] = ()
    """Why this is not the set the operator activated; not empty makes every answer `degraded`."""

    def __post_init__(self) -> None:
        if Tier.RULES not in self.engines:
            raise ValueError("an engine set without RULES could fail a request")
