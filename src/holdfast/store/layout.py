"""What a package may look like before anything is known about its content: names, sizes, counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from holdfast.digest import Digest
from holdfast.errors import InvalidInput
from holdfast.manifest import FileEntry

__all__ = [
    "DIGEST_NAME",
    "MANIFEST_NAME",
    "PackageDamaged",
    "PackageLimits",
    "PackageRefused",
    "Shape",
    "check_files",
    "digest_file",
    "is_name",
    "is_path",
    "is_version",
]

MANIFEST_NAME = "manifest.json"
DIGEST_NAME = "DIGEST"

_SEGMENT = r"[a-z0-9_][a-z0-9._-]{0,63}"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,7}}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
# semver.org, the suggested expression of Semantic Versioning 2.0.0
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_PATH_BYTES = 100  # the name field of a ustar header, so that no header needs an extension
_VERSION_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """What a reader accepts at most; the defaults are docs/spec/package.md, section 7."""

    manifest_bytes: int = 1 << 20
    files: int = 1024
    file_bytes: int = 1 << 30
    total_bytes: int = 1 << 31


class PackageRefused(InvalidInput):
    """A package that is not what docs/spec/package.md says; no byte of it was used."""


class PackageDamaged(PackageRefused):
    """Bytes of a package that are not the bytes its manifest or digest promises."""

    def __init__(self, where: str, what: str, *, expected: object, found: object) -> None:
        super().__init__(f"{where}: {what}: expected {expected}, found {found}; get the package again")
        self.where = where


class Shape(Protocol):
    """One form of a package on disk, opened once; everything is read through the handle that opening made."""

    @property
    def where(self) -> str:
        """What the user called it."""

    def manifest_bytes(self) -> bytes:
        """The bytes of manifest.json, bounded. Raises PackageRefused."""

    def digest_bytes(self) -> bytes:
        """The bytes of DIGEST, bounded. Raises PackageRefused."""

    def check_names(self, files: tuple[FileEntry, ...]) -> None:
        """Return if the package holds exactly `files`, manifest.json and DIGEST. Raises PackageRefused."""

    def read(self, entry: FileEntry) -> bytes:
        """The bytes of `entry`, in one new buffer, at most one more than its size. Raises PackageRefused."""

    def close(self) -> None:
        """Give the handle back."""


def is_path(text: str) -> bool:
    """Say whether `text` may be the path of a listed file (4.2)."""
    return bool(_PATH.fullmatch(text)) and len(text) <= _PATH_BYTES and text != MANIFEST_NAME


def is_name(text: str) -> bool:
    """Say whether `text` may name a package, a variant or a head (4.1)."""
    return bool(_NAME.fullmatch(text))


def is_version(text: str) -> bool:
    """Say whether `text` is a version by Semantic Versioning 2.0.0 of bearable length (4.1)."""
    return len(text) <= _VERSION_CHARACTERS and bool(_VERSION.fullmatch(text))


def digest_file(digest: Digest) -> bytes:
    """Return the bytes of `DIGEST` for a package with this digest (section 2)."""
    return f"{digest}\n".encode("ascii")


def check_files(where: str, files: tuple[FileEntry, ...], limits: PackageLimits) -> None:
    """Return if the list of files obeys 4.2 and `limits`. Raises PackageRefused, naming the file."""
    if len(files) > limits.files:
        raise PackageRefused(f"{where}: expected at most {limits.files} files, found {len(files)}", field="/files")
    for entry in files:
        if not is_path(entry.path):
            raise PackageRefused(
                f"{where}: file {entry.path[:120]!r}: expected a plain relative path of [a-z0-9._-] segments",
                field="/files",
            )
        if not 0 <= entry.size_bytes <= limits.file_bytes:
            raise PackageRefused(
                f"{where}: file {entry.path}: expected at most {limits.file_bytes} bytes, found {entry.size_bytes}",
                field="/files",
            )
    _check_order(where, [entry.path for entry in files])
    total = sum(entry.size_bytes for entry in files)
    if total > limits.total_bytes:
        raise PackageRefused(f"{where}: expected at most {limits.total_bytes} bytes in all files, found {total}")


def _check_order(where: str, paths: list[str]) -> None:
    for before, after in pairwise(paths):
        if before >= after:
            raise PackageRefused(
                f"{where}: files: expected paths in rising order, each once, found {before!r} before {after!r}",
                field="/files",
            )
    known = set(paths)
    for path in paths:
        parents = path.split("/")[:-1]
        clash = next((p for i in range(len(parents)) if (p := "/".join(parents[: i + 1])) in known), None)
        if clash is not None:
            raise PackageRefused(f"{where}: files: {clash!r} is both a file and the directory of {path!r}")
