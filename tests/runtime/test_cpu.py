"""The CPU's class, from what the kernel says."""

from __future__ import annotations

import platform

import pytest

from holdfast.runtime.cpu import cpu_class


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni amx_int8", "amx_int8"),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", "avx512_vnni"),
        ("flags\t\t: fpu avx2 avx_vnni", "avx_vnni"),
        ("flags\t\t: fpu sse avx2", "avx2"),
        ("Features\t: fp asimd asimddp", "dotprod"),
        ("Features\t: fp asimd asimddp i8mm", "i8mm"),
        ("Features\t: fp asimd", platform.machine()),
    ],
)
def test_the_best_class_is_named(tmp_path, line, expected) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n\nprocessor\t: 1\n{line}\n")
    assert cpu_class(tmp_path / "cpuinfo") == expected


def test_a_kernel_that_says_nothing_leaves_the_architecture(tmp_path) -> None:
    assert cpu_class(tmp_path / "absent") == platform.machine()
