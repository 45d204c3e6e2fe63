"""A package that goes bad on disk is found at the next start; the node serves the version before, or its own rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.served import Served, Start
from tests.stories.conftest import wait_for_tier

CONFIGURATION = "[trust]\nallow_unsigned = true\n"


def _flip_a_bit(path: Path, *, seed: int) -> None:
    content = bytearray(path.read_bytes())
    position = random.Random(seed).randrange(len(content))
    content[position] ^= 1 << random.Random(seed + 1).randrange(8)
    path.chmod(0o600)
    path.write_bytes(content)


def _new_blobs(node: Served, before: set[Path]) -> list[Path]:
    return sorted(_blobs(node) - before)


def _blobs(node: Served) -> set[Path]:
    return {path for path in (node.data / "packages" / "blobs").rglob("*") if path.is_file()}


@pytest.fixture
def two_versions(
    start: Start, install: Callable[[Served, Path], None], small_package: Path, full_package: Path
) -> tuple[Served, list[Path]]:
    """A node with 0.9.0, then 0.9.1 active; and the blobs that only 0.9.1 has."""
    node = start(CONFIGURATION)
    install(node, small_package)
    before = _blobs(node)
    install(node, full_package)
    wait_for_tier(node, "full")
    node.stop()
    return node, _new_blobs(node, before)


def test_the_previous_version_serves_within_five_seconds_and_says_why(two_versions: tuple[Served, list[Path]]) -> None:
    node, blobs = two_versions
    _flip_a_bit(max(blobs, key=lambda path: path.stat().st_size), seed=1)
    started = time.monotonic()
    node.start()
    wait_for_tier(node, "small", timeout_s=5)
    reply = node.post("/v1/triage/score", {"id": "1", "title": "VPN", "description": "does not connect"}).json()
    alerts = node.ask("GET", "/v1/node/alerts").json()["alerts"]
    assert time.monotonic() - started <= 5.0
    assert (reply["served_by"]["version"], reply["served_by"]["degraded"]) == ("0.9.0", True)
    assert "package-unverified" in [alert["name"] for alert in alerts]


def test_with_no_good_version_the_built_in_rules_answer(two_versions: tuple[Served, list[Path]]) -> None:
    node, _ = two_versions
    for path in _blobs(node):
        _flip_a_bit(path, seed=2)
    node.start()
    reply = node.post("/v1/triage/score", {"id": "1", "title": "VPN", "description": "does not connect"}).json()
    by_name = node.ask("GET", "/v2/models/triage-en/ready").json()
    assert (reply["served_by"]["tier"], reply["served_by"]["package"]) == ("rules", "builtin")
    assert by_name == {"name": "builtin", "ready": True}
    assert reply["recorded"] is True
