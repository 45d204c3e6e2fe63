"""Ledgers that are closed when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .desk import Desk, OpenDesk, open_desk_at


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """Opens ledgers under one temporary directory and closes what the test left open."""
    opened: list[Desk] = []

    def opens(directory: Path | None = None, **options: object) -> Desk:
        desk = open_desk_at(directory or tmp_path, **options)  # type: ignore[arg-type]
        opened.append(desk)
        return desk

    yield opens
    for desk in opened:
        desk.close()


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    return open_desk()
