"""Bad bodies: always 4xx problem details that say what is wrong, never 500, never slow."""

from __future__ import annotations

import json
import time

import pytest

from tests.served import JSON, TICKET, Served

HEAD = b"POST /v1/triage/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
DEEP = b"[" * 1_000_000
DEEP_INSIDE = b'{"id":"x","title":"t","metadata":{"a":' + b"[" * 1_000_000
DEEP_BUT_WHOLE = b'{"id":"x","title":"t","metadata":{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}}"

MALFORMED = {
    "nothing": b"",
    "not JSON": b"{'id': 1}",
    "cut off": b'{"id":"x"',
    "two values": b'{"id":"x","title":"t"} {}',
    "UTF-16": json.dumps(TICKET).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(TICKET).encode("utf-16-le"),
    "Latin-1": '{"id":"x","title":"Störung"}'.encode("latin-1"),
    "NaN": b'{"id":"x","title":"t","metadata":{"n":NaN}}',
    "Infinity": b'{"id":"x","title":"t","metadata":{"n":-Infinity}}',
    "deep at the top": DEEP,
    "deep objects": b'{"a":' * 200_000,
    "deep inside metadata": DEEP_INSIDE,
    "deep inside metadata, and whole": DEEP_BUT_WHOLE,
    "control character": b'{"id":"x","title":"a\x01b"}',
    "binary": bytes(range(256)),
}

WRONG = {
    "a list": (b"[]", ""),
    "a number": (b"1", ""),
    "null": (b"null", ""),
    "no id": (b'{"title":"t"}', "/id"),
    "id is a number": (b'{"id":1,"title":"t"}', "/id"),
    "title is null": (b'{"id":"x","title":null}', "/title"),
    "empty id": (b'{"id":"","title":"t"}', "/id"),
    "unknown field": (b'{"id":"x","title":"t","priority":"P0"}', "/priority"),
    "metadata is a list": (b'{"id":"x","title":"t","metadata":[]}', "/metadata"),
    "role is a number": (b'{"id":"x","title":"t","metadata":{"requester":{"role":7}}}', "/metadata/requester/role"),
    "labels is a string": (b'{"id":"x","title":"t","metadata":{"labels":"a"}}', "/metadata/labels"),
    "no such date": (b'{"id":"x","title":"t","metadata":{"deadline_at":"tomorrow"}}', "/metadata/deadline_at"),
    "deadline too long": (b'{"id":"x","title":"t","deadline_ms":60000}', "/deadline_ms"),
    "deadline is a word": (b'{"id":"x","title":"t","deadline_ms":"soon"}', "/deadline_ms"),
    "twenty levels": (b'{"id":"x","title":"t","metadata":' + b'{"a":' * 20 + b"1" + b"}" * 21, "/metadata"),
}


@pytest.mark.parametrize("path", ["/v1/triage/score", "/v1/triage/score:batch", "/v1/embeddings"])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_body_that_is_not_json_is_refused_at_once(node: Served, path: str, body: bytes) -> None:
    started = time.monotonic()
    answer = node.ask("POST", path, body, JSON)
    # A reader that stops at the first wrong field may never reach the place where the text stops being JSON.
    assert answer.status == 400 or (answer.status == 422 and path != "/v1/triage/score"), answer.body[:300]
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_json_of_the_wrong_shape_is_422_and_names_the_place(node: Served, case: tuple[bytes, str]) -> None:
    body, pointer = case
    answer = node.ask("POST", "/v1/triage/score", body, JSON)
    problem = answer.json()
    assert (answer.status, problem["status"]) == (422, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.get("pointer", "").startswith(pointer), problem


def test_a_problem_says_what_where_and_which_request(node: Served) -> None:
    answer = node.ask("POST", "/v1/triage/score", b"{", {**JSON, "X-Request-Id": "abc-1"})
    problem = answer.json()
    assert problem["type"].startswith("urn:holdfast:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"] == "abc-1"


@pytest.mark.parametrize(
    "text", ["\\ud800", "\\u0000", "😀 ünïcödé", "a" * 200_000], ids=["surrogate", "nul", "emoji", "long"]
)
def test_odd_text_is_scored_or_refused_but_never_breaks_the_node(node: Served, text: str) -> None:
    body = b'{"id":"odd","title":"' + text.encode() + b'"}'
    assert node.ask("POST", "/v1/triage/score", body, JSON).status in (200, 400, 422)


def test_a_batch_names_the_ticket_that_is_wrong(node: Served) -> None:
    answer = node.post("/v1/triage/score:batch", {"tickets": [TICKET, {"id": "T-2"}]})
    assert answer.status == 422
    assert answer.json()["pointer"].startswith("/tickets/1")


def test_a_batch_has_at_least_one_and_at_most_256_tickets(node: Served) -> None:
    assert node.post("/v1/triage/score:batch", {"tickets": []}).status == 422
    assert node.post("/v1/triage/score:batch", {"tickets": [TICKET] * 257}).status == 422


def test_a_body_of_twenty_megabytes_is_413_at_once_and_costs_no_memory(node: Served) -> None:
    body = b'{"id":"big","title":"' + b"a" * 20_000_000 + b'"}'
    node.post("/v1/triage/score", TICKET)
    before = node.settled_bytes()
    started = time.monotonic()
    received = node.raw(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:1000], wait_s=1.0)
    assert received.startswith(b"HTTP/1.1 413")
    assert node.ask("POST", "/v1/triage/score", body, JSON).status == 413
    assert time.monotonic() - started < 5.0
    assert node.resident_bytes() - before < 8_000_000


def test_a_chunked_body_is_cut_off_at_the_limit(node: Served) -> None:
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    before = node.resident_bytes()
    received = node.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40, wait_s=2.0)
    assert received.startswith(b"HTTP/1.1 413")
    assert node.resident_bytes() - before < 8_000_000


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "multipart/form-data", "application/json; charset=utf-16", ""]
)
def test_a_body_of_another_type_is_415(node: Served, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    assert node.ask("POST", "/v1/triage/score", json.dumps(TICKET).encode(), headers).status == 415


def test_json_with_its_charset_named_is_taken(node: Served) -> None:
    headers = {"Content-Type": 'Application/JSON; charset="UTF-8"'}
    assert node.ask("POST", "/v1/triage/score", json.dumps(TICKET).encode(), headers).status == 200
