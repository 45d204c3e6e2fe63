"""The description, the pages, the metrics, health, and the two foreign dialects."""

from __future__ import annotations

import json
import re
import struct
from html.parser import HTMLParser

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.apps.triage.decision import Decision
from holdfast.measure import METRICS
from tests.served import JSON, TICKET, Served


def test_the_description_is_openapi_3_1_and_every_reference_leads_somewhere(node: Served) -> None:
    api = node.ask("GET", "/openapi.json").json()
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(api)))
    assert api["openapi"].startswith("3.1")
    assert references <= set(api["components"]["schemas"])
    assert "/v1/operator/{verb}" not in api["paths"]


def test_everything_described_is_served(node: Served) -> None:
    api = node.ask("GET", "/openapi.json").json()
    for path, methods in api["paths"].items():
        concrete = re.sub(r"\{\w+\}", "x", path)
        allowed = node.ask("OPTIONS", concrete).headers["allow"].lower()
        assert all(method in allowed for method in methods), path


class _Outside(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href") and tag != "a"]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_outside(node: Served, path: str) -> None:
    answer = node.ask("GET", path)
    page = _Outside()
    page.feed(answer.body.decode())
    assert page.links
    for link in page.links:
        assert link.startswith("/pages/")
        assert node.ask("GET", link).status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_metrics_are_those_of_the_table_and_parse(node: Served) -> None:
    node.post("/v1/triage/score", TICKET)
    families = {one.name for one in text_string_to_metric_families(node.ask("GET", "/metrics").body.decode())}
    named = {f"holdfast_{metric.name}".removesuffix("_total") for metric in METRICS}
    assert families == named


def test_requests_are_counted_by_route_and_never_by_path(node: Served) -> None:
    node.ask("GET", "/v1/triage/decisions/dec_zebra")
    node.ask("GET", "/zebra")
    text = node.ask("GET", "/metrics").body.decode()
    assert 'route="/v1/triage/decisions/{decision_id}",status="404"' in text
    assert "zebra" not in text


def test_health_says_degraded_and_why_without_a_package(node: Served) -> None:
    health = node.ask("GET", "/healthz").json()
    assert health["status"] == "degraded"
    assert "no_package" in " ".join(health["reasons"])
    assert node.ask("GET", "/readyz").body == b"ready: rules\n"
    assert node.ask("GET", "/livez").status == 200


@pytest.mark.parametrize("view", ["status", "tiers", "packages", "queue", "alerts"])
def test_the_node_shows_itself(node: Served, view: str) -> None:
    assert node.ask("GET", f"/v1/node/{view}").status == 200


def test_the_history_of_tiers_is_bounded_by_its_limit(node: Served) -> None:
    assert node.ask("GET", "/v1/tiers/history?limit=5").status == 200
    assert node.ask("GET", "/v1/tiers/history?limit=0").status == 422


INFER = {
    "id": "a",
    "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["server is down", "toner"]}],
}


def test_the_open_inference_protocol_answers_as_builtin(node: Served) -> None:
    assert node.ask("GET", "/v2/").json()["name"] == "holdfast"
    assert node.ask("GET", "/v2/health/live").json() == {"live": True}
    assert node.ask("GET", "/v2/health/ready").json() == {"ready": True}
    model = node.ask("GET", "/v2/models/builtin").json()
    assert [one["name"] for one in model["outputs"]] == ["score", "priority_probabilities", "priority", "route"]
    assert node.ask("GET", f"/v2/models/builtin/versions/{model['versions'][0]}/ready").json()["ready"] is True


def test_infer_returns_a_score_and_four_probabilities_per_text(node: Served) -> None:
    answer = node.post("/v2/models/builtin/infer", INFER)
    outputs = {one["name"]: one for one in answer.json()["outputs"]}
    assert answer.json()["id"] == "a"
    assert outputs["score"]["shape"] == [2]
    assert outputs["score"]["data"][0] > outputs["score"]["data"][1]
    assert sum(outputs["priority_probabilities"]["data"][:4]) == pytest.approx(1.0)
    assert answer.headers["holdfast-tier"] == answer.json()["parameters"]["tier"] == "rules"


def test_infer_takes_and_gives_binary_tensors(node: Served) -> None:
    element = b"server is down"
    tensor = struct.pack("<I", len(element)) + element
    given = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tensor)}}
    head = json.dumps({"inputs": [given], "outputs": [{"name": "score", "parameters": {"binary_data": True}}]}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    answer = node.ask("POST", "/v2/models/builtin/infer", head + tensor, headers)
    length = int(answer.headers["inference-header-content-length"])
    (score,) = struct.unpack("<f", answer.body[length:])
    assert 0 <= score <= 100
    assert json.loads(answer.body[:length])["outputs"][0]["parameters"]["binary_data_size"] == 4


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}",
        b'{"inputs":[]}',
        b'{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["a"]}]}',
        b'{"inputs":[{"name":"text","shape":[1],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","data":["a"]}]}',
        b'{"inputs":[{"name":"text","shape":[99999999999],"datatype":"BYTES","data":["a"]}]}',
        b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":[1]}]}',
    ],
)
def test_errors_of_infer_are_the_protocol_s(node: Served, body: bytes) -> None:
    answer = node.ask("POST", "/v2/models/builtin/infer", body, JSON)
    assert 400 <= answer.status < 500
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("length", ["0", "-1", "x", "999999999999"])
def test_a_header_length_that_cannot_be_is_refused(node: Served, length: str) -> None:
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": length}
    assert 400 <= node.ask("POST", "/v2/models/builtin/infer", b"{}", headers).status < 500


