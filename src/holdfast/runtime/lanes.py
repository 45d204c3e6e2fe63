"""Lanes: wires to workers that calling threads lease one at a time, first come, first served; no thread in between."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from holdfast.clock import Clock
from holdfast.runtime.engine import InvalidTokens, TierUnavailable
from holdfast.runtime.frames import Ask, BadFrame, Frame, Reply, Vector, pack
from holdfast.runtime.wire import Wire, WireClosed, WireLate
from holdfast.tier import Reason

__all__ = ["Lane", "LaneQueue"]


class Lane:
    """One wire to a worker, leased by one thread at a time. Replies nobody waits for are known by their number."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._asked = 0
        self._answered = 0
        self.closed = False

    @property
    def behind(self) -> bool:
        """Say whether the worker still owes a reply that nobody waits for."""
        return self._answered < self._asked

    def ask(self, texts: tuple[str, ...], *, wanted: Vector, deadline_s: float) -> Reply:
        """The worker's reply.

        Raises TierUnavailable: late leaves the lane behind, gone leaves it closed. Raises InvalidTokens for what no
        frame can hold; the lane is then as it was.
        """
        return self._exchange(Ask(number=self._asked + 1, deadline_s=deadline_s, wanted=wanted, texts=texts))

    def ask_tokens(self, token_ids: tuple[tuple[int, ...], ...], *, wanted: Vector, deadline_s: float) -> Reply:
        """The same for texts that are already token ids."""
        return self._exchange(Ask(number=self._asked + 1, deadline_s=deadline_s, wanted=wanted, token_ids=token_ids))

    def catch_up(self) -> bool:
        """Read what is there, without waiting, and say whether the lane is usable again."""
        try:
            self._wire.flush(deadline_s=-1.0)
            while self.behind and (frame := self._wire.poll()) is not None:
                self._answered = _numbered(frame)
        except WireLate:
            return False
        except WireClosed:
            self.closed = True
        return not self.behind and not self.closed

    def close(self) -> None:
        """Close the wire."""
        self.closed = True
        self._wire.close()

    def _exchange(self, ask: Ask) -> Reply:
        packed = _packed(ask)  # before it counts: what cannot be sent is never answered
        self._asked = ask.number
        try:
            self._wire.send_packed(packed, deadline_s=ask.deadline_s)
            while True:
                frame = self._wire.receive(deadline_s=ask.deadline_s)
                self._answered = _numbered(frame)
                if self._answered == ask.number and isinstance(frame, Reply):
                    return frame
        except WireLate as error:
            raise TierUnavailable(Reason.TIMED_OUT, str(error)) from error
        except WireClosed as error:
            self.closed = True
            raise TierUnavailable(Reason.CRASHED, str(error)) from error


def _packed(ask: Ask) -> bytes:
    """The bytes of a question. Raises InvalidTokens for numbers, or sizes, that no frame can hold."""
    try:
        return pack(ask)
    except (OverflowError, BadFrame) as error:
        raise InvalidTokens(f"input: expected what one frame can hold, found more: {error}", field="/input") from error


def _numbered(frame: Frame) -> int:
    """The number of a reply. Raises WireClosed for anything else: such a worker is not to be believed."""
    if isinstance(frame, Reply):
        return frame.number
    raise WireClosed(f"a worker answered a request with {type(frame).__name__}")


class _Waiter:
    """A thread in the queue: its lock is held until it gets a lane, or a reason why it will get none."""

    __slots__ = ("lane", "lock", "refused")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()
        self.lane: Lane | None = None
        self.refused: Reason | None = None


