"""The training list: a digest of every text a package learnt from, which proves that a ticket was not among them.

It lies beside a package, not in it: from a private tracker's list, who guesses a text could tell that it was there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from holdfast.digest import Digest, digest_bytes
from holdfast.errors import InvalidInput
from holdfast.workbench.splits import normalise

__all__ = [
    "TRAINING_LIST",
    "DamagedTrainingList",
    "list_digest",
    "read_training_list",
    "text_digest",
    "write_training_list",
]

TRAINING_LIST = "training_list"
"""The entry of a package's provenance recipe that holds the digest of its training list."""
_DIGITS = 16  # 64 bits: of 100,000 texts, one unseen ticket is mistaken for a seen one with chance 5e-15


class DamagedTrainingList(InvalidInput):
    """A training list that is not lines of 16 hexadecimal digits in rising order."""


def text_digest(text: str) -> str:
    """Digest of a text as people read it: case, punctuation and spacing change nothing."""
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _content(texts: Iterable[str]) -> bytes:
    return "".join(f"{one}\n" for one in sorted({text_digest(text) for text in texts})).encode("ascii")


def list_digest(texts: Iterable[str]) -> Digest:
    """Digest of the training list of `texts`: what the package's provenance names."""
    return digest_bytes(_content(texts))


def write_training_list(path: Path, texts: Iterable[str]) -> Digest:
    """Write the training list of `texts` to `path`; return its digest."""
    content = _content(texts)
    path.write_bytes(content)
    return digest_bytes(content)


def read_training_list(path: Path, *, expected: Digest | None = None) -> frozenset[str]:
    """Read a training list; check it against the digest a package names. Raises DamagedTrainingList, OSError."""
    content = path.read_bytes()
    found = digest_bytes(content)
    if expected is not None and found != expected:
        raise DamagedTrainingList(f"{path}: expected the training list {expected}, found {found}; build it again")
    lines = content.decode("ascii", "replace").splitlines()
    if lines != sorted(set(lines)) or any(len(line) != _DIGITS for line in lines):
        raise DamagedTrainingList(
            f"{path}: expected lines of {_DIGITS} hex digits in rising order, found something else"
        )
    return frozenset(lines)
