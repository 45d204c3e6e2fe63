"""Packages as people hold them, a directory or one file: open and verify, or write.

Section and step numbers are those of docs/spec/package.md.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from holdfast.digest import Digest, canonical, digest_bytes
from holdfast.manifest import FileEntry, Manifest
from holdfast.store.archive import ArchiveShape, write_members
from holdfast.store.coherence import check_manifest, decode_manifest
from holdfast.store.directory import DirectoryShape
from holdfast.store.layout import (
    DIGEST_NAME,
    MANIFEST_NAME,
    PackageDamaged,
    PackageLimits,
    PackageRefused,
    Shape,
    digest_file,
    is_path,
)

__all__ = ["LIMITS", "TargetOccupied", "VerifiedPackage", "build", "open_package", "read_source", "write_package"]

LIMITS = PackageLimits()
_SKELETON = "package.toml"


class TargetOccupied(FileExistsError):
    """The place to write a package to holds something that is no package."""


class VerifiedPackage:
    """A package whose manifest, digest and names are verified; each file is verified as it is read.

    `read` hashes the buffer that it returns, so that nobody can change a file between the check and the use.
    """

    def __init__(self, shape: Shape, manifest: Manifest, content: bytes) -> None:
        """Only `open_package` calls this."""
        self._shape = shape
        self._entries = {entry.path: entry for entry in manifest.files}
        self.manifest = manifest
        self.manifest_bytes = content
        self.digest = digest_bytes(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def where(self) -> str:
        """What the user called it."""
        return self._shape.where

    def close(self) -> None:
        """Give the file handle back."""
        self._shape.close()

    def read(self, path: str) -> bytes:
        """Return the bytes of listed file `path`, the very buffer that was hashed. Raises PackageDamaged, KeyError."""
        entry = self._entries[path]
        content = self._shape.read(entry)
        if len(content) != entry.size_bytes:  # 6.8
            raise PackageDamaged(self.where, path, expected=f"{entry.size_bytes} bytes", found=len(content))
        if (found := digest_bytes(content)) != entry.sha256:
            raise PackageDamaged(self.where, path, expected=entry.sha256, found=found)
        return content

    def verify(self) -> None:
        """Read and check every file, one at a time in memory. Raises PackageDamaged."""
        for path in self._entries:
            self.read(path)


def open_package(path: Path | str, limits: PackageLimits = LIMITS) -> VerifiedPackage:
    """Open the package at `path`, steps 1 to 7. Raises PackageRefused and its subclasses, OSError."""
    path = Path(path)
    shape: Shape = DirectoryShape(path, limits) if path.is_dir() else ArchiveShape(path, limits)
    try:
        content = shape.manifest_bytes()  # 6.1
        _check_digest(shape, content)  # 6.2
        manifest = decode_manifest(content, str(path), limits)  # 6.3 to 6.6
        shape.check_names(manifest.files)  # 6.7
    except BaseException:
        shape.close()
        raise
    return VerifiedPackage(shape, manifest, content)


def _check_digest(shape: Shape, content: bytes) -> None:
    wanted, found = digest_file(digest_bytes(content)), shape.digest_bytes()
    if wanted != found:
        shown = found[:80].decode("ascii", "replace")
        raise PackageDamaged(shape.where, DIGEST_NAME, expected=repr(wanted.decode()), found=repr(shown))


def write_package(manifest: Manifest, files: Mapping[str, bytes], out: Path | str) -> Digest:
    """Write a package with `files` to `out`: one file if its name ends in `.tar`, else a directory. Returns its digest.

    `manifest.files` is replaced by what `files` holds. A package that is already at `out` is replaced. Raises
    PackageRefused when the manifest breaks a rule, TargetOccupied when `out` is something else.
    """
    out = Path(out)
    entries = tuple(_entry(path, files[path]) for path in sorted(files))
    # Decoded again, so that a whole number where the format has a double is written as a double.
    manifest = msgspec.json.decode(canonical(msgspec.structs.replace(manifest, files=entries)), type=Manifest)
    check_manifest(manifest, str(out), LIMITS)
    content = canonical(manifest)
    if len(content) > LIMITS.manifest_bytes:
        raise PackageRefused(f"{out}: manifest: expected at most {LIMITS.manifest_bytes} bytes, found {len(content)}")
    _check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write = _write_archive if out.suffix == ".tar" else _write_directory
    write(out, content, ((entry, files[entry.path]) for entry in entries))
    return digest_bytes(content)


def build(source: Path | str, out: Path | str) -> Digest:
    """Build the package described by directory `source`; see `read_source`, `write_package`."""
    manifest, files = read_source(Path(source))
    return write_package(manifest, files, out)


def read_source(source: Path) -> tuple[Manifest, Mapping[str, bytes]]:
    """Read `package.toml` (or `manifest.json`, its `files` ignored) and every other file under `source`.

    Files are read when asked for, so that only one is in memory at a time. Raises PackageRefused.
    """
    if (source / _SKELETON).is_file():
        text, name = (source / _SKELETON).read_bytes(), _SKELETON
    elif (source / MANIFEST_NAME).is_file():
        text, name = (source / MANIFEST_NAME).read_bytes(), MANIFEST_NAME
    else:
        raise PackageRefused(
            f"{source}: expected {_SKELETON} or {MANIFEST_NAME} that describes the package, found none"
        )
    try:
        fields = (
            tomllib.loads(text.decode()) if name == _SKELETON else msgspec.json.decode(text, type=dict[str, object])
        )
        manifest = msgspec.convert({**fields, "files": []}, type=Manifest)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise PackageRefused(f"{source / name}: {error}") from error
    return manifest, _SourceFiles(source)


class _SourceFiles(Mapping[str, bytes]):
    """The files of a source directory by path, read anew at each look-up."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._paths = [path for path in self._list() if path not in {_SKELETON, MANIFEST_NAME, DIGEST_NAME}]

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        return (self._directory / path).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def _list(self) -> Iterator[str]:
        for path in sorted(self._directory.rglob("*")):
            name = path.relative_to(self._directory).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise PackageRefused(f"{path}: expected regular files only; copy what the link leads to")
            if path.is_file():
                if name not in {_SKELETON, MANIFEST_NAME, DIGEST_NAME} and not is_path(name):
                    raise PackageRefused(f"{path}: expected a name of [a-z0-9._-] segments, not hidden; rename it")
                yield name


