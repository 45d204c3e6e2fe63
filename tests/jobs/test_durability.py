"""Power cuts and SIGKILL at any moment: no job is lost, none takes effect twice, the counts hold."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.job import JobState
from holdfast.jobs import JobsQuery
from tests.faults.powercut_vfs import PowerCutVFS, half
from tests.jobs.desk import QUEUE, Desk
from tests.jobs.laborer import PATIENT, effects, work_once

ROOT = Path(__file__).parents[2]
_names = itertools.count()


@dataclass
class Said:
    """What was acknowledged as durable."""

    queued: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def copy(self) -> Said:
        return Said(list(self.queued), list(self.done))


def _faults(directory: Path, said: Said) -> list[str]:
    """What is wrong with the queue that a crash left; afterwards every job in it has been done."""
    desk = Desk(directory, PATIENT)
    try:
        found = _miscounted(desk)
        ended = {key for key in said.queued if effects(desk, key)}
        found += [f"{key} was done and is not" for key in said.done if not effects(desk, key)]
        desk.jobs.release_all()
        held = {job.key for job in desk.jobs.list(JobsQuery(limit=10**6)) if job.state is not JobState.DONE}
        found += [f"{key} is lost" for key in said.queued if key not in held | ended]
        rng = random.Random(0)
        while desk.jobs.states()[0].ready:
            work_once(desk, rng)
            desk.clock.monotonic += 0.01
        return found + [f"{key} took effect {n} times" for key in said.queued if (n := effects(desk, key)) != 1]
    finally:
        desk.database.close()


def _miscounted(desk: Desk) -> list[str]:
    counted = desk.database.read(lambda t: t.rows("SELECT stage, n FROM job_counts WHERE n > 0 ORDER BY stage"))
    real = desk.database.read(lambda t: t.rows("SELECT stage, count(*) FROM jobs GROUP BY stage ORDER BY stage"))
    return [] if counted == real else [f"counted {counted}, there are {real}"]


def _cut_often(
    directory: Path, rng: random.Random, survives: Callable[[], bool], cuts: int
) -> list[tuple[dict[str, bytes], Said]]:
    """Work on a disk whose power is cut at random changes: what each cut left, and what was said before it."""
    vfs, said, taken = PowerCutVFS(f"jobs-{next(_names)}"), Said(), list[tuple[dict[str, bytes], Said]]()
    desk = Desk(directory, PATIENT, vfs=vfs.vfs_name)
    gap = [rng.randrange(40)]

    def maybe_cut() -> None:
        gap[0] -= 1
        if gap[0] <= 0 and len(taken) < cuts:
            gap[0] = rng.randrange(1, 60)
            before = said.copy()
            taken.append((vfs.image(survives) | {"node.key": (directory / "node.key").read_bytes()}, before))

    vfs.before_change = maybe_cut
    for number in itertools.count():
        key = f"job-{number}"
        desk.add(key)
        said.queued.append(key)
        if number % 2 and (done := work_once(desk, rng)):
            said.done.append(done)
        if len(taken) == cuts:
            break
    vfs.before_change = lambda: None
    desk.database.close()
    vfs.unregister()
    return taken


def _assert_cuts_lose_nothing(tmp_path: Path, cuts: int, seed: int) -> None:
    rng, said = random.Random(seed), 0
    for torn in (False, True):
        directory = tmp_path / f"torn-{torn}"
        directory.mkdir()
        survives = half(rng) if torn else (lambda: False)
        for number, (files, before) in enumerate(_cut_often(directory, rng, survives, cuts // 2)):
            after = tmp_path / f"{torn}-{number}"
            after.mkdir()
            for name, content in files.items():
                (after / name).write_bytes(content)
            (after / "node.key").chmod(0o600)
            assert _faults(after, before) == []
            said += len(before.queued)
    assert said > 2 * cuts  # the cuts did fall among acknowledged work


def test_a_power_cut_loses_no_job_and_doubles_no_effect(tmp_path: Path) -> None:
    _assert_cuts_lose_nothing(tmp_path, 12, seed=1)


@pytest.mark.faults
def test_two_hundred_power_cuts_lose_no_job_and_double_no_effect(tmp_path: Path) -> None:
    _assert_cuts_lose_nothing(tmp_path, 200, seed=2)


def _kill_repeatedly(directory: Path, kills: int, rng: random.Random) -> Said:
    said = Said()
    for number in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.laborer", str(directory), f"life{number}"],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert child.stdout is not None
        lines = (line.split() for line in child.stdout)
        assert next(lines) == ["ready"]
        killer = threading.Timer(rng.uniform(0.05, 0.4), os.kill, (child.pid, signal.SIGKILL))
        killer.start()
        for words in lines:
            if len(words) == 2:  # the last line may be torn
                getattr(said, words[0]).append(words[1])
        killer.join()
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
    return said


def _assert_kills_lose_nothing(directory: Path, kills: int, seed: int) -> None:
    said = _kill_repeatedly(directory, kills, random.Random(seed))
    assert len(said.queued) > kills
    assert said.done
    assert _faults(directory, said) == []


def test_a_kill_at_any_moment_loses_no_job_and_doubles_no_effect(tmp_path: Path) -> None:
    _assert_kills_lose_nothing(tmp_path, 3, seed=3)


@pytest.mark.faults
def test_fifty_kills_lose_no_job_and_double_no_effect(tmp_path: Path) -> None:
    _assert_kills_lose_nothing(tmp_path, 50, seed=4)


def test_after_a_restart_the_backlog_is_done_in_its_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add(*(f"job-{n}" for n in range(20)))
    desk.reopen()
    assert [desk.lease().job.key for _ in range(20)] == [f"job-{n}" for n in range(20)]
    assert desk.jobs.lease(QUEUE) is None
    desk.database.close()
