"""Operator verbs over the job queues: list, retry, purge; what changes them is recorded in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from holdfast.access import Role
from holdfast.database import Transaction
from holdfast.digest import canonical
from holdfast.errors import InvalidInput, Unavailable
from holdfast.job import Job, JobState, QueueState
from holdfast.jobs import AT_ONCE, JobsQuery
from holdfast.node.node import Node
from holdfast.node.queues import QUEUES
from holdfast.node.verb import NoArguments, Verb
from holdfast.record import Draft

__all__ = [
    "JOBS_VERBS",
    "JobView",
    "JobsChanged",
    "JobsPage",
    "NoSuchJob",
    "NoSuchQueue",
    "PurgeRequest",
    "Queues",
    "RetryRequest",
    "list_jobs",
    "purge",
    "retry",
]

_MOST_LISTED = 1000
_RECORD_AGAIN_S = 5.0


class NoSuchJob(InvalidInput):
    """No job of this number that could be retried."""


class NoSuchQueue(InvalidInput):
    """No queue of this name."""


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as people see it: everything but what it carries."""

    id: int
    queue: str
    kind: str
    key: str
    """What makes it the job it is; empty when it is done."""
    priority: int
    state: JobState
    attempts: int
    age_s: float
    due_in_s: float
    reason: str
    """How its last run failed."""
    log: str
    """The last lines of that run."""


class JobsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, newest first."""

    jobs: tuple[JobView, ...]
    next_before: int | None
    """Ask again with `before` set to this for the older ones; null: there are none."""


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which to try again from the start: one dead or waiting job, or every dead letter of a queue."""

    id: int = 0
    queue: str = ""


class PurgeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which to delete for good."""

    queue: str
    state: Literal["dead", "done", "ready"] = "dead"
    older_s: Annotated[float, Meta(ge=0)] = 0.0
    """In that state (ready: in the queue) for at least so long, by the node's own age."""


class JobsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a verb did."""

    jobs: int
    sequence: int
    """Of the ledger entry that says so."""


class Queues(msgspec.Struct, frozen=True, kw_only=True):
    """How every queue is."""

    queues: tuple[QueueState, ...]


def list_jobs(node: Node, asked: JobsQuery) -> JobsPage:
    """See the class. Raises NoSuchQueue."""
    _check(asked.queue)
    limit = min(max(asked.limit, 1), _MOST_LISTED)
    found = node.state.jobs.list(msgspec.structs.replace(asked, limit=limit))
    more = len(found) == limit
    return JobsPage(jobs=tuple(_view(job) for job in found), next_before=found[-1].id if more else None)


def retry(node: Node, asked: RetryRequest) -> JobsChanged:
    """See the class. Raises NoSuchJob, NoSuchQueue, Unavailable."""
    if bool(asked.id) == bool(asked.queue):
        raise NoSuchJob("jobs.retry: expected the number of a job or the name of a queue, one of them", field="/id")
    _check(asked.queue)
    which = asked.id or asked.queue

    def act(transaction: Transaction) -> int:
        count = node.state.jobs.retry(transaction, which)
        if asked.id and not count:
            raise NoSuchJob(f"job {asked.id}: expected one that is dead or waits, found none", field="/id")
        return count

    return _recorded(node, act, verb="retry", asked=asked)


def purge(node: Node, asked: PurgeRequest) -> JobsChanged:
    """See the class. Raises NoSuchQueue, Unavailable."""
    _check(asked.queue)
    jobs, state = node.state.jobs, JobState(asked.state)
    return _recorded(
        node,
        lambda transaction: jobs.purge(transaction, asked.queue, state=state, older_s=asked.older_s),
        verb="purge",
        asked=asked,
    )


def _recorded(
    node: Node, act: Callable[[Transaction], int], *, verb: str, asked: RetryRequest | PurgeRequest
) -> JobsChanged:
    """Record what was asked and do it, the first piece in the same unit of work, the others in units of their own."""
    counts: list[int] = []
    draft = Draft(kind="jobs", payload=canonical({"verb": verb, **msgspec.to_builtins(asked)}))
    recorded = node.state.journal.append(draft, extra=lambda t: counts.append(act(t)))
    if not recorded.recorded:
        raise Unavailable("the disk takes no ledger entry now; no job was changed", retry_after_s=_RECORD_AGAIN_S)
    total = piece = counts[-1]
    while piece >= AT_ONCE:
        piece = node.state.database.commit(act)
        total += piece
    return JobsChanged(jobs=total, sequence=recorded.sequence or 0)


def _check(queue: str) -> None:
    if queue and queue not in QUEUES:
        raise NoSuchQueue(f"{queue[:80]}: expected one of {', '.join(QUEUES)}", field="/queue")


def _view(job: Job) -> JobView:
    shown = msgspec.structs.asdict(job)
    del shown["payload"]
    return JobView(**shown)


JOBS_VERBS: Mapping[str, Verb] = {
    "jobs.queues": Verb(NoArguments, Role.VIEWER, lambda node, _: Queues(queues=node.state.jobs.states())),
    "jobs.list": Verb(JobsQuery, Role.VIEWER, list_jobs),
    "jobs.retry": Verb(RetryRequest, Role.OPERATOR, retry),
    "jobs.purge": Verb(PurgeRequest, Role.OPERATOR, purge),
}
