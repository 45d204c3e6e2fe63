"""The life of workers, with real processes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from holdfast.runtime import child
from holdfast.runtime.engine import InvalidTokens, TierUnavailable
from holdfast.runtime.frames import MAX_TEXT_CHARS, Ping
from holdfast.tier import Reason
from tests.runtime import tiny
from tests.runtime.tiny import supervised, until


def refusal(house, *texts: str, within_s: float = 5.0) -> Reason:
    with pytest.raises(TierUnavailable) as raised:
        house.ask(*texts, within_s=within_s)
    return raised.value.reason


def ends(house) -> list[Reason | None]:
    return [event.reason for event in house.pool.events() if event.kind == "ended"]


@pytest.fixture(scope="module")
def house():
    with supervised() as house:
        house.until_ready()
        yield house


def test_a_text_alone_and_in_company_gets_the_same_bytes(house) -> None:
    texts = ("server down", "hello help", "printer", "", "server down please help")
    together = house.ask(*texts)
    assert together == [house.ask(text)[0] for text in texts]


def test_many_callers_share_the_lanes_and_each_gets_his_own_answer(house) -> None:
    texts = ["server " * (i % 9 + 1) for i in range(200)]
    expected = {text: house.ask(text) for text in set(texts)}
    with ThreadPoolExecutor(32) as callers:
        assert list(callers.map(house.ask, texts)) == [expected[text] for text in texts]


def test_embeddings_are_unit_vectors_with_their_token_counts(house) -> None:
    (row,) = house.pool.embed(["server down"], deadline_s=tiny.clock.monotonic_s() + 5)
    vector = np.frombuffer(row.vector, np.float32)
    assert (len(vector), row.token_count, row.truncated) == (tiny.EMBEDDING, 3, False)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


def test_token_ids_give_the_embedding_of_their_text(house) -> None:
    deadline_s = tiny.clock.monotonic_s() + 5
    ids = [1, tiny.WORDS.index("server"), tiny.WORDS.index("down")]
    by_tokens = house.pool.embed_tokens([ids], deadline_s=deadline_s)
    assert by_tokens == house.pool.embed(["server down"], deadline_s=deadline_s)


@pytest.mark.parametrize("ids", [[], [len(tiny.WORDS)], [-1], [1] * 33], ids=["none", "large", "negative", "long"])
def test_token_ids_that_are_none_are_the_callers_fault(house, ids) -> None:
    with pytest.raises(InvalidTokens):
        house.pool.embed_tokens([ids], deadline_s=tiny.clock.monotonic_s() + 5)


def test_a_mebibyte_of_text_is_cut_before_it_is_sent(house) -> None:
    (row,) = house.ask("x" * (1 << 20))
    assert row.truncated
    assert not house.ask("x" * MAX_TEXT_CHARS)[0].truncated


def test_a_late_answer_is_thrown_away_and_the_lane_serves_again() -> None:
    with supervised(lanes=1) as house:
        house.until_ready()
        expected = house.ask("hello")
        assert refusal(house, "slumber slumber slumber", within_s=0.08) is Reason.TIMED_OUT
        assert refusal(house, "hello") is Reason.TIMED_OUT  # at once: the only lane is still behind
        until(lambda: house.pool.ready)
        assert house.ask("hello") == expected
        assert ends(house) == []


def test_who_would_wait_too_long_is_turned_away_before_the_deadline() -> None:
    with supervised(lanes=1, max_waiting=2) as house:
        house.until_ready()
        with ThreadPoolExecutor(8) as callers:
            started_s = time.monotonic()
            calls = [callers.submit(house.ask, "slumber slumber") for _ in range(8)]
            reasons = [call.exception().reason for call in calls if call.exception()]
    assert set(reasons) == {Reason.OVERLOADED}
    assert len(reasons) == 5  # one runs, two wait
    assert time.monotonic() - started_s < 5.0


def test_a_queue_longer_than_the_time_left_is_not_joined(house) -> None:
    for _ in range(20):
        house.ask("hello")
    condition = house.pool.condition(1)
    assert condition.refuses is None
    assert 0 < condition.service_s < 0.02
    assert condition.late(1.0) is None
    assert house.pool.condition(10_000).late(1.0) is Reason.DEADLINE


def test_an_idle_model_gives_its_memory_back_and_returns_on_demand() -> None:
    with supervised(idle_ttl_s=0.3) as house:
        house.until_ready()
        until(lambda: not house.pool.pids)
        assert refusal(house, "hello") is Reason.UNLOADED_IDLE
        house.until_ready(5.0)
        assert len(house.ask("hello")) == 1
        assert ends(house) == [Reason.UNLOADED_IDLE]
    assert not [key for key in house.measures.numbers()["worker_restarts_total"] if key[2] != "unloaded_idle"]


def test_a_released_model_stays_away_while_its_memory_is_wanted() -> None:
    with supervised() as house:
        house.until_ready()
        house.pool.release()
        until(lambda: not house.pool.pids)
        assert refusal(house, "hello") is Reason.UNLOADED_IDLE
        time.sleep(0.2)
        assert not house.pool.pids


def test_a_model_that_answers_otherwise_than_where_it_was_built_never_serves() -> None:
    row = json.loads(tiny.known_vectors("server down"))
    row["embedding"][0] += 0.2
    with supervised(tiny.sealed({"tiny/vectors.jsonl": json.dumps(row).encode()})) as house:
        until(house.pool.findings)
        assert Reason.UNVERIFIED in ends(house)
        assert "expected a cosine of at least 0.999" in house.pool.findings()[0].sentence
        assert refusal(house, "hello") is Reason.UNVERIFIED


@pytest.mark.parametrize("path", ["tiny/graph.onnx", "tiny/tokenizer.json"])
def test_bytes_that_are_no_model_never_serve(path) -> None:
    with supervised(tiny.sealed({path: b"not a model"})) as house:
        until(house.pool.findings)
        assert house.pool.findings()[0].name == "model-unfit"
        assert set(ends(house)) == {Reason.UNVERIFIED}


def test_a_worker_that_does_not_get_ready_is_given_up() -> None:
    row = {"text": "slumber " * 31, "ids": [1] + [tiny.SLUMBER] * 31, "embedding": [1.0] * tiny.EMBEDDING}
    slow = json.dumps(row).encode()
    with supervised(tiny.sealed({"tiny/vectors.jsonl": slow}), ready_timeout_s=0.4) as house:
        until(lambda: Reason.NOT_READY in ends(house))
        assert refusal(house, "hello") in {Reason.NOT_READY, Reason.CRASH_LOOP}


def test_a_crash_loop_is_retried_less_and_less_often() -> None:
    with supervised(memory_cap_bytes=1 << 20) as house:
        until(house.pool.findings)
        time.sleep(1.0)
        starts = [event.at_s for event in house.pool.events() if event.kind == "started"]
        assert refusal(house, "hello") is Reason.CRASH_LOOP
    pauses = np.diff(starts)
    assert len(starts) <= 7
    assert pauses[-1] > 2 * pauses[0]
    assert house.pool.findings()[0].name == "worker-crash-loop"


def test_a_worker_that_served_for_a_while_starts_again_at_once() -> None:
    with supervised() as house:
        for _ in range(4):
            house.until_ready()
            time.sleep(0.6)
            os.kill(house.pool.pids[0], signal.SIGKILL)
            until(lambda: not house.pool.ready)
        assert house.until_ready() < 1.2
        assert not house.pool.findings()


def test_a_worker_ended_by_a_signal_without_a_name_is_started_again() -> None:
    with supervised() as house:
        house.until_ready()
        os.kill(house.pool.pids[0], signal.SIGRTMIN + 1)
        until(lambda: not house.pool.ready)
        house.until_ready()
        ended = next(event for event in house.pool.events() if event.kind == "ended")
        assert ended.sentence == f"it was ended by signal {signal.SIGRTMIN + 1}"


def test_every_lane_of_two_workers_answers_and_one_death_leaves_the_other() -> None:
    with supervised(workers=2, lanes=1) as house:
        until(lambda: house.pool.condition(1).depth == 0 and len(house.pool.pids) == 2 and house.pool.ready)
        house.until_ready()
        time.sleep(0.3)
        os.kill(house.pool.pids[0], signal.SIGKILL)
        answered = [_answered(house) for _ in range(20)]
    assert sum(answered) >= 19


def _answered(house) -> bool:
    try:
        return len(house.ask("hello")) == 1
    except TierUnavailable:
        return False


def test_closing_ends_every_worker() -> None:
    with supervised(workers=2) as house:
        house.until_ready()
        pids = house.pool.pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_the_nodes_environment_is_not_given_to_the_worker(monkeypatch) -> None:
    monkeypatch.setenv("HOLDFAST_SECRET", "do-not-leak")
    with supervised() as house:
        house.until_ready()
        assert "HOLDFAST_SECRET" not in psutil.Process(house.pool.pids[0]).environ()


PARENT = """
import sys, threading, time
from tests.runtime import tiny
with tiny.supervised() as house:
    house.until_ready()
    print(*house.pool.pids, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_no_worker_outlives_a_node_that_is_killed(stopped) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(parent.stdout.readline())
        if stopped:
            os.kill(pid, signal.SIGSTOP)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5.0)


