"""Triage over HTTP: decisions, deadlines, idempotency, looking back, overriding."""

from __future__ import annotations

import json

import pytest

from tests.served import JSON, TICKET, Served


def test_a_ticket_is_scored_with_reasons_and_who_answered(node: Served) -> None:
    answer = node.post("/v1/triage/score", TICKET)
    decision = answer.json()
    assert answer.status == 200
    assert decision["task_id"] == "T-1"
    assert 0 <= decision["score"] <= 100
    assert decision["recorded"] is True
    assert answer.headers["holdfast-tier"] == decision["served_by"]["tier"] == "rules"
    assert decision["served_by"]["package"] == "builtin"
    assert abs(sum(one["points"] for one in decision["contributions"]) - decision["score"]) <= 0.5


def test_the_request_id_is_taken_and_found_in_the_decision(node: Served) -> None:
    answer = node.post("/v1/triage/score", TICKET, X_Request_Id="trace-7")
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "trace-7"


@pytest.mark.parametrize("given", ["spaces are not", "x" * 200, 'quote"s', ""])
def test_a_request_id_that_cannot_stand_in_a_log_is_replaced(node: Served, given: str) -> None:
    answer = node.ask("GET", "/livez", headers={"X-Request-Id": given})
    assert answer.status == 200
    assert answer.headers["x-request-id"] not in (given, "")


def test_the_same_key_and_body_give_the_first_decision(node: Served) -> None:
    first = node.post("/v1/triage/score", TICKET, Idempotency_Key="k-1")
    second = node.post("/v1/triage/score", TICKET, Idempotency_Key="k-1")
    assert second.json()["decision_id"] == first.json()["decision_id"]
    assert second.headers["holdfast-replay"] == "true"
    assert "holdfast-replay" not in first.headers


def test_white_space_around_a_header_s_value_is_not_part_of_it(node: Served) -> None:
    first = node.post("/v1/triage/score", TICKET, Idempotency_Key="k-space", Holdfast_Deadline_Ms="500 \t")
    second = node.post("/v1/triage/score", TICKET, Idempotency_Key="k-space \t")
    assert first.status == 200
    assert second.json()["decision_id"] == first.json()["decision_id"]


def test_the_same_key_with_another_body_is_409(node: Served) -> None:
    node.post("/v1/triage/score", TICKET, Idempotency_Key="k-2")
    assert node.post("/v1/triage/score", {**TICKET, "title": "Other"}, Idempotency_Key="k-2").status == 409


def test_an_empty_or_endless_key_is_refused(node: Served) -> None:
    assert node.post("/v1/triage/score", TICKET, Idempotency_Key="x" * 300).status == 422


def test_a_batch_answers_in_order(node: Served) -> None:
    tickets = [{**TICKET, "id": f"B-{n}"} for n in range(256)]
    answer = node.post("/v1/triage/score:batch", {"tickets": tickets})
    assert answer.status == 200
    assert [one["task_id"] for one in answer.json()["decisions"]] == [one["id"] for one in tickets]


@pytest.mark.parametrize("text", ["0", "-1", "30001", "1e3", "soon", "٣"])
def test_a_deadline_header_that_is_no_time_is_422(node: Served, text: str) -> None:
    headers = {**JSON, "Holdfast-Deadline-Ms": text.encode().decode("latin-1")}
    answer = node.ask("POST", "/v1/triage/score", json.dumps(TICKET).encode(), headers)
    assert answer.status == 422


def test_one_millisecond_is_still_answered(node: Served) -> None:
    assert node.post("/v1/triage/score", TICKET, Holdfast_Deadline_Ms="1").status == 200


def test_a_decision_is_found_again_by_id_and_by_task(node: Served) -> None:
    made = node.post("/v1/triage/score", {**TICKET, "id": "look-back"}).json()
    found = node.ask("GET", f"/v1/triage/decisions/{made['decision_id']}").json()
    page = node.ask("GET", "/v1/triage/decisions?task_id=look-back&limit=5").json()
    assert found["score"] == made["score"]
    assert page["decisions"][0]["decision"]["decision_id"] == made["decision_id"]


def test_pages_follow_their_cursor_without_a_gap(node: Served) -> None:
    ids = [node.post("/v1/triage/score", {**TICKET, "id": "paged"}).json()["decision_id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = node.ask("GET", f"/v1/triage/decisions?task_id=paged&limit=2&cursor={cursor}").json()
        seen += [one["decision"]["decision_id"] for one in page["decisions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "priority=P9", "tier=huge", "since=yesterday", "cursor=zzz"]
)
def test_a_query_that_cannot_be_meant_is_422(node: Served, query: str) -> None:
    assert node.ask("GET", f"/v1/triage/decisions?{query}").status == 422


def test_an_unknown_decision_is_404(node: Served) -> None:
    assert node.ask("GET", "/v1/triage/decisions/dec_nothing").status == 404
    assert node.post("/v1/triage/decisions/dec_nothing/override", {"priority": "P0"}).status == 404


def test_a_person_overrides_and_their_word_wins(node: Served) -> None:
    made = node.post("/v1/triage/score", {**TICKET, "id": "override"}).json()
    path = f"/v1/triage/decisions/{made['decision_id']}"
    corrected = node.post(f"{path}/override", {"priority": "P3", "route": "Hardware", "reason": "known issue"}).json()
    assert corrected["priority"] == node.ask("GET", path).json()["priority"] == "P3"
    assert corrected["route"]["label"] == "Hardware"
    assert corrected["override"]["by"] == "local"


def test_an_override_of_nothing_is_422(node: Served) -> None:
    made = node.post("/v1/triage/score", TICKET).json()
    assert node.post(f"/v1/triage/decisions/{made['decision_id']}/override", {}).status == 422


def test_the_rubric_in_force_is_shown(node: Served) -> None:
    rubric = node.ask("GET", "/v1/triage/rubric").json()
    assert rubric["weights"]["model"] == 0.6
    assert rubric["bands"]["p0"] == 90


def test_an_attachment_that_is_no_base64_is_422_and_says_where(node: Served) -> None:
    answer = node.post("/v1/triage/score", {**TICKET, "attachments": [{"name": "a.bin", "base64": "%%%"}]})
    assert answer.status == 422
    assert answer.json()["pointer"] == "/attachments/0/base64"
