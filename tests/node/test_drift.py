"""A node that is asked something new says so: as an alert, as a metric, over HTTP and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.workbench.bundled import load_head
from tests.node.test_lifecycle import holdfast
from tests.served import Served, Start, eventually

BATCH = 250


@pytest.fixture
def node(start: Start, small_package: Path) -> Served:
    node = start("[trust]\nallow_unsigned = true\n")
    report = holdfast(node, "package", "install", str(small_package))
    assert report.returncode == 0, report.stderr
    return node


def watched(node: Served) -> dict:
    found = node.ask("GET", "/v1/triage/drift").json()["packages"]
    return found[0] if found else {"samples": 0}


def feed(node: Served, texts: list[str]) -> None:
    """Have them scored, and wait until the watch has read them."""
    before = watched(node)["samples"]
    tickets = [{"id": f"T-{place}", "title": text[:30_000]} for place, text in enumerate(texts)]
    for first in range(0, len(tickets), BATCH):
        answer = node.post("/v1/triage/score:batch", {"tickets": tickets[first : first + BATCH]})
        assert answer.status == 200, answer.body
    assert eventually(lambda: watched(node)["samples"] == before + len(texts), within_s=20)


def test_one_ticket_over_and_over_after_real_ones_raises_the_alarm_everywhere(node: Served) -> None:
    feed(node, [ticket.text for ticket in load_head("route").reading.tickets[:300]])
    assert watched(node)["features"] == []
    feed(node, ["printer toner"] * 300)
    feed(node, ["printer toner"] * 300)
    alerts = {alert["name"]: alert for alert in node.ask("GET", "/v1/node/alerts").json()["alerts"]}
    assert "differ from those triage-en 0.9.0 was judged on" in alerts["drift"]["sentence"]
    assert 'holdfast_drift_psi{feature="route.words",package="triage-en"}' in node.ask("GET", "/metrics").body.decode()
    shown = json.loads(holdfast(node, "triage", "drift", "--json").stdout)
    assert shown["packages"][0]["drifting"] is True


def test_what_was_seen_before_a_stop_is_seen_again_with_and_without_a_running_node(node: Served) -> None:
    feed(node, [f"cannot open my mail box number {place}" for place in range(350)])
    node.stop()
    shown = holdfast(node, "triage", "drift")
    assert "triage-en 0.9.0: " in shown.stdout
    assert "350 tickets looked at" in shown.stdout
    node.start()
    assert eventually(lambda: watched(node)["samples"] == 350, within_s=20)
