"""Jobs over HTTP, from a running node."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from holdfast.job import Dead, NewJob
from tests.node.workshop import node_at
from tests.served import TICKET, Served, Start, eventually


@pytest.fixture
def served(start: Start, tmp_path: Path) -> Served:
    """A node that began with one dead letter and one job that waits."""
    with node_at(tmp_path / "node0" / "data") as node:
        jobs, database = node.state.jobs, node.state.database
        for key, delay_s in (("dead", 0.0), ("later", 3600.0)):
            job = NewJob(queue="backfill", kind="unheard-of", payload=b"canary", key=key, delay_s=delay_s)
            database.commit(lambda t, j=job: jobs.enqueue(t, j))
        lease = jobs.lease("backfill")
        assert lease is not None
        jobs.finish(lease, Dead("the printer is gone"))
    return start()


def test_the_queues_are_shown_and_measured(served: Served) -> None:
    shown = {one["queue"]: one for one in served.ask("GET", "/v1/node/queue").json()["jobs"]}
    assert (shown["backfill"]["dead"], shown["backfill"]["waiting"]) == (1, 1)
    wanted = 'holdfast_queue_jobs{queue="backfill",state="dead"} 1.0'
    assert eventually(lambda: wanted in served.ask("GET", "/metrics").body.decode())


def test_jobs_are_listed_without_what_they_carry(served: Served) -> None:
    answer = served.ask("GET", "/v1/node/jobs?state=dead")
    assert [job["reason"] for job in answer.json()["jobs"]] == ["the printer is gone"]
    assert b"canary" not in answer.body
    assert served.ask("GET", "/v1/node/jobs?state=odd").status == 422
    assert served.ask("GET", "/v1/node/jobs?queue=odd").status == 404


def test_a_dead_letter_is_an_alert_until_it_is_retried_or_purged(served: Served) -> None:
    def alerts() -> set[str]:
        return {alert["name"] for alert in served.ask("GET", "/v1/node/alerts").json()["alerts"]}

    assert eventually(lambda: "dead-letters" in alerts())
    assert served.post("/v1/node/queues/backfill/purge", {"state": "dead"}).json()["jobs"] == 1
    assert eventually(lambda: "dead-letters" not in alerts())


def test_a_job_that_waits_is_run_at_once_when_it_is_retried(served: Served) -> None:
    assert served.post("/v1/node/jobs/2/retry", {}).json()["jobs"] == 1

    def attempts() -> int:
        found = served.ask("GET", "/v1/node/jobs?queue=backfill").json()["jobs"]
        return next(int(job["attempts"]) for job in found if job["id"] == 2)

    assert eventually(lambda: attempts() > 0)
    assert served.post("/v1/node/jobs/99/retry", {}).status == 404


def test_a_request_does_not_wait_for_a_thousand_queued_jobs(start: Start, tmp_path: Path) -> None:
    idle, laden = start(), tmp_path / "node1" / "data"
    with node_at(laden) as node:
        jobs = [NewJob(queue="backfill", kind="unheard-of", payload=b"", key=f"job {n}") for n in range(1000)]
        node.state.database.commit(lambda t: [node.state.jobs.enqueue(t, job) for job in jobs])
    busy = start("[queues.backfill]\nlanes = 1\nbackoff_s = 0.01\nmax_attempts = 1000\n")
    pairs = [(_seconds(idle, n), _seconds(busy, n)) for n in range(200)]
    (waiting,) = [q for q in busy.ask("GET", "/v1/node/queue").json()["jobs"] if q["queue"] == "backfill"]
    assert waiting["ready"] + waiting["leased"] == 1000
    unladen_s, laden_s = (sorted(times)[100] for times in zip(*pairs, strict=True))
    assert laden_s < 1.5 * unladen_s


def _seconds(node: Served, number: int) -> float:
    started_s = time.perf_counter()
    assert node.post("/v1/triage/score", {**TICKET, "id": f"T-{number}"}).status == 200
    return time.perf_counter() - started_s


def test_a_purge_of_an_impossible_state_names_the_field(served: Served) -> None:
    answer = served.post("/v1/node/queues/backfill/purge", {"state": "leased"})
    assert (answer.status, answer.json()["pointer"]) == (422, "/state")
