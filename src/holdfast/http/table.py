"""The table of routes: from method and path to an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from holdfast.http.messages import Endpoint, Reply
from holdfast.http.problems import NoSuchPath

__all__ = ["MethodNotAllowed", "RouteTable"]


class MethodNotAllowed(NoSuchPath):
    """The path is served, but not with this method."""

    def __init__(self, method: str, path: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{path[:200]}: expected {', '.join(allowed)}, found {method[:20]}")
        self.method, self._allowed = method, allowed

    def allow(self) -> list[tuple[bytes, bytes]]:
        """The Allow header that must go with the refusal (RFC 9110, 15.5.6)."""
        return [(b"allow", ", ".join(self._allowed).encode())]


class RouteTable:
    """Endpoints by path; exact paths first, then templates of the same number of segments, in order."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._templates: dict[int, list[tuple[tuple[str, ...], dict[str, Endpoint]]]] = {}
        self._dialects = {
            endpoint.template.partition("/{")[0]: endpoint.failures for endpoint in self.endpoints if endpoint.failures
        }
        for endpoint in self.endpoints:
            self._methods_at(endpoint.template)[endpoint.method] = endpoint

    def _methods_at(self, template: str) -> dict[str, Endpoint]:
        if "{" not in template:
            return self._exact.setdefault(template, {})
        segments = tuple(template.split("/"))
        same_length = self._templates.setdefault(len(segments), [])
        for known, methods in same_length:
            if known == segments:
                return methods
        same_length.append((segments, {}))
        return same_length[-1][1]

    def dialect(self, path: str) -> Callable[[BaseException, str], Reply] | None:
        """Return how errors below the fixed part of a foreign protocol's path are told, where no endpoint was found."""
        for prefix, failures in self._dialects.items():
            if path == prefix or path.startswith(prefix + "/"):
                return failures
        return None

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """Return the endpoint and its path arguments. Raises NoSuchPath or MethodNotAllowed."""
        methods, arguments = self._match(path)
        endpoint = methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            raise MethodNotAllowed(method, path, _allowed(methods))
        return endpoint, arguments

    def _match(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        if len(path) > 1 and path.endswith("/"):
            return self._match(path[:-1])
        given = path.split("/")
        for segments, methods in self._templates.get(len(given), ()):
            arguments = _arguments(segments, given)
            if arguments is not None:
                return methods, arguments
        raise NoSuchPath(f"{path[:200]}: nothing is served here; /openapi.json lists what is")


def _allowed(methods: dict[str, Endpoint]) -> tuple[str, ...]:
    """The methods of one path, HEAD and OPTIONS included."""
    head = ("HEAD",) if "GET" in methods else ()
    return (*sorted(methods), *head, "OPTIONS")


def _arguments(segments: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for want, have in zip(segments, given, strict=True):
        if want.startswith("{") and have:
            found[want[1:-1]] = have
        elif want != have:
            return None
    return found
