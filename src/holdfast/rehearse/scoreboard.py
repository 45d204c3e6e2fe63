"""What a rehearsal found: failures, speed, tiers, and agreement with the humans who labelled the tickets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.manifest import Head, Manifest
from holdfast.rehearse.figures import auc, macro_f1, percentile
from holdfast.rehearse.load import Reply, Sample

__all__ = ["Agreement", "Scoreboard", "summarise"]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How well one head agrees with the humans, next to what the package promises."""

    figure: str
    """`macro-F1` of a route, `AUC` of the most urgent class against the rest for a priority."""
    tickets: int
    measured: float
    promised: float | None

    @property
    def kept(self) -> bool:
        """Whether the promise, if there is one, is kept."""
        return self.promised is None or self.measured >= self.promised


class Scoreboard(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of scoring many tickets."""

    tickets: int
    failed: int
    seconds: float
    tickets_per_s: float
    p50_ms: float
    p95_ms: float
    tiers: dict[str, int]
    stages: dict[str, int]
    priorities: dict[str, int]
    agreement: dict[str, Agreement]

    @property
    def passed(self) -> bool:
        """No ticket failed and every promise was kept."""
        return self.failed == 0 and all(one.kept for one in self.agreement.values())


def summarise(
    samples: Sequence[Sample], labels: Sequence[Mapping[str, str]], *, seconds: float, manifest: Manifest
) -> Scoreboard:
    """Sum up `samples`; `labels[i]` holds what humans said of ticket i, by head of the package of `manifest`."""
    ok = [sample for sample in samples if sample.ok]
    latencies = [sample.latency_ms for sample in ok]
    pairs = [(sample.reply, labels[sample.index]) for sample in ok if sample.reply is not None]
    return Scoreboard(
        tickets=len(samples),
        failed=len(samples) - len(ok),
        seconds=round(seconds, 2),
        tickets_per_s=round(len(samples) / seconds, 1),
        p50_ms=round(percentile(latencies, 50), 2),
        p95_ms=round(percentile(latencies, 95), 2),
        tiers=dict(Counter(reply.served_by.tier for reply, _ in pairs)),
        stages=dict(Counter(reply.served_by.stage for reply, _ in pairs)),
        priorities=dict(sorted(Counter(reply.priority for reply, _ in pairs).items())),
        agreement={head.name: _agreement(head, pairs, manifest.trial.promise.quality) for head in manifest.heads},
    )


def _agreement(
    head: Head, pairs: Sequence[tuple[Reply, Mapping[str, str]]], promises: Mapping[str, float]
) -> Agreement:
    judged = [(reply, human[head.name]) for reply, human in pairs if head.name in human]
    if head.task == "route":
        measured = macro_f1([human for _, human in judged], [reply.route.label for reply, _ in judged])
        return Agreement(
            figure="macro-F1", tickets=len(judged), measured=round(measured, 4), promised=promises.get(head.name)
        )
    # A reply carries a score, not a severity: what can be held against the humans is whether it ranks as they do.
    urgent = head.labels[-1]
    measured = auc(
        [reply.score for reply, human in judged if human == urgent],
        [reply.score for reply, human in judged if human != urgent],
    )
    return Agreement(
        figure=f"AUC of {urgent}",
        tickets=len(judged),
        measured=round(measured, 4),
        promised=promises.get(f"{head.name}.auc"),
    )
