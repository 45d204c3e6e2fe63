"""Experiments on a node: which run, what their candidates answer with, and which task is drawn for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from holdfast.apps.triage.decision import instant_text
from holdfast.apps.triage.experiments import (
    CANDIDATE,
    CONTROL,
    EXPERIMENT,
    Candidate,
    Experiment,
    InvalidExperiment,
    arm_name,
    candidate_policy,
    drawn,
)
from holdfast.errors import HoldfastError, Unavailable
from holdfast.finding import Finding, Severity
from holdfast.ledger.query import Query
from holdfast.node.active import Active, Loadout, activated
from holdfast.node.loop import Loop
from holdfast.node.shadowing import Shadowing
from holdfast.record import Draft

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Experiments", "NoSuchExperiment"]

_FACT = "experiments"
_MOST_KEPT = 50  # of those that have ended, the oldest go
_SHADOW_EVERY_S = 1.0
_LIST = msgspec.json.Decoder(tuple[Experiment, ...])


class NoSuchExperiment(InvalidExperiment):
    """No experiment of this name is known."""


@dataclass(frozen=True, slots=True)
class _Arms:
    """What the tasks of one team are answered with while an experiment draws them."""

    experiment: Experiment
    control: Active
    candidate: Active


class Experiments:
    """Every experiment of the node. `_lock` guards changes; requests read `_drawing`, which is replaced whole."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        stored = node.state.facts.get(_FACT)
        self.all: tuple[Experiment, ...] = _LIST.decode(stored) if stored else ()
        """Oldest first; replaced whole."""
        self._loadouts: Mapping[str, Loadout] = {}
        self._faults: Mapping[str, str] = {}
        """Experiment -> why its candidate cannot score."""
        self._drawing: Mapping[str, _Arms] = {}
        self.shadows: tuple[tuple[Experiment, Active], ...] = ()
        """Those that score beside, with what they score with."""
        self._loop = Loop("shadow", Shadowing(node, self).step, every_s=_SHADOW_EVERY_S, seen=(node.measures, node.log))

    def start(self) -> None:
        """Draw from the first ticket on, before any package is loaded, and begin to score in shadow."""
        self.rebuild()
        self._loop.start()

    def stop(self) -> None:
        """End it."""
        self._loop.stop()

    def reconfigure(self) -> None:
        """Nothing to do: what the arms are made of is made anew with the teams."""

    def findings(self) -> tuple[Finding, ...]:
        """Candidates that cannot score."""
        return tuple(_cannot_score(name, why) for name, why in self._faults.items())

    def assigned(self, active: Active, task_id: str) -> Active:
        """What answers the task: `active`, or the arm that an experiment of its team draws it for."""
        if not self._drawing:
            return active
        arms = self._drawing.get(active.team)
        if arms is None:
            return active
        arm = drawn(arms.experiment.name, task_id, share=arms.experiment.share)
        return arms.candidate if arm == CANDIDATE else arms.control

    def find(self, name: str) -> Experiment:
        """One by its name. Raises NoSuchExperiment."""
        found = next((one for one in self.all if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in self.all) or "none"
            raise NoSuchExperiment(f"experiment {name[:60]!r}: expected one of {known}", field="/name")
        return found

    def begin(self, asked: Experiment, *, by: str) -> Experiment:
        """Start an experiment. Raises InvalidExperiment, InvalidRules, InvalidRubric, and what the journal raises."""
        self._check(asked)
        latest = self._node.state.journal.list(Query(limit=1)).entries
        begun = msgspec.structs.replace(
            asked,
            started_at=self._now(),
            started_by=by,
            after=latest[0].header.sequence if latest else 0,
            state="running",
        )
        before = self.all
        self.all = (*before, begun)
        self._node.refresh_stock()
        try:
            if fault := self._faults.get(begun.name):
                raise InvalidExperiment(f"experiment {begun.name}: its candidate cannot score: {fault}")
            self.keep(begun, "started", by=by)
        except HoldfastError:
            self.all = before
            self._node.refresh_stock()
            raise
        return begun

    def end(self, name: str, *, by: str) -> Experiment:
        """Stop an experiment: from now on every task is scored as before it. Raises InvalidExperiment."""
        found = self.find(name)
        if found.state == "promoted":
            raise InvalidExperiment(
                f"experiment {name}: expected one that runs, found it promoted; "
                "`holdfast triage experiment rollback` takes it back"
            )
        if found.state != "running":
            return found
        return self.keep(self.ended(found, "stopped"), "stopped", by=by)

    def ended(self, experiment: Experiment, state: str) -> Experiment:
        """The experiment as it is when it runs no more."""
        latest = self._node.state.journal.list(Query(limit=1)).entries
        through = experiment.through or (latest[0].header.sequence if latest else 0)
        changes = {"state": state, "ended_at": experiment.ended_at or self._now(), "through": through}
        return msgspec.structs.replace(experiment, **changes)

    def keep(self, experiment: Experiment, event: str, *, by: str) -> Experiment:
        """Make a change of an experiment durable, together with the ledger's entry of it, and act on it."""
        with self._lock:
            others = [one for one in self.all if one.name != experiment.name]
            kept = tuple(sorted((*others, experiment), key=lambda one: one.started_at))[-_MOST_KEPT:]
            draft = Draft(
                kind=EXPERIMENT,
                payload=msgspec.msgpack.encode({"event": event, "by": by, "experiment": experiment}),
                reference=f"experiment:{experiment.name}",
                team=experiment.team,
            )
            encoded = msgspec.json.encode(kept)
            recorded = self._node.state.journal.append(
                draft, extra=lambda transaction: self._node.state.facts.put(_FACT, encoded, transaction)
            )
            if not recorded.recorded:
                raise Unavailable(f"experiment {experiment.name}: the ledger takes no entry now", retry_after_s=5.0)
            self.all = kept
        self._node.log.info("experiment", name=experiment.name, change=event, by=by)
        self._node.refresh_stock()
        return experiment

    def refresh(self) -> None:
        """Have the packages of the candidates that run. Called under the node's refresh lock."""
        targets = {one.candidate.package for one in self._running() if one.candidate.package}
        self._loadouts = {target: self._node.stock.loadout(target)[0] for target in sorted(targets)}
        self.rebuild()

    def rebuild(self) -> None:
        """Make the arms anew, from what is loaded and the teams' snapshots in force."""
        bases = {active.team: active for active in self._node.parts.teams.actives()}
        drawing: dict[str, _Arms] = {}
        shadows: list[tuple[Experiment, Active]] = []
        faults: dict[str, str] = {}
        for one in self._running():
            base = bases.get(one.team)
            try:
                candidate = self._candidate(one, base)
            except HoldfastError as error:
                faults[one.name] = str(error)
                continue
            if base is None or candidate is None:
                continue
            if one.mode == "shadow":
                shadows.append((one, candidate))
            else:
                control = replace(base, arm=arm_name(one.name, CONTROL))
                drawing[one.team] = _Arms(one, control, candidate)
        self._drawing, self.shadows, self._faults = drawing, tuple(shadows), faults

    def tried(self, base: Active, candidate: Candidate) -> Active:
        """What `base` would be with the candidate's differences, outside of any experiment.

        Its package stays in stock until the next refresh. Raises InvalidExperiment, InvalidRules, InvalidRubric.
        """
        if candidate == Candidate():
            return base
        loadout = self._node.stocked(candidate.package) if candidate.package else base.loadout
        return self._made(base, candidate, loadout)

    def actives(self) -> tuple[Active, ...]:
        """What candidates answer with."""
        return (*(arms.candidate for arms in self._drawing.values()), *(active for _, active in self.shadows))

    def loadouts(self) -> tuple[Loadout, ...]:
        """Those of candidates with a package of their own."""
        return tuple(self._loadouts.values())

    def _candidate(self, experiment: Experiment, base: Active | None) -> Active | None:
        """What its candidate answers with; None before its package was loaded. Raises HoldfastError if it cannot."""
        if base is None:
            raise InvalidExperiment(f"there is no team {experiment.team!r} any more")
        wanted = experiment.candidate.package
        loadout = self._loadouts.get(wanted) if wanted else base.loadout
        if loadout is None:
            return None
        made = self._made(base, experiment.candidate, loadout)
        return replace(made, arm=arm_name(experiment.name, CANDIDATE))

    def _made(self, base: Active, candidate: Candidate, loadout: Loadout) -> Active:
        if candidate.package and loadout.manifest is None:
            raise InvalidExperiment(f"package {candidate.package} cannot be served; `holdfast package list` says why")
        policy = candidate_policy(base.policy, candidate)
        made = activated(loadout, policy, self._node.loaded.settings, generation=self._node.generation)
        return replace(made, team=base.team)

    def _running(self) -> list[Experiment]:
        return [one for one in self.all if one.state == "running"]

    def _check(self, asked: Experiment) -> None:
        candidate = asked.candidate
        if not (candidate.weights or candidate.bands or candidate.package or candidate.rules is not None):
            raise InvalidExperiment(
                f"experiment {asked.name}: expected a candidate that differs in weights, bands, rules or package"
            )
        if any(one.name == asked.name for one in self.all):
            raise InvalidExperiment(f"experiment {asked.name}: there was one of this name; take another", field="/name")
        other = next((one for one in self._running() if one.team == asked.team), None)
        if other is not None:
            raise InvalidExperiment(
                f"experiment {asked.name}: {other.name} runs on the same tickets; stop or promote it first"
            )
        if asked.team and asked.team not in self._node.loaded.settings.teams:
            known = ", ".join(sorted(self._node.loaded.settings.teams)) or "none"
            raise InvalidExperiment(f"team: expected a configured team ({known}), found {asked.team[:60]!r}")
        if asked.team and candidate.bands:
            raise InvalidExperiment("bands: expected none with a team, whose bands are those of `triage`")

    def _now(self) -> str:
        return instant_text(self._node.state.clock.wall_at())


def _cannot_score(name: str, why: str) -> Finding:
    return Finding(
        name="experiment-halted",
        severity=Severity.WARNING,
        sentence=f"The candidate of experiment {name} cannot score, every ticket is scored as before it: {why}.",
        next_step=f"Mend what is wrong, or `holdfast triage experiment stop {name}`.",
        component="experiments",
    )
