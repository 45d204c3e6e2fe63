"""The way out as settings and restarts see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.database import Database
from holdfast.exchange import Outgoing
from holdfast.facts import Facts
from holdfast.measure import Measures
from holdfast.node.way_out import WayOut, build_outbound
from holdfast.outbound.refusals import NotAllowed, OverBudget
from holdfast.settings.flows import Connection, Outbound
from holdfast.settings.tree import Settings
from holdfast.vault import Vault
from tests.outbound.scripted import OK, HeldClock, Scripted, answers


class Place:
    """What the way out looks at of a node, on a directory that can be opened again."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.clock, self.measures = HeldClock(), Measures()
        self.database = Database(directory / "node.db", measures=self.measures)
        facts = Facts(self.database, Vault(self.database, directory / "node.key"), clock=self.clock)
        self.state = SimpleNamespace(clock=self.clock, facts=facts)
        self.loaded = SimpleNamespace(settings=settings)
        self.outbound = build_outbound(self)  # type: ignore[arg-type]  # all that it looks at
        self.part = WayOut(self)  # type: ignore[arg-type]  # the same

    def post(self, url: str, body: bytes = b"{}") -> int:
        request = Outgoing(method="POST", url=url, body=body)
        return self.outbound.send(request, deadline_s=self.clock.monotonic_s() + 5).status

    def end(self) -> None:
        self.part.stop()
        self.database.close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    one = Scripted(answers(OK))
    yield one
    one.stop()


def test_where_the_trackers_are_may_be_gone_to_without_being_named(tmp_path: Path, server: Scripted) -> None:
    place = Place(tmp_path, Settings(connections={"desk": Connection(base_url=server.url(path="/api"))}))
    assert place.post(server.url(path="/other")) == 200
    with pytest.raises(NotAllowed):
        place.post("http://127.0.0.1:1/")
    place.end()


def test_a_reload_takes_a_host_away_and_brings_another(tmp_path: Path, server: Scripted) -> None:
    place = Place(tmp_path, Settings())
    with pytest.raises(NotAllowed):
        place.post(server.url())
    assert [finding.name for finding in place.part.findings()] == ["outbound-not-allowed"]
    place.loaded.settings = Settings(outbound=Outbound(allow=(f"127.0.0.1:{server.port}",)))
    place.part.reconfigure()
    assert place.post(server.url()) == 200
    assert place.part.findings() == ()
    place.end()


def test_the_day_s_bytes_are_counted_over_a_restart_and_forgotten_on_the_next_day(
    tmp_path: Path, server: Scripted
) -> None:
    settings = Settings(outbound=Outbound(allow=(f"127.0.0.1:{server.port}",), mib_per_day=1))
    first = Place(tmp_path, settings)
    first.post(server.url(), bytes(1_048_000))
    first.post(server.url(), bytes(1000))
    first.end()
    again = Place(tmp_path, settings)
    with pytest.raises(OverBudget):
        again.post(server.url())
    again.clock.ahead_s += 86_400
    assert again.post(server.url()) == 200
    again.end()