def test_an_unknown_model_is_404_in_each_dialect(node: Served) -> None:
    assert node.post("/v2/models/nope/infer", INFER).json()["error"].startswith("expected model 'builtin'")
    refused = node.post("/v1/embeddings", {"model": "nope", "input": "x"})
    assert (refused.status, refused.json()["error"]["code"]) == (404, "model_not_found")


def test_models_are_listed_and_embeddings_say_when_there_is_no_encoder(node: Served) -> None:
    assert node.ask("GET", "/v1/models").json()["data"][0]["id"] == "builtin"
    assert node.ask("GET", "/v1/models/builtin").json()["object"] == "model"
    refused = node.post("/v1/embeddings", {"model": "builtin", "input": "x"})
    assert refused.status == 503
    assert refused.json()["error"]["type"] == "server_error"


def test_every_answer_type_is_one_the_decoder_takes_back(node: Served) -> None:
    body = node.post("/v1/triage/score", TICKET).body
    assert msgspec.json.decode(body, type=Decision).task_id == "T-1"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/nope"), ("PUT", "/v2/models/builtin/infer"), ("PUT", "/v2")])
def test_what_the_open_inference_protocol_does_not_serve_is_refused_in_its_words(
    node: Served, method: str, path: str
) -> None:
    answer = node.ask(method, path, b"{}", JSON)
    assert answer.status in (404, 405)
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/embeddings"), ("PUT", "/v1/models"), ("GET", "/v1/models/a/b")]
)
def test_what_openai_s_routes_do_not_serve_is_refused_in_openai_s_words(node: Served, method: str, path: str) -> None:
    answer = node.ask(method, path, b"{}", JSON)
    assert answer.status in (404, 405)
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(("path", "kind"), [("/v2/models/builtin/infer", str), ("/v1/embeddings", dict)])
def test_the_gate_refuses_in_the_words_of_the_path(node: Served, path: str, kind: type) -> None:
    answer = node.ask("POST", path, b"{}", {**JSON, "Host": "evil.example"})
    assert answer.status == 403
    assert isinstance(answer.json()["error"], kind)


def test_a_path_that_only_begins_alike_gets_a_problem(node: Served) -> None:
    assert node.ask("GET", "/v2x").json()["title"] == "No such path"


def _infer_binary(content: bytes) -> tuple[bytes, int]:
    tensor = struct.pack("<I", len(content)) + content
    given = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tensor)}}
    head = json.dumps({"inputs": [given]}).encode()
    return head + tensor, len(head)


@pytest.mark.parametrize("media_type", ["application/json", "application/octet-stream"])
def test_brackets_inside_a_binary_tensor_are_text(node: Served, media_type: str) -> None:
    body, length = _infer_binary(b"[" * 500 + b" server is down")
    headers = {"Content-Type": media_type, "Inference-Header-Content-Length": str(length)}
    assert node.ask("POST", "/v2/models/builtin/infer", body, headers).status == 200


@pytest.mark.parametrize(
    "media_type", ["Application/JSON", "application/json ; charset=utf-8", "application/octet-stream"]
)
def test_deep_json_is_refused_however_it_is_announced(node: Served, media_type: str) -> None:
    body = b'{"inputs":' + b"[" * 500 + b"]" * 500 + b"}"
    headers = {"Content-Type": media_type, "Inference-Header-Content-Length": str(len(body))}
    answer = node.ask("POST", "/v2/models/builtin/infer", body, headers)
    assert answer.status == 400
    assert "deeper" in answer.json()["error"]


def test_the_length_of_binary_tensors_does_not_hide_the_depth_of_a_ticket(node: Served) -> None:
    body = b'{"id":"1","title":"t","metadata":{"x":' + b"[" * 500 + b"]" * 500 + b"}}"
    answer = node.ask("POST", "/v1/triage/score", body, {**JSON, "Inference-Header-Content-Length": "1"})
    assert answer.status == 400
    assert "deeper" in answer.json()["detail"]


@pytest.mark.parametrize("deadline_ms", [0, -5, 30_001, 1e300])
def test_a_deadline_of_infer_outside_its_range_is_422(node: Served, deadline_ms: float) -> None:
    answer = node.post("/v2/models/builtin/infer", {**INFER, "parameters": {"deadline_ms": deadline_ms}})
    assert answer.status == 422
    assert "deadline_ms" in answer.json()["error"]
    assert node.post("/v2/models/builtin/infer", {**INFER, "parameters": {"deadline_ms": 30_000}}).status == 200
