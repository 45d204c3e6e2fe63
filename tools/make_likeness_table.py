"""Make src/holdfast/apps/triage/likeness.idf: how rare words and four-letter pieces are among the bundled tickets.

    .venv/bin/python tools/make_likeness_table.py

Every bundled set counts as much as any other, whatever its size. The file is part of what a likeness is: with a new one
the likenesses of all tickets are made anew at the next start, by themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from holdfast.apps.triage.likeness import HASH_BITS, LIKENESS_PLAN, RARITY_STEPS, rows_of
from holdfast.runtime.features import extract, groups
from holdfast.workbench.bundled import BUNDLED, read_bundled

TABLE = Path(__file__).parents[1] / "src" / "holdfast" / "apps" / "triage" / "likeness.idf"
TABLE_ROWS = 2 << HASH_BITS
MOST_TICKETS = 6_000


def main() -> None:
    """Write it."""
    shares = []
    for origin in BUNDLED.values():
        tickets = read_bundled(origin).tickets
        step = max(len(tickets) // MOST_TICKETS, 1)
        texts = [ticket.text for ticket in tickets[::step]]
        shares.append(tickets_with(texts) / len(texts))
    share = np.mean(shares, axis=0)
    rarity = np.log((1 + MOST_TICKETS) / (1 + MOST_TICKETS * share)) + 1
    TABLE.write_bytes(np.rint(rarity * RARITY_STEPS).astype(np.uint8).tobytes())


def tickets_with(texts: list[str]) -> np.ndarray:
    """How many of `texts` have each row."""
    count = np.zeros(TABLE_ROWS)
    for group in groups(texts):
        rows, owners = rows_of(extract(group, LIKENESS_PLAN))
        count += np.bincount(np.unique(owners * TABLE_ROWS + rows) % TABLE_ROWS, minlength=TABLE_ROWS)
    return count


if __name__ == "__main__":
    main()
