"""What every dialect must do with its tracker: sign, say, be read, be written, be listed; over real HTTP.

The other side is the fake tracker, which was written from the makers' documentation and knows nothing of our code.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.apps.triage.connections import Connection, connect
from holdfast.apps.triage.decision import Priority
from holdfast.apps.triage.dialect import TaskGone, TrackerRefused, Witness
from holdfast.apps.triage.dialects import DIALECTS
from holdfast.apps.triage.signatures import Delivery, SignatureRefused, prove
from holdfast.apps.triage.task import Event, EventKind, Ignored, Task, Values
from holdfast.clock import SystemClock
from holdfast.exchange import Incoming, Outgoing
from holdfast.measure import Measures
from holdfast.outbound.gate import Outbound, OutboundLimits
from holdfast.outbound.links import LinkLimits
from holdfast.settings.flows import Connection as Terms
from tests.trackers.control import STANDARD, FakeTracker, tracker
from tests.trackers.registry import SPEAKERS
from tests.trackers.speakers.speaker import TOKEN

ACCOUNT = "holdfast-bot"
WRITERS = sorted(set(DIALECTS) - {"alertmanager"})
ROUTES = {"hardware": "Hardware", "access": "Access"}
PROJECTS = {"github": "acme/shop", "gitea": "acme/shop", "gitlab": "acme/shop", "jira": "SHOP"}


class _NoTally:
    """Nothing is kept: no day's budget is tested here."""

    def day(self) -> int:
        return 0

    def load(self) -> tuple[int, int]:
        return 0, 0

    def keep(self, day: int, used_bytes: int) -> None:
        del day, used_bytes


@dataclass
class Desk:
    """A dialect, its tracker, and the way there."""

    fake: FakeTracker
    connection: Connection
    way: Outbound

    @property
    def place(self):
        return self.connection.place

    @property
    def dialect(self):
        return self.connection.dialect

    def send(self, request: Outgoing) -> Incoming:
        return self.way.send(request, deadline_s=time.monotonic() + 10)

    def read(self, number: int) -> Task:
        task_id = SPEAKERS[self.fake.name].task_id(_Numbered(number))
        return self.dialect.read_reply(self.send(self.dialect.read_request(task_id, self.place)), self.place)

    def write(self, number: int, priority: Priority, route: str = "") -> Incoming:
        values = Values(
            decision_id="dec_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            score=71.5,
            priority=priority,
            route=route,
            reason="production is down",
            explanation="answered by the small tier",
        )
        return self.send(self.dialect.write_request(self.read(number), values, self.place, key=f"{number:064x}"))

    def heard(self, number: int) -> Event | Ignored:
        """What the dialect makes of the webhook about the task's latest change."""
        delivery = self.fake.delivery(number)
        headers = {name.lower(): text for name, text in delivery.headers.items()}
        sent = Delivery(headers, delivery.body, time.time(), 300)
        prove(sent, self.dialect.scheme, self.connection.secrets)
        return self.dialect.decode(headers, delivery.body, self.place)


@dataclass(frozen=True)
class _Numbered:
    number: int


def _desk(fake: FakeTracker, directory: Path) -> Desk:
    (directory / "secret").write_text(fake.secret)
    (directory / "token").write_text(f"{ACCOUNT}:{TOKEN}" if fake.name in {"jira", "otobo"} else TOKEN)
    terms = Terms(
        dialect=fake.name,
        secret_files=("secret",),
        token_file="token",
        base_url=fake.base_url,
        account=ACCOUNT,
        routes=ROUTES,
        project=PROJECTS.get(fake.name, ""),
    )
    limits = OutboundLimits(
        allowed=frozenset({("127.0.0.1", fake.port)}),
        links=LinkLimits(connect_timeout_s=2),
        timeout_s=10,
        response_bytes=1 << 22,
        requests_per_minute=100_000,
        bytes_per_day=1 << 30,
    )
    way = Outbound(limits, SystemClock(floor_at=datetime(2026, 1, 1, tzinfo=UTC)), Measures(), tally=_NoTally())
    return Desk(fake, connect("desk", terms, directory), way)


