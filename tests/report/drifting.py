"""Streams of real tickets, as a package trained on some of them sees the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.report.drift import Observation, observations, read_reference
from holdfast.report.drift_watch import Watch
from holdfast.runtime.panel import Panel
from holdfast.tier import Tier
from holdfast.workbench.labelled import LabelledTicket
from holdfast.workbench.plan import TrainingPlan
from holdfast.workbench.planning import head_from_split
from holdfast.workbench.splits import SPLITS
from holdfast.workbench.trainer import TrainedPackage, train

Said = dict[str, Observation]


@dataclass(frozen=True)
class Alarm:
    """What rose, and after how many tickets."""

    after: int
    feature: str


def trained(*, urgency: Sequence[str] = (), **heads: Sequence[LabelledTicket]) -> TrainedPackage:
    """A small-tier package; 40 % of each head's tickets are its hold-out."""
    plans = [
        head_from_split(
            head,
            tickets,
            split=SPLITS["random"](tickets, share=0.4, seed=3),
            urgency=urgency if head == "priority" else (),
        )
        for head, tickets in heads.items()
    ]
    return train(TrainingPlan(name="watched", version="1.0.0", description="", heads=tuple(plans), encoder_dir=None))


class Watched:
    """A package, what it says of texts, and a watch over it."""

    def __init__(self, package: TrainedPackage) -> None:
        self._heads = package.manifest.heads
        self._panel = Panel(package.manifest, package.files, tier=Tier.SMALL)
        self._reference = read_reference(package.files["reference.json"])

    def said(self, texts: Sequence[str]) -> list[Said]:
        outputs = self._panel.answer(self._panel.read(texts))
        return [
            observations(output, text, heads={head.name: (head.labels, head.urgency) for head in self._heads})
            for output, text in zip(outputs, texts, strict=True)
        ]

    def alarms(self, stream: Sequence[Said], *, after: int = 0) -> list[Alarm]:
        """Every alarm that rises in `stream`, counted from ticket number `after`."""
        watch, found, up = Watch(self._reference), [], False
        for one in stream:
            watch.add(one, 50.0)
            if watch.drifting and not up:
                found.append(Alarm(watch.total - after, watch.shifts[0].feature))
            up = watch.drifting
        return found


def doubled(tickets: Sequence[LabelledTicket], label: str, *, count: int, rng: np.random.Generator) -> list[int]:
    """Positions of `count` of `tickets` among which `label` is twice as common as among all."""
    is_it = np.array([ticket.labels["route"] == label for ticket in tickets])
    many = round(2 * is_it.mean() * count)
    inside = rng.choice(np.flatnonzero(is_it), many, replace=True)
    outside = rng.choice(np.flatnonzero(~is_it), count - many, replace=False)
    return rng.permutation(np.concatenate([inside, outside])).tolist()
