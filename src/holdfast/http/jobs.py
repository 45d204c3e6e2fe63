"""Jobs over HTTP: which there are, and what an operator may do about them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from holdfast.access import OPERATE, VIEW, Caller, Forbidden
from holdfast.http.bodies import decode, encode, whole_number
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.problems import InvalidField
from holdfast.job import JobState
from holdfast.jobs import JobsQuery
from holdfast.node import jobs_verbs
from holdfast.node.jobs_verbs import JobsChanged, JobsPage, PurgeRequest, RetryRequest
from holdfast.node.node import Node

__all__ = ["JobsEndpoints"]

_MOST = 1000
_MOST_ID = 2**63 - 1  # what SQLite counts to
_STATES = [state.value for state in JobState]


class _Purge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a purge."""

    state: Literal["dead", "done", "ready"] = "dead"
    older_s: Annotated[float, Meta(ge=0)] = 0.0


_PURGE = msgspec.json.Decoder(_Purge)


class JobsEndpoints:
    """On the operator limiter, so that dashboards cannot starve scoring."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/node/jobs",
                call=self.list,
                gives=JobsPage,
                summary="Jobs, newest first: state, age, attempts, how the last run failed.",
                needs=VIEW,
                parameters=(
                    Parameter(name="queue"),
                    Parameter(name="state", schema={"type": "string", "enum": _STATES}),
                    Parameter(name="limit", schema={"type": "integer", "minimum": 1, "maximum": _MOST}),
                    Parameter(name="before", schema={"type": "integer", "minimum": 1}),
                ),
            ),
            Endpoint(
                method="POST",
                template="/v1/node/jobs/{id}/retry",
                call=self.retry,
                gives=JobsChanged,
                summary="Try a dead or waiting job again, now and from the start.",
                needs=OPERATE,
            ),
            Endpoint(
                method="POST",
                template="/v1/node/queues/{queue}/retry",
                call=self.retry_queue,
                gives=JobsChanged,
                summary="Try every dead letter of a queue again.",
                needs=OPERATE,
            ),
            Endpoint(
                method="POST",
                template="/v1/node/queues/{queue}/purge",
                call=self.purge,
                takes=_Purge,
                gives=JobsChanged,
                summary="Delete the jobs of a queue that are dead, done or ready, for good.",
                needs=OPERATE,
            ),
        )

    def list(self, request: Request) -> Reply:
        """See the summary."""
        _check_sees_all(request.caller)
        asked = request.query()
        state = asked.get("state", "")
        if state and state not in _STATES:
            raise InvalidField(f"state: expected one of {', '.join(_STATES)}, found {state[:40]}", field="/state")
        query = JobsQuery(
            queue=asked.get("queue", ""),
            state=JobState(state) if state else None,
            limit=whole_number(asked.get("limit", "100"), "limit", least=1, most=_MOST),
            before=whole_number(asked.get("before", "0"), "before", least=0, most=_MOST_ID),
        )
        return Reply(encode(jobs_verbs.list_jobs(self._node, query)))

    def retry(self, request: Request) -> Reply:
        """See the summary."""
        _check_sees_all(request.caller)
        job_id = whole_number(request.arguments["id"], "id", least=1, most=_MOST_ID)
        return Reply(encode(jobs_verbs.retry(self._node, RetryRequest(id=job_id))))

    def retry_queue(self, request: Request) -> Reply:
        """See the summary."""
        _check_sees_all(request.caller)
        return Reply(encode(jobs_verbs.retry(self._node, RetryRequest(queue=request.arguments["queue"]))))

    def purge(self, request: Request) -> Reply:
        """See the summary."""
        _check_sees_all(request.caller)
        chosen = decode(_PURGE, request.body or b"{}")
        asked = PurgeRequest(queue=request.arguments["queue"], state=chosen.state, older_s=chosen.older_s)
        return Reply(encode(jobs_verbs.purge(self._node, asked)))


def _check_sees_all(caller: Caller) -> None:
    """A job names a task, and belongs to no team: who may see one team's tasks only may see no job."""
    if caller.teams:
        raise Forbidden(f"jobs: expected a caller who may see every team, found {caller.name}")
