"""A node whose background loops hang for a minute once a file is there: `python -m tests.stories.hanging_node …`.

Nothing outside a process can hang one of its threads, so this wraps the step of every loop before the node is built;
what a hung loop sleeps in is what it would be in on a dead network file system: a call that nobody can interrupt.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from holdfast.__main__ import main
from holdfast.node.loop import Loop

__all__ = ["FILE", "HANG_S"]

FILE = "HANGING_NODE_FILE"
HANG_S = 60.0


def _wrap() -> None:
    begin = Loop.__init__
    sign = Path(os.environ[FILE])
    lock = threading.Lock()

    def init(self: Loop, name: str, step: Any, **more: Any) -> None:
        def hanging() -> None:
            if sign.exists():
                with lock, sign.with_suffix(".hung").open("a") as file:
                    file.write(f"{name}\n")
                time.sleep(HANG_S)
            step()

        with lock, sign.with_suffix(".loops").open("a") as file:
            file.write(f"{name}\n")
        begin(self, name, hanging, **more)

    Loop.__init__ = init  # type: ignore[method-assign]  # before any node is built


if __name__ == "__main__":
    _wrap()
    raise SystemExit(main())
