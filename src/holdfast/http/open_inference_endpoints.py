"""Open Inference Protocol v2: server and model metadata, health, and infer through the triage app."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast import __version__
from holdfast.access import SCORE, VIEW
from holdfast.apps.triage.app import Call, Scored
from holdfast.apps.triage.decision import NEEDS_TRIAGE
from holdfast.apps.triage.scoring import band_probabilities
from holdfast.apps.triage.ticket import Ticket
from holdfast.errors import InvalidInput
from holdfast.http.bodies import encode, whole_number
from holdfast.http.deadlines import DEADLINE_HEADER, deadline_of
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.open_inference import OutputTensor, decode_infer, encode_infer, model_metadata
from holdfast.http.problems import MalformedBody, next_try, status_of
from holdfast.http.teams import actives_seen
from holdfast.node.active import BUILTIN, Active
from holdfast.node.node import Node
from holdfast.node.showing import health

__all__ = ["OpenInferenceEndpoints", "UnknownModel", "failure"]

_BINARY = b"application/octet-stream"
_UNSAID = b""  # tritonclient sends no Content-Type; the gate has already turned other sites away
_LENGTH_HEADER = b"inference-header-content-length"
_MOST_BYTES = 1 << 30


class UnknownModel(InvalidInput):
    """No model, or no version of it, of this name answers here."""


class OpenInferenceEndpoints:
    """The active package under the protocol's routes; without a package, the built-in rules as `builtin`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes; every model route exists with and without a version."""
        plain = (
            Endpoint(
                method="GET", template="/v2", call=self.server, summary="The server.", needs=VIEW, failures=failure
            ),
            Endpoint(
                method="GET",
                template="/v2/health/live",
                call=self.live,
                stage="inline",
                summary="Is the server alive?",
                needs=VIEW,
                failures=failure,
            ),
            Endpoint(
                method="GET",
                template="/v2/health/ready",
                call=self.ready,
                stage="inline",
                summary="Can the server answer?",
                needs=VIEW,
                failures=failure,
            ),
        )
        models = [
            endpoint
            for base in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
            for endpoint in self._of_model(base)
        ]
        return (*plain, *models)

    def _of_model(self, base: str) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                method="GET", template=base, call=self.model, summary="A model's tensors.", needs=VIEW, failures=failure
            ),
            Endpoint(
                method="GET",
                template=f"{base}/ready",
                call=self.model_ready,
                summary="Can the model answer?",
                needs=VIEW,
                failures=failure,
            ),
            Endpoint(
                method="POST",
                template=f"{base}/infer",
                call=self.infer,
                stage="answering",
                summary="Score texts given as tensors; JSON, or JSON followed by binary tensors.",
                needs=SCORE,
                media_types=(b"application/json", _BINARY, _UNSAID),
                parameters=(
                    DEADLINE_HEADER,
                    Parameter(
                        name="Inference-Header-Content-Length",
                        place="header",
                        description="Length of the JSON part when binary tensors follow it.",
                        schema={"type": "integer", "minimum": 1},
                    ),
                ),
                failures=failure,
            ),
        )

    def server(self, _request: Request) -> Reply:
        """See the summary."""
        return Reply(encode({"name": "holdfast", "version": __version__, "extensions": ["binary_tensor_data"]}))

    def live(self, _request: Request) -> Reply:
        """See the summary."""
        return Reply(b'{"live":true}')

    def ready(self, _request: Request) -> Reply:
        """See the summary."""
        ready = health(self._node).status != "unready"
        return Reply(encode({"ready": ready}), 200 if ready else 503)

    def model(self, request: Request) -> Reply:
        """See the summary."""
        active = self._active(request)
        return Reply(encode(model_metadata(active.serving.package, [active.serving.version])))

    def model_ready(self, request: Request) -> Reply:
        """See the summary."""
        active = self._active(request)
        ready = health(self._node).status != "unready"
        return Reply(encode({"name": active.serving.package, "ready": ready}), 200 if ready else 503)

    def infer(self, request: Request) -> Reply:
        """See the summary."""
        active = self._active(request)
        given = request.header(_LENGTH_HEADER)
        header_bytes = None
        if given is not None:
            header_bytes = whole_number(given, "Inference-Header-Content-Length", least=1, most=_MOST_BYTES)
        try:
            question = decode_infer(request.body, header_bytes=header_bytes)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise MalformedBody(f"body: expected an infer request, found {error}") from error
        default_ms = self._node.loaded.settings.limits.deadline_ms
        call = Call(
            deadline_s=deadline_of(request, question.deadline_ms, default_ms=default_ms),
            started_s=request.arrived_s,
            request_id=request.request_id,
        )
        task = question.id or request.request_id
        tickets = [
            Ticket(id=f"{task}/{position}"[-256:], title="", description=text)
            for position, text in enumerate(question.texts)
        ]
        scored = self._node.triage.score_batch(tickets, active, call)
        return _reply(question.id, scored, active, outputs=question.outputs)

    def _active(self, request: Request) -> Active:
        """The package in service that the path names, the default's or a team's, or what stands in for that one."""
        model, version = request.arguments["model"], request.arguments.get("version")
        seen = actives_seen(self._node, request.caller)
        for one in seen:
            if model == one.serving.package and version in (None, one.serving.version):
                return one
        # A client asks for its model by name; while that has no good version, the built-in rules answer in its place.
        for one in seen:
            if version is None and one.serving.package == BUILTIN and model == self._wanted(one.team):
                return one
        known = " or ".join(dict.fromkeys(f"{one.serving.package!r} version {one.serving.version!r}" for one in seen))
        raise UnknownModel(
            f"expected model {known or 'of a configured team'}, found {model[:80]!r}"
            + (f" version {version[:80]!r}" if version else "")
        )

    def _wanted(self, team: str) -> str:
        """The package that is to answer the tickets of a team."""
        teams = self._node.loaded.settings.teams
        own = teams[team].package if team in teams else ""
        return own.partition("@")[0] or self._node.package_name()


