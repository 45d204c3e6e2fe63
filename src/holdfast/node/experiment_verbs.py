"""Operator verbs over experiments: start, look, promote, stop, take back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec

from holdfast.access import Role
from holdfast.apps.triage.experiments import Candidate, Experiment, Mode, Name, Share
from holdfast.node.node import Node
from holdfast.node.promotion import promote, roll_back
from holdfast.node.verb import NoArguments, Verb

if TYPE_CHECKING:
    from holdfast.apps.triage.arms import Comparison

__all__ = ["EXPERIMENT_VERBS", "Experiments", "Results", "results"]

By = Annotated[str, msgspec.Meta(max_length=100)]

_SEED = 7  # the same figures for the same ledger


class StartRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment to begin."""

    name: Name
    team: str = ""
    mode: Mode = "shadow"
    share: Share = 0.5
    candidate: Candidate
    by: By = "operator"


class ByRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants it: whoever may ask is root or the service's user, and says who it is for the ledger."""

    by: By = "operator"


class NameRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One experiment."""

    name: str
    by: By = "operator"


class Experiments(msgspec.Struct, frozen=True, kw_only=True):
    """All that are known, oldest first."""

    experiments: tuple[Experiment, ...]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment and what its arms did."""

    experiment: Experiment
    tasks: int
    truncated: bool
    """There were more than can be compared at once: the newest count."""
    comparison: Comparison


def results(node: Node, name: str) -> Results:
    """Compare the arms of an experiment over all of its time. Raises NoSuchExperiment."""
    import numpy as np  # noqa: PLC0415  # 0.1 s of a cold start

    from holdfast.apps.triage.arms import compare  # noqa: PLC0415  # numpy
    from holdfast.apps.triage.arms_ledger import gather  # noqa: PLC0415  # numpy

    experiment = node.parts.experiments.find(name)
    found = gather(node.state.journal, experiment)
    return Results(
        experiment=experiment,
        tasks=found.tasks,
        truncated=found.truncated,
        comparison=compare(found.rows, found.pairs, rng=np.random.default_rng(_SEED)),
    )


def _start(node: Node, asked: StartRequest) -> Experiment:
    experiment = Experiment(
        name=asked.name, team=asked.team, mode=asked.mode, share=asked.share, candidate=asked.candidate
    )
    return node.parts.experiments.begin(experiment, by=asked.by)


EXPERIMENT_VERBS: Mapping[str, Verb] = {
    "experiment.start": Verb(StartRequest, Role.OPERATOR, _start),
    "experiment.list": Verb(
        NoArguments, Role.VIEWER, lambda node, _: Experiments(experiments=node.parts.experiments.all)
    ),
    "experiment.status": Verb(NameRequest, Role.VIEWER, lambda node, asked: results(node, asked.name)),
    "experiment.stop": Verb(
        NameRequest, Role.OPERATOR, lambda node, asked: node.parts.experiments.end(asked.name, by=asked.by)
    ),
    "experiment.promote": Verb(NameRequest, Role.ADMIN, lambda node, asked: promote(node, asked.name, by=asked.by)),
    "experiment.rollback": Verb(ByRequest, Role.ADMIN, lambda node, asked: roll_back(node, by=asked.by)),
}
"""For the table in `verbs`. Promoting changes the configuration, so it takes what that takes."""
