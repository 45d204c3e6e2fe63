"""The bounded crossing from the event loop down to threads."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterable, Iterator, Sequence

import pytest

from holdfast.http.limiter import Limiter, NodeBusy, StillWorking, Together


def test_a_result_and_an_error_come_back() -> None:
    async def ask() -> None:
        limiter = Limiter("test", slots=2, threads=2)
        assert await limiter.run(lambda value: value * 2, 21) == 42
        with pytest.raises(ZeroDivisionError):
            await limiter.run(lambda value: 1 / value, 0)
        assert limiter.busy == 0
        limiter.close()

    asyncio.run(ask())


def test_one_more_than_the_slots_is_refused_at_once_and_waits_for_nobody() -> None:
    async def ask() -> None:
        limiter = Limiter("test", slots=2, threads=2)
        gate = threading.Event()
        running = [asyncio.ensure_future(limiter.run(gate.wait, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NodeBusy) as refused:
            await limiter.run(gate.wait, 5)
        assert refused.value.retry_after_s >= 1
        gate.set()
        assert await asyncio.gather(*running) == [True, True]
        limiter.close()

    asyncio.run(ask())


def test_threads_are_made_only_when_needed() -> None:
    async def ask() -> None:
        limiter = Limiter("lazy", slots=512, threads=512)
        for _ in range(20):
            await limiter.run(str, 1)
        assert sum(thread.name.startswith("lazy") for thread in threading.enumerate()) == 1
        limiter.close()

    asyncio.run(ask())


def test_many_calls_on_few_threads_all_end() -> None:
    async def ask() -> None:
        limiter = Limiter("few", slots=500, threads=3)
        results = await asyncio.gather(*(limiter.run(str, number) for number in range(500)))
        assert results == [str(number) for number in range(500)]
        limiter.close()

    asyncio.run(ask())


def test_of_a_group_each_hears_when_its_answer_is_there_and_a_fault_reaches_only_the_rest() -> None:
    first_heard = threading.Event()

    def group(arguments: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        assert list(arguments) == [1, 2, 3]
        yield 1, 20
        assert first_heard.wait(5)
        yield 0, KeyError("own")
        raise ZeroDivisionError

    async def ask() -> None:
        started = threading.Event()
        limiter = Limiter("group", slots=9, threads=1, together=Together(group, lambda: True))
        blocker = asyncio.ensure_future(limiter.run(lambda _: started.wait(5), None))
        calls = [asyncio.ensure_future(limiter.run(str, number, groupable=True)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        started.set()
        assert await blocker
        assert await calls[1] == 20
        first_heard.set()
        with pytest.raises(KeyError):
            await calls[0]
        with pytest.raises(ZeroDivisionError):
            await calls[2]
        limiter.close()

    asyncio.run(ask())


def test_calls_that_may_be_done_together_all_end_however_the_mode_flips() -> None:
    rng = random.Random(5)
    sizes: list[int] = []

    def together(arguments: Sequence[int]) -> Iterable[tuple[int, str]]:
        sizes.append(len(arguments))
        return enumerate(f"group {argument}" for argument in arguments)

    async def ask() -> None:
        wanted = Together(together, lambda: rng.random() < 0.5)
        limiter = Limiter("flip", slots=2000, threads=8, together=wanted)
        for start in range(0, 1000, 100):
            calls = [limiter.run(lambda n: f"alone {n}", n, groupable=n % 5 > 0) for n in range(start, start + 100)]
            results = await asyncio.wait_for(asyncio.gather(*calls), 10)
            assert [int(result.split()[1]) for result in results] == list(range(start, start + 100))
        limiter.close()

    asyncio.run(ask())
    assert max(sizes) > 1


def test_a_call_that_never_ends_is_answered_and_its_caller_goes_on() -> None:
    async def ask() -> None:
        limiter = Limiter("stuck", slots=2, threads=2)
        gate = threading.Event()
        call = asyncio.ensure_future(limiter.run(gate.wait, 30))
        await asyncio.sleep(0.05)
        assert limiter.give_up_on(older_than_s=0.01) == 1
        with pytest.raises(StillWorking):
            await call
        gate.set()
        limiter.close()

    asyncio.run(ask())
