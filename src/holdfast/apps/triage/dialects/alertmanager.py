"""Alertmanager: firing alerts, each a task of its own; nothing is written back.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (payload version 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NoReturn

import msgspec

from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import Ability, MalformedEvent, Place, Scheme, TrackerRefused
from holdfast.apps.triage.dialects.replies import decoded, instant
from holdfast.apps.triage.task import Event, EventKind, Ignored, Listing, Task, Values
from holdfast.apps.triage.ticket import MAX_BATCH
from holdfast.exchange import Incoming, Outgoing

__all__ = ["Alertmanager"]

_MOST_FINGERPRINT = 64  # it has 16 characters


class _Alert(msgspec.Struct, frozen=True):
    fingerprint: str
    status: str = "firing"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    startsAt: str = ""  # noqa: N815  # Alertmanager's
    generatorURL: str = ""  # noqa: N815  # Alertmanager's


class _Delivery(msgspec.Struct, frozen=True):
    alerts: tuple[_Alert, ...]
    version: str = ""
    receiver: str = ""


_DELIVERY = msgspec.json.Decoder(_Delivery)


class Alertmanager:
    """See Dialect."""

    name = "alertmanager"
    built_from: Literal["payloads", "documentation"] = "payloads"
    scheme: Scheme = "bearer"
    ability = Ability(writes=False, lists=False)
    words: Mapping[Priority, str] = {}

    def decode(self, headers: Mapping[str, str], body: bytes, place: Place) -> Event | Ignored:  # noqa: ARG002  # Dialect
        """See Dialect."""
        delivery = decoded(_DELIVERY, body, "Alertmanager notification")
        firing = {_task_id(one): one for one in delivery.alerts if one.status == "firing"}
        if not firing:
            return Ignored("resolved: none of its alerts is firing")
        if len(firing) > MAX_BATCH:
            raise MalformedEvent(
                f"Alertmanager notification: expected at most {MAX_BATCH} firing alerts, found {len(firing)}; "
                "set max_alerts in its webhook_config"
            )
        tasks = tuple(_task(task_id, one) for task_id, one in firing.items())
        return Event(kind=EventKind.CREATED, tasks=tasks, by=delivery.receiver, name="firing")

    def read_request(self, task_id: str, place: Place) -> Outgoing:
        """See Dialect."""
        _refuse(task_id, place)

    def read_reply(self, reply: Incoming, place: Place) -> Task:
        """See Dialect."""
        _refuse(reply, place)

    def write_request(self, task: Task, values: Values, place: Place, *, key: str) -> Outgoing:
        """See Dialect."""
        _refuse(task, values, place, key)

    def list_request(self, since_at: str, cursor: str, place: Place) -> Outgoing:
        """See Dialect."""
        _refuse(since_at, cursor, place)

    def list_reply(self, reply: Incoming, place: Place) -> Listing:
        """See Dialect."""
        _refuse(reply, place)


def _task_id(alert: _Alert) -> str:
    """An alert that stops and fires again is another task; one that is only repeated has the same start."""
    if not 0 < len(alert.fingerprint) <= _MOST_FINGERPRINT or not alert.fingerprint.isascii():
        raise MalformedEvent(f"alert: expected a fingerprint of 1 to {_MOST_FINGERPRINT} characters")
    return f"{alert.fingerprint}@{alert.startsAt[:_MOST_FINGERPRINT]}"


def _task(task_id: str, alert: _Alert) -> Task:
    names = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    name = alert.labels.get("alertname", "alert")
    summary = alert.annotations.get("summary", "")
    metadata = {
        "created_at": instant(alert.startsAt),
        "labels": [f"{name}={value}" for name, value in sorted(alert.labels.items())],
        "severity": alert.labels.get("severity"),
        "alert": alert.labels,
    }
    return Task(
        id=task_id,
        title=f"{name}: {summary}" if summary else name,
        description="\n".join(filter(None, (alert.annotations.get("description", ""), names))),
        metadata={name: value for name, value in metadata.items() if value is not None},
        revision=alert.startsAt,
        url=alert.generatorURL,
    )


def _refuse(*_asked: object) -> NoReturn:
    raise TrackerRefused("Alertmanager: expected a tracker with tasks, found one that only sends alerts")
