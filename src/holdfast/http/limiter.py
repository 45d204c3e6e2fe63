"""Bounded crossings from the event loop down to plain functions: so many at a time, the next one is refused."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from holdfast.errors import Unavailable

__all__ = ["Limiter", "NodeBusy", "StillWorking", "Together"]

_STACK_BYTES = 512 * 1024  # Python frames live on the heap; C recursion below is bounded by the nesting limit
_MOST_TOGETHER = 64  # more share one fsync, but the first of them waits for the last
_GATHERERS = 1  # two would overlap computing and the disk, in smaller groups: a fifth more CPU, latency the same


class StillWorking(Unavailable):
    """A call has not ended in the time a request has."""


class NodeBusy(Unavailable):
    """Every slot of a limiter is taken."""

    def __init__(self, name: str, slots: int) -> None:
        super().__init__(f"{name}: all {slots} slots are taken; try again", retry_after_s=1.0)


@dataclass(frozen=True, slots=True)
class Together:
    """How waiting calls may be done as one group: less work each, where one must not be a thread each."""

    call: Callable[[Sequence[Any]], Iterable[tuple[int, Any]]]
    """Takes the arguments of many calls; yields for each its position and its result, or an exception, once known."""
    wanted: Callable[[], bool]
    """Whether groups are better now: asked before each."""


_Task = tuple[Callable[[Any], Any], Any, "asyncio.Future[Any]"]


class Limiter:
    """Up to `slots` calls at a time, on threads made when first needed and then kept.

    Used from one event loop. `_waiting` gives each thread one turn; a turn without a task means: see `_together`. Both
    deques are shared by their atomic append and popleft; `_lock` guards the number of gatherers.
    """

    def __init__(self, name: str, *, slots: int, threads: int, together: Together | None = None) -> None:
        self.name, self.slots = name, slots
        self.busy = 0
        self._threads_max = threads
        self._threads: list[threading.Thread] = []
        self._waiting: SimpleQueue[_Task | bool] = SimpleQueue()
        self._group = together
        self._together: deque[_Task] = deque()
        self._lock = threading.Lock()
        self._gatherers = 0
        self._since: dict[asyncio.Future[Any], float] = {}
        self._finished: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._wake_sent = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def require_slot(self) -> None:
        """Raises NodeBusy when every slot is taken."""
        if self.busy >= self.slots:
            raise NodeBusy(self.name, self.slots)

    async def run(self, call: Callable[[Any], Any], argument: Any, *, groupable: bool = False) -> Any:
        """Return `call(argument)` from a thread. Raises NodeBusy at once when every slot is taken."""
        self.require_slot()
        loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.busy += 1
        self._since[future] = time.monotonic()
        if self.busy > len(self._threads) and len(self._threads) < self._threads_max:
            self._start_thread()
        if groupable and self._group is not None:
            self._together.append((call, argument, future))
            self._waiting.put(True)  # noqa: FBT003  # a turn
        else:
            self._waiting.put((call, argument, future))
        try:
            return await future
        finally:
            self.busy -= 1
            del self._since[future]

    def give_up_on(self, *, older_than_s: float) -> int:
        """Answer for calls that have run longer than any request may: their threads go on, nobody waits any more."""
        now_s = time.monotonic()
        late = [future for future, since_s in self._since.items() if now_s - since_s > older_than_s]
        for future in late:
            if not future.done():
                future.set_exception(StillWorking(f"{self.name}: no answer after {older_than_s:g} s; try again"))
        return len(late)

    def close(self) -> None:
        """Let the threads end once their calls have."""
        for _ in self._threads:
            self._waiting.put(False)  # noqa: FBT003  # the last turn

    def _start_thread(self) -> None:
        # The stack size is the whole process's setting: set, start, put back.
        before = threading.stack_size(_STACK_BYTES)
        thread = threading.Thread(target=self._work, name=f"{self.name}-{len(self._threads)}", daemon=True)
        thread.start()
        threading.stack_size(before)
        self._threads.append(thread)

    def _work(self) -> None:
        while (turn := self._waiting.get()) is not False:
            if turn is not True:
                self._do(turn)
            elif self._group is not None and self._group.wanted():
                self._gather(self._group)
            elif (task := self._next()) is not None:
                self._do(task)

    def _do(self, task: _Task) -> None:
        call, argument, future = task
        try:
            self._finish(future, call(argument), None)
        except BaseException as error:  # noqa: BLE001  # carried to the caller, who decides
            self._finish(future, None, error)

    def _next(self) -> _Task | None:
        try:
            return self._together.popleft()
        except IndexError:
            return None

    def _gather(self, group: Together) -> None:
        """Do what waits, in groups, until nothing does; a turn too many is given up, the gatherers see its task."""
        with self._lock:
            if self._gatherers >= _GATHERERS:
                return
            self._gatherers += 1
        while tasks := self._take():
            waiting = {position: future for position, (_, _, future) in enumerate(tasks)}
            fault: BaseException = RuntimeError("a group ended without an answer to this call")
            try:
                for position, result in group.call([argument for _, argument, _ in tasks]):
                    failed = isinstance(result, BaseException)
                    self._finish(waiting.pop(position), None if failed else result, result if failed else None)
            except BaseException as error:  # noqa: BLE001  # a bug of the group's: every caller left hears of it
                fault = error
            for future in waiting.values():
                self._finish(future, None, fault)

    def _take(self) -> list[_Task]:
        """The next group; with the last, the gatherer leaves in the same moment, so that no task is left alone."""
        with self._lock:
            tasks: list[_Task] = []
            while len(tasks) < _MOST_TOGETHER and (task := self._next()) is not None:
                tasks.append(task)
            if not tasks:
                self._gatherers -= 1
            return tasks

    def _finish(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._finished.append((future, result, error))
        # One wake-up hands over everything that has finished by then: under load far fewer writes to the loop's pipe.
        if not self._wake_sent and self._loop is not None:
            self._wake_sent = True
            try:
                self._loop.call_soon_threadsafe(self._hand_over)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _hand_over(self) -> None:
        self._wake_sent = False
        while self._finished:
            future, result, error = self._finished.popleft()
            if future.done():
                continue  # its request was cancelled while the drain ended
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
