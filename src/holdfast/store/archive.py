"""The archive form of a package: a tar file that has exactly one spelling.

Nothing here parses tar. The manifest, which is the first member, determines every later byte but the files' own; the
reader writes the headers it expects and compares, so that a bit anywhere in a header or padding is caught (section 5).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.manifest import FileEntry
from holdfast.store.layout import (
    DIGEST_NAME,
    MANIFEST_NAME,
    PackageDamaged,
    PackageLimits,
    PackageRefused,
)

__all__ = ["ArchiveShape", "header", "padding", "write_members"]

_BLOCK = 512
_TRAILER = bytes(2 * _BLOCK)
_DIGEST_BYTES = 72
_SIZE = slice(124, 136)
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a directory",
    b"6": "a pipe",
    b"g": "a pax header",
    b"x": "a pax header",
    b"L": "a GNU long name",
    b"K": "a GNU long link",
    b"S": "a sparse file",
}


def header(path: str, size_bytes: int) -> bytes:
    """Return the one 512-byte header of a member (section 5). `path`: at most 100 ASCII bytes; size: below 8 GiB."""
    block = bytearray(_BLOCK)
    for offset, field in (
        (0, path.encode("ascii")),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, b"%011o\0" % size_bytes),
        (136, b"00000000000\0"),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (329, b"0000000\x000000000\0"),
    ):
        block[offset : offset + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padding(size_bytes: int) -> bytes:
    """Return the zero bytes that fill a member up to a whole block."""
    return bytes(-size_bytes % _BLOCK)


def write_members(members: Iterable[tuple[str, bytes]], write: Callable[[bytes], object]) -> None:
    """Write `members`, (path, content) in order, one at a time, and the end of the archive."""
    for path, content in members:
        write(header(path, len(content)))
        write(content)
        write(padding(len(content)))
    write(_TRAILER)


class ArchiveShape:
    """A package in one file. Opened once; every read goes to that open file, whatever its name leads to later."""

    def __init__(self, path: Path, limits: PackageLimits) -> None:
        """Open `path`. Raises PackageRefused when it is not a regular file, OSError when it cannot be opened."""
        self._where, self._limits = str(path), limits
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._offsets: dict[str, int] = {}
        self._manifest_end = 0
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise PackageRefused(f"{path}: expected a directory or a regular file")

    @property
    def where(self) -> str:
        """See Shape."""
        return self._where

    def close(self) -> None:
        """See Shape."""
        os.close(self._fd)

    def manifest_bytes(self) -> bytes:
        """See Shape."""
        size = self._manifest_size(self._exactly(0, _BLOCK, MANIFEST_NAME))
        content = self._exactly(_BLOCK, size, MANIFEST_NAME)
        self._manifest_end = self._member(MANIFEST_NAME, size, 0)
        return content

    def digest_bytes(self) -> bytes:
        """See Shape."""
        self._member(DIGEST_NAME, _DIGEST_BYTES, self._manifest_end)
        return self._exactly(self._manifest_end + _BLOCK, _DIGEST_BYTES, DIGEST_NAME)

    def check_names(self, files: tuple[FileEntry, ...]) -> None:
        """See Shape: every header and padding is where and what it must be, and nothing follows (6.7)."""
        offset = self._manifest_end + 2 * _BLOCK
        for entry in files:
            self._offsets[entry.path] = offset + _BLOCK
            offset = self._member(entry.path, entry.size_bytes, offset)
        if self._exactly(offset, len(_TRAILER), "the end") != _TRAILER:
            raise PackageDamaged(self._where, f"end of the archive at {offset}", expected="zeros", found="other bytes")
        if os.pread(self._fd, 1, offset + len(_TRAILER)):
            raise PackageDamaged(
                self._where, "length", expected=f"{offset + len(_TRAILER)} bytes", found=f"{os.fstat(self._fd).st_size}"
            )

    def read(self, entry: FileEntry) -> bytes:
        """See Shape."""
        return self._exactly(self._offsets[entry.path], entry.size_bytes, entry.path)

    def _manifest_size(self, found: bytes) -> int:
        """Return the size that the first header carries. Raises PackageRefused unless all of it is as it must be."""
        digits = found[_SIZE][:11]
        if not all(byte in b"01234567" for byte in digits):
            raise PackageRefused(
                f"{self._where}: expected a package archive, found {_describe(found)} at its beginning"
            )
        size = int(digits, 8)
        self._compare(header(MANIFEST_NAME, size), found, MANIFEST_NAME, 0)
        if size > self._limits.manifest_bytes:
            raise PackageRefused(
                f"{self._where}: manifest.json: expected at most {self._limits.manifest_bytes} bytes, found {size}"
            )
        return size

    def _member(self, path: str, size_bytes: int, offset: int) -> int:
        """Check the header at `offset` and the padding of its member; return where the next one starts."""
        self._compare(header(path, size_bytes), self._exactly(offset, _BLOCK, path), path, offset)
        end = offset + _BLOCK + size_bytes
        wanted = padding(size_bytes)
        if self._exactly(end, len(wanted), path) != wanted:
            raise PackageDamaged(self._where, f"padding of {path} at {end}", expected="zeros", found="other bytes")
        return end + len(wanted)

    def _compare(self, wanted: bytes, found: bytes, path: str, offset: int) -> None:
        if wanted != found:
            raise PackageDamaged(
                self._where, f"header at {offset}", expected=f"the plain file {path}", found=_describe(found)
            )

    def _exactly(self, offset: int, size: int, path: str) -> bytes:
        """Read `size` bytes into one new buffer; a file that shrank meanwhile gives fewer, and is refused."""
        content = os.pread(self._fd, size, offset)
        if len(content) == size:
            return content
        pieces = [content]  # one system call moves at most 2 GiB, and a signal may cut it short
        while len(pieces[-1]) and (missing := size - sum(map(len, pieces))):
            pieces.append(os.pread(self._fd, missing, offset + size - missing))
        content = b"".join(pieces)
        if len(content) != size:
            raise PackageDamaged(self._where, f"{path} at {offset}", expected=f"{size} bytes", found=len(content))
        return content


def _describe(block: bytes) -> str:
    """Say in words what kind of member a header announces, for the error message only."""
    if not block.strip(b"\0"):
        return "the end of the archive"
    if block[257:262] != b"ustar":
        return "something that is no tar header"
    name = block[:100].rstrip(b"\0").decode("ascii", "replace")
    kind = _KINDS.get(block[156:157])
    return f"{kind}, {name!r}" if kind else f"{name!r} with another header than a package has"
