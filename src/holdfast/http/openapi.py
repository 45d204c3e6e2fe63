"""The OpenAPI 3.1 description, made from the table of routes and the msgspec types it names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.access import VIEW
from holdfast.http.bodies import encode
from holdfast.http.messages import Endpoint, Parameter, Reply, Request
from holdfast.http.problems import Problem

__all__ = ["OpenAPIEndpoint", "description"]

_REFERENCE = "#/components/schemas/{name}"
_ARGUMENT = re.compile(r"\{(\w+)\}")
_PROBLEM_STATUSES = {
    "GET": ("404", "422", "503"),
    "POST": ("400", "403", "404", "409", "413", "415", "422", "503"),
}
_GUARDED_STATUSES = ("401", "403", "429")
_MEANINGS = {
    "400": "Malformed body",
    "401": "The node has tokens, and this request none that is good",
    "403": "Not permitted here",
    "404": "Not found",
    "409": "Conflict with what was done before",
    "413": "Body too large",
    "415": "Not a media type this path takes",
    "429": "This caller asks too often; `Retry-After` says when",
    "422": "One field is wrong; `pointer` names it",
    "503": "Busy or not ready; `Retry-After` says when",
}


_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Asked for once the node has one (`holdfast token create`). Each operation says its role and scope.",
}


class OpenAPIEndpoint:
    """Serves the description; built when first asked for, as few nodes ever are."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._endpoints = tuple(endpoints)
        self._encoded = b""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Its route."""
        return (
            Endpoint(
                method="GET",
                template="/openapi.json",
                call=self.read,
                summary="This description, OpenAPI 3.1.",
                needs=VIEW,
            ),
        )

    def read(self, _request: Request) -> Reply:
        """See the summary."""
        if not self._encoded:
            self._encoded = encode(description((*self._endpoints, *self.endpoints())))
        return Reply(self._encoded)


def description(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the whole description. Verbs of the owner socket are not part of it."""
    shown = [endpoint for endpoint in endpoints if not endpoint.socket_only]
    types = {kind for endpoint in shown for kind in (endpoint.takes, endpoint.gives) if kind is not None} | {Problem}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    by_type = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in shown:
        paths.setdefault(endpoint.template, {})[endpoint.method.lower()] = _operation(endpoint, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": __version__,
            "description": "One node: tickets in, scores and routes out. Errors are RFC 9457 problem details.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": _TOKEN}},
    }


def _operation(endpoint: Endpoint, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    arguments = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _ARGUMENT.findall(endpoint.template)
    ]
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "parameters": [*arguments, *map(_parameter, endpoint.parameters)],
        "responses": _responses(endpoint, schemas),
    }
    if endpoint.needs is not None:
        operation["security"] = [{}, {"token": []}]
        operation["x-holdfast-role"] = endpoint.needs.role.name.lower()
        operation["x-holdfast-scope"] = endpoint.needs.scope.value
    if endpoint.method == "POST":
        schema = schemas[endpoint.takes] if endpoint.takes is not None else {}
        content = {kind.decode(): {"schema": schema} for kind in endpoint.media_types if kind}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(endpoint: Endpoint, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    kind = endpoint.gives_media_type
    schema = schemas[endpoint.gives] if endpoint.gives is not None else {}
    responses: dict[str, Any] = {"200": {"description": "The answer", "content": {kind: {"schema": schema}}}}
    guarded = _GUARDED_STATUSES if endpoint.needs is not None else ()
    for status in sorted({*_PROBLEM_STATUSES[endpoint.method], *guarded}):
        if endpoint.failures is None:
            content = {"application/problem+json": {"schema": schemas[Problem]}}
        else:
            content = {"application/json": {"schema": {"type": "object", "required": ["error"]}}}
        responses[status] = {"description": _MEANINGS[status], "content": content}
    return responses


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": False,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[A-Za-z0-9]+", endpoint.template) or ["root"]
    return endpoint.method.lower() + "".join(word.capitalize() for word in words)
