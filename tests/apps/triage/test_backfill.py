"""What was made or changed while nobody listened is asked for, by the tracker's own clock, and taken in once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from holdfast.apps.triage.backfill import Backfill, BackfillOrder, backfill_job
from holdfast.apps.triage.connections import Connection
from holdfast.apps.triage.dialect import MalformedEvent, TaskGone, TrackerRefused
from holdfast.apps.triage.intake import Taken
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.sightings import Sightings
from holdfast.apps.triage.task import Listing, Task
from holdfast.apps.triage.tracker import Tracker, TrackerBusy, Turn
from holdfast.exchange import Incoming, Outgoing
from holdfast.outbound.refusals import LinkDown
from tests.apps.triage.counter import STANDARD, Counter, open_counter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class _NoGate:
    """Nothing may leave by it: the lists come from `_Lists`."""

    def send(self, request: Outgoing, *, deadline_s: float) -> Incoming:
        raise AssertionError((request, deadline_s))


@dataclass
class _Lists(Tracker):
    """A tracker that lists what it is given, one page for each list."""

    pages: list[list[Task]] = field(default_factory=list)
    now: datetime | None = NOON
    asked: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    unreadable: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(_NoGate())

    def page(self, since_at: str, cursor: str, turn: Turn) -> tuple[Listing, str]:
        del turn
        self.asked.append((since_at, cursor))
        if self.down:
            raise LinkDown("no way there")
        number = int(cursor or "0")
        more = str(number + 1) if number + 1 < len(self.pages) else ""
        tasks = tuple(self.pages[number]) if self.pages else ()
        return Listing(tasks, more), format_datetime(self.now, usegmt=True) if self.now is not None else ""

    def read(self, task_id: str, turn: Turn) -> Task:
        del turn
        if task_id in self.unreadable:
            raise self.unreadable[task_id]
        return _task(int(task_id), description="read whole")


@dataclass
class Asking:
    """One connection and what is taken from it."""

    counter: Counter
    connection: Connection
    lists: _Lists
    taken: list[Task] = field(default_factory=list)

    @property
    def backfill(self) -> Backfill:
        desk = self.counter.office.desk
        return Backfill(self.lists, desk.facts, Sightings(desk.facts, desk.vault), desk.clock)

    def run(self, *, patience_s: float = 60.0) -> tuple[int, bool]:
        turn = Turn(self.connection, self.counter.office.desk.clock.monotonic_s() + patience_s)
        return self.backfill.run(self.connection, turn, self._take)

    def _take(self, connection: Connection, task: Task) -> bool:
        if task.title == "malformed":
            raise MalformedEvent("told to")
        outcome = self.counter.intake.take_listed(connection, task, self.counter.arrival())
        self.taken.append(task)
        return isinstance(outcome, Taken) and not outcome.replayed

    def decisions(self) -> int:
        return len(self.counter.orders())


@pytest.fixture
def asking(tmp_path: Path, policy: Policy) -> Iterator[Asking]:
    counter = open_counter(tmp_path, policy)
    (tmp_path / "standard").write_text(STANDARD)
    connection = counter.connect("desk", dialect="generic", secret_files=("standard",))
    one = Asking(counter, connection, _Lists())
    one.backfill.begin("desk")
    yield one
    counter.office.desk.close()


def _task(number: int, **more: object) -> Task:
    revision = (NOON + timedelta(seconds=number)).isoformat()
    return replace(Task(id=str(number), title=f"Printer {number} is on fire", revision=revision), **more)  # type: ignore[arg-type]


def test_what_was_missed_is_scored_once_however_often_it_is_listed(asking: Asking) -> None:
    asking.lists.pages = [[_task(1), _task(2)], [_task(3)]]
    assert asking.run() == (3, True)
    assert asking.run() == (0, True)
    assert asking.decisions() == 3


def test_the_next_asking_begins_a_little_before_the_last_by_the_trackers_clock(asking: Asking) -> None:
    asking.lists.now = NOON + timedelta(hours=5)
    asking.run()
    asking.run()
    assert [since for since, _ in asking.lists.asked] == ["2026-03-01T12:00:00Z", "2026-03-01T16:58:00Z"]


def test_a_link_that_is_down_takes_nothing_back(asking: Asking) -> None:
    asking.lists.down = True
    before = asking.backfill.progress("desk")
    with pytest.raises(LinkDown):
        asking.run()
    assert asking.backfill.progress("desk") == before


def test_one_task_that_cannot_be_read_does_not_keep_the_others(asking: Asking) -> None:
    asking.lists.pages = [[_task(1, title="malformed"), _task(2)]]
    assert asking.run() == (1, True)


@pytest.mark.parametrize("why", [TaskGone("deleted"), TrackerRefused("not for you"), MalformedEvent("no title")])
def test_a_listed_task_that_the_tracker_will_not_show_does_not_keep_the_others(asking: Asking, why: Exception) -> None:
    asking.lists.unreadable = {"1": why}
    asking.lists.pages = [[_task(1, whole=False), _task(2, whole=False)]]
    assert asking.run() == (1, True)


def test_a_tracker_that_is_busy_is_asked_for_the_same_task_again(asking: Asking) -> None:
    asking.lists.unreadable = {"1": TrackerBusy("not now", asked_s=None)}
    asking.lists.pages = [[_task(1, whole=False)]]
    with pytest.raises(TrackerBusy):
        asking.run()
    asking.lists.unreadable = {}
    assert asking.run() == (1, True)


def test_a_run_out_of_time_goes_on_where_it_stopped(asking: Asking) -> None:
    asking.lists.pages = [[_task(1)], [_task(90)], [_task(95)]]
    assert asking.run(patience_s=1.0) == (1, False)
    assert asking.backfill.progress("desk").round == 0
    assert asking.run() == (2, True)
    assert asking.decisions() == 3


def test_a_list_that_shows_less_than_the_task_has_it_read_if_it_was_never_seen(asking: Asking) -> None:
    asking.lists.pages = [[_task(1, whole=False)]]
    asking.run()
    asking.run()
    assert {one.description for one in asking.taken[:1]} == {"read whole"}
    assert {one.description for one in asking.taken[1:]} == {""}
    assert asking.decisions() == 1


def test_nobody_is_asked_further_back_than_is_wanted(asking: Asking) -> None:
    asking.counter.office.desk.clock.wall += timedelta(days=30)
    asking.run()
    assert asking.lists.asked == [("2026-03-24T12:00:00Z", "")]


def test_with_an_untrusted_clock_the_first_round_only_takes_the_time_from_the_tracker(asking: Asking) -> None:
    asking.counter.office.desk.clock.wall = datetime(1970, 1, 1, tzinfo=UTC)
    asking.lists.pages = [[_task(1)]]
    other = asking.counter.connect("other", dialect="generic", secret_files=("standard",))
    asking.connection = other
    asking.backfill.begin("other")
    assert asking.run() == (0, True)
    assert asking.backfill.progress("other").since_at == "2026-03-01T11:58:00Z"


def test_a_round_is_asked_for_once_a_day_and_the_next_round_at_once() -> None:
    def key(number: int, day: int) -> str:
        return backfill_job(BackfillOrder(connection="desk", round=number), day=day).key

    assert key(4, 0) == key(4, 0)
    assert len({key(4, 0), key(5, 0), key(4, 1)}) == 3
