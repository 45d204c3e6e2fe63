"""The directory form of a package, read through one directory handle and without following links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from holdfast.manifest import FileEntry
from holdfast.store.layout import DIGEST_NAME, MANIFEST_NAME, PackageDamaged, PackageLimits, PackageRefused

__all__ = ["DirectoryShape"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe with no writer must not hang us
_DIGEST_BYTES = 72


class DirectoryShape:
    """A package in a directory. Opened once: renaming the directory away changes nothing for this reader."""

    def __init__(self, path: Path, limits: PackageLimits) -> None:
        """Open the directory `path` (the user may name it by a link). Raises OSError."""
        self._where, self._limits = str(path), limits
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @property
    def where(self) -> str:
        """See Shape."""
        return self._where

    def close(self) -> None:
        """See Shape."""
        os.close(self._fd)

    def manifest_bytes(self) -> bytes:
        """See Shape."""
        return self._bounded(MANIFEST_NAME, self._limits.manifest_bytes)

    def digest_bytes(self) -> bytes:
        """See Shape."""
        return self._bounded(DIGEST_NAME, _DIGEST_BYTES)

    def check_names(self, files: tuple[FileEntry, ...]) -> None:
        """See Shape. Every entry is a listed file or leads to one; stops at the first that is not (6.7)."""
        wanted = {entry.path for entry in files} | {MANIFEST_NAME, DIGEST_NAME}
        ways = {"/".join(parts[:i]) for path in wanted if (parts := path.split("/")) for i in range(1, len(parts))}
        found = set()
        for path, kind in self._walk(self._fd, ""):
            if kind == "directory" and path in ways:
                continue
            if kind != "file" or path not in wanted:
                raise PackageRefused(
                    f"{self._where}: {path}: expected only the files of the manifest, found this {kind}"
                )
            found.add(path)
        if missing := sorted(wanted - found):
            raise PackageRefused(f"{self._where}: {missing[0]}: expected a file, found none")

    def read(self, entry: FileEntry) -> bytes:
        """See Shape."""
        return self._bounded(entry.path, entry.size_bytes)

    def _walk(self, directory: int, prefix: str) -> Iterator[tuple[str, str]]:
        with os.scandir(directory) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_symlink():
                    yield path, "link"
                elif entry.is_dir(follow_symlinks=False):
                    yield path, "directory"
                    yield from self._descend(directory, entry.name, path)
                else:
                    yield path, "file" if entry.is_file(follow_symlinks=False) else "special file"

    def _descend(self, directory: int, name: str, path: str) -> Iterator[tuple[str, str]]:
        inner = os.open(name, _DIRECTORY, dir_fd=directory)
        try:
            yield from self._walk(inner, path + "/")
        finally:
            os.close(inner)

    def _bounded(self, path: str, most_bytes: int) -> bytes:
        """Read the regular file `path` into one new buffer, no link on the way. Raises PackageRefused."""
        try:
            fd = self._open(path)
        except OSError as error:  # ELOOP, ENOTDIR: a link where a file or directory must be; ENOENT: gone
            raise PackageRefused(f"{self._where}: {path}: expected a regular file, found {error.strerror}") from error
        with os.fdopen(fd, "rb", buffering=0) as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise PackageRefused(f"{self._where}: {path}: expected a regular file, found another kind")
            if status.st_size > most_bytes:
                raise PackageDamaged(self._where, path, expected=f"at most {most_bytes} bytes", found=status.st_size)
            return _read_up_to(file.fileno(), status.st_size + 1)  # one more: a file that grows is noticed

    def _open(self, path: str) -> int:
        *directories, name = path.split("/")
        at, opened = self._fd, []
        try:
            for directory in directories:
                at = os.open(directory, _DIRECTORY, dir_fd=at)
                opened.append(at)
            return os.open(name, _FILE, dir_fd=at)
        finally:
            for fd in opened:
                os.close(fd)


def _read_up_to(fd: int, most_bytes: int) -> bytes:
    content = os.read(fd, most_bytes)
    if len(content) == 0:
        return content
    pieces = [content]
    while pieces[-1] and (left := most_bytes - sum(map(len, pieces))):
        pieces.append(os.read(fd, left))
    return pieces[0] if len(pieces) == 2 and not pieces[1] else b"".join(pieces)