def test_a_signal_that_is_meant_for_the_node_leaves_the_worker_serving() -> None:
    with supervised() as house:
        house.until_ready()
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(house.pool.pids[0], number)
        time.sleep(0.1)
        assert len(house.ask("hello")) == 1
        assert ends(house) == []


def test_known_vectors_longer_than_a_socket_holds_reach_the_worker() -> None:
    many = b"\n".join([tiny.known_vectors("server down")] * 3000)
    assert len(many) > 500_000
    with supervised(tiny.sealed({"tiny/vectors.jsonl": many})) as house:
        house.until_ready()
        assert ends(house) == []


def test_a_machine_that_cannot_start_a_process_is_tried_again(monkeypatch) -> None:
    failures = [OSError(errno.ENOMEM, "no memory"), OSError(errno.EAGAIN, "no process")]
    start = child._spawn

    def spawn(*arguments):
        if failures:
            raise failures.pop()
        return start(*arguments)

    monkeypatch.setattr(child, "_spawn", spawn)
    with supervised() as house:
        house.until_ready()
        assert ends(house) == [Reason.CRASHED, Reason.CRASHED]


def test_a_worker_that_gave_up_a_lane_is_replaced() -> None:
    with supervised(lanes=1) as house:
        house.until_ready()
        (pid,) = house.pool.pids
        (lane,) = house.pool._keepers[0].child.lanes
        lane._wire.send(Ping(1), deadline_s=tiny.clock.monotonic_s() + 1)
        assert refusal(house, "hello") is Reason.CRASHED
        until(lambda: house.pool.ready and house.pool.pids[0] != pid)
        assert ends(house) == [Reason.CRASHED]


def test_stepping_never_waits() -> None:
    threads_before = threading.active_count()  # other tests of this process have theirs
    with supervised() as house:
        house.until_ready()
        os.kill(house.pool.pids[0], signal.SIGSTOP)
        slowest_s = 0.0
        for _ in range(20):
            started_s = time.monotonic()
            house.pool.step(tiny.clock.monotonic_s())
            slowest_s = max(slowest_s, time.monotonic() - started_s)
            time.sleep(0.02)
    assert slowest_s < 0.1
    assert threading.active_count() < threads_before + 20
