"""The way out as a part of the node: its limits from the settings, its day's count among the facts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from holdfast.errors import Unavailable
from holdfast.facts import Facts
from holdfast.finding import Finding
from holdfast.outbound.address import allow_list
from holdfast.outbound.gate import Outbound, OutboundLimits
from holdfast.outbound.links import LinkLimits
from holdfast.settings.tree import Settings

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["WayOut", "build_outbound"]

_FACT = "outbound bytes"
_MIB = 1 << 20


class WayOut:
    """Keeps `node.outbound` in step with the settings."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def start(self) -> None:
        """Nothing to begin: connections are made when somebody sends."""

    def stop(self) -> None:
        """Close what is open and keep the day's count."""
        self._node.outbound.close()

    def reconfigure(self) -> None:
        """Take hosts, proxy, authorities and limits from the node's new settings."""
        self._node.outbound.reconfigure(outbound_limits(self._node.loaded.settings))

    def findings(self) -> tuple[Finding, ...]:
        """See Outbound.findings."""
        return self._node.outbound.findings()


def build_outbound(node: Node) -> Outbound:
    """The gate of `node`, whose state and settings are there already. Raises NotAllowed for a host that is none."""
    limits = outbound_limits(node.loaded.settings)
    return Outbound(limits, node.state.clock, node.measures, tally=_FactTally(node.state.facts))


def outbound_limits(settings: Settings) -> OutboundLimits:
    """Where the node may go: what is allowed by name and where its trackers are. Raises NotAllowed."""
    chosen = settings.outbound
    urls = (one.base_url for one in settings.connections.values() if one.base_url)
    return OutboundLimits(
        allowed=allow_list(chosen.allow, urls),
        links=LinkLimits(connect_timeout_s=chosen.connect_timeout_s, proxy=chosen.proxy, ca_file=chosen.ca_file),
        timeout_s=chosen.timeout_s,
        response_bytes=chosen.response_kib << 10,
        requests_per_minute=chosen.requests_per_minute,
        bytes_per_day=chosen.mib_per_day * _MIB,
    )


class _FactTally:
    """The day's count as a fact, in the node's own days."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def day(self) -> int:
        """See Tally."""
        return self._facts.age_days()

    def load(self) -> tuple[int, int]:
        """See Tally."""
        day, _, used = (self._facts.get(_FACT) or b"0 0").partition(b" ")
        return int(day), int(used)

    def keep(self, day: int, used_bytes: int) -> None:
        """See Tally."""
        with suppress(Unavailable):  # the disk is full or failing: the count in memory holds until the next start
            self._facts.put(_FACT, b"%d %d" % (day, used_bytes))
