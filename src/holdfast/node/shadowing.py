"""Shadowing: follows the ledger and scores what was decided once more with each candidate; nobody waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from holdfast.apps.triage.experiments import Experiment
from holdfast.apps.triage.records import DECISION, unpack_decision
from holdfast.apps.triage.shadow import shadow_drafts
from holdfast.node.active import Active
from holdfast.tier import Tier

if TYPE_CHECKING:
    from holdfast.database import Transaction
    from holdfast.node.experiments import Experiments
    from holdfast.node.node import Node

__all__ = ["Shadowing"]

_AT_ONCE = 64
_BUDGET_S = 0.3  # of each second: the rest is for those who wait
_DEADLINE_S = 20.0


class Shadowing:
    """Belongs to the loop `shadow`. How far each experiment is, is durable with what it wrote: nothing twice."""

    def __init__(self, node: Node, experiments: Experiments) -> None:
        self._node, self._experiments = node, experiments

    def step(self) -> None:
        """Catch up a little with every experiment that runs in shadow."""
        end_s = time.monotonic() + _BUDGET_S
        for experiment, candidate in self._experiments.shadows:
            if experiment.candidate.package and not self._is_calm(candidate):
                continue
            while time.monotonic() < end_s and self._some(experiment, candidate):
                continue

    def _is_calm(self, candidate: Active) -> bool:
        """Whether the candidate would answer with its best tier: a lower one's word says nothing about it."""
        return candidate.engines.configured is not Tier.FULL or self._node.full_is_free(candidate)

    def _some(self, experiment: Experiment, candidate: Active) -> bool:
        """Score the next few; False when it has caught up."""
        state, name = self._node.state, f"shadow {experiment.name}"
        stored = state.facts.get(name)
        after = int(stored) if stored else experiment.after
        ahead = state.journal.follow(after, kinds=(DECISION,), limit=_AT_ONCE)
        if ahead.through <= after:
            return False
        mine = [
            unpack_decision(entry.payload)
            for entry in ahead.entries
            if entry.payload is not None and (entry.header.team or "") == experiment.team
        ]

        def keep(transaction: Transaction) -> None:
            state.facts.put(name, str(ahead.through).encode(), transaction)

        if not mine:
            state.database.commit(keep)
            return ahead.through < ahead.last
        drafts = shadow_drafts(
            mine,
            candidate,
            experiment=experiment.name,
            answerer=self._node.answerer,
            deadline_s=time.monotonic() + _DEADLINE_S,
        )
        state.journal.append_many(drafts, extra=keep)
        return True
