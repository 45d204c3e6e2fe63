"""Nodes that a test may hurt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Start, starting


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a node with this configuration; every one is stopped at the end."""
    yield from starting(tmp_path)
