"""The node: every object built once, the snapshot that answers, and the loops that keep it well."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.answer.answerer import Answerer
from holdfast.answer.router import attempt_s
from holdfast.apps.triage.app import TriageApp
from holdfast.apps.triage.archive import Archive
from holdfast.apps.triage.rules_watch import RulesWatch
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.ticket import Ticket
from holdfast.digest import digest_value
from holdfast.errors import HoldfastError
from holdfast.finding import Finding, Severity
from holdfast.measure import Measures
from holdfast.node.active import Active, Loadout, activated, builtin_loadout
from holdfast.node.guard import Guard
from holdfast.node.limits import answer_limits, install_limits, package_values, policy_of, rules_path
from holdfast.node.lock import DirectoryLock
from holdfast.node.log import Log
from holdfast.node.loop import Loop
from holdfast.node.parts import build_parts
from holdfast.node.senses import Senses
from holdfast.node.state import open_state
from holdfast.node.stock import Stock
from holdfast.node.transitions import Transitions
from holdfast.node.views import Reloaded
from holdfast.node.way_out import build_outbound
from holdfast.release import Verified
from holdfast.settings.loading import Loaded, changed_keys, needs_restart
from holdfast.store.choice import InstallLimits
from holdfast.store.package import VerifiedPackage
from holdfast.store.shelf import LoadedPackage, NoGoodPackage
from holdfast.tier import Reason, Tier
from holdfast.trust.verify import admit_local

if TYPE_CHECKING:
    # Only the type: see active.py.
    from holdfast.node.loadouts import Workshop
    from holdfast.runtime.pool import WorkerPool

__all__ = ["Node"]

_SUPERVISE_S = 0.1
_SENSE_S = 1.0
_READY_POLL_S = 0.02
_USUAL_DEADLINE_S = 1.0  # the default deadline of a request
_UNLEASED_S = 2.0  # a request that holds the old snapshot has a lane of its pool by then, or wants none
_LOAD_AGAIN_S, _LOAD_AGAIN_MOST_S = 1.0, 60.0
_RETIRE_S = 31.0  # the longest deadline a request may have, and a second


class Node:
    """One node on one data directory.

    `_swap` guards the change from one active snapshot to the next, and the list of pools; reading `active` needs none.
    """

    def __init__(
        self,
        loaded: Loaded,
        directory: Path,
        *,
        log: Log,
        reread: Callable[[], Loaded],
        lock: DirectoryLock | None = None,
    ) -> None:
        """Open the state, under `lock` if it is taken already, and be ready to answer from RULES.

        Raises DataDirectoryBusy, HumanNeeded, OSError.
        """
        self.loaded, self.log, self._reread = loaded, log, reread
        self.started_at, self.measures = datetime.now(UTC), Measures()
        self.state = open_state(loaded.settings, directory, measures=self.measures, lock=lock)
        self.started_s = self.state.clock.monotonic_s()
        self.answerer = Answerer(self.state.clock, self.measures, answer_limits(loaded.settings))
        self.generation = self.state.facts.settings_generation(digest_value(loaded.settings))
        self._policy = policy_of(loaded)
        self.rules_watch = _watch(loaded, self._policy)
        self._workers, self._load_fault, self._stopping = True, "", threading.Event()
        self.limiters: Callable[[], Mapping[str, tuple[int, int]]] = dict
        """Name -> (busy, slots) of the surface's limiters, once there is a surface."""
        self._refreshing = threading.Lock()  # whole refreshes, one after the other: the last serves what the store says
        self._swap = threading.Lock()
        self._pools: list[WorkerPool] = []
        self._retired: list[tuple[float, WorkerPool]] = []  # with when they were swapped out
        self.active = self._activated(builtin_loadout(Reason.STARTING))
        self.triage = TriageApp(self.answerer, self.state.journal, clock=self.state.clock, rng=random.SystemRandom())
        self.archive = Archive(self.state.journal, self.state.clock)
        self.senses, self.stock = Senses(self), Stock(self)
        self.outbound = build_outbound(self)
        self.parts = build_parts(self)
        self._guard = Guard("supervise", seen=(self.measures, log))
        self._transitions = Transitions(self.state.database, self.state.facts)
        self._loops = (
            Loop("supervise", self._supervise, every_s=_SUPERVISE_S, seen=(self.measures, log)),
            Loop("sense", self.senses.step, every_s=_SENSE_S, seen=(self.measures, log)),
        )

    def start(self) -> None:
        """Start the loops and load the active package beside them; RULES answers meanwhile."""
        for loop in self._loops:
            loop.start()
        for part in self.parts.all():
            part.start()
        threading.Thread(target=self._load_at_start, name="load", daemon=True).start()

    def load_here(self) -> None:
        """Serve the active package without workers: SMALL and RULES, for a command that runs without a node."""
        self._workers = False
        self._load()

    def stop(self) -> None:
        """End loops and workers, make the last of the state durable, give the directory up."""
        for part in reversed(self.parts.all()):
            part.stop()
        with self._swap:
            self._stopping.set()  # before the workers end: their end is no transition worth keeping
            pools, self._pools = self._pools, []
            pools += [pool for _, pool in self._retired]
        for pool in pools:
            pool.close()
        for loop in self._loops:
            loop.stop()
        self.senses.stop()
        self.state.close()

    def refresh(self, *, wait_ready_s: float = 0.0) -> Active:
        """Serve what the store says is active; the new workers may warm up for `wait_ready_s` before the swap."""
        with self._refreshing:
            try:
                self._put_in_service(self._loadout(), wait_ready_s=wait_ready_s)
                self._load_fault = ""
            finally:
                self._restock()
            return self.active

    def refresh_stock(self) -> None:
        """Serve teams and experiments what the store has for them now; the default goes on as it is."""
        with self._refreshing:
            self._restock()

    def stocked(self, target: str) -> Loadout:
        """The engines of a package that nobody uses yet; they go at the next refresh."""
        with self._refreshing:
            return self.stock.loadout(target)[0]

    def refresh_soon(self) -> None:
        """Refresh on a thread of its own; what cannot be served is a finding."""
        work = self._load if self.serves_another() else self.refresh_stock
        threading.Thread(target=work, name="refresh", daemon=True).start()

    def serves_another(self) -> bool:
        """Say whether another package than the configured one answers by default."""
        return self.package_name() not in ("", self.active.loadout.name)

    def _restock(self) -> None:
        parts = self.parts
        parts.teams.refresh()
        parts.experiments.refresh()
        self.stock.keep((*parts.teams.loadouts(), *parts.experiments.loadouts()))

    def employ(self, pool: WorkerPool) -> None:
        """Step the workers of a loadout in stock, and close them when the node stops."""
        with self._swap:
            self._pools.append(pool)

    def retire(self, pool: WorkerPool) -> None:
        """Close its workers once the requests that hold it have ended."""
        with self._swap:
            self._retired.append((time.monotonic(), pool))

    def _put_in_service(self, loadout: Loadout, *, wait_ready_s: float = 0.0) -> None:
        if loadout.pool is not None:
            with self._swap:
                self._pools.append(loadout.pool)
            _wait_ready(loadout.pool, wait_ready_s)
        with self._swap:
            before = self.active.loadout
            try:
                self.active = self._activated(loadout)
            except BaseException:
                if loadout.pool is not None:
                    self._retired.append((time.monotonic(), loadout.pool))
                raise
            if before.pool is not None and before.pool in self._pools:
                # Requests that hold the old snapshot end first; the supervise loop closes it after them.
                self._retired.append((time.monotonic(), before.pool))
        serving = self.active.serving
        self.log.info("serving", package=serving.package, version=serving.version, digest=serving.digest)

    def refresh_serving(self) -> Active:
        """Serve what has just become active, once its worker is warm: no request meets a cold tier."""
        return self.refresh(wait_ready_s=self.loaded.settings.runtime.ready_timeout_s if self._workers else 0.0)

    def install_limits(self) -> InstallLimits:
        """What an installed package may take on this node."""
        return install_limits(self.loaded.settings)

    def reconfigure(self, loaded: Loaded) -> int:
        """Put new settings in force for the next request.

        Raises InvalidRules, InvalidRubric, InvalidOverride; then nothing changed.
        """
        policy = policy_of(loaded)
        self.parts.teams.prepare(loaded)
        if (manifest := self.active.loadout.manifest) is not None:
            package_values(loaded.settings, manifest)
        generation = self.state.facts.settings_generation(digest_value(loaded.settings))
        with self._swap:
            self.loaded, self._policy, self.generation = loaded, policy, generation
            self.rules_watch = _watch(loaded, policy)
            self.active = self._activated(self.active.loadout)
        for part in self.parts.all():
            part.reconfigure()
        return generation

    def take_new_rules(self) -> None:
        """Put an edited rule file in force, all of it or none; called by the sense loop."""
        watch = self.rules_watch
        if watch is None or not watch.step():
            return
        with self._swap:
            self._policy = replace(self._policy, rules=watch.rules)
            self.active = self._activated(self.active.loadout)
        self.parts.teams.rebuild()
        self.measures.add("rules_reloads_total", "accepted")
        self.log.info("rules-in-force", digest=watch.rules.digest, rules=len(watch.rules.rules))

    def reload(self) -> Reloaded:
        """Read every source of settings again; all of it is accepted or none. Raises InvalidSettings, InvalidRules."""
        try:
            fresh = self._reread()
            changed = changed_keys(self.loaded, fresh)
            generation = self.reconfigure(fresh)
        except HoldfastError:
            self.measures.add("rules_reloads_total", "refused")
            raise
        self.measures.add("rules_reloads_total", "accepted")
        self.log.info("reloaded", generation=generation, changed=changed)
        return Reloaded(generation=generation, changed=changed, needs_restart=tuple(filter(needs_restart, changed)))

    def reload_soon(self) -> None:
        """Reload on a thread of its own, for a signal; what is wrong goes to the log."""
        threading.Thread(target=self._reload_logged, name="reload", daemon=True).start()

    def _reload_logged(self) -> None:
        try:
            self.reload()
        except (HoldfastError, OSError) as error:
            # The old settings stay in force; the count and the log say so.
            self.log.failure("reload-refused", detail=str(error))

    def active_for(self, ticket: Ticket, team: str = "") -> Active:
        """The snapshot that answers `ticket`: of `team`, else of the team it names, and of the arm it is drawn for."""
        return self.parts.experiments.assigned(self.parts.teams.active_for(ticket, team), ticket.id)

    def full_is_free(self, active: Active | None = None) -> bool:
        """Say whether the full tier, of the default where none is named, would take one more request now."""
        full = (active or self.active).engines.engines.get(Tier.FULL)
        if full is None or self.answerer.pressure is not None:
            return False
        condition = full.condition(1)
        return not (condition.refuses or condition.lacks or condition.late(attempt_s(_USUAL_DEADLINE_S)))

    def pools(self) -> tuple[WorkerPool, ...]:
        """Every pool that still has workers, the one in service first."""
        return tuple(self._pools)

    def admit(self, package: LoadedPackage | VerifiedPackage) -> Verified:
        """The trust step for what may run here. Raises UnsignedPackage."""
        return admit_local(package, allow_unsigned=self.loaded.settings.trust.allow_unsigned)

    def package_name(self) -> str:
        """The package that scores tickets: the configured one, else the first active one; empty when there is none."""
        configured = self.loaded.settings.triage.package
        active = [
            name
            for name, slots in sorted(self.state.store.state().packages.items())
            if slots.active or slots.fallen_from
        ]
        teams = {team.package for team in self.loaded.settings.teams.values()}
        return configured or next((name for name in active if name not in teams), next(iter(active), ""))

    def _activated(self, loadout: Loadout) -> Active:
        return activated(loadout, self._policy, self.loaded.settings, generation=self.generation)

    def _loadout(self) -> Loadout:
        """The engines of the active package, or RULES alone where there is no good one."""
        name = self.package_name()
        if not name:
            return builtin_loadout(Reason.NO_PACKAGE)
        from holdfast.node.healthy import healthy_loadout  # noqa: PLC0415  # numpy: 0.1 s of a cold start

        try:
            return healthy_loadout(self.state.store, name, admit=self.admit, workshop=self.workshop())
        except NoGoodPackage as error:
            self.log.failure("no-good-package", package=name, detail=str(error))
            return builtin_loadout(Reason.UNVERIFIED)

    def workshop(self) -> Workshop:
        """What engines are built with."""
        from holdfast.node.loadouts import Workshop  # noqa: PLC0415  # numpy: 0.1 s of a cold start

        return Workshop(self.loaded.settings, self.state.clock, self.measures, self._workers)

    def findings(self) -> tuple[Finding, ...]:
        """What the node itself wants a person to know."""
        if not self._load_fault:
            return ()
        return (
            Finding(
                name="package-not-served",
                severity=Severity.CRITICAL,
                sentence=f"The active package cannot be loaded, RULES answers in its place: {self._load_fault}.",
                next_step="The node goes on trying; install the package again, or roll back.",
                component="node",
            ),
        )

    def _load_at_start(self) -> None:
        pause_s = _LOAD_AGAIN_S
        while not self._load() and not self._stopping.wait(pause_s) and self._load_fault:
            pause_s = min(2 * pause_s, _LOAD_AGAIN_MOST_S)

    def _load(self) -> bool:
        """Serve the active package, or RULES alone; say whether it is served."""
        try:
            self.refresh()
        except Exception as error:  # noqa: BLE001  # rim: the node must serve whatever is wrong with a package
            self.measures.add("swallowed_errors_total", "load")
            self.log.failure("package-not-served", error=type(error).__name__, detail=str(error)[:300])
            with self._refreshing:
                self._load_fault = f"{type(error).__name__}: {error}"[:300]
                if self.active.loadout.manifest is None:
                    self._put_in_service(builtin_loadout(Reason.UNVERIFIED))
            return False
        return True

    def _supervise(self) -> None:
        if self._stopping.is_set():
            return
        now_s = self.state.clock.monotonic_s()
        for pool in self.pools():
            with self._guard.part("workers"):
                self._step_pool(pool, now_s)
        with self._guard.part("tiers"):
            found = (*self.parts.teams.actives(), *self.parts.experiments.actives())
            actives = {active.serving.package: active for active in reversed(found)}
            self.answerer.step([(active.serving, active.engines) for active in actives.values()])
        with self._guard.part("transitions"):
            for transition in self.answerer.drain_transitions():
                self._transitions.add(transition)
                self.log.warning("tier-transition", transition=transition)
        with self._guard.part("transitions-kept"):
            self._transitions.step(now_s)
        with self._guard.part("retired"):
            self._close_retired()

    def _step_pool(self, pool: WorkerPool, now_s: float) -> None:
        try:
            pool.step(now_s)
        finally:
            for event in pool.events():
                self.log.info("worker", kind=event.kind, pid=event.pid, reason=event.reason, detail=event.sentence)

    def _close_retired(self) -> None:
        now_s = time.monotonic()
        due = [pool for at_s, pool in self._retired if now_s - at_s >= (_RETIRE_S if pool.depth else _UNLEASED_S)]
        if not due:
            return
        with self._swap:
            self._retired = [(at_s, pool) for at_s, pool in self._retired if pool not in due]
            self._pools = [pool for pool in self._pools if pool not in due]
        for pool in due:
            pool.close()


def _watch(loaded: Loaded, policy: Policy) -> RulesWatch | None:
    path = rules_path(loaded)
    return RulesWatch(path, policy.rules) if path is not None else None


def _wait_ready(pool: WorkerPool, wait_s: float) -> None:
    end_s = time.monotonic() + wait_s
    while not pool.ready and time.monotonic() < end_s:
        time.sleep(_READY_POLL_S)
