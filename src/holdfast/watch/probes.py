"""Probes: how warm the node is, how much memory and disk are left, as the kernel tells it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.clock import Clock
from holdfast.tier import Signal

__all__ = ["Probes", "Sources", "resident_bytes"]

_MILLIDEGREES = 1000.0
_PLAUSIBLE_C = (-40.0, 150.0)  # a sensor that is not wired reports 0 K, -273 or 255
_CGROUP_UNLIMITED_BYTES = 1 << 60  # cgroup v1 says "no limit" with a number near 2**63
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the kernel tells it; tests point at directories of their own."""

    sysfs: Path = Path("/sys")
    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")


class Probes:
    """Reads what there is. A sensor that is missing or broken is left out, never guessed.

    Which sensors there are is looked up once; a read per sensor is what a second costs.
    """

    def __init__(self, clock: Clock, directory: Path, *, sources: Sources | None = None) -> None:
        """`directory`: the data directory, whose disk is watched."""
        self._clock, self._directory = clock, directory
        self._sources = sources or Sources()
        self._sensors = tuple(_sensors(self._sources.sysfs))
        self._cgroup = _memory_cgroup(self._sources)

    def signals(self) -> tuple[Signal, ...]:
        """Temperature and available memory now; each only where it can be read."""
        at_s = self._clock.monotonic_s()
        found: list[Signal] = []
        temperature_c = self.temperature_c()
        if temperature_c is not None:
            found.append(Signal(kind="temperature_c", value=temperature_c, taken_at_s=at_s))
        available = self.available_bytes()
        if available is not None:
            found.append(Signal(kind="available_bytes", value=float(available), taken_at_s=at_s))
        return tuple(found)

    def temperature_c(self) -> float | None:
        """The hottest plausible sensor; null without one, as in a virtual machine."""
        low, high = _PLAUSIBLE_C
        readings = (_number(sensor) for sensor in self._sensors)
        degrees = [value / _MILLIDEGREES for value in readings if value is not None]
        return max((value for value in degrees if low < value < high), default=None)

    def available_bytes(self) -> int | None:
        """What can still be allocated before something is killed: the machine's or the cgroup's rest, the smaller."""
        rests = [rest for rest in (self._machine_rest(), self._cgroup_rest()) if rest is not None]
        return min(rests, default=None)

    def disk_free_bytes(self) -> int:
        """Free space under the data directory, for a user who is not root. Raises OSError."""
        return shutil.disk_usage(self._directory).free

    def _machine_rest(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            for line in (self._sources.proc / "meminfo").read_text().splitlines():
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return None

    def _cgroup_rest(self) -> int | None:
        """Limit minus what is used and cannot be dropped: pages of files give way by themselves."""
        if self._cgroup is None:
            return None
        limit, used = (_number(path) for path in self._cgroup.limit_and_use)
        if limit is None or used is None or limit >= _CGROUP_UNLIMITED_BYTES:
            return None
        return max(0, int(limit - used + self._cgroup.reclaimable_bytes()))


@dataclass(frozen=True, slots=True)
class _MemoryCgroup:
    directory: Path
    limit_and_use: tuple[Path, Path]

    def reclaimable_bytes(self) -> int:
        """Inactive pages of files (memory.stat)."""
        with suppress(OSError, ValueError):
            for line in (self.directory / "memory.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name in {"inactive_file", "total_inactive_file"}:
                    return int(value)
        return 0


def resident_bytes(pid: int | str = "self", *, proc: Path = Path("/proc")) -> int:
    """Resident memory of a process; 0 when it is gone."""
    with suppress(OSError, ValueError, IndexError):
        return int((proc / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    return 0


def _sensors(sysfs: Path) -> Iterator[Path]:
    """Thermal zones (boards) and hwmon chips (PCs)."""
    yield from _sorted(sysfs.glob("class/thermal/thermal_zone*/temp"))
    yield from _sorted(sysfs.glob("class/hwmon/hwmon*/temp*_input"))


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths)


def _memory_cgroup(sources: Sources) -> _MemoryCgroup | None:
    """The cgroup that limits this process: v2 (`0::/path`) or v1 (`n:memory:/path`), at its own path or the root's."""
    try:
        lines = (sources.proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = (
            ("memory.max", "memory.current") if not controllers else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        )
        root = sources.cgroup if not controllers else sources.cgroup / "memory"
        if controllers and "memory" not in controllers.split(","):
            continue
        for directory in (root / path.lstrip("/"), root):
            if (directory / names[0]).exists():
                return _MemoryCgroup(directory, (directory / names[0], directory / names[1]))
    return None


def _number(path: Path) -> float | None:
    """A number in a file of the kernel; null for `max`, for what is no number and for a sensor that cannot be read."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None
