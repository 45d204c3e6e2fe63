"""What the node shows of itself: plain frozen values, read by dashboards, the command line and the status page."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.finding import Finding
from holdfast.job import QueueState
from holdfast.tier import Reason, Tier, Transition

__all__ = [
    "Alerts",
    "Health",
    "NodeStatus",
    "PackageView",
    "Packages",
    "Queue",
    "QueueView",
    "Reloaded",
    "TierView",
    "Tiers",
    "Transitions",
]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the node can do its work, and how well."""

    status: Literal["ok", "degraded", "unready"]
    tier: Tier
    """The best tier that answers now."""
    reasons: tuple[str, ...]
    """Why it is not `ok`; empty when it is."""
    ledger: str
    """`ok`, `audit_headers_only` or `full`."""
    package: str
    version: str
    unsigned: bool


class TierView(msgspec.Struct, frozen=True, kw_only=True):
    """One tier of the package in service."""

    tier: Tier
    available: bool
    reason: Reason | None = None
    """Why it is not available, or what it lacks."""
    variant: str = ""
    runtime: str = ""
    depth: int = 0
    """Requests running and waiting."""
    wait_ms: float = 0.0
    service_ms: float = 0.0


class Tiers(msgspec.Struct, frozen=True, kw_only=True):
    """Every tier, best first."""

    package: str
    version: str
    configured: Tier
    best: Tier
    pressure: Reason | None
    """Heat or lack of memory, where it keeps the full tier at rest."""
    tiers: tuple[TierView, ...]


class Transitions(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of the best available tier, newest first."""

    transitions: tuple[Transition, ...]


class PackageView(msgspec.Struct, frozen=True, kw_only=True):
    """One installed version of one package."""

    name: str
    version: str
    digest: str
    active: bool
    previous: bool
    pinned: bool
    bad: str | None
    unsigned: bool
    installed_at: str


class Packages(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed."""

    serving: str
    """`name@version` that answers now; `builtin@…` without a good package."""
    packages: tuple[PackageView, ...]
    used_bytes: int


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One bounded queue."""

    queue: str
    waiting: int
    limit: int


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What waits."""

    queues: tuple[QueueView, ...]
    jobs: tuple[QueueState, ...]
    """The durable queues: depth, age of the oldest, rate, dead letters."""


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody should look at, worst first."""

    alerts: tuple[Finding, ...]


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The node at a glance."""

    version: str
    health: Health
    started_at: str
    uptime_s: float
    age_s: float
    """Seconds this node has run since it was set up, restarts included."""
    settings_generation: int
    open_access: bool
    """True while there are no tokens: anybody on this machine, and nobody else, may call it."""
    answered: dict[str, int]
    """Texts answered since start, by tier."""
    memory_bytes: dict[str, int]
    disk_free_bytes: int
    temperature_c: float | None
    ledger_entries: int
    """Entries in the ledger, from its first; they are numbered without a gap."""
    alerts: tuple[Finding, ...]


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What reading the configuration again changed."""

    generation: int
    changed: tuple[str, ...]
    """Dotted keys."""
    needs_restart: tuple[str, ...]
    """Those of them that are in force after a restart only."""