class LaneQueue:
    """One lock guards the lanes and the waiters. A lane goes straight to the thread that waited longest."""

    def __init__(self, clock: Clock, *, max_waiting: int) -> None:
        self._clock, self._max_waiting = clock, max_waiting
        self._lock = threading.Lock()
        self._members: set[Lane] = set()
        self._free: list[Lane] = []
        self._behind: dict[Lane, float] = {}
        self._waiters: deque[_Waiter] = deque()
        self._down = Reason.STARTING

    @contextmanager
    def leased(self, *, deadline_s: float) -> Iterator[Lane]:
        """A lane for the calling thread alone. Raises TierUnavailable when none comes free in time."""
        lane = self._lease(deadline_s)
        try:
            yield lane
        finally:
            self._give_back(lane)

    def add(self, lanes: Iterable[Lane]) -> None:
        """Take new lanes into service."""
        with self._lock:
            for lane in lanes:
                self._members.add(lane)
                self._offer(lane)

    def remove(self, lanes: Iterable[Lane], why: Reason) -> None:
        """Take lanes out of service; when none is left, everybody who waits is told why."""
        with self._lock:
            for lane in lanes:
                self._discard(lane)
            self._refuse_waiters_without_lanes(why)

    def explain(self, why: Reason) -> None:
        """Say why there are no lanes, for those who ask while there are none."""
        with self._lock:
            self._down = why

    def sweep(self) -> None:
        """Let lanes that caught up serve again; never waits."""
        with self._lock:
            self._catch_up()

    def behind_for(self, duration_s: float) -> frozenset[Lane]:
        """Lanes that have owed a reply for longer than `duration_s`."""
        since_s = self._clock.monotonic_s() - duration_s
        with self._lock:
            return frozenset(lane for lane, at_s in self._behind.items() if at_s < since_s)

    @property
    def down(self) -> Reason:
        """Why there are no lanes, while there are none."""
        return self._down

    @property
    def running(self) -> int:
        """Lanes that a thread holds."""
        return len(self._members) - len(self._free) - len(self._behind)

    @property
    def waiting(self) -> int:
        """Threads without a lane."""
        return len(self._waiters)

    @property
    def lane_count(self) -> int:
        """Lanes in service, busy or not."""
        return len(self._members) - len(self._behind)

    @property
    def full(self) -> bool:
        """Say whether one more thread would be turned away."""
        return len(self._waiters) >= self._max_waiting

    def _lease(self, deadline_s: float) -> Lane:
        with self._lock:
            if not self._free:
                self._catch_up()
            if self._free:
                return self._free.pop()
            self._refuse_if_hopeless()
            waiter = _Waiter()
            self._waiters.append(waiter)
        waiter.lock.acquire(timeout=max(0.0, deadline_s - self._clock.monotonic_s()))
        with self._lock:
            if waiter.lane is not None:
                return waiter.lane
            if waiter.refused is None:
                self._waiters.remove(waiter)
        raise TierUnavailable(waiter.refused or Reason.OVERLOADED, "no lane came free in time")

    def _refuse_if_hopeless(self) -> None:
        if not self._members:
            raise TierUnavailable(self._down, "there is no worker")
        if len(self._behind) == len(self._members):
            raise TierUnavailable(Reason.TIMED_OUT, "every lane waits for a reply that is late")
        if self.full:
            raise TierUnavailable(Reason.OVERLOADED, f"{len(self._waiters)} requests wait already")

    def _give_back(self, lane: Lane) -> None:
        with self._lock:
            if lane not in self._members:
                lane.close()  # taken out of service while it was leased
            elif lane.closed:
                self._members.discard(lane)
                lane.close()
                self._refuse_waiters_without_lanes(Reason.CRASHED)
            elif lane.behind:
                self._behind[lane] = self._clock.monotonic_s()
                self._refuse_waiters_without_lanes(Reason.TIMED_OUT)
            else:
                self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.lane = lane
            waiter.lock.release()
        else:
            self._free.append(lane)

    def _catch_up(self) -> None:
        for lane in list(self._behind):
            if lane.catch_up():
                del self._behind[lane]
                self._offer(lane)
            elif lane.closed:
                self._discard(lane)

    def _discard(self, lane: Lane) -> None:
        """Forget a lane. A leased one is closed by its holder: closing it here would free its number under him."""
        self._members.discard(lane)
        if lane in self._free:
            self._free.remove(lane)
            lane.close()
        elif self._behind.pop(lane, None) is not None:
            lane.close()

    def _refuse_waiters_without_lanes(self, why: Reason) -> None:
        if len(self._members) > len(self._behind):
            return
        if not self._members:
            self._down = why
        while self._waiters:
            waiter = self._waiters.popleft()
            waiter.refused = why
            waiter.lock.release()
