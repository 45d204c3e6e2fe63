"""Nodes with a package, as an operator sets them up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.served import Served, Start

CONFIGURATION = "[trust]\nallow_unsigned = true\n\n[tiers]\ncascade = false\n"
Command = Callable[..., subprocess.CompletedProcess[str]]


def command(node: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a `holdfast` command on this node's data directory."""
    line = [sys.executable, "-m", "holdfast", "--config", str(node.config), "--data", str(node.data), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def install() -> Callable[[Served, Path], None]:
    """Install a package into a running node."""

    def put(node: Served, package: Path) -> None:
        done = command(node, "package", "install", str(package))
        assert done.returncode == 0, done.stderr

    return put


@pytest.fixture
def full_node(start: Start, install: Callable[[Served, Path], None], full_package: Path) -> Served:
    """A node that serves the full tier, cascade off."""
    node = start(CONFIGURATION)
    install(node, full_package)
    wait_for_tier(node, "full")
    return node


def wait_for_tier(node: Served, tier: str, *, timeout_s: float = 20.0) -> float:
    """Wait until readiness names `tier`; return the seconds it took."""
    started = time.monotonic()
    while time.monotonic() - started < timeout_s:
        answer = node.ask("GET", "/readyz")
        if answer.status == 200 and answer.body.decode().strip() == f"ready: {tier}":
            return time.monotonic() - started
        time.sleep(0.01)
    raise AssertionError(f"not {tier} after {timeout_s} s: {json.dumps(node.ask('GET', '/healthz').json())}")