def _entry(path: str, content: bytes) -> FileEntry:
    return FileEntry(path=path, size_bytes=len(content), sha256=digest_bytes(content))


def _check_target(out: Path) -> None:
    """Raise unless `out` is free, empty, or a package: replacing a directory removes it, so it must be ours."""
    if out.suffix == ".tar":
        occupied = out.is_dir() or (out.exists() and not out.is_file())
    elif out.is_dir():
        names = {path.name for path in out.iterdir()}
        occupied = bool(names) and not {MANIFEST_NAME, DIGEST_NAME} <= names
    else:
        occupied = out.exists() or out.is_symlink()
    if occupied:
        raise TargetOccupied(
            f"{out}: expected nothing or a package to replace, found something else; name another place"
        )


def _members(out: Path, content: bytes, files: Iterator[tuple[FileEntry, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield every member in order; a file that changed since it was listed stops the build."""
    yield MANIFEST_NAME, content
    yield DIGEST_NAME, digest_file(digest_bytes(content))
    for entry, file in files:
        if digest_bytes(file) != entry.sha256:
            raise PackageRefused(f"{out}: {entry.path} changed while the package was written; build it again")
        yield entry.path, file


def _write_archive(out: Path, content: bytes, files: Iterator[tuple[FileEntry, bytes]]) -> None:
    with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as partial:
        try:
            write_members(_members(out, content, files), partial.write)
            partial.flush()
            os.fsync(partial.fileno())
            os.fchmod(partial.fileno(), 0o644)
            os.replace(partial.name, out)  # noqa: PTH105  # the open file's own name, a str
        except BaseException:
            Path(partial.name).unlink()
            raise


def _write_directory(out: Path, content: bytes, files: Iterator[tuple[FileEntry, bytes]]) -> None:
    partial = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        for path, member in _members(out, content, files):
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(member)
        partial.chmod(0o755)
        if out.is_dir():
            shutil.rmtree(out)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