@pytest.fixture(scope="module", params=WRITERS)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with tracker(request.param) as fake:
        fake.know_labels("Hardware", "Access", *(f"priority/{one}" for one in Priority))
        one = _desk(fake, tmp_path_factory.mktemp(request.param))
        yield one
        one.way.close()


def test_the_connection_has_no_fault(desk: Desk) -> None:
    assert desk.connection.fault == ""
    assert desk.connection.writes


def test_a_new_task_is_heard_as_created_by_its_author(desk: Desk) -> None:
    number = desk.fake.create("Database is down", "Nobody can pay.")
    event = desk.heard(number)
    assert isinstance(event, Event)
    assert (event.kind, [task.title for task in event.tasks]) == (EventKind.CREATED, ["Database is down"])
    assert event.tasks[0].description == "Nobody can pay."


def test_a_task_is_called_the_same_in_a_delivery_and_in_a_read(desk: Desk) -> None:
    number = desk.fake.create("Database is down", "Nobody can pay.")
    event, read = desk.heard(number), desk.read(number)
    assert isinstance(event, Event)
    assert (event.tasks[0].id, event.tasks[0].title) == (read.id, read.title)
    assert read.description in {"Nobody can pay.", ""}  # some trackers keep it in an article of its own


def test_the_same_task_is_the_same_ticket_whether_delivered_or_read(desk: Desk) -> None:
    number = desk.fake.create("Database is down", "Nobody can pay.", labels=["vip"])
    event, read = desk.heard(number), desk.read(number)
    assert isinstance(event, Event)
    heard = event.tasks[0] if read.whole else dataclasses.replace(event.tasks[0], description="")
    assert _to_the_second(heard) == _to_the_second(read)


def _to_the_second(task: Task) -> object:
    """The ticket; GitLab's deliveries have seconds where its API has milliseconds."""
    ticket = task.ticket()
    created_at = datetime.fromisoformat(ticket.metadata["created_at"].replace(" UTC", "Z")).replace(microsecond=0)
    return msgspec.structs.replace(ticket, metadata={**ticket.metadata, "created_at": created_at})


