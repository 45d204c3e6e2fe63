"""What a delivery becomes: scored once, a person's judgement kept, our own echo and everything seen before let be."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from holdfast.apps.triage.connections import tracker_route
from holdfast.apps.triage.decision import NEEDS_TRIAGE, Priority
from holdfast.apps.triage.intake import ConnectionUnready, NotKept, Overruled, Taken
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.signatures import SignatureRefused, StaleDelivery, sign_standard
from holdfast.apps.triage.task import Ignored, Task
from holdfast.apps.triage.turns import InWork, Turns
from holdfast.apps.triage.writing import Said, Written
from holdfast.apps.triage.written import intend
from holdfast.errors import InvalidInput
from holdfast.jobs.queue import QueueFull
from holdfast.ledger.journal import KeyReused
from holdfast.ledger.query import Query
from tests.apps.triage.counter import STANDARD, Counter, issue, open_counter, signed
from tests.faults.failing_vfs import FailingVFS
from tests.ledger.desk import HeldClock, limits_at

LATER = {"updated_at": "2019-05-15T16:00:00Z"}


@pytest.fixture
def counter(tmp_path: Path, policy: Policy) -> Iterator[Counter]:
    opened = open_counter(tmp_path, policy)
    yield opened
    opened.office.desk.close()


def _taken(outcome: object) -> Taken:
    assert isinstance(outcome, Taken)
    return outcome


def _standard(body: bytes, *, signed_id: str = "msg_1", at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(STANDARD.removeprefix("whsec_"))
    signature = sign_standard(key, signed_id=signed_id, stamp=stamp, body=body).decode()
    return {"webhook-id": signed_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def _task(priority: str = "", *, event: str = "task.created", **more: object) -> bytes:
    data = {"id": "G-1", "title": "Printer is on fire", "priority": priority, **more}
    return json.dumps({"type": event, "data": data}).encode()


def _generic(counter: Counter, body: bytes, **how: str) -> object:
    if "desk" not in counter.connections:
        (counter.directory / "standard").write_text(STANDARD)
        counter.connect("desk", dialect="generic", secret_files=("standard",))
    at = counter.office.desk.clock.wall_at()
    return counter.hand_in(body, name="desk", headers=_standard(body, at=at, **how))


def test_a_new_issue_is_scored_and_its_write_back_is_queued(counter: Counter) -> None:
    decision = _taken(counter.hand_in(issue(7))).decisions[0]
    (order,) = counter.orders()
    assert (order.connection, order.task_id) == ("forge", "Codertocat/Hello-World#7")
    assert order.decision_id == decision.decision_id
    assert counter.office.app.archive.record(decision.decision_id).read_ticket().metadata["connection"] == "forge"


def test_a_redelivery_brings_the_first_decision_and_is_not_scored_again(counter: Counter) -> None:
    first, again = _taken(counter.hand_in(issue())), _taken(counter.hand_in(issue()))
    assert (again.replayed, again.decisions[0].decision_id) == (True, first.decisions[0].decision_id)
    assert counter.office.small.calls == 1
    assert len(counter.orders()) == 1


def test_a_fresh_unsigned_delivery_id_does_not_make_it_another(counter: Counter) -> None:
    connection = counter.connect()
    for number in range(2):
        headers = {"x-github-delivery": str(number), "x-hub-signature-256": signed(issue())}
        outcome = _taken(counter.intake.take(connection, counter.delivery(headers, issue()), counter.arrival()))
    assert outcome.replayed


def test_the_same_body_on_another_connection_is_another_delivery(counter: Counter) -> None:
    first, other = (_taken(counter.hand_in(issue(), name=name)) for name in ("forge", "other"))
    assert not other.replayed
    assert first.decisions[0].decision_id != other.decisions[0].decision_id


def test_a_signed_id_with_another_body_is_refused(counter: Counter) -> None:
    _generic(counter, _task())
    with pytest.raises(KeyReused):
        _generic(counter, _task(description="another"))


@pytest.mark.parametrize("first", [_task(event="task.deleted"), _task(event="task.updated", closed=True)])
def test_a_signed_id_that_was_ignored_is_refused_with_another_body_too(counter: Counter, first: bytes) -> None:
    assert isinstance(_generic(counter, first), Ignored)
    assert _generic(counter, first) == Ignored("delivered before, and ignored then")
    with pytest.raises(KeyReused):
        _generic(counter, _task())
    assert counter.office.small.calls == 0


def test_a_signed_id_that_brought_no_news_brings_the_same_decision_again(counter: Counter) -> None:
    decision = _taken(_generic(counter, _task())).decisions[0]
    again = [_taken(_generic(counter, _task(), signed_id="msg_2")) for _ in range(2)]
    assert [one.decisions[0].decision_id for one in again] == [decision.decision_id] * 2
    with pytest.raises(KeyReused):
        _generic(counter, _task(id="G-2"), signed_id="msg_2")


@pytest.mark.parametrize("labels", [[1, "a", None], [{"a": 2}, ["b"], "a"], {"a": 2}, 5, "a"])
def test_labels_of_any_kind_are_taken_or_refused(counter: Counter, labels: object) -> None:
    for number, title in enumerate(("Printer is on fire", "Printer is on fire again")):
        body = _task(title=title, metadata={"labels": labels}, labels=["network"])
        try:
            assert isinstance(_generic(counter, body, signed_id=f"msg_{number}"), Taken)
        except InvalidInput:
            continue


def test_nothing_is_scored_for_a_bad_signature(counter: Counter) -> None:
    with pytest.raises(SignatureRefused):
        counter.hand_in(issue(), headers={"x-hub-signature-256": "sha256=" + "0" * 64})
    assert (counter.office.small.calls, counter.orders()) == (0, [])


def test_a_stale_delivery_is_refused_while_the_clock_is_trusted(counter: Counter) -> None:
    body = _task()
    _generic(counter, _task(id="G-0"), signed_id="msg_0")
    headers = _standard(body, at=counter.office.desk.clock.wall_at() - timedelta(seconds=301))
    with pytest.raises(StaleDelivery):
        counter.hand_in(body, name="desk", headers=headers)


def test_with_an_untrusted_clock_what_was_seen_is_known_and_the_rest_is_taken(tmp_path: Path, policy: Policy) -> None:
    counter = open_counter(tmp_path, policy, clock=HeldClock(wall=datetime(1970, 1, 1, tzinfo=UTC)))
    _generic(counter, _task(id="G-0"), signed_id="msg_0")
    headers = _standard(_task(), at=datetime(2026, 3, 1, tzinfo=UTC))
    first, again = (counter.hand_in(_task(), name="desk", headers=headers) for _ in range(2))
    counter.office.desk.close()
    assert (_taken(first).replayed, _taken(again).replayed) == (False, True)


def test_a_connection_without_secrets_takes_nothing_and_says_why(counter: Counter) -> None:
    connection = counter.connect("bare", secret_files=("missing",))
    with pytest.raises(ConnectionUnready, match="missing"):
        counter.intake.take(connection, counter.delivery({}, issue()), counter.arrival())


def test_an_edited_issue_is_scored_again(counter: Counter) -> None:
    first = _taken(counter.hand_in(issue())).decisions[0]
    edited = _taken(counter.hand_in(issue(action="edited", body="Everything is down", **LATER))).decisions[0]
    assert edited.decision_id != first.decision_id
    assert [one.decision_id for one in counter.orders()] == [first.decision_id, edited.decision_id]


def test_two_edits_within_one_second_of_the_tracker_are_two_writes(counter: Counter) -> None:
    for text in ("one", "two", "three"):
        counter.hand_in(issue(action="edited", body=text))
    assert len(counter.orders()) == 3


def test_an_edit_of_nothing_that_is_scored_is_ignored(counter: Counter) -> None:
    counter.hand_in(issue())
    outcome = counter.hand_in(issue(action="edited", comments=5, **LATER))
    assert isinstance(outcome, Ignored)
    assert outcome.reason.startswith("issues.edited: nothing that is scored has changed since dec_")


def test_a_delivery_that_comes_late_does_not_undo_a_newer_one(counter: Counter) -> None:
    counter.hand_in(issue(action="edited", body="Everything is down", **LATER))
    outcome = counter.hand_in(issue())
    assert isinstance(outcome, Ignored)
    assert "older than what was scored" in outcome.reason


def test_a_judgement_that_comes_late_still_counts_and_its_old_text_does_not(counter: Counter) -> None:
    counter.connect(account="holdfast-bot")
    counter.hand_in(issue())
    edited = _taken(counter.hand_in(issue(action="edited", body="Everything is down", **LATER))).decisions[0]
    chosen = "P0" if edited.priority != Priority.P0 else "P3"
    late = issue(action="labeled", label=f"priority/{chosen}", labels=["bug", f"priority/{chosen}"])
    outcome = counter.hand_in(late)
    assert isinstance(outcome, Overruled)
    assert (outcome.decision.decision_id, outcome.decision.priority) == (edited.decision_id, chosen)
    assert counter.office.small.calls == 2


def test_of_two_judgements_that_overtake_each_other_the_later_made_counts(counter: Counter) -> None:
    counter.connect(account="holdfast-bot")
    first = _taken(counter.hand_in(issue())).decisions[0]
    chosen = [one for one in ("P0", "P2", "P3") if one != first.priority][:2]
    for word, minute in zip(chosen, (9, 8), strict=True):
        at = f"2019-05-15T16:0{minute}:00Z"
        label = f"priority/{word}"
        counter.hand_in(issue(action="labeled", label=label, labels=["bug", label], updated_at=at))
    assert counter.office.app.archive.decision(first.decision_id).priority == chosen[0]


def test_an_issue_announced_twice_in_other_words_is_scored_once(counter: Counter) -> None:
    first = _taken(counter.hand_in(issue())).decisions[0]
    again = _taken(counter.hand_in(issue(by="organisation-hook")))
    assert (again.replayed, again.decisions[0].decision_id) == (True, first.decision_id)
    assert len(counter.orders()) == 1


@pytest.mark.parametrize("account", ["holdfast-bot", "Holdfast-Bot"])
def test_our_own_write_back_is_ignored(counter: Counter, account: str) -> None:
    counter.connect(account=account)
    counter.hand_in(issue())
    own = issue(action="labeled", by="holdfast-bot", label="priority/P0", labels=["priority/P0"], **LATER)
    outcome = counter.hand_in(own)
    assert outcome == Ignored("issues.labeled by holdfast-bot: our own write-back")


def test_without_an_account_our_write_back_is_known_by_its_values(counter: Counter) -> None:
    counter.connect(routes={"access": "team/access"})
    first = _taken(counter.hand_in(issue())).decisions[0]
    said = Said(decision_id=first.decision_id, sequence=1, priority=Priority.P0, key="k")
    intend(counter.office.desk.facts, "forge", first.task_id, Written(intended=said))
    labels = ["bug", "priority/P0", "team/access"]
    outcome = counter.hand_in(issue(action="labeled", label="priority/P0", labels=labels, **LATER))
    assert isinstance(outcome, Ignored)
    assert counter.office.app.archive.decision(first.decision_id).override is None


def test_the_label_of_our_own_route_is_no_news(counter: Counter) -> None:
    counter.connect(routes={"access": "team/access"})
    first = _taken(counter.hand_in(issue())).decisions[0]
    assert first.route.label == "access"
    label = "team/access"
    outcome = counter.hand_in(issue(action="labeled", label=label, labels=["bug", label], **LATER))
    assert isinstance(outcome, Ignored)


def test_a_priority_a_person_chose_is_recorded_as_an_override_with_who_and_when(counter: Counter) -> None:
    counter.connect(account="holdfast-bot")
    first = _taken(counter.hand_in(issue())).decisions[0]
    chosen = "P0" if first.priority != Priority.P0 else "P3"
    judged = issue(action="labeled", by="ann", label=f"priority/{chosen}", labels=[f"priority/{chosen}"], **LATER)
    assert isinstance(counter.hand_in(judged), Overruled)
    override = counter.office.app.archive.decision(first.decision_id).override
    assert override is not None
    assert (override.priority, override.by, override.at) == (chosen, "ann", "2019-05-15T16:00:00Z")
    assert override.reason == "issues.labeled in forge"


def test_an_override_that_is_delivered_again_is_recorded_once(counter: Counter) -> None:
    first = _taken(counter.hand_in(issue())).decisions[0]
    chosen = "P0" if first.priority != Priority.P0 else "P3"
    judged = issue(action="labeled", label=f"priority/{chosen}", labels=[f"priority/{chosen}"], **LATER)
    sequences = [_last_sequence(counter)]
    for _ in range(2):
        outcome = counter.hand_in(judged)
        sequences.append(_last_sequence(counter))
    assert isinstance(outcome, Overruled)
    assert outcome.replayed
    assert sequences[2] == sequences[1] == sequences[0] + 1


def _last_sequence(counter: Counter) -> int:
    return counter.office.desk.journal.list(Query(limit=1)).entries[0].header.sequence


@pytest.mark.parametrize(
    ("routes", "word"),
    [
        ({"network": "team/network"}, "team/network"),
        ({"hardware": "team/hardware"}, ""),
        ({"hardware": "team/hardware", NEEDS_TRIAGE: "triage-me"}, "triage-me"),
        ({}, ""),
    ],
)
def test_only_labels_the_tracker_has_are_ever_written(counter: Counter, routes: dict[str, str], word: str) -> None:
    connection = counter.connect(routes=routes)
    assert tracker_route(connection, "network") == word
    assert tracker_route(counter.connect(routes=routes, write_route=False), "network") == ""


def test_a_route_a_person_chose_is_recorded_in_our_words(counter: Counter) -> None:
    counter.connect(routes={"network": "team/network", "hardware": "team/hardware"})
    first = _taken(counter.hand_in(issue())).decisions[0]
    ours, theirs = ("network", "team/network")
    assert first.route.label != ours
    counter.hand_in(issue(action="labeled", label=theirs, labels=[theirs], **LATER))
    override = counter.office.app.archive.decision(first.decision_id).override
    assert override is not None
    assert (override.route, override.priority) == (ours, None)


def test_a_route_chosen_after_a_priority_leaves_the_priority_chosen(counter: Counter) -> None:
    counter.connect(routes={"network": "team/network"}, account="holdfast-bot")
    first = _taken(counter.hand_in(issue())).decisions[0]
    chosen = "P0" if first.priority != Priority.P0 else "P3"
    labels = ["bug", f"priority/{chosen}", "team/network"]
    for count in (2, 3):
        at = f"2019-05-15T16:0{count}:00Z"
        counter.hand_in(issue(action="labeled", label=labels[count - 1], labels=labels[:count], updated_at=at))
    decision = counter.office.app.archive.decision(first.decision_id)
    assert (decision.priority, decision.route.label) == (chosen, "network")


def test_a_judgement_of_a_task_that_was_never_scored_is_ignored(counter: Counter) -> None:
    outcome = counter.hand_in(issue(action="labeled", label="priority/P0", labels=["priority/P0"]))
    assert outcome == Ignored("issues.labeled: judged before it was scored here")


def test_a_person_who_agrees_with_the_node_overrides_nothing(counter: Counter) -> None:
    counter.connect(account="holdfast-bot")
    first = _taken(counter.hand_in(issue())).decisions[0]
    label = f"priority/{first.priority}"
    assert isinstance(counter.hand_in(issue(action="labeled", label=label, labels=["bug", label], **LATER)), Ignored)
    assert counter.office.app.archive.decision(first.decision_id).override is None


def test_a_tracker_that_says_only_how_a_task_is_now_tells_a_person_by_what_has_changed(counter: Counter) -> None:
    first = _taken(_generic(counter, _task("P2", updated_at="2026-03-01T10:00:00Z"))).decisions[0]
    chosen = "P0" if first.priority != Priority.P0 else "P3"
    said = [
        _generic(counter, _task(word, event="task.updated", updated_at=at), signed_id=at)
        for word, at in (("P2", "2026-03-01T10:05:00Z"), (chosen, "2026-03-01T10:06:00Z"))
    ]
    assert isinstance(said[0], Ignored)
    assert isinstance(said[1], Overruled)
    assert said[1].decision.priority == chosen


@pytest.mark.parametrize(("mode", "base_url"), [("shadow", "https://x.example"), ("reply", ""), ("write", "")])
def test_nothing_is_queued_where_nothing_is_written_back(counter: Counter, mode: str, base_url: str) -> None:
    counter.connect(mode=mode, base_url=base_url)
    assert not _taken(counter.hand_in(issue())).replayed
    assert counter.orders() == []


def test_a_closed_issue_is_not_scored(counter: Counter) -> None:
    outcome = counter.hand_in(issue(action="edited", state="closed"))
    assert outcome == Ignored("issues.edited: the task is closed")


def test_several_alerts_of_one_delivery_come_back_together_and_in_order(counter: Counter) -> None:
    alert = {"fingerprint": "a" * 16, "labels": {"alertname": "Hot"}, "startsAt": "2026-02-06T00:17:58Z"}
    body = json.dumps({"alerts": [{**alert, "fingerprint": f"{n:016x}"} for n in range(3)]}).encode()
    counter.connect("alerts", dialect="alertmanager")
    headers = {"authorization": "Bearer a secret that is long enough"}
    first, again = (_taken(counter.hand_in(body, name="alerts", headers=headers)) for _ in range(2))
    assert [one.task_id[:16] for one in first.decisions] == [f"{n:016x}" for n in range(3)]
    assert [one.decision_id for one in again.decisions] == [one.decision_id for one in first.decisions]


def test_of_repeated_alerts_only_the_new_one_is_scored(counter: Counter) -> None:
    alert = {"labels": {"alertname": "Hot"}, "startsAt": "2026-02-06T00:17:58Z"}
    bodies = [json.dumps({"alerts": [{**alert, "fingerprint": f"{n}"} for n in range(k)]}).encode() for k in (2, 3)]
    counter.connect("alerts", dialect="alertmanager")
    headers = {"authorization": "Bearer a secret that is long enough"}
    _, second = (_taken(counter.hand_in(body, name="alerts", headers=headers)) for body in bodies)
    assert [one.task_id[0] for one in second.decisions] == ["2"]


def test_a_full_queue_refuses_the_delivery_and_nothing_is_left_behind(tmp_path: Path, policy: Policy) -> None:
    counter = open_counter(tmp_path, policy, max_waiting=1)
    counter.hand_in(issue(1))
    with pytest.raises(QueueFull):
        counter.hand_in(issue(2))
    assert len(counter.orders()) == 1
    taken = _taken(counter.hand_in(issue(2)))
    counter.office.desk.close()
    assert not taken.replayed


@pytest.mark.parametrize("mode", ["write", "reply"])
def test_a_disk_that_takes_nothing_refuses_what_must_be_written_back(tmp_path: Path, policy: Policy, mode: str) -> None:
    failing = FailingVFS(f"full-{mode}")
    limits = limits_at(tmp_path, audit="best-effort")
    counter = open_counter(tmp_path, policy, vfs=failing.vfs_name, limits=limits)
    counter.connect(mode=mode)
    counter.hand_in(issue(1))
    failing.failure = apsw.FullError
    if mode == "write":
        with pytest.raises(NotKept):
            counter.hand_in(issue(2))
    else:
        assert not _taken(counter.hand_in(issue(2))).decisions[0].recorded
    failing.failure = None
    counter.office.desk.close()


def test_a_task_found_by_asking_is_scored_once_and_one_that_was_delivered_is_not(counter: Counter) -> None:
    connection = counter.connect()
    delivered = connection.dialect.decode({}, issue(1), connection.place)
    assert not isinstance(delivered, Ignored)
    counter.hand_in(issue(1))
    missed = Task(id="Codertocat/Hello-World#2", title="Missed while the node was down")
    outcomes = [
        counter.intake.take_listed(connection, task, counter.arrival()) for task in (*delivered.tasks, missed, missed)
    ]
    assert isinstance(outcomes[0], Ignored)
    assert (_taken(outcomes[1]).replayed, _taken(outcomes[2]).replayed) == (False, True)
    assert len(counter.orders()) == 2


def test_what_was_erased_is_not_shown_to_a_redelivery(counter: Counter) -> None:
    first = _taken(counter.hand_in(issue())).decisions[0]
    counter.office.desk.journal.erase(first.task_id)
    outcome = counter.hand_in(issue())
    assert outcome == Ignored("delivered before; what was decided then can no longer be read")


@pytest.mark.parametrize("action", ["opened", "edited", "labeled"])
def test_no_news_of_an_erased_task_does_not_bring_it_back(counter: Counter, action: str) -> None:
    first = _taken(counter.hand_in(issue())).decisions[0]
    counter.office.desk.journal.erase(first.task_id)
    outcome = counter.hand_in(issue(action=action, by="bob", label="priority/P0"))
    assert outcome == Ignored(f"issues.{action}: no news since a decision that can no longer be read")


def test_a_judgement_made_while_closing_is_kept_and_nothing_is_scored(counter: Counter) -> None:
    first = _taken(counter.hand_in(issue())).decisions[0]
    chosen = "P0" if first.priority != Priority.P0 else "P3"
    labels = [f"priority/{chosen}", "another"]
    judged = issue(action="labeled", label=labels[0], labels=labels, state="closed", **LATER)
    assert isinstance(counter.hand_in(judged), Overruled)
    assert counter.office.small.calls == 1


def test_the_same_delivery_at_the_same_moment_is_scored_once(counter: Counter) -> None:
    outcomes: list[object] = []
    counter.connect()
    threads = [threading.Thread(target=lambda: outcomes.append(counter.hand_in(issue()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(_taken(one).replayed for one in outcomes) == [False] + [True] * 7
    assert counter.office.small.calls == 1


def test_who_cannot_wait_for_a_turn_is_told_to_come_again() -> None:
    turns = Turns(HeldClock())
    with turns.turn(frozenset({"a", "b"}), deadline_s=2000.0):
        with pytest.raises(InWork), turns.turn(frozenset({"b"}), deadline_s=0.0):
            pass
        with turns.turn(frozenset({"c"}), deadline_s=0.0):
            pass
    with turns.turn(frozenset({"b"}), deadline_s=0.0):
        pass


def test_after_a_restart_everything_is_still_known(tmp_path: Path, policy: Policy) -> None:
    counter = open_counter(tmp_path, policy)
    first = _taken(counter.hand_in(issue())).decisions[0]
    counter.office.desk.close()
    counter = open_counter(tmp_path, policy)
    again = _taken(counter.hand_in(issue()))
    orders = counter.orders()
    counter.office.desk.close()
    assert (again.replayed, again.decisions[0].decision_id) == (True, first.decision_id)
    assert len(orders) == 1
