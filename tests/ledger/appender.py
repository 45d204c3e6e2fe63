"""A process that appends from several threads and says which entries were acknowledged, until it is killed."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from tests.ledger.desk import Desk, draft, open_desk_at

THREADS = 4


def _append(desk: Desk, first: int) -> None:
    number = first
    while True:
        recorded = desk.journal.append(draft(number))
        os.write(1, f"{recorded.sequence} {number}\n".encode())  # one write a line: whole or not at all
        number += THREADS


if __name__ == "__main__":
    opened = open_desk_at(Path(sys.argv[1]))
    os.write(1, b"ready\n")
    for thread in range(THREADS):
        threading.Thread(target=_append, args=(opened, thread)).start()
