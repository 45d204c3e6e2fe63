"""Servers that behave as told, a clock to hold, and a gate to go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.outbound.scripted import Gate, Scripted


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server() -> Iterator[Callable[..., Scripted]]:
    """Start a server that does this with each connection; every one is stopped at the end."""
    started: list[Scripted] = []

    def begin(*arguments: object, **named: object) -> Scripted:
        started.append(Scripted(*arguments, **named))
        return started[-1]

    yield begin
    for one in started:
        one.stop()


@pytest.fixture
def gate(authority: Authority) -> Iterator[Callable[..., Gate]]:
    """Make a gate with these limits; every one is closed at the end."""
    made: list[Gate] = []

    def make(*allow: str, ca_file: Path | str = authority.file, **limits: object) -> Gate:
        made.append(Gate(allow, ca_file=str(ca_file), **limits))
        return made[-1]

    yield make
    for one in made:
        one.outbound.close()
