"""A node in this process, without a package: its parts can be given work directly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.settings.loading import Sources, load


@contextmanager
def node_at(directory: Path, configuration: str = "") -> Iterator[Node]:
    """A node that is built but not started; its configuration can be written again and reloaded."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "holdfast.toml"
    file.write_text(configuration)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, not a path
        node = Node(load(Sources((file,))), directory, log=Log(nowhere), reread=lambda: load(Sources((file,))))
        try:
            yield node
        finally:
            node.stop()
            node.log.settle()


def eventually(holds: Callable[[], bool], *, within_s: float = 10.0) -> bool:
    """Whether `holds()` came true in time."""
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.005)
    return True
