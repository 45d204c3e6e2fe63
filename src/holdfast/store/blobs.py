"""Blobs: files named by the digest of their content, written once, shared by every version that holds them."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

from holdfast.digest import Digest, digest_bytes
from holdfast.store.layout import PackageRefused

__all__ = ["BlobDamaged", "Blobs", "sync_directory", "write_durably"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PREFIX = len("sha256:")


class BlobDamaged(PackageRefused):
    """A stored file that is gone, unreadable or not what its name says."""

    def __init__(self, path: Path, *, expected: object, found: object) -> None:
        super().__init__(f"stored file {path}: expected {expected}, found {found}; install the package again")


class Blobs:
    """A directory of blobs. Not locked: two writers of one blob write the same bytes; the store admits one remover."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, content: bytes, digest: Digest) -> int:
        """Store `content`, durable when this returns; return how many bytes that wrote, 0 if it was there and intact.

        A damaged blob of that name is replaced: installing a package again mends it.
        """
        if self._intact(digest, len(content)):
            return 0
        path = self._path(digest)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            sync_directory(path.parent.parent)
        write_durably(path, content, mode=0o444)
        return len(content)

    def read(self, digest: Digest, size_bytes: int | None = None) -> bytes:
        """Return the blob, the very buffer that was hashed. Raises BlobDamaged."""
        path = self._path(digest)
        try:
            content = _read_regular(path)
        except OSError as error:
            raise BlobDamaged(path, expected="a readable file", found=error.strerror) from error
        if size_bytes is not None and len(content) != size_bytes:
            raise BlobDamaged(path, expected=f"{size_bytes} bytes", found=len(content))
        if (found := digest_bytes(content)) != digest:
            raise BlobDamaged(path, expected=digest, found=found)
        return content

    def holds(self, digest: Digest, size_bytes: int) -> bool:
        """Say whether a blob of that name and size is there, without reading it."""
        with suppress(OSError):
            return self._path(digest).lstat().st_size == size_bytes
        return False

    def used_bytes(self) -> int:
        """Bytes of all blobs, those nobody needs included."""
        return sum(size for _, size in self._all())

    def remove_others(self, wanted: Container[str]) -> int:
        """Remove every file that is no blob in `wanted`, unfinished ones too; return how many bytes that freed."""
        freed = 0
        for path, size in list(self._all()):
            if "sha256:" + path.name not in wanted:
                path.unlink(missing_ok=True)
                freed += size
        return freed

    def _all(self) -> Iterator[tuple[Path, int]]:
        for path in self._directory.glob("??/*"):
            with suppress(FileNotFoundError):
                yield path, path.lstat().st_size

    def _intact(self, digest: Digest, size_bytes: int) -> bool:
        try:
            self.read(digest, size_bytes)
        except BlobDamaged:
            return False
        return True

    def _path(self, digest: Digest) -> Path:
        name = digest[_PREFIX:]
        return self._directory / name[:2] / name


def write_durably(path: Path, content: bytes, *, mode: int) -> None:
    """Put a file with `content` at `path` in one step: whoever looks, whenever power fails, sees all of it or none."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        partial.unlink()
    fd = os.open(partial, _CREATE, mode)
    try:
        try:
            _write_all(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(partial, path)  # noqa: PTH104  # the crash tests count calls of os
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    sync_directory(path.parent)


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_regular(path: Path) -> bytes:
    with open(os.open(path, _READ), "rb", buffering=0) as file:  # noqa: PTH123  # O_NOFOLLOW has no Path spelling
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file", str(path))
        return file.read(status.st_size + 1) or b""
