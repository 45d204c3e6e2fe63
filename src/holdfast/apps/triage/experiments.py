"""Experiments: another way to score, tried beside the one in force; who is drawn for it, and how both did.

Pure. A task is drawn by a hash of experiment and task id: the same task has the same arm on every node, after every
restart, however often it is edited.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from holdfast.apps.triage.reprocess import Verdict
from holdfast.apps.triage.rubric import Bands, Weights
from holdfast.apps.triage.rules_file import parse_rules
from holdfast.apps.triage.scoring import Policy
from holdfast.errors import InvalidInput

__all__ = [
    "ARMS",
    "CANDIDATE",
    "CONTROL",
    "EXPERIMENT",
    "SHADOW",
    "Arm",
    "Candidate",
    "Experiment",
    "InvalidExperiment",
    "Mode",
    "Name",
    "ShadowRecord",
    "Share",
    "arm_name",
    "candidate_policy",
    "drawn",
]

EXPERIMENT, SHADOW = "experiment", "shadow"
"""Kinds of ledger entries."""

Mode = Literal["shadow", "ab"]
"""shadow: both score, the one in force decides. ab: the candidate decides its share of the tasks."""

Arm = Literal["control", "candidate"]
CONTROL: Arm = "control"
CANDIDATE: Arm = "candidate"
ARMS: tuple[Arm, ...] = (CONTROL, CANDIDATE)

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,39}$")]
Share = Annotated[float, Meta(ge=0, le=1)]
_FRACTION = float(2**64)


class InvalidExperiment(InvalidInput):
    """An experiment that cannot be: its candidate is nothing else than what is in force, or cannot score."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs from the scoring in force; the rest is as it is."""

    weights: dict[Literal["model", "deadline", "requester", "keywords"], Share] = {}
    bands: dict[Literal["p0", "p1", "p2"], Annotated[float, Meta(ge=0, le=100)]] = {}
    rules: str | None = None
    """Content of a rule file."""
    package: str = ""
    """`NAME` (its active version) or `NAME@VERSION`."""


class Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One, from its start on."""

    schema: int = 1
    name: Name
    team: str = ""
    """Whose tickets; empty: those of no team."""
    mode: Mode
    share: Share = 0.5
    """Of tasks that the candidate decides; in shadow it decides none."""
    candidate: Candidate
    started_at: str = ""
    started_by: str = ""
    after: int = 0
    """The last ledger entry before it."""
    state: Literal["running", "stopped", "promoted", "rolled-back"] = "running"
    ended_at: str = ""
    through: int | None = None
    """The last ledger entry of its time."""
    replaced: str | None = None
    """What the file of promoted settings held before; null until somebody promotes it."""
    replaced_package: str = ""
    """`NAME@VERSION` that was active before, where a version was promoted."""


class ShadowRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the candidate would have said on a ticket that the scoring in force decided."""

    schema: int = 1
    experiment: str
    task_id: str
    control: Verdict
    candidate: Verdict


def drawn(experiment: str, task_id: str, *, share: float) -> Arm:
    """The arm of a task: the same for the same names, the candidate for `share` of all."""
    digest = hashlib.sha256(f"{experiment}\0{task_id}".encode()).digest()
    return CANDIDATE if int.from_bytes(digest[:8], "big") / _FRACTION < share else CONTROL


def arm_name(experiment: str, arm: Arm) -> str:
    """What a decision says of the arm that made it."""
    return f"{experiment}/{arm}"


def candidate_policy(base: Policy, candidate: Candidate) -> Policy:
    """The policy in force with the candidate's differences. Raises InvalidRubric, InvalidRules."""
    rubric = base.rubric
    if candidate.weights:
        changed = msgspec.structs.asdict(rubric.weights) | dict(candidate.weights)
        rubric = msgspec.structs.replace(rubric, weights=Weights(**changed))
    if candidate.bands:
        bands = msgspec.structs.asdict(rubric.bands) | dict(candidate.bands)
        rubric = msgspec.structs.replace(rubric, bands=Bands(**bands))
    rules = base.rules if candidate.rules is None else parse_rules(candidate.rules, name="the candidate's rules")
    return Policy(rubric, base.matcher, rules)
