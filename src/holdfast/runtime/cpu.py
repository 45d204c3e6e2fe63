"""The CPU's feature class: which kind of integer arithmetic the models run on here."""

from __future__ import annotations

import platform
from pathlib import Path

__all__ = ["cpu_class"]

_CLASSES: tuple[tuple[str, str], ...] = (
    ("amx_int8", "amx_int8"),
    ("avx512_vnni", "avx512_vnni"),
    ("avx_vnni", "avx_vnni"),
    ("avx512f", "avx512"),
    ("avx2", "avx2"),
    ("i8mm", "i8mm"),
    ("asimddp", "dotprod"),
)
"""The kernel's name of a feature and ours of the class, best first. Answers are bit-identical within one class only."""


def cpu_class(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The best class this machine's cores have; the architecture's name when none is known.

    `cpuinfo`: where the kernel lists features, the field `flags` on x86 and `Features` on ARM.
    """
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    for line in text.splitlines():
        field, _, value = line.partition(":")
        if field.strip() in {"flags", "Features"}:
            present = set(value.split())
            return next((name for flag, name in _CLASSES if flag in present), platform.machine())
    return platform.machine()
