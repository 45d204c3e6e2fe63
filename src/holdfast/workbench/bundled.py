"""The public ticket sets that travel with the repository, checked before use, and the hold-outs drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.digest import digest_bytes
from holdfast.errors import InvalidInput
from holdfast.workbench.columns import Columns
from holdfast.workbench.splits import SPLITS, Split
from holdfast.workbench.tickets import Reading, read

__all__ = [
    "BACKGROUND",
    "BUNDLED",
    "DATA_DIR",
    "BundledDamaged",
    "BundledHead",
    "BundledSet",
    "load_head",
    "read_bundled",
]

DATA_DIR = Path(__file__).resolve().parents[3] / "data"
"""Of the checkout; an installed wheel carries no tickets."""
_SUMS = "SHA256SUMS"
_HELD_SHARE = 0.2


class BundledDamaged(InvalidInput):
    """A bundled ticket set is missing, or not the one this version was made with."""


@dataclass(frozen=True, slots=True)
class BundledSet:
    """One bundled file: how it is read, how its hold-out is drawn, and under which licence it comes."""

    head: str
    file: str
    columns: Columns
    split: str
    source: str
    licence: str


BUNDLED: Mapping[str, BundledSet] = {
    "priority": BundledSet(
        head="priority",
        file="vulnrichment_to_2024-06.csv.gz",
        # `exploitation`, `automatable`, `technical_impact` and `kev` were decided with or after the severity.
        columns=Columns(id="id", title="title", body="body", at="date", labels={"priority": "cvss_severity"}),
        split="chronological",
        source="cisagov/vulnrichment",
        licence="CC0-1.0",
    ),
    "route": BundledSet(
        head="route",
        file="it_service_tickets_train.csv.gz",
        columns=Columns(id="id", body="text", labels={"route": "label"}),
        split="random",  # the publisher took the dates away
        source='adisongoh, "IT Service Ticket Classification Dataset" (Kaggle)',
        licence="CC0-1.0",
    ),
}
"""Head of the reference package -> the set it learns from."""


BACKGROUND = BundledSet(
    head="priority",
    file="nasa_pits_A-E.csv.gz",
    columns=Columns(id="id", title="title", body="body", group="project", labels={"priority": "severity"}),
    split="group",
    source="NASA PITS",
    licence="US Government work",
)
"""Issue reports that no head learns from: the gates tell their heads' own kinds of text from them."""


@dataclass(frozen=True, slots=True)
class BundledHead:
    """The tickets of one head, and which of them are never learnt from."""

    origin: BundledSet
    path: Path
    reading: Reading
    split: Split


def load_head(head: str, *, directory: Path = DATA_DIR, seed: int = 0) -> BundledHead:
    """Read and check the bundled set of `head` and draw its hold-out; equal seeds give equal hold-outs.

    Raises BundledDamaged, UnreadableTickets.
    """
    origin = BUNDLED[head]
    reading = read_bundled(origin, directory=directory)
    split = SPLITS[origin.split](reading.tickets, share=_HELD_SHARE, seed=seed)
    return BundledHead(origin, directory / origin.file, reading, split)


def read_bundled(origin: BundledSet, *, directory: Path = DATA_DIR) -> Reading:
    """Check and read one bundled set. Raises BundledDamaged, UnreadableTickets."""
    path = directory / origin.file
    _check(path, read_sums(directory))
    return read([path], origin.columns)


def read_sums(directory: Path) -> dict[str, str]:
    """SHA-256 of each bundled file, by name. Raises BundledDamaged."""
    path = directory / _SUMS
    try:
        lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise _unreadable(error) from error
    return {name: digest for digest, name in lines}


def _check(path: Path, sums: Mapping[str, str]) -> None:
    try:
        found = digest_bytes(path.read_bytes()).removeprefix("sha256:")
    except OSError as error:
        raise _unreadable(error) from error
    if sums.get(path.name) != found:
        raise BundledDamaged(
            f"{path}: expected sha256 {sums.get(path.name, 'listed in ' + _SUMS)}, found {found}; "
            "get the file again with 'git checkout -- data'"
        )


def _unreadable(error: OSError) -> BundledDamaged:
    return BundledDamaged(
        f"{error.filename}: cannot be read: {error.strerror}; the reference package is built from a checkout, "
        "or name the directory of its tickets with --data-dir"
    )
