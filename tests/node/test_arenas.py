"""How many heaps threads make."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_CODE = """
import ctypes, re, sys, threading
from holdfast.node.arenas import bound_arenas
if sys.argv[1] == "bound":
    assert bound_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
everybody = threading.Barrier(8)
def work():
    everybody.wait()
    libc.malloc(100)
    everybody.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
sys.stderr.flush()
libc.malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no such heaps")
def test_eight_threads_share_two_heaps() -> None:
    heaps = {}
    for how in ("free", "bound"):
        ended = subprocess.run([sys.executable, "-c", _CODE, how], capture_output=True, text=True, check=True)
        heaps[how] = ended.stderr.count("Arena ")
    assert heaps["bound"] <= 2 < heaps["free"]
