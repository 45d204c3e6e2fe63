"""Lanes, against the other end of a socket pair played by the test."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.runtime.engine import InvalidTokens, TierUnavailable
from holdfast.runtime.frames import Ask, Ping, Reply, Row
from holdfast.runtime.lanes import Lane, LaneQueue
from holdfast.runtime.wire import Wire
from holdfast.tier import Reason
from tests.runtime.tiny import clock, until

ROW = Row(b"1234", 1, truncated=False)


def soon(seconds: float = 2.0) -> float:
    return clock.monotonic_s() + seconds


class Peer:
    """The worker's end of a lane."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.lane, self.wire = Lane(Wire(ours, clock)), Wire(theirs, clock)

    def hear(self) -> Ask:
        frame = self.wire.receive(deadline_s=soon())
        assert isinstance(frame, Ask)
        return frame

    def say(self, number: int) -> None:
        self.wire.send(Reply(number=number, rows=(ROW,)), deadline_s=soon())

    def close(self) -> None:
        self.wire.close()
        self.lane.close()


@pytest.fixture
def peer():
    peer = Peer()
    yield peer
    peer.close()


def ask(lane: Lane, within_s: float = 2.0) -> Reply:
    return lane.ask(("hello",), wanted="features", deadline_s=soon(within_s))


def refused(call) -> Reason:
    with pytest.raises(TierUnavailable) as raised:
        call()
    return raised.value.reason


def test_a_reply_that_comes_too_late_is_never_taken_for_the_next_one(peer) -> None:
    assert refused(lambda: ask(peer.lane, 0.01)) is Reason.TIMED_OUT
    assert peer.lane.behind
    assert not peer.lane.catch_up()
    peer.say(peer.hear().number)
    assert peer.lane.catch_up()


def test_a_stale_reply_in_front_of_ours_is_skipped(peer) -> None:
    assert refused(lambda: ask(peer.lane, 0.01)) is Reason.TIMED_OUT
    stale = peer.hear().number
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(ask, peer.lane)
        peer.say(stale)
        peer.say(peer.hear().number)
        assert call.result().number == stale + 1


def test_a_worker_that_does_not_read_costs_no_more_than_the_deadline(peer) -> None:
    long = ("x" * 16_000,) * 100
    assert refused(lambda: peer.lane.ask(long, wanted="features", deadline_s=soon(0.05))) is Reason.TIMED_OUT
    with ThreadPoolExecutor(1) as reader:
        heard = reader.submit(peer.hear)
        until(lambda: peer.lane.catch_up() or heard.done())
        assert heard.result().texts == long
    peer.say(1)
    assert peer.lane.catch_up()


def test_a_worker_that_is_gone_closes_the_lane(peer) -> None:
    peer.wire.close()
    assert refused(lambda: ask(peer.lane)) is Reason.CRASHED
    assert peer.lane.closed


def test_a_worker_that_talks_nonsense_is_not_believed(peer) -> None:
    peer.wire.send(Ping(1), deadline_s=soon())
    assert refused(lambda: ask(peer.lane)) is Reason.CRASHED


def test_waiting_callers_are_told_at_once_when_the_last_lane_dies(peer) -> None:
    queue = LaneQueue(clock, max_waiting=8)
    queue.add([peer.lane])
    with ThreadPoolExecutor(4) as callers:
        holding = callers.submit(_hold_and_ask, queue)
        peer.hear()
        waiting = [callers.submit(_hold_and_ask, queue) for _ in range(3)]
        until(lambda: queue.waiting == 3)
        peer.wire.close()
        reasons = {refused(call.result) for call in [holding, *waiting]}
    assert reasons == {Reason.CRASHED}
    assert (queue.lane_count, queue.waiting) == (0, 0)


def _hold_and_ask(queue: LaneQueue) -> Reply:
    with queue.leased(deadline_s=soon(10)) as lane:
        return ask(lane, 10)


def test_lanes_are_given_in_the_order_of_asking(peer) -> None:
    queue = LaneQueue(clock, max_waiting=8)
    queue.add([peer.lane])
    order: list[int] = []
    first = threading.Event()

    def call(number: int) -> None:
        with queue.leased(deadline_s=soon()):
            order.append(number)
            if number == 0:
                first.wait(2.0)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads):
        thread.start()
        until(lambda number=number: len(order) + queue.waiting == number + 1)
    first.set()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_caller_whose_wait_runs_out_leaves_the_queue(peer) -> None:
    queue = LaneQueue(clock, max_waiting=8)
    queue.add([peer.lane])

    def wait_in_vain() -> None:
        with queue.leased(deadline_s=soon(0.02)):
            pass

    with queue.leased(deadline_s=soon()):
        assert refused(wait_in_vain) is Reason.OVERLOADED
    assert (queue.waiting, queue.running) == (0, 0)


def test_a_lane_taken_out_of_service_while_leased_is_closed_by_its_holder(peer) -> None:
    queue = LaneQueue(clock, max_waiting=8)
    queue.add([peer.lane])
    with queue.leased(deadline_s=soon()) as lane:
        queue.remove([lane], Reason.CRASHED)
        assert not lane.closed
    assert peer.lane.closed


@pytest.mark.parametrize("ids", [(2**64,), (1,) * (17 << 20)], ids=["too wide", "too many"])
def test_a_question_that_no_frame_holds_leaves_the_lane_as_it_was(peer, ids) -> None:
    with pytest.raises(InvalidTokens):
        peer.lane.ask_tokens((ids,), wanted="embedding", deadline_s=soon())
    assert not peer.lane.behind
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(ask, peer.lane)
        peer.say(peer.hear().number)
        assert reply.result().rows == (ROW,)
