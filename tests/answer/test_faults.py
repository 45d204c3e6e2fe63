"""Faults that must cost no request: every caller is answered, in time, by some tier, and the full tier comes back."""

from __future__ import annotations

import os
import shutil
import signal
import time

import numpy as np
import pytest

from holdfast.inference import InferenceRequest
from holdfast.runtime.sealed import UnverifiedModel, seal_model
from holdfast.tier import Reason, Signal, Tier
from tests.answer.load import DEADLINE_S, answering, under_load
from tests.runtime import tiny
from tests.runtime.tiny import clock, until

BACK_S = 2.0
"""The full tier is back after a killed worker."""


def strike(house, number: int) -> None:
    """Send a signal to every worker there is."""
    for pid in house.pool.pids:
        os.kill(pid, number)


def assert_nothing_was_lost(house) -> None:
    assert house.taken
    assert house.failed() == []
    assert house.slowest_s() < DEADLINE_S


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=lambda n: n.name)
@pytest.mark.parametrize("workers", [1, 2], ids=["one", "all-of-two"])
def test_dying_workers_cost_no_request(number, workers) -> None:
    with answering(workers=workers) as house:
        with under_load(house):
            time.sleep(0.3)
            strike(house, number)
            time.sleep(0.1)
            back_s = house.until_full(BACK_S)
            time.sleep(
                0.6 + 2.0 * back_s
            )  # the small tier answers more in a second: most of the time is the full tier's
            strike(house, number)
            again_s = house.until_full(BACK_S)
            time.sleep(0.2 + 2.0 * again_s)
        house.step()
    assert_nothing_was_lost(house)
    assert house.tiers()[Tier.FULL] > house.tiers()[Tier.SMALL]
    assert back_s < BACK_S
    assert {Reason.CRASHED, Reason.RECOVERED} <= house.reasons()


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2], ids=["one", "all-of-two"])
def test_twenty_kills_cost_no_request_and_little_of_the_full_tier(workers) -> None:
    with answering(workers=workers, stable_s=5.0) as house, under_load(house, callers=2, every_s=0.02):
        for _ in range(20):
            time.sleep(8.0)
            strike(house, signal.SIGKILL)
            assert house.until_full(BACK_S) < BACK_S
    assert_nothing_was_lost(house)
    assert house.tiers()[Tier.FULL] >= 0.85 * len(house.taken)


def test_a_stopped_worker_costs_no_request_and_is_replaced() -> None:
    with answering() as house, under_load(house):
        time.sleep(0.2)
        (stopped,) = house.pool.pids
        strike(house, signal.SIGSTOP)
        until(lambda: house.pool.pids and house.pool.pids[0] != stopped)
        house.until_full(BACK_S)
        time.sleep(0.2)
    assert_nothing_was_lost(house)
    assert Reason.TIMED_OUT in {event.reason for event in house.pool.events() if event.kind == "ended"}


def test_a_worker_that_was_only_stopped_for_a_moment_serves_on() -> None:
    with answering(stopped_s=5.0) as house:
        pids = house.pool.pids
        with under_load(house):
            strike(house, signal.SIGSTOP)
            time.sleep(0.8)
            strike(house, signal.SIGCONT)
            house.until_full(BACK_S)
            time.sleep(0.2)
        assert house.pool.pids == pids
    assert_nothing_was_lost(house)
    assert house.tiers()[Tier.SMALL] > 0


def test_a_worker_that_answers_no_ping_is_replaced() -> None:
    """Its lanes may well be idle: nobody but the ping would notice."""
    with answering(stopped_s=60.0, hang_s=0.3) as house:
        (hung,) = house.pool.pids
        strike(house, signal.SIGSTOP)
        until(lambda: house.pool.pids and house.pool.pids[0] != hung, 5.0)
        assert house.until_full(BACK_S) < BACK_S


def test_a_lane_that_hangs_in_native_code_is_noticed_though_pings_are_answered() -> None:
    with answering(behind_s=0.3) as house:
        (hung,) = house.pool.pids
        assert house.ask("slumber " * 31, within_s=0.3).tier is Tier.SMALL
        until(lambda: house.pool.pids and house.pool.pids[0] != hung, 5.0)
        assert house.until_full(BACK_S) < BACK_S


@pytest.mark.parametrize("balloons", [2, 16], ids=["watched", "refused-by-the-kernel"])
def test_a_ticket_that_eats_memory_costs_no_request(balloons) -> None:
    """Two balloons pass the cap and are seen by the next step; sixteen pass the kernel's limit before anybody looks."""
    with answering(memory_cap_bytes=160 << 20) as house:
        with under_load(house):
            time.sleep(0.2)
            house.take("balloon " * balloons)
            until(lambda: Reason.OUT_OF_MEMORY in house.reasons() or not house.pool.ready)
            house.until_full(BACK_S)
        ended = [event for event in house.pool.events() if event.kind == "ended"]
    assert_nothing_was_lost(house)
    assert {event.reason for event in ended} == {Reason.OUT_OF_MEMORY}
    assert ("its cap is 160 MiB" in ended[0].sentence) == (balloons == 2)


