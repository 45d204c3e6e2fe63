"""Tracker: reading and writing tasks over the way out, and what each way of failing means for a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

from holdfast.apps.triage.connections import Connection
from holdfast.apps.triage.dialect import MalformedEvent, TaskGone, TrackerRefused, Witness
from holdfast.apps.triage.task import Deed, Listing, Task, Values
from holdfast.errors import HoldfastError, HumanNeeded, InvalidInput, Refused, Unavailable
from holdfast.exchange import Incoming, Outgoing
from holdfast.job import Again, Dead
from holdfast.outbound.refusals import ExchangeUncertain, MalformedOutgoing

__all__ = ["Changed", "Gate", "TokenRefused", "Tracker", "TrackerBusy", "TrackerFailed", "Turn", "outcome_of"]

_BUSY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_CHANGED = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED})
_MOST_WAIT_S = 86_400.0


class TrackerBusy(Unavailable):
    """The tracker answers, but not now; it says nothing about the task."""

    def __init__(self, message: str, *, asked_s: float | None) -> None:
        super().__init__(message)
        self.asked_s = asked_s
        """Retry-After; None where it asked for nothing."""


class TrackerFailed(Unavailable):
    """The tracker failed on this very request, which may or may not have been applied."""


class TokenRefused(HumanNeeded):
    """The tracker does not take the connection's token."""


class Changed(Unavailable):
    """Somebody changed the task after it was read: it must be read and judged again."""


class Gate(Protocol):
    """The way out, as `outbound.Outbound` is."""

    def send(self, request: Outgoing, *, deadline_s: float) -> Incoming:
        """Exchange `request` for its answer. Raises what outbound/refusals.py says."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One connection, and until when somebody waits."""

    connection: Connection
    deadline_s: float
    """Monotonic."""


class Tracker:
    """Speaks with trackers through the gate. Remembers which of them refused our token last."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.refused: dict[str, str] = {}
        """Connection -> what it answered. Each entry is set and taken away at once, so it needs no lock."""

    def read(self, task_id: str, turn: Turn) -> Task:
        """Return the task as it is now. Raises TaskGone, TrackerRefused, MalformedEvent, and as `_send` does.

        A read changes nothing, so one that failed or got no answer says that the tracker is busy, not what is wrong
        with the task.
        """
        dialect, place = turn.connection.dialect, turn.connection.place
        try:
            reply = self._send(dialect.read_request(task_id, place), turn)
        except (TrackerFailed, ExchangeUncertain) as error:
            raise TrackerBusy(str(error), asked_s=None) from error
        return dialect.read_reply(reply, place)

    def write(self, task: Task, values: Values, turn: Turn, *, key: str) -> Task | None:
        """Write `values` on `task` as it was just read; returns the task as the answer shows it, where it does.

        Raises TrackerRefused and TaskGone; Changed where the tracker noticed that somebody else wrote first; and as
        `_send` does.
        """
        dialect, place = turn.connection.dialect, turn.connection.place
        reply = self._send(dialect.write_request(task, values, place, key=key), turn)
        if reply.status in _CHANGED:
            raise Changed(f"{turn.connection.name}: the task changed between read and write: status {reply.status}")
        try:
            after = dialect.read_reply(reply, place)
        except MalformedEvent:
            return None  # many trackers answer a write with something else than the task
        return after if after.id == task.id else None

    def witness(self, task: Task, turn: Turn) -> Mapping[str, Deed]:
        """Return who put each label on the task last, as far as the tracker says. Raises as `_send` does."""
        dialect, place = turn.connection.dialect, turn.connection.place
        if not isinstance(dialect, Witness):
            return {}
        try:
            return dialect.witness_reply(self._send(dialect.witness_request(task, place), turn))
        except (TaskGone, TrackerRefused, MalformedEvent):
            return {}  # an old version, or a token that may not ask: then nobody is named

    def page(self, since_at: str, cursor: str, turn: Turn) -> tuple[Listing, str]:
        """Return a page of tasks changed since `since_at`, and the tracker's own time of day (HTTP Date) if it says it.

        Raises TrackerRefused, MalformedEvent, and as `_send` does.
        """
        dialect, place = turn.connection.dialect, turn.connection.place
        reply = self._send(dialect.list_request(since_at, cursor, place), turn)
        return dialect.list_reply(reply, place), reply.headers.get("date", "")

    def _send(self, request: Outgoing, turn: Turn) -> Incoming:
        """Raises TrackerBusy, TrackerFailed, TokenRefused, TrackerRefused for a redirect, and what the gate raises."""
        reply = self._gate.send(request, deadline_s=turn.deadline_s)
        name, status = turn.connection.name, reply.status
        found = f"{name}: {request.method} expected a status from 200 to 299, found {status}"
        if status == HTTPStatus.UNAUTHORIZED:
            self.refused[name] = found
            raise TokenRefused(f"{found}; put a token that may read and write its tasks into its token_file")
        self.refused.pop(name, None)
        if status in _BUSY or (status == HTTPStatus.FORBIDDEN and _is_rate_limit(reply)):
            raise TrackerBusy(found, asked_s=_asked_s(reply))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TrackerFailed(found)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise TrackerRefused(f"{found}, a redirect, which is never followed; set base_url to where it leads")
        return reply


def outcome_of(error: HoldfastError) -> Again | Dead:
    """Say what a failure means for the job: what says nothing about the task does not use up its attempts."""
    said = str(error)
    if isinstance(error, TrackerBusy):
        return Again(said, after_s=error.asked_s or None, counts=False)  # "now" is what it has just refused
    if isinstance(error, TrackerFailed | Changed | ExchangeUncertain):
        return Again(said)
    if isinstance(error, TaskGone | Refused | MalformedOutgoing):
        return Dead(said)
    if isinstance(error, InvalidInput):  # an answer that is none of the tracker's: a proxy's page, a cut body
        return Again(said)
    return Again(said, counts=False)  # no link, no trust, no budget, no token: it is tried for as long as it takes


def _is_rate_limit(reply: Incoming) -> bool:
    """Say whether a 403 means "later": GitHub's primary and secondary limits do."""
    return "retry-after" in reply.headers or reply.headers.get("x-ratelimit-remaining") == "0"


def _asked_s(reply: Incoming) -> float | None:
    """Seconds to wait, by the tracker's own clock where it names an instant: ours may be wrong."""
    asked = reply.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return min(float(asked[:9]), _MOST_WAIT_S)
    now_s = _instant_s(reply.headers.get("date", ""))
    reset = reply.headers.get("x-ratelimit-reset", "") if reply.headers.get("x-ratelimit-remaining") == "0" else ""
    until_s = _instant_s(asked) if asked else float(reset[:12]) if reset.isdecimal() else None
    if now_s is None or until_s is None:
        return None
    return min(max(until_s - now_s, 0.0), _MOST_WAIT_S)


def _instant_s(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date (RFC 9110, 5.6.7)."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
