"""Alertmanager: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config; nothing is written to it."""

from __future__ import annotations

import json

from tests.trackers import signing
from tests.trackers.board import Board, Card, Change
from tests.trackers.wire import Reply, Request

__all__ = ["Alertmanager"]


class Alertmanager:
    """It cannot sign: `http_config.authorization` sends a bearer token."""

    name = "alertmanager"
    default_priority = ""
    prefix = ""
    conditional = False
    idempotent = False

    def api(self, request: Request, board: Board) -> Reply:
        del request, board
        return Reply(404, {"error": "nothing is written to Alertmanager"})

    def number(self, request: Request) -> int | None:
        del request

    def task_id(self, card: Card) -> str:
        return f"{card.number:016x}"

    def delivery(self, change: Change, card: Card, secret: str) -> tuple[dict[str, str], bytes]:
        labels = {"alertname": card.title, "instance": "db1:9100", "severity": "critical"}
        alert = {
            "status": "resolved" if card.closed else "firing",
            "labels": labels,
            "annotations": {"summary": card.title, "description": card.description},
            "startsAt": card.created_at.isoformat(),
            "endsAt": card.updated_at.isoformat() if card.closed else "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph?g0.expr=up",
            "fingerprint": self.task_id(card),
        }
        event = {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{card.title}"}}',
            "truncatedAlerts": 0,
            "status": alert["status"],
            "receiver": "holdfast",
            "groupLabels": {"alertname": card.title},
            "commonLabels": labels,
            "commonAnnotations": alert["annotations"],
            "externalURL": "http://alertmanager.example",
            "alerts": [alert],
        }
        body = json.dumps(event).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Alertmanager/0.28.1",
            **signing.bearer(secret, body),
        }
        return headers, body
