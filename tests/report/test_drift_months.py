"""Drift at full length: months of tickets nobody learnt from, and each Apache project after the five others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from holdfast.workbench.bundled import load_head
from holdfast.workbench.columns import Columns
from holdfast.workbench.tickets import LabelledTicket, read
from tests.report.drifting import Watched, trained

pytestmark = pytest.mark.faults

APACHE = "tickets/apache_jira_bugs_6proj_to_2016-06.csv.gz"
URGENCY = ("Trivial=0", "Minor=0.2", "Major=0.5", "Critical=0.8", "Blocker=1")


@pytest.mark.parametrize("seed", range(4))
def test_30000_it_tickets_that_were_never_seen_raise_at_most_one_alarm(seed: int) -> None:
    tickets = load_head("route").reading.tickets
    order = np.random.default_rng(seed).permutation(len(tickets)).tolist()
    package = Watched(trained(route=[tickets[place] for place in order[:8_000]]))
    said = package.said([tickets[place].text for place in order[8_000:38_000]])
    assert len(package.alarms(said)) <= 1


@pytest.fixture(scope="module")
def apache() -> list[LabelledTicket]:
    root = os.environ.get("HOLDFAST_TESTDATA")
    if not root:
        pytest.skip("HOLDFAST_TESTDATA is not set")
    columns = Columns(
        id="id", title="title", body="body", at="created", group="project", labels={"priority": "priority"}
    )
    return list(read([Path(root) / APACHE], columns).tickets)


@pytest.mark.parametrize("project", ["ActiveMQ", "HDFS", "Hadoop", "Hive", "MAPREDUCE", "YARN"])
def test_a_project_never_seen_before_is_found_within_2000_tickets(
    apache: list[LabelledTicket], project: str, request: pytest.FixtureRequest
) -> None:
    others = [ticket for ticket in apache if ticket.group != project]
    others = [others[place] for place in np.random.default_rng(5).permutation(len(others)).tolist()]
    package = Watched(trained(priority=others[:6_000], urgency=URGENCY))
    before = package.said([ticket.text for ticket in others[6_000:9_000]])
    new = package.said([ticket.text for ticket in apache if ticket.group == project][:2_000])
    alarm, *_ = package.alarms(before + new, after=3_000)
    request.node.user_properties.append(("found_after", alarm.after))
    assert 0 < alarm.after <= 2_000
