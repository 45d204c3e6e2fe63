"""Bounded crossings from the event loop down to plain functions: so many at a time, the next one is refused."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from holdfast.errors import Unavailable

__all__ = ["Limiter", "NodeBusy"]

_STACK_BYTES = 512 * 1024  # Python frames live on the heap; C recursion below is bounded by the nesting limit

_Task = tuple[Callable[[Any], Any], Any, "asyncio.Future[Any]"]


class NodeBusy(Unavailable):
    """Every slot of a limiter is taken."""

    def __init__(self, name: str, slots: int) -> None:
        super().__init__(f"{name}: all {slots} slots are taken; try again", retry_after_s=1.0)


class Limiter:
    """Up to `slots` calls at a time, on threads made when first needed and then kept.

    Used from one event loop only; `_finished` is the one thing shared, a deque whose append and popleft are atomic.
    """

    def __init__(self, name: str, *, slots: int, threads: int) -> None:
        self.name, self.slots = name, slots
        self.busy = 0
        self._threads_max = threads
        self._threads: list[threading.Thread] = []
        self._waiting: SimpleQueue[_Task | None] = SimpleQueue()
        self._finished: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._wake_sent = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def require_slot(self) -> None:
        """Raises NodeBusy when every slot is taken."""
        if self.busy >= self.slots:
            raise NodeBusy(self.name, self.slots)

    async def run(self, call: Callable[[Any], Any], argument: Any) -> Any:
        """Return `call(argument)` from a thread. Raises NodeBusy at once when every slot is taken."""
        self.require_slot()
        loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.busy += 1
        if self.busy > len(self._threads) and len(self._threads) < self._threads_max:
            self._start_thread()
        self._waiting.put((call, argument, future))
        try:
            return await future
        finally:
            self.busy -= 1

    def close(self) -> None:
        """Let the threads end once their calls have."""
        for _ in self._threads:
            self._waiting.put(None)

    def _start_thread(self) -> None:
        # The stack size is the whole process's setting: set, start, put back.
        before = threading.stack_size(_STACK_BYTES)
        thread = threading.Thread(target=self._work, name=f"{self.name}-{len(self._threads)}", daemon=True)
        thread.start()
        threading.stack_size(before)
        self._threads.append(thread)

    def _work(self) -> None:
        while (task := self._waiting.get()) is not None:
            call, argument, future = task
            try:
                self._finish(future, call(argument), None)
            except BaseException as error:  # noqa: BLE001  # carried to the caller, who decides
                self._finish(future, None, error)

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
