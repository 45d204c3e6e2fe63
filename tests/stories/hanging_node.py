"""A node whose background threads hang for a minute once a file is there: `python -m tests.stories.hanging_node …`.

Nothing outside a process can hang one of its threads, so this wraps what every loop does before the node is built; what
a hung one sleeps in is what it would be in on a dead network file system: a call that nobody can interrupt. Loops come
round every second here, so that all of them hang at the same time.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.cli.main import main
from holdfast.ledger.anchor import AnchorKeeper
from holdfast.node.log import Log
from holdfast.node.loop import Loop

__all__ = ["FILE", "HANG_S", "LOG"]

FILE = "HANGING_NODE_FILE"
LOG = "hang-log"
HANG_S = 60.0
_MOST_EVERY_S = 1.0


class _Sign:
    """The file; beside it are written the names of the loops there are, and of those that hang."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def note(self, suffix: str, name: str) -> None:
        with self._lock, self._path.with_suffix(suffix).open("a") as file:
            file.write(f"{name}\n")

    def hang(self, name: str) -> None:
        if self._path.exists():
            self.note(".hung", name)
            time.sleep(HANG_S)


def _wrap(sign: _Sign) -> None:
    begin, run = Loop.__init__, Loop.start

    def init(self: Loop, name: str, step: Callable[[], None], *, every_s: float, seen: Any) -> None:
        def hanging() -> None:
            sign.hang(name)
            step()

        begin(self, name, hanging, every_s=min(every_s, _MOST_EVERY_S), seen=seen)

    def start(self: Loop) -> None:
        sign.note(".loops", self._name)
        run(self)

    Loop.__init__, Loop.start = init, start  # type: ignore[method-assign]  # before any node is built
    _wrap_thread(sign, AnchorKeeper, "_write", "ledger-anchor")


def _wrap_thread(sign: _Sign, owner: type, method: str, thread: str) -> None:
    """Hang `method` where this thread calls it, nowhere else."""
    ours = getattr(owner, method)
    sign.note(".loops", thread)

    def hanging(self: object) -> Any:
        if threading.current_thread().name == thread:
            sign.hang(thread)
        return ours(self)

    setattr(owner, method, hanging)


if __name__ == "__main__":
    sign = Path(os.environ[FILE])
    _wrap(_Sign(sign))
    # The log has lines only while the loops go round: it hangs first, at a sign of its own.
    _wrap_thread(_Sign(sign.with_name(LOG)), Log, "_next", "log")
    sys.exit(main())
