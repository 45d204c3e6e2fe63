"""The ASGI application alone: what waits together, and for how long a request without a deadline waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.clock import SystemClock
from holdfast.database import Database
from holdfast.http.app import App, AppLimits
from holdfast.http.connection import LOCAL
from holdfast.http.doorman import Doorman
from holdfast.http.gate import Gate
from holdfast.http.limiter import Limiter, Together
from holdfast.http.messages import Endpoint, Reply, Request
from holdfast.http.openai import OpenAIEndpoints
from holdfast.http.table import RouteTable
from holdfast.measure import Measures
from holdfast.node.log import Log
from holdfast.tokens import Tokens

CLOCK = SystemClock(floor_at=datetime(2026, 1, 1, tzinfo=UTC))


def _app(limiter: Limiter, tokens: Tokens) -> App:
    endpoint = Endpoint(
        method="POST",
        template="/score",
        call=lambda _: Reply(b"alone"),
        summary="",
        stage="answering",
        groupable=True,
    )
    return App(
        RouteTable([endpoint]),
        gate=(Gate(frozenset(), frozenset(), set()), Doorman(tokens, CLOCK, exposed=False)),
        limits=AppLimits(body_bytes=1000, depth=16),
        limiters={"answering": limiter},
        seen=(Measures(), Log()),
    )


async def _ask(app: App, *headers: tuple[bytes, bytes]) -> bytes:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/score",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers],
        "state": {"caller": LOCAL, "owner": False},
    }
    await app(scope, receive, send)
    body: bytes = sent[-1]["body"]
    return body


@pytest.mark.parametrize(("headers", "answered"), [([], b"together"), ([(b"idempotency-key", b"k")], b"alone")])
def test_only_requests_without_a_key_are_done_together(
    headers: list[tuple[bytes, bytes]], answered: bytes, tmp_path: Path
) -> None:
    database = Database(tmp_path / "node.db")

    def group(requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        return ((position, Reply(b"together")) for position in range(len(requests)))

    async def ask() -> None:
        limiter = Limiter("answering", slots=4, threads=1, together=Together(group, lambda: True))
        assert await _ask(_app(limiter, Tokens(database, clock=CLOCK)), *headers) == answered
        limiter.close()

    asyncio.run(ask())
    database.close()


@pytest.mark.parametrize(("headers", "waits_s"), [({}, 1.0), ({b"holdfast-deadline-ms": b"250"}, 0.25)])
def test_embeddings_wait_one_second_unless_told_otherwise(headers: dict[bytes, bytes], waits_s: float) -> None:
    deadlines: list[float] = []

    def embed(texts: Sequence[str], *, deadline_s: float) -> list[Any]:
        deadlines.append(deadline_s)
        return [SimpleNamespace(vector=b"\0" * 8, token_count=1) for _ in texts]

    variant = SimpleNamespace(name="q8", encoder=SimpleNamespace(embedding_dim=2))
    loadout = SimpleNamespace(
        pool=SimpleNamespace(variant="q8", embed=embed), manifest=SimpleNamespace(variants=(variant,))
    )
    active = SimpleNamespace(loadout=loadout, serving=SimpleNamespace(package="p"), team="")
    node: Any = SimpleNamespace(parts=SimpleNamespace(teams=SimpleNamespace(actives=lambda: (active,))))
    body = b'{"model":"p","input":"a text"}'
    OpenAIEndpoints(node).embed(Request("POST", "/v1/embeddings", {}, b"", headers, body, "r", 100.0, LOCAL))
    assert deadlines == [100.0 + waits_s]
