"""Earlier tickets that resemble a new one: made from the ledger, and never more than it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest

from holdfast.apps.triage.archive import Archive, Correction
from holdfast.apps.triage.decision import Priority, Similar
from holdfast.apps.triage.memory import Asked, TicketMemory
from holdfast.apps.triage.ticket import Ticket
from holdfast.measure import Measures
from tests.apps.triage.office import Office

VPN = "VPN drops after login from home"
TONER = "The printer on floor two is out of toner"
Remember = Callable[..., TicketMemory]


@pytest.fixture
def remember(office: Office) -> Remember:
    def remembers(capacity: int = 100, *, caught_up: bool = True) -> TicketMemory:
        memory = TicketMemory(office.desk.journal, office.desk.clock, capacity=capacity, measures=Measures())
        if caught_up:
            catch_up(memory)
        return memory

    return remembers


def catch_up(memory: TicketMemory) -> None:
    while memory.step(1.0):
        pass


def like(memory: TicketMemory, text: str, *, task: str = "", team: str = "", count: int = 3) -> list[str]:
    return [one.task_id for one in all_like(memory, text, task=task, team=team, count=count)]


def all_like(memory: TicketMemory, text: str, *, task: str = "", team: str = "", count: int = 3) -> tuple[Similar, ...]:
    (found,) = memory.like([Asked(text, task, team)], count=count)
    return found


def of_team(office: Office, team: str) -> None:
    office.view = dataclasses.replace(office.view, team=team)


def correct(office: Office, decision_id: str, **correction) -> None:
    Archive(office.desk.journal, office.desk.clock).correct(decision_id, Correction(**correction), by="ann")


def test_the_most_alike_come_first_with_how_they_ended(office, remember) -> None:
    office.score("VPN drops", task="T-2")
    office.score(TONER, task="T-3")
    decision = office.score(VPN, task="T-1").decision
    found = all_like(remember(), "vpn drops after login")
    assert [one.task_id for one in found] == ["T-1", "T-2"]
    assert found[0].similarity > found[1].similarity >= 0.3
    assert (found[0].priority, found[0].route, found[0].judged) == (decision.priority, decision.route.label, False)


def test_a_ticket_is_not_like_itself(office, remember) -> None:
    office.score(VPN, task="T-1")
    assert like(remember(), VPN, task="T-1") == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_person_s_word_is_how_it_ended_whenever_it_came(office, remember, when) -> None:
    decision = office.score(VPN, task="T-1").decision
    memory = remember(caught_up=when == "after")
    correct(office, decision.decision_id, priority=Priority.P0)
    correct(office, decision.decision_id, route="network")
    office.score(VPN, task="T-1")
    catch_up(memory)
    (found,) = all_like(memory, VPN)
    assert (found.priority, found.route, found.judged) == (Priority.P0, "network", True)


def test_what_is_recorded_later_is_found_after_the_next_step(office, remember) -> None:
    memory = remember()
    office.score(VPN, task="T-1")
    assert like(memory, VPN) == []
    catch_up(memory)
    assert like(memory, VPN) == ["T-1"]


def test_of_a_task_that_changed_only_what_it_is_now_is_found(office, remember) -> None:
    office.score(VPN, task="T-1")
    memory = remember()
    office.score(TONER, task="T-1")
    catch_up(memory)
    assert (like(memory, VPN), like(memory, TONER), len(memory)) == ([], ["T-1"], 1)


def test_an_erased_task_is_gone_at_once_and_stays_gone(office, remember) -> None:
    office.score(VPN, task="T-1")
    office.score(VPN, task="T-2")
    memory, behind = remember(), remember(caught_up=False)
    erased = office.desk.journal.erase("T-1")
    memory.forget("T-1", erasure=erased.sequence)
    assert like(memory, VPN) == ["T-2"]
    for one in (memory, behind, remember()):
        catch_up(one)
        assert like(one, VPN) == ["T-2"]


def test_an_erasure_that_nobody_told_of_is_read_from_the_ledger(office, remember) -> None:
    office.score(VPN, task="T-1")
    memory = remember()
    office.desk.journal.erase("T-1")
    office.score(TONER, task="T-1")
    catch_up(memory)
    assert (like(memory, VPN), like(memory, TONER)) == ([], ["T-1"])


def test_what_retention_took_is_not_found_any_more(office, remember) -> None:
    office.score(VPN, task="T-1")
    memory = remember()
    office.desk.clock.monotonic += 31 * 86_400
    office.score(TONER, task="T-2")
    office.desk.journal.step()
    catch_up(memory)
    assert (like(memory, VPN), like(memory, TONER), len(memory)) == ([], ["T-2"], 1)
    assert like(remember(), VPN) == []


def test_no_team_finds_another_s_tickets(office, remember) -> None:
    for team in ("", "web", "ops"):
        of_team(office, team)
        office.score(VPN, task="T-1")
        office.score(VPN, task=f"T-{team}")
    memory = remember()
    for team in ("", "web", "ops"):
        assert sorted(like(memory, VPN, team=team)) == sorted(["T-1", f"T-{team}"])
        assert memory.held(team) == len({"T-1", f"T-{team}"})
    assert (like(memory, VPN, team="nobody"), memory.held("nobody")) == ([], 0)


def test_several_are_asked_for_at_once_each_within_its_team(office, remember) -> None:
    for team in ("web", "ops"):
        of_team(office, team)
        office.score(VPN, task=f"V-{team}")
        office.score(TONER, task=f"P-{team}")
    asked = [Asked(TONER, "", "ops"), Asked(VPN, "", "web"), Asked(VPN, "", "nobody"), Asked(VPN, "V-ops", "ops")]
    found = remember().like(asked, count=3)
    assert [[one.task_id for one in each] for each in found] == [["P-ops"], ["V-web"], [], []]


def test_it_is_bounded_and_the_latest_stay(office, remember) -> None:
    for place in range(40):
        office.score(f"{VPN} number {place}", task=f"T-{place}")
    behind, followed = remember(10), remember(10, caught_up=False)
    catch_up(followed)
    for place in range(40, 55):
        office.score(f"{VPN} number {place}", task=f"T-{place}")
    for memory in (behind, followed):
        assert {*like(memory, VPN, count=50)} == {f"T-{place}" for place in range(30, 40)}
        catch_up(memory)
        assert {*like(memory, VPN, count=50)} == {f"T-{place}" for place in range(45, 55)}


def test_while_many_tickets_come_it_holds_back_and_catches_up_later(office, remember) -> None:
    memory = remember()
    for place in range(0, 300, 100):
        batch = [Ticket(id=f"T-{place + one}", title=f"{VPN} {one}") for one in range(100)]
        office.app.score_batch(batch, office.view, office.call())
    assert memory.step(60.0) is True
    assert len(memory) < 300 // 2
    catch_up(memory)
    assert {*like(memory, VPN, count=300)} == {f"T-{place}" for place in range(200, 300)}  # as many as have room


def test_whatever_happens_in_whatever_order_it_knows_nothing_that_a_new_one_would_not(office, remember) -> None:
    rng = random.Random(5)
    memory, decisions = remember(12), []
    for _ in range(150):
        done, task = rng.random(), f"T-{rng.randrange(20)}"
        if done < 0.6:
            decisions.append(office.score(f"{VPN} {task}", task=task).decision.decision_id)
        elif done < 0.75:
            erased = office.desk.journal.erase(task)
            if done < 0.7:
                memory.forget(task, erasure=erased.sequence)
        elif done < 0.9:
            catch_up(memory)
    catch_up(memory)
    fresh = remember(12)
    latest = set(like(fresh, VPN, count=50))
    assert latest
    assert set(like(memory, VPN, count=50)) <= latest
    assert memory.held("") == len(memory)
