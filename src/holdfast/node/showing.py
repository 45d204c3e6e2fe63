"""The node's views, taken from its parts at the moment of asking."""

from __future__ import annotations

from holdfast import __version__
from holdfast.ledger.query import Query
from holdfast.node.node import Node
from holdfast.node.views import (
    Alerts,
    Health,
    NodeStatus,
    Packages,
    PackageView,
    Queue,
    QueueView,
    Tiers,
    TierView,
    Transitions,
)
from holdfast.store.slots import Installed, Slots
from holdfast.tier import TIERS, Reason, Tier

__all__ = ["alerts", "health", "packages", "queue", "status", "tiers", "transitions"]


def health(node: Node) -> Health:
    """Whether the node can answer and record, and why it is less than it should be."""
    serving = node.active.serving
    ledger = node.state.journal.mode.value
    shown = tiers(node)
    reasons = [
        f"{view.tier.value}: {view.reason.value}" for view in shown.tiers if view.reason and _wanted(view, shown)
    ]
    if ledger != "ok":
        reasons.append(f"ledger: {ledger}")
    must_record = node.loaded.settings.ledger.audit == "required"
    unready = ledger == "full" and must_record
    return Health(
        status="unready" if unready else "degraded" if reasons else "ok",
        tier=shown.best,
        reasons=tuple(reasons),
        ledger=ledger,
        package=serving.package,
        version=serving.version,
        unsigned=serving.unsigned,
    )


def _wanted(view: TierView, shown: Tiers) -> bool:
    """A tier above the configured one, or one that an idle model left on purpose, is no reason to worry."""
    chosen = TIERS.index(view.tier) >= TIERS.index(shown.configured)
    return chosen and view.reason not in (Reason.PINNED, Reason.UNLOADED_IDLE)


def tiers(node: Node) -> Tiers:
    """Every tier of the package in service, best first."""
    active = node.active
    views = tuple(_tier(node, tier) for tier in TIERS)
    best = next((view.tier for view in views if view.available), Tier.RULES)
    return Tiers(
        package=active.serving.package,
        version=active.serving.version,
        configured=active.engines.configured,
        best=best,
        pressure=node.answerer.pressure,
        tiers=views,
    )


def _tier(node: Node, tier: Tier) -> TierView:
    engines = node.active.engines
    engine = engines.engines.get(tier)
    if engine is None:
        above = TIERS.index(tier) < TIERS.index(engines.configured)
        reason = Reason.PINNED if above else engines.absent.get(tier, Reason.NOT_IN_PACKAGE)
        return TierView(tier=tier, available=False, reason=reason)
    condition = engine.condition(1)
    pressure = node.answerer.pressure if tier is Tier.FULL else None
    lacking = pressure or condition.refuses or condition.lacks
    return TierView(
        tier=tier,
        available=lacking is None,
        reason=lacking,
        variant=engine.variant,
        runtime=engine.runtime,
        depth=condition.depth,
        wait_ms=round(condition.wait_s * 1e3, 3),
        service_ms=round(condition.service_s * 1e3, 3),
    )


def transitions(node: Node, limit: int) -> Transitions:
    """The latest changes of tier, newest first."""
    return Transitions(transitions=tuple(node.state.facts.transitions(limit=limit)))


def packages(node: Node) -> Packages:
    """What is installed."""
    serving = node.active.serving
    store = node.state.store
    views = [
        _package(name, slots, installed)
        for name, slots in sorted(store.state().packages.items())
        for installed in slots.installed
    ]
    return Packages(
        serving=f"{serving.package}@{serving.version}", packages=tuple(views), used_bytes=store.used_bytes()
    )


def _package(name: str, slots: Slots, installed: Installed) -> PackageView:
    mark = slots.bad.get(installed.digest)
    return PackageView(
        name=name,
        version=installed.version,
        digest=installed.digest,
        active=slots.active == installed.digest,
        previous=slots.previous == installed.digest,
        pinned=installed.digest in slots.pinned,
        bad=mark.sentence if mark else None,
        unsigned=not installed.signers,
        installed_at=installed.installed_at,
    )


def queue(node: Node) -> Queue:
    """What waits."""
    settings = node.loaded.settings
    full = node.active.engines.engines.get(Tier.FULL)
    views = [
        QueueView(queue="ledger", waiting=node.state.database.waiting(), limit=4096),
        QueueView(queue="full", waiting=full.condition(1).depth if full else 0, limit=settings.runtime.max_waiting),
        *(QueueView(queue=name, waiting=busy, limit=slots) for name, (busy, slots) in node.limiters().items()),
    ]
    return Queue(queues=tuple(views), jobs=node.state.jobs.states())


def alerts(node: Node) -> Alerts:
    """What somebody should look at."""
    return Alerts(alerts=node.senses.findings())


def status(node: Node) -> NodeStatus:
    """The node at a glance."""
    numbers = node.measures.numbers()
    answered: dict[str, int] = {}
    for (_, tier), count in numbers["tier_served_total"].items():
        answered[tier] = answered.get(tier, 0) + int(count)
    latest = node.state.journal.list(Query(limit=1)).entries
    return NodeStatus(
        version=__version__,
        health=health(node),
        started_at=node.started_at.isoformat(timespec="seconds"),
        uptime_s=round(node.state.clock.monotonic_s() - node.started_s, 1),
        age_s=round(node.state.facts.age_s(), 1),
        settings_generation=node.generation,
        open_access=not node.state.tokens.any,
        answered=answered,
        memory_bytes={labels[0]: int(value) for labels, value in numbers["resident_bytes"].items()},
        disk_free_bytes=node.senses.disk_free_bytes,
        temperature_c=numbers["temperature_celsius"].get(()),
        ledger_entries=latest[0].header.sequence if latest else 0,
        alerts=node.senses.findings(),
    )
