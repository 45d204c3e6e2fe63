"""Parts: what a node has besides answering; each is built once, started, told of new settings, asked, and stopped."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

from holdfast.finding import Finding
from holdfast.node.accuracy import Accuracy
from holdfast.node.drift import Drift
from holdfast.node.experiments import Experiments
from holdfast.node.hooks import Hooks
from holdfast.node.lanes import JobLanes
from holdfast.node.reprocess import Reprocess
from holdfast.node.similar import SimilarTickets
from holdfast.node.teams import Teams
from holdfast.node.tls import Tls
from holdfast.node.way_out import WayOut
from holdfast.node.writer import Writer

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["Part", "Parts", "build_parts"]


class Part(Protocol):
    """One of them. Built by every node; started only by one that serves, not by a command that runs without a node."""

    def start(self) -> None:
        """Begin its loops, if it has any."""

    def stop(self) -> None:
        """End them; the state closes after this."""

    def reconfigure(self) -> None:
        """Take the node's new settings. Raises HoldfastError where they cannot be used; then nothing changed."""

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know about it now."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All of them, by name; each field is a Part, built and started in this order."""

    way_out: WayOut
    tls: Tls
    teams: Teams
    experiments: Experiments
    reprocess: Reprocess
    hooks: Hooks
    drift: Drift
    accuracy: Accuracy
    similar: SimilarTickets
    writer: Writer
    lanes: JobLanes
    """The last to start: by then every kind of job has its owner, who offers to do it in `start`."""

    def all(self) -> tuple[Part, ...]:
        """Each, in order."""
        return tuple(getattr(self, one.name) for one in fields(self))


def build_parts(node: Node) -> Parts:
    """Build each part on `node`, whose state, answerer and triage app are there already."""
    return Parts(
        way_out=WayOut(node),
        tls=Tls(node),
        teams=Teams(node),
        experiments=Experiments(node),
        reprocess=Reprocess(node),
        hooks=Hooks(node),
        drift=Drift(node),
        accuracy=Accuracy(node),
        similar=SimilarTickets(node),
        writer=Writer(node),
        lanes=JobLanes(node),
    )
