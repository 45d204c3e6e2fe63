"""The queue: what is enqueued is run at least once, in order, by one holder at a time, until done or dead."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.database import Transaction
from holdfast.job import Again, Dead, Done, JobState
from holdfast.jobs import AT_ONCE, JobsQuery, LeaseLost, QueueFull, QueueLimits
from tests.jobs.desk import QUEUE, Desk, new_job


def test_a_job_is_leased_once_and_done(desk: Desk) -> None:
    desk.add("a")
    lease = desk.lease()
    assert (lease.job.payload, lease.job.attempts) == (b"a", 1)
    assert desk.jobs.lease(QUEUE) is None
    desk.jobs.finish(lease, Done())
    assert desk.jobs.states()[0].ready == desk.jobs.states()[0].leased == 0


def test_a_second_job_with_a_known_key_is_not_enqueued_even_after_the_first_is_done(desk: Desk) -> None:
    desk.add("a")
    desk.jobs.finish(desk.lease(), Done())
    assert desk.add("a") == [None]


def test_the_higher_priority_goes_first_and_among_equals_the_older(desk: Desk) -> None:
    desk.add("old", "young")
    desk.add("urgent", priority=5)
    assert [desk.lease().job.key for _ in range(3)] == ["urgent", "old", "young"]


def test_a_job_enqueued_by_a_unit_that_fails_was_never_there(desk: Desk) -> None:
    def unit(transaction: Transaction) -> None:
        desk.jobs.enqueue(transaction, new_job("a"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        desk.database.commit(unit)
    assert desk.jobs.lease(QUEUE) is None
    assert desk.jobs.states()[0].ready == 0


def test_a_delayed_job_waits_for_its_time(desk: Desk) -> None:
    desk.add("a", delay_s=30.0)
    assert desk.jobs.lease(QUEUE) is None
    assert desk.jobs.wait_s(QUEUE) == pytest.approx(30.0)
    desk.clock.monotonic += 30.0
    assert desk.lease().job.key == "a"


def test_a_failure_is_tried_again_after_the_pause_the_other_side_asked_for(desk: Desk) -> None:
    desk.add("a")
    desk.jobs.finish(desk.lease(), Again("503 from the tracker", after_s=17.0))
    desk.clock.monotonic += 16.9
    assert desk.jobs.lease(QUEUE) is None
    desk.clock.monotonic += 0.2
    assert (lease := desk.lease()).job.attempts == 2
    assert lease.job.reason == "503 from the tracker"


def test_a_job_that_keeps_failing_becomes_a_dead_letter_with_reason_and_log(tmp_path: Path) -> None:
    desk = Desk(tmp_path, QueueLimits(max_attempts=3))
    desk.add("a")
    for _ in range(3):
        desk.jobs.finish(desk.lease(), Again("boom", after_s=0.0, log="line 1\nline 2"))
    (job,) = desk.jobs.list(JobsQuery(state=JobState.DEAD))
    assert (job.attempts, job.reason, job.log) == (3, "boom", "line 1\nline 2")
    desk.database.close()


def test_what_says_nothing_about_the_job_never_kills_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, QueueLimits(max_attempts=3, backoff_s=1.0, backoff_most_s=60.0))
    desk.add("a")
    for _ in range(50):
        desk.jobs.finish(desk.lease(), Again("the link is down", counts=False))
        desk.clock.monotonic += 60.0
    assert desk.lease().job.attempts == 1
    desk.database.close()


def test_a_dead_outcome_ends_a_job_at_once(desk: Desk) -> None:
    desk.add("a")
    desk.jobs.finish(desk.lease(), Dead("404: no such task"))
    assert desk.jobs.list(JobsQuery())[0].state is JobState.DEAD
    assert desk.jobs.states()[0].dead == 1


def test_a_lease_that_ran_out_is_fenced_once_another_run_has_the_job(desk: Desk) -> None:
    desk.add("a")
    late = desk.lease()
    desk.clock.monotonic += 121.0
    current = desk.lease()
    assert current.token > late.token
    with pytest.raises(LeaseLost):
        desk.jobs.finish(late, Done())
    desk.jobs.finish(current, Done())


def test_a_fenced_completion_undoes_the_whole_unit_it_was_part_of(desk: Desk) -> None:
    desk.add("a")
    late = desk.lease()
    desk.jobs.finish(late, Again("x"))

    def unit(transaction: Transaction) -> None:
        desk.facts.put("written", b"1", transaction)
        desk.jobs.complete_in(transaction, late)

    with pytest.raises(LeaseLost):
        desk.database.commit(unit)
    assert desk.facts.get("written") is None


def test_a_run_that_completed_itself_in_a_unit_may_still_report_done(desk: Desk) -> None:
    desk.add("a")
    lease = desk.lease()
    desk.database.commit(lambda t: desk.jobs.complete_in(t, lease))
    desk.jobs.finish(lease, Done(), extra=lambda t: desk.facts.put("twice", b"1", t))
    assert desk.facts.get("twice") is None
    assert desk.jobs.list(JobsQuery())[0].state is JobState.DONE


def test_a_job_held_by_a_process_that_ended_is_free_again_and_that_run_counts(desk: Desk) -> None:
    desk.add("a")
    desk.lease()
    jobs = desk.reopen()
    assert jobs.release_all() == 1
    assert desk.lease().job.attempts == 2


def test_a_job_that_ends_the_node_each_time_becomes_a_dead_letter(tmp_path: Path) -> None:
    desk = Desk(tmp_path, QueueLimits(max_attempts=3))
    desk.add("poison")
    for _ in range(3):
        desk.lease()
        desk.reopen().release_all()
        desk.clock.monotonic += 60.0
    assert desk.jobs.lease(QUEUE) is None
    (job,) = desk.jobs.list(JobsQuery(state=JobState.DEAD))
    assert "the node ended while it ran, on run 3" in job.reason
    desk.database.close()


def test_a_job_that_ended_the_node_twice_leaves_it_time_before_the_next_run(desk: Desk) -> None:
    desk.add("poison")
    for _ in range(6):
        desk.lease()
        desk.reopen().release_all()
        pause_s = desk.jobs.list(JobsQuery())[0].due_in_s
        desk.clock.monotonic += 60.0
    assert 0.0 < pause_s <= 32.0
    assert desk.lease().job.attempts == 7


def test_a_queue_of_thousands_is_revived_and_purged_in_pieces(desk: Desk) -> None:
    keys = [f"job {n}" for n in range(1200)]
    desk.database.commit(lambda t: [desk.jobs.enqueue(t, new_job(key, delay_s=1.0)) for key in keys])
    desk.clock.monotonic += 2.0
    desk.lease()
    pieces = [desk.database.commit(lambda t: desk.jobs.purge(t, QUEUE, state=JobState.READY)) for _ in range(4)]
    assert (sum(pieces), max(pieces) <= 2 * AT_ONCE) == (1199, True)


def test_a_node_that_lost_a_minute_of_its_age_makes_no_job_wait_for_it(desk: Desk) -> None:
    desk.clock.monotonic += 55.0
    desk.add("a")
    desk.jobs.finish(desk.lease(), Again("later", after_s=2.0))
    desk.reopen()  # the age was saved at 0
    desk.clock.monotonic += 3.1
    assert desk.lease().job.key == "a"


def test_a_full_queue_refuses_the_next_and_no_other_queue_minds(tmp_path: Path) -> None:
    desk = Desk(tmp_path, QueueLimits(max_waiting=2))
    desk.add("a", "b")
    with pytest.raises(QueueFull, match="max_waiting"):
        desk.add("c")
    assert desk.add("d", queue="reprocess") != [None]
    assert desk.jobs.states()[1].ready == 2
    desk.database.close()


def test_nothing_a_job_carries_or_tells_is_readable_on_disk(desk: Desk) -> None:
    desk.add("canary-key")
    desk.jobs.finish(desk.lease(), Again("canary-reason", log="canary-log"))
    kept = b"".join(path.read_bytes() for path in desk.directory.glob("node.db*"))
    assert b"canary" not in kept


def test_what_is_done_carries_nothing_any_more(desk: Desk) -> None:
    desk.add("a")
    desk.jobs.finish(desk.lease(), Done())
    (job,) = desk.jobs.list(JobsQuery(state=JobState.DONE))
    assert (job.key, job.payload) == ("", b"")


def test_a_payload_whose_key_was_destroyed_is_a_dead_letter_that_says_so(desk: Desk) -> None:
    desk.add("a")
    desk.clock.monotonic += 40 * 86_400.0
    desk.jobs.step()
    desk.database.commit(lambda t: desk.vault.destroy_days(t, before=5))
    desk.vault.forget_days(before=5)
    assert desk.jobs.lease(QUEUE) is None
    assert "its key was destroyed" in desk.jobs.list(JobsQuery())[0].reason


def test_a_dead_letter_can_be_retried_alone_or_with_its_queue(desk: Desk) -> None:
    first, _ = desk.add("a", "b")
    for _ in range(2):
        desk.jobs.finish(desk.lease(), Dead("no"))
    assert first is not None
    assert desk.database.commit(lambda t: desk.jobs.retry(t, first)) == 1
    assert desk.lease().job.key == "a"
    assert desk.database.commit(lambda t: desk.jobs.retry(t, QUEUE)) == 1
    assert desk.lease().job.attempts == 1


def test_a_purge_deletes_what_is_old_enough_in_one_state_of_one_queue(desk: Desk) -> None:
    desk.add("old")
    desk.jobs.finish(desk.lease(), Dead("no"))
    desk.clock.monotonic += 100.0
    desk.add("new", "waiting")
    desk.jobs.finish(desk.lease(), Dead("no"))
    purged = desk.database.commit(lambda t: desk.jobs.purge(t, QUEUE, state=JobState.DEAD, older_s=50.0))
    assert purged == 1
    assert [job.key for job in desk.jobs.list(JobsQuery())] == ["waiting", "new"]


def test_done_jobs_are_forgotten_after_a_month(desk: Desk) -> None:
    desk.add("a")
    desk.jobs.finish(desk.lease(), Done())
    desk.jobs.step()
    assert len(desk.jobs.list(JobsQuery())) == 1
    desk.clock.monotonic += 31 * 86_400.0
    desk.jobs.step()
    assert desk.jobs.list(JobsQuery()) == ()


def test_the_state_of_a_queue_says_depth_age_and_rate(desk: Desk) -> None:
    desk.add("a", "b", "c")
    desk.add("later", delay_s=5.0)
    desk.jobs.finish(desk.lease(), Done())
    desk.lease()
    desk.clock.monotonic += 10.0
    state = desk.jobs.states()[0]
    assert (state.ready, state.waiting, state.leased, state.done_per_minute) == (2, 1, 1, 1.0)
    assert state.oldest_s == pytest.approx(10.0)
