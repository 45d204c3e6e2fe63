"""OpenAI's shapes: `/v1/models` and `/v1/embeddings`, with the error object its clients read."""

from __future__ import annotations

import struct
from http import HTTPStatus

import msgspec

from holdfast.access import SCORE, VIEW
from holdfast.errors import InvalidInput
from holdfast.http.bodies import decode, encode
from holdfast.http.deadlines import DEADLINE_HEADER, deadline_of
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.http.openai_shapes import EmbeddingQuestion, embeddings, error_object, model_list, model_object, questions
from holdfast.http.problems import next_try, status_of
from holdfast.http.teams import actives_seen
from holdfast.manifest import Variant
from holdfast.node.active import Active
from holdfast.node.node import Node
from holdfast.runtime.engine import TierUnavailable
from holdfast.runtime.frames import Row
from holdfast.tier import Reason

__all__ = ["NoSuchModel", "OpenAIEndpoints", "failure"]

_QUESTION = msgspec.json.Decoder(EmbeddingQuestion)
_FLOAT_BYTES = 4
_DEFAULT_MS = 1_000


class NoSuchModel(InvalidInput):
    """No model of this name answers here."""


class OpenAIEndpoints:
    """The encoders of the packages in service behind OpenAI's two simplest routes; of teams, those the caller sees."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Their routes."""
        return (
            Endpoint(
                method="GET",
                template="/v1/models",
                call=self.models,
                summary="Models, as OpenAI.",
                needs=VIEW,
                failures=failure,
            ),
            Endpoint(
                method="GET",
                template="/v1/models/{model}",
                call=self.model,
                summary="One model, as OpenAI.",
                needs=VIEW,
                failures=failure,
            ),
            Endpoint(
                method="POST",
                template="/v1/embeddings",
                call=self.embed,
                summary="Unit vectors of texts or token ids, as OpenAI.",
                needs=SCORE,
                stage="answering",
                takes=EmbeddingQuestion,
                parameters=(DEADLINE_HEADER,),
                failures=failure,
            ),
        )

    def models(self, request: Request) -> Reply:
        """See the summary."""
        return Reply(encode(model_list([*self._seen(request)], created=self._created())))

    def model(self, request: Request) -> Reply:
        """See the summary."""
        serving = self._named(request, request.arguments["model"]).serving
        return Reply(encode(model_object(serving.package, created=self._created())))

    def embed(self, request: Request) -> Reply:
        """See the summary."""
        asked = decode(_QUESTION, request.body)
        active = self._named(request, asked.model)
        loadout = active.loadout
        pool = loadout.pool
        if pool is None or loadout.manifest is None:
            raise TierUnavailable(Reason.NO_PACKAGE, "embeddings need a package with an encoder")
        texts, tokens = questions(asked, dimensions=_dimensions(loadout.manifest.variants, pool.variant))
        deadline_s = deadline_of(request, None, default_ms=_DEFAULT_MS)
        rows = pool.embed(texts, deadline_s=deadline_s) if texts else pool.embed_tokens(tokens, deadline_s=deadline_s)
        body = embeddings(
            active.serving.package,
            [_floats(row) for row in rows],
            tokens=sum(row.token_count for row in rows),
            encoding_format=asked.encoding_format,
        )
        return Reply(encode(body), headers=[(b"holdfast-tier", b"full")])

    def _seen(self, request: Request) -> dict[str, Active]:
        """By package, the default's first."""
        seen: dict[str, Active] = {}
        for active in actives_seen(self._node, request.caller):
            seen.setdefault(active.serving.package, active)
        return seen

    def _named(self, request: Request, model: str) -> Active:
        seen = self._seen(request)
        if model not in seen:
            raise NoSuchModel(f"model: expected {' or '.join(seen) or 'none'}, found {model[:80]!r}", field="model")
        return seen[model]

    def _created(self) -> int:
        return int(self._node.started_at.timestamp())


def failure(error: BaseException, request_id: str) -> Reply:
    """Render `error` as OpenAI's error object."""
    del request_id  # it is in the header
    status = status_of(error)
    if isinstance(error, InvalidInput) and status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST  # what OpenAI's clients raise BadRequestError for
    if isinstance(error, NoSuchModel):
        body = error_object(str(error), kind="invalid_request_error", param="model", code="model_not_found")
        return Reply(encode(body), HTTPStatus.NOT_FOUND)
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    told = str(error) if status != HTTPStatus.INTERNAL_SERVER_ERROR else "the node failed on this request"
    param = str(getattr(error, "field", "")).lstrip("/") or None
    return Reply(encode(error_object(told, kind=kind, param=param)), status, headers=next_try(error))


def _dimensions(variants: tuple[Variant, ...], name: str) -> int:
    for variant in variants:
        if variant.name == name and variant.encoder is not None:
            return variant.encoder.embedding_dim
    raise TierUnavailable(Reason.NOT_IN_PACKAGE, "the package has no encoder")


def _floats(row: Row) -> tuple[float, ...]:
    return struct.unpack(f"<{len(row.vector) // _FLOAT_BYTES}f", row.vector)
