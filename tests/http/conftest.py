"""One node for the tests that only ask; tests that hurt a node start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served, Start, starting


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = Served(tmp_path_factory.mktemp("node"))
    yield one
    one.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a node with this configuration; every one is stopped at the end."""
    yield from starting(tmp_path)
