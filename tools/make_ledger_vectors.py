"""Write tests/vectors/ledger: exports of small ledgers, whole and damaged, each with the verdict it must get.

Keys are fresh on every run, so a new set differs from the old one in every hash; run it only when the format changes.
"""

from __future__ import annotations

import base64
import copy
import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.database import Database
from holdfast.digest import canonical, digest_bytes
from holdfast.facts import Facts
from holdfast.ledger.journal import Journal, LedgerLimits
from holdfast.ledger.reserve import ReserveLimits
from holdfast.record import Draft
from holdfast.tier import Tier
from holdfast.vault import Vault

Entry = dict[str, Any]


class _Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.monotonic = 0.0

    def monotonic_s(self) -> float:
        return self.monotonic

    def wall_at(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=self.monotonic)

    def wall_trusted(self) -> bool:
        return True


def _ledger(directory: Path) -> tuple[list[Entry], dict[str, str]]:
    """Entries with an erased day, an erased subject, a header without payload; and the anchor with the node's key."""
    clock = _Clock()
    database = Database(directory / "node.db")
    vault = Vault(database, directory / "node.key")
    facts = Facts(database, vault, clock=clock)
    limits = LedgerLimits(
        anchor_file=directory / "anchor", reserve=ReserveLimits(directory / "reserve", 1 << 20, 1 << 20, 1 << 20)
    )
    journal = Journal(database, vault, facts=facts, clock=clock, limits=limits)
    journal.append_many([_draft(number) for number in range(3)])
    clock.monotonic += 31 * 86_400
    journal.step()
    journal.append_many([_draft(number) for number in range(3, 8)])
    journal.erase("task-5")
    (directory / "reserve").unlink()
    limits.reserve.file.touch()
    journal.step()  # finds the reserve gone, and keeps headers only
    journal.append(_draft(9))
    exported = [json.loads(canonical(entry)) for entry in journal.export()]
    journal.close()
    database.close()
    anchor = {"file": (directory / "anchor").read_text(), "node_key": (directory / "node.key").read_bytes().hex()}
    return exported, anchor


def _draft(number: int) -> Draft:
    return Draft(
        kind="decision",
        payload=f"decision {number}".encode(),
        reference=f"dec_{number}",
        subject=f"task-{number}",
        tier=Tier.SMALL,
        package=digest_bytes(b"a package"),
        score=12.5 * number,
        band=f"P{number % 4}",
    )


def _damaged(entries: list[Entry]) -> dict[str, tuple[str, list[Entry], int | None]]:
    """Name -> what was done, the entries, the first sequence that must be named (None: the ledger holds)."""
    cases = {"whole": ("nothing was done to it", entries, None)}
    header = copy.deepcopy(entries)
    header[4]["header"] = header[4]["header"].replace('"band":"P3"', '"band":"P1"')
    cases["altered-header"] = ("the band of entry 5 was altered", header, 5)
    kept_hash = copy.deepcopy(entries)
    kept_hash[6]["hash"] = ("1" if kept_hash[6]["hash"][0] == "0" else "0") + kept_hash[6]["hash"][1:]
    cases["altered-hash"] = ("one digit of the hash of entry 7 was altered", kept_hash, 7)
    payload = copy.deepcopy(entries)
    sealed = bytearray(base64.b64decode(payload[5]["sealed"]))
    sealed[20] ^= 1
    payload[5]["sealed"] = base64.b64encode(sealed).decode()
    cases["altered-payload"] = ("one bit of the sealed payload of entry 6 was altered", payload, 6)
    missing = copy.deepcopy(entries)
    del missing[5]
    cases["missing-entry"] = ("entry 6 was taken out", missing, 7)
    swapped = copy.deepcopy(entries)
    swapped[5], swapped[6] = swapped[6], swapped[5]
    cases["swapped-entries"] = ("entries 6 and 7 changed places", swapped, 6)
    gone = copy.deepcopy(entries)
    gone[5]["sealed"] = None
    cases["payload-gone"] = ("the payload of entry 6 was taken out, and no entry says it was erased", gone, 6)
    return cases


def main() -> None:
    """Write every vector into the directory given, or into tests/vectors/ledger."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/vectors/ledger")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        entries, anchor = _ledger(Path(directory))
    for name, (what, given, first_break) in _damaged(entries).items():
        vector = {"what": what, "verdict": {"ok": first_break is None, "first_break": first_break}, "entries": given}
        if first_break is None:
            vector["verdict"] |= {"entries": 11, "sealed": 6, "erased": 4, "headers_only": 1}
            vector["anchor"] = anchor
        (out / f"{name}.json").write_text(json.dumps(vector, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