def test_a_crash_loop_ends_in_the_lower_tier_not_in_a_storm_of_restarts() -> None:
    with answering(stable_s=60.0) as house, under_load(house, callers=2):
        for _ in range(5):
            until(lambda: house.pool.pids and house.pool.ready)
            strike(house, signal.SIGKILL)
            until(lambda: not house.pool.pids or not house.pool.ready)
        time.sleep(0.6)
        ends = sum(event.kind == "ended" for event in house.pool.events())
        served_by = house.ask("hello")
    assert_nothing_was_lost(house)
    assert ends <= 6
    assert (served_by.tier, served_by.reasons) == (Tier.SMALL, ("crash_loop",))


@pytest.mark.parametrize("damage", ["deleted", "truncated", "flipped"])
def test_a_model_damaged_on_disk_changes_nothing_until_it_is_read_again_and_then_is_refused(tmp_path, damage) -> None:
    manifest = tiny.manifest()
    for path, content in tiny.files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)

    def read() -> dict[str, bytes]:
        return {p: (tmp_path / p).read_bytes() for p in tiny.files() if (tmp_path / p).exists()}

    model = seal_model(manifest, manifest.variants[0], read())
    with answering(model=model) as house:
        _damage(tmp_path / "tiny" / "graph.onnx", damage)
        with under_load(house):
            strike(house, signal.SIGKILL)
            until(lambda: house.tiers().get(Tier.SMALL, 0) > 0)
            house.until_full(BACK_S)
        assert_nothing_was_lost(house)
        with pytest.raises(UnverifiedModel):
            seal_model(manifest, manifest.variants[0], read())


def _damage(path, kind: str) -> None:
    if kind == "deleted":
        shutil.rmtree(path.parent)
    elif kind == "truncated":
        os.truncate(path, 100)
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def test_a_worker_that_never_gets_ready_costs_no_request() -> None:
    with answering() as house, under_load(house):
        time.sleep(0.1)
        strike(house, signal.SIGKILL)
        for _ in range(10):  # stopped before it can say that it is ready
            strike(house, signal.SIGSTOP)
            time.sleep(0.03)
        house.until_full(5.0)
    assert_nothing_was_lost(house)


def test_overload_is_answered_by_the_tier_below_within_the_deadline() -> None:
    """Three hundred a second want a tenth of a second of native work each; two lanes give twenty such answers."""
    with answering() as house:
        with under_load(house, callers=32, text="slumber", every_s=0.1):
            time.sleep(2.5)
        house.step()
    assert_nothing_was_lost(house)
    tiers = house.tiers()
    assert tiers[Tier.FULL] > 5
    assert tiers[Tier.SMALL] > tiers[Tier.FULL]
    assert [t.reason for t in house.transitions].count(Reason.OVERLOADED) == 1


def test_a_deadline_too_short_for_the_full_tier_is_met_by_the_small_one() -> None:
    with answering() as house:
        for _ in range(15):
            house.ask("slumber")
        served_by = house.ask("slumber", within_s=0.05)
        patient = house.ask("slumber", within_s=5.0)
    assert (served_by.tier, served_by.reasons) == (Tier.SMALL, ("deadline",))
    assert patient.tier is Tier.FULL


def test_an_idle_model_that_is_loaded_again_costs_no_request() -> None:
    with answering(idle_ttl_s=0.2) as house:
        until(lambda: not house.pool.pids)
        with under_load(house):
            until(lambda: house.tiers().get(Tier.FULL, 0) > 0)
    assert_nothing_was_lost(house)
    assert house.taken[0].served_by.reasons == ("unloaded_idle",)
    assert Reason.UNLOADED_IDLE in house.reasons()


def test_heat_and_cold_in_quick_turn_cost_no_request_and_one_transition() -> None:
    with answering() as house:
        with under_load(house):
            for value in (90.0, 40.0) * 20:
                house.answerer.sense([Signal(kind="temperature_c", value=value, taken_at_s=clock.monotonic_s())])
                time.sleep(0.01)
        house.step()
    assert_nothing_was_lost(house)
    assert [t.reason for t in house.transitions if t.reason is not Reason.STARTING] == [Reason.TEMPERATURE]
    assert house.transitions[-1].temperature_c in {90.0, 40.0}


def test_lack_of_memory_costs_no_request_and_gives_the_model_up() -> None:
    with answering() as house, under_load(house):
        house.answerer.sense([Signal(kind="available_bytes", value=1e6, taken_at_s=clock.monotonic_s())])
        until(lambda: not house.pool.pids)
        time.sleep(0.2)
    assert_nothing_was_lost(house)
    assert house.transitions[-1].reason is Reason.MEMORY_PRESSURE


def test_in_the_cascade_sure_tickets_stay_in_the_full_tier_while_its_worker_is_down() -> None:
    with answering(cascade=True, stable_s=60.0, backoff_first_s=30.0) as house:
        small = [house.engines.engines[Tier.SMALL].answer(_request(text))[0] for text in TEXTS]
        for _ in range(2):
            until(lambda: house.pool.ready)
            strike(house, signal.SIGKILL)
            until(lambda: not house.pool.ready)
        tiers = [house.ask(text).tier for text in TEXTS]
    margins = [np.diff(np.sort(said.heads["priority"].probabilities))[-1] for said in small]
    assert tiers == [Tier.FULL if margin >= 0.5 else Tier.SMALL for margin in margins]
    assert set(tiers) == {Tier.FULL, Tier.SMALL}


TEXTS = ("server down", "printer", "toner toner toner", "please help", "hello hello server")


def _request(text: str) -> InferenceRequest:
    return InferenceRequest(texts=(text,), deadline_s=clock.monotonic_s() + 1)
