"""Experiments over HTTP, to look at: which there are, and how their arms compare."""

from __future__ import annotations

from holdfast.access import VIEW
from holdfast.apps.triage.experiments import Experiment
from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.node.experiment_verbs import Experiments, results
from holdfast.node.experiments import NoSuchExperiment
from holdfast.node.node import Node

__all__ = ["ExperimentEndpoints"]


class ExperimentEndpoints:
    """On the operator limiter; starting and promoting is for the command line, whose caller is known."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/triage/experiments",
                needs=VIEW,
                call=self.experiments,
                summary="Experiments, oldest first.",
                gives=Experiments,
            ),
            Endpoint(
                method="GET",
                template="/v1/triage/experiments/{name}",
                needs=VIEW,
                call=self.experiment,
                summary="One experiment, both arms' figures and their differences with 95 % intervals.",
            ),
        )

    def experiments(self, request: Request) -> Reply:
        """See the summary."""
        return Reply(encode(Experiments(experiments=self._seen(request))))

    def experiment(self, request: Request) -> Reply:
        """See the summary."""
        name = request.arguments["name"]
        if name not in {one.name for one in self._seen(request)}:
            raise NoSuchExperiment(f"no experiment {name[:60]!r}", field="name")
        return Reply(encode(results(self._node, name)))

    def _seen(self, request: Request) -> tuple[Experiment, ...]:
        return tuple(one for one in self._node.parts.experiments.all if request.caller.sees(one.team))