def test_nobody_has_judged_a_new_task(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    assert (desk.read(number).standing.priority, desk.read(number).standing.route) == (None, "")


@pytest.mark.parametrize("priority", list(Priority))
def test_every_band_that_is_written_is_read_back(desk: Desk, priority: Priority) -> None:
    number = desk.fake.create("Printer is out of toner")
    assert 200 <= desk.write(number, priority).status < 300
    assert _means(desk, number, priority)


def _means(desk: Desk, number: int, priority: Priority) -> bool:
    """The band itself; or the tracker's default word, which nobody need have chosen; or one word for two bands."""
    standing = desk.read(number).standing
    default = SPEAKERS[desk.fake.name].default_priority
    shared = desk.fake.name == "zammad" and standing.priority is not None  # three words for four bands
    return standing.priority == priority or (bool(default) and standing.raw_priority == default) or shared


def test_a_route_that_is_written_is_read_back(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.write(number, Priority.P1, "Hardware")
    assert desk.read(number).standing.route == "Hardware"


def test_a_write_is_one_request_and_one_change(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.write(number, Priority.P1, "Hardware")
    assert desk.fake.writes(number) == (1, 1)


def test_labels_that_a_person_put_there_stay(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner", labels=["floor-3", "vip"])
    desk.write(number, Priority.P1, "Hardware")
    assert {"floor-3", "vip"} <= set(desk.fake.card(number)["labels"])
    assert desk.fake.state()["overruled"] == []


def test_what_was_written_is_heard_as_the_account_s_own(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.write(number, Priority.P1, "Hardware")
    event = desk.heard(number)
    assert isinstance(event, Ignored) or event.by == ACCOUNT or event.tasks[0].standing.mark is not None


def test_a_person_s_priority_is_heard_as_judged_and_by_whom(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.fake.judge(number)
    event = desk.heard(number)
    assert isinstance(event, Event)
    assert event.tasks[0].standing.priority == Priority.P0
    assert event.by in {"emily", "Emily", ""}


def test_a_person_s_priority_is_read(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.fake.judge(number)
    assert desk.read(number).standing.priority == Priority.P0


def test_an_edited_title_is_heard_as_edited(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.fake.edit(number, title="Every printer is out of toner")
    event = desk.heard(number)
    assert isinstance(event, Event)
    assert (event.kind, event.tasks[0].title) == (EventKind.EDITED, "Every printer is out of toner")


def test_a_task_that_is_gone_is_said_to_be_gone(desk: Desk) -> None:
    with pytest.raises(TaskGone):
        desk.read(987_654)


def test_a_wrong_token_is_refused(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    place = dataclasses.replace(desk.place, token="wrong:wrong")
    request = desk.dialect.read_request(desk.read(number).id, place)
    with pytest.raises((TrackerRefused, TaskGone)):
        desk.dialect.read_reply(desk.send(request), place)


def test_every_task_since_an_instant_is_listed_over_all_pages(desk: Desk) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    made = [{"title": f"Missed {i}", "description": "while the node was down"} for i in range(130)]
    numbers = desk.fake.create_many(made)
    wanted = {SPEAKERS[desk.fake.name].task_id(_Numbered(number)) for number in numbers}
    listed: list[str] = []
    cursor = ""
    for _ in range(50):
        request = desk.dialect.list_request(since, cursor, desk.place)
        listing = desk.dialect.list_reply(desk.send(request), desk.place)
        listed += [task.id for task in listing.tasks]
        cursor = listing.next_cursor
        if not cursor:
            break
    assert wanted <= set(listed)


def test_a_delivery_with_a_changed_byte_is_refused_where_the_tracker_signs(desk: Desk) -> None:
    delivery = desk.fake.delivery(desk.fake.create("Database is down"))
    headers = {name.lower(): text for name, text in delivery.headers.items()}
    sent = Delivery(headers, delivery.body.replace(b"down", b"fine"), time.time(), 300)
    only_says_who_it_is = desk.dialect.scheme in {"bearer", "gitlab"}
    with nullcontext() if only_says_who_it_is else pytest.raises(SignatureRefused):
        prove(sent, desk.dialect.scheme, desk.connection.secrets)


def test_a_human_edit_between_read_and_write_stops_the_write_where_the_tracker_offers_it(desk: Desk) -> None:
    number = desk.fake.create("Printer is out of toner")
    desk.fake.meanwhile(number, title="Printer is on fire")
    refused = desk.write(number, Priority.P1).status == 412
    assert refused == desk.dialect.ability.conditional
    assert desk.fake.writes(number) == ((0, 0) if refused else (1, 1))


def test_the_dialects_say_of_trackers_what_is_so(desk: Desk) -> None:
    speaker = SPEAKERS[desk.fake.name]
    ability = desk.dialect.ability
    assert (ability.conditional, ability.idempotent) == (speaker.conditional, speaker.idempotent)


def test_alerts_are_heard_and_never_written(tmp_path: Path) -> None:
    with tracker("alertmanager") as fake:
        desk = _desk(fake, tmp_path)
        event = desk.heard(fake.create("High CPU temperature", "34.75C on andromeda"))
        assert isinstance(event, Event)
        assert event.kind is EventKind.CREATED
        assert not desk.connection.writes


def test_gitlab_signs_as_standard_webhooks_when_it_is_given_such_a_secret(tmp_path: Path) -> None:
    with tracker("gitlab") as fake:
        fake.secret = STANDARD
        assert isinstance(_desk(fake, tmp_path).heard(fake.create("Database is down")), Event)


def test_every_dialect_has_a_fake_to_be_tested_against() -> None:
    assert set(DIALECTS) <= set(SPEAKERS)


def test_a_tracker_that_can_say_who_put_a_label_on_names_person_and_account(desk: Desk) -> None:
    if not isinstance(desk.connection.dialect, Witness):
        assert desk.connection.dialect.name not in {"github", "gitea", "gitlab"}
        return
    number = desk.fake.create("Printer is out of toner")
    desk.write(number, Priority.P1, "Hardware")
    desk.fake.edit(number, by="emily", labels=["priority/P0", "Hardware"])
    task, place = desk.read(number), desk.connection.place
    deeds = desk.connection.dialect.witness_reply(desk.send(desk.connection.dialect.witness_request(task, place)))
    assert {label: deeds[label].by for label in task.standing.labels} == {"priority/P0": "emily", "Hardware": ACCOUNT}
