"""Teams: several packages and rule sets on one node, each ticket scored with those of its team."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.apps.triage.rules_watch import RulesWatch
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.teams import labels_of, team_of
from holdfast.apps.triage.ticket import Ticket
from holdfast.finding import Finding, Severity
from holdfast.node.active import Active, Loadout, activated, builtin_loadout
from holdfast.node.limits import team_rules
from holdfast.settings.loading import Loaded
from holdfast.settings.rubric import weighted
from holdfast.tier import Reason

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Teams"]

_LOAD_AGAIN_S = 60.0


class Teams:
    """What answers each team's tickets. Requests read two mappings that are replaced whole.

    `_lock` guards the making of new ones; packages are loaded under the node's refresh lock only.
    """

    def __init__(self, node: Node) -> None:
        """Raises InvalidRules for a team's rule file."""
        self._node = node
        self._lock = threading.Lock()
        self._watches = _watches(node.loaded)
        self._loadouts: Mapping[str, Loadout] = {}
        """Of teams with a package of their own, once it was looked for."""
        self._faults: Mapping[str, str] = {}
        self._served: Mapping[str, Active] = {}
        self._labels: Mapping[str, str] = {}
        self._load_again_s = 0.0
        self._build()

    def start(self) -> None:
        """Nothing runs of itself: the sense loop calls `step`."""

    def stop(self) -> None:
        """Nothing to end."""

    def active_for(self, ticket: Ticket, team: str = "") -> Active:
        """What answers `ticket`: `team` wins, where it is given, over what the ticket says of itself."""
        served = self._served
        if not served:
            return self._node.active
        name = team if team in served else team_of(ticket.metadata, served, self._labels)
        return served.get(name, self._node.active)

    def actives(self) -> tuple[Active, ...]:
        """What answers now, the default first."""
        return (self._node.active, *self._served.values())

    def prepare(self, loaded: Loaded) -> None:
        """Raises InvalidRules where new settings name rules that cannot be used: before anything has changed."""
        _watches(loaded)

    def reconfigure(self) -> None:
        """Take new rules and weights at once; a package that is new is loaded beside the running requests."""
        with self._lock:
            self._watches = _watches(self._node.loaded)
        self.rebuild()
        if self._wanted() != set(self._loadouts) or self._node.serves_another():
            self._node.refresh_soon()

    def refresh(self) -> None:
        """Serve each team's package as the store has it now. Called under the node's refresh lock."""
        stock = self._node.stock
        loadouts: dict[str, Loadout] = {}
        faults: dict[str, str] = {}
        for target in sorted(self._wanted()):
            loadouts[target], fault = stock.loadout(target)
            if fault:
                faults[target] = fault
        self._load_again_s = time.monotonic() + _LOAD_AGAIN_S
        self._loadouts, self._faults = loadouts, faults
        self.rebuild()

    def rebuild(self) -> None:
        """Make each team's snapshot anew, from what is loaded and the settings in force, and what is built on them."""
        self._build()
        self._node.parts.experiments.rebuild()

    def _build(self) -> None:
        node = self._node
        with self._lock:
            teams = node.loaded.settings.teams
            base = node.active
            self._labels = labels_of({name: team.labels for name, team in teams.items()})
            self._served = {name: self._snapshot(name, base) for name in teams}
        shown: dict[tuple[str, ...], float] = {
            (a.serving.package, a.serving.version, a.serving.digest): 1.0 for a in self.actives()
        }
        node.measures.replace("package_info", shown)

    def step(self) -> None:
        """Put edited rule files in force, and look again for packages that could not be had. By the sense loop."""
        changed = [name for name, watch in self._watches.items() if watch.step()]
        if changed:
            self.rebuild()
            self._node.log.info("team-rules-in-force", teams=changed)
        if self._faults and time.monotonic() >= self._load_again_s:
            self._load_again_s = time.monotonic() + _LOAD_AGAIN_S
            self._node.refresh_soon()

    def findings(self) -> tuple[Finding, ...]:
        """Packages that cannot be served, rule files that cannot be used."""
        faults = tuple(_not_served(target, why) for target, why in self._faults.items())
        return (*faults, *(one for watch in self._watches.values() for one in watch.findings()))

    def loadouts(self) -> tuple[Loadout, ...]:
        """Those of teams with a package of their own."""
        return tuple(self._loadouts.values())

    def _wanted(self) -> set[str]:
        return {team.package for team in self._node.loaded.settings.teams.values() if team.package}

    def _snapshot(self, name: str, base: Active) -> Active:
        node = self._node
        team = node.loaded.settings.teams[name]
        policy = self._policy(name, base.policy)
        loadout = base.loadout
        if team.package:
            loadout = self._loadouts.get(team.package) or builtin_loadout(Reason.STARTING)
        if loadout is base.loadout and policy is base.policy:
            return replace(base, team=name)
        made = activated(loadout, policy, node.loaded.settings, generation=node.generation)
        return replace(made, team=name)

    def _policy(self, name: str, base: Policy) -> Policy:
        team = self._node.loaded.settings.teams[name]
        watch = self._watches.get(name)
        if watch is None and not team.weights:
            return base
        rubric = weighted(base.rubric, team) if team.weights else base.rubric
        return Policy(rubric, base.matcher, watch.rules if watch is not None else base.rules)


def _watches(loaded: Loaded) -> dict[str, RulesWatch]:
    return {name: RulesWatch(path, rules) for name, (path, rules) in team_rules(loaded).items()}


def _not_served(target: str, why: str) -> Finding:
    return Finding(
        name="team-package-not-served",
        severity=Severity.CRITICAL,
        sentence=f"A team's package {target} cannot be served, RULES answers its tickets in its place: {why}.",
        next_step=f"Install and activate {target}, or name another package under [teams]; the node goes on trying.",
        component="teams",
    )