def failure(error: BaseException, request_id: str) -> Reply:
    """Render `error` as the protocol's error object."""
    del request_id  # it is in the header
    status = status_of(error)
    known = status != 500  # the one status whose text may not be told
    told = str(error) if known else "the node failed on this request; its log names the request id"
    return Reply(encode({"error": told}), status, headers=next_try(error))


def _reply(identity: str, scored: Sequence[Scored], active: Active, *, outputs: dict[str, bool]) -> Reply:
    served_by = scored[0].decision.served_by
    head = {
        "model_name": active.serving.package,
        "model_version": active.serving.version,
        "id": identity,
        "parameters": {
            "tier": served_by.tier.value,
            "version": served_by.version,
            "digest": served_by.digest,
            "degraded": any(one.decision.served_by.degraded for one in scored),
            "unsigned": served_by.unsigned,
        },
    }
    body, header_bytes = encode_infer(head, _tensors(scored, active), outputs=outputs)
    headers = [(b"holdfast-tier", served_by.tier.value.encode())]
    if header_bytes is None:
        return Reply(body, headers=headers)
    headers.append((_LENGTH_HEADER, str(header_bytes).encode()))
    return Reply(body, media_type=_BINARY, headers=headers)


def _tensors(scored: Sequence[Scored], active: Active) -> tuple[OutputTensor, ...]:
    count = len(scored)
    decisions = [one.decision for one in scored]
    shares = [band_probabilities(one.output, lens=active.lens, rubric=active.policy.rubric) for one in scored]
    return (
        OutputTensor("score", "FP32", (count,), [decision.score for decision in decisions]),
        OutputTensor("priority_probabilities", "FP32", (count, 4), [share for row in shares for share in row]),
        OutputTensor("priority", "BYTES", (count,), [decision.priority.value for decision in decisions]),
        OutputTensor("route", "BYTES", (count,), [decision.route.label or NEEDS_TRIAGE for decision in decisions]),
    )
