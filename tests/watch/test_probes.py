"""What the node measures of itself, from files like the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.watch.probes import Probes, Sources, resident_bytes
from tests.runtime.tiny import clock

MIB = 1 << 20


class Board:
    """A machine made of files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = Sources(sysfs=root / "sys", proc=root / "proc", cgroup=root / "cgroup")

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def probes(self) -> Probes:
        return Probes(clock, self.root, sources=self.sources)


@pytest.fixture
def board(tmp_path) -> Board:
    return Board(tmp_path)


def test_the_hottest_sensor_of_boards_and_chips_counts(board) -> None:
    board.write("sys/class/thermal/thermal_zone0/temp", "51200\n")
    board.write("sys/class/thermal/thermal_zone1/temp", "48000\n")
    board.write("sys/class/hwmon/hwmon0/temp1_input", "61500\n")
    assert board.probes().temperature_c() == 61.5


@pytest.mark.parametrize("nonsense", ["-274000", "255000", "garbage", ""])
def test_a_sensor_that_talks_nonsense_is_left_out(board, nonsense) -> None:
    board.write("sys/class/thermal/thermal_zone0/temp", "42000\n")
    board.write("sys/class/thermal/thermal_zone1/temp", nonsense)
    assert board.probes().temperature_c() == 42.0


def test_a_sensor_that_goes_away_is_left_out_from_then_on(board) -> None:
    board.write("sys/class/thermal/thermal_zone0/temp", "42000\n")
    probes = board.probes()
    (board.root / "sys/class/thermal/thermal_zone0/temp").unlink()
    assert probes.temperature_c() is None


def test_a_machine_that_tells_nothing_gives_no_signal(board) -> None:
    assert board.probes().signals() == ()


def test_available_memory_is_what_the_kernel_calls_available(board) -> None:
    board.write("proc/meminfo", "MemTotal: 4096 kB\nMemFree: 1 kB\nMemAvailable: 2048 kB\n")
    assert board.probes().available_bytes() == 2 * MIB


@pytest.mark.parametrize(
    ("membership", "place", "limit", "usage"),
    [
        ("0::/holdfast.service", "cgroup/holdfast.service", "memory.max", "memory.current"),
        ("4:memory:/box", "cgroup/memory/box", "memory.limit_in_bytes", "memory.usage_in_bytes"),
        ("0::/outside/of/the/container", "cgroup", "memory.max", "memory.current"),
    ],
    ids=["v2", "v1", "container"],
)
def test_a_cgroup_tighter_than_the_machine_counts(board, membership, place, limit, usage) -> None:
    board.write("proc/meminfo", "MemAvailable: 4096000 kB\n")
    board.write("proc/self/cgroup", f"9:name=systemd:/\n{membership}\n")
    board.write(f"{place}/{limit}", str(200 * MIB))
    board.write(f"{place}/{usage}", str(150 * MIB))
    board.write(f"{place}/memory.stat", f"anon 1\ninactive_file {30 * MIB}\n")
    assert board.probes().available_bytes() == 80 * MIB


@pytest.mark.parametrize("unlimited", ["max", str((1 << 63) - 4096)])
def test_a_cgroup_without_a_limit_does_not_count(board, unlimited) -> None:
    board.write("proc/meminfo", "MemAvailable: 1024 kB\n")
    board.write("proc/self/cgroup", "0::/\n")
    board.write("cgroup/memory.max", unlimited)
    board.write("cgroup/memory.current", "1")
    assert board.probes().available_bytes() == MIB


def test_signals_carry_their_moment(board) -> None:
    board.write("sys/class/thermal/thermal_zone0/temp", "42000\n")
    board.write("proc/meminfo", "MemAvailable: 1024 kB\n")
    before_s = clock.monotonic_s()
    kinds = {signal.kind: signal for signal in board.probes().signals()}
    assert set(kinds) == {"temperature_c", "available_bytes"}
    assert all(before_s <= signal.taken_at_s <= clock.monotonic_s() for signal in kinds.values())


def test_this_machine_can_be_probed() -> None:
    probes = Probes(clock, Path("/"))
    assert probes.available_bytes() > MIB
    assert probes.disk_free_bytes() > 0
    assert resident_bytes() > MIB
    assert resident_bytes(os.getpid()) > MIB
    assert resident_bytes(1 << 30) == 0
