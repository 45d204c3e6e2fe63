"""A node that is asked something new says so: as an alert, as a metric, over HTTP and on the command line."""

from __future__ import annotations

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
    for _ in range(2):  # once it is stopped, what it saw is read again
        shown = holdfast(node, "triage", "drift").stdout
        assert "triage-en 0.9.0: drifting since" in shown
        assert "900 tickets looked at" in shown
        node.stop()
