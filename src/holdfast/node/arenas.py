"""The C library's heaps: two for the whole node, so that its memory does not grow with its threads."""

from __future__ import annotations

import ctypes

__all__ = ["bound_arenas"]

_M_ARENA_MAX = -8  # malloc.h of glibc
_ARENAS = 2


def bound_arenas() -> bool:
    """Bound them, before there are threads; say whether this C library knows how (glibc does, musl need not)."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  # only glibc has it
        return bool(libc.mallopt(_M_ARENA_MAX, _ARENAS))
    except (OSError, AttributeError):
        return False
