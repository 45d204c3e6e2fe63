"""One flipped bit anywhere in a package, in either form: refused before a byte is used."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.cli.main import main
from holdfast.digest import digest_bytes
from holdfast.store.layout import PackageDamaged, PackageRefused
from holdfast.store.package import open_package

from .samples import FILES

SEED = 20261121
EVERY_FILE = ["manifest.json", "DIGEST", *(path for path, content in FILES.items() if content)]
each_count = pytest.mark.parametrize("count", [50, pytest.param(500, marks=pytest.mark.faults)])


def flips(path: Path, count: int, *, first: int = 0, last: int | None = None) -> Iterator[int]:
    """Flip one bit of the file, yield which, mend it, `count` times: the first and last bits, then others by chance."""
    rng, end = random.Random(SEED), (path.stat().st_size if last is None else last) * 8
    for i in range(count):
        bit = (first * 8, end - 1)[i] if i < 2 else rng.randrange(first * 8, end)
        with flipped(path, bit):
            yield bit


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """Flip one bit in place, and back."""
    fd = os.open(path, os.O_RDWR)
    try:
        (byte,) = os.pread(fd, 1, bit // 8)
        os.pwrite(fd, bytes([byte ^ 1 << bit % 8]), bit // 8)
        yield
        os.pwrite(fd, bytes([byte]), bit // 8)
    finally:
        os.close(fd)


def refused(path: Path) -> bool:
    """Say whether the package is refused, at opening or at reading every file."""
    try:
        with open_package(path) as opened:
            opened.verify()
    except PackageRefused:
        return True
    return False


@each_count
@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_flipped_bit_in_any_file_of_a_directory_is_refused(directory: Path, name: str, count: int) -> None:
    for bit in flips(directory / name, count):
        assert refused(directory), f"{name}: bit {bit} (seed {SEED})"


def regions(content: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (what, first byte, end) of every header, content and padding of an archive, and of its end."""
    offset = 0
    while content[offset]:
        name = content[offset : offset + 100].rstrip(b"\0").decode()
        size = int(content[offset + 124 : offset + 135], 8)
        yield f"header of {name}", offset, offset + 512
        start, end = offset + 512, offset + 512 + size
        offset = end + -size % 512
        if size:
            yield f"content of {name}", start, end
        if offset > end:
            yield f"padding of {name}", end, offset
    yield "end", offset, len(content)


@each_count
def test_a_flipped_bit_in_any_header_content_or_padding_of_an_archive_is_refused(archive: Path, count: int) -> None:
    content = archive.read_bytes()
    places = list(regions(content))
    assert sum(end - first for _, first, end in places) == len(content), "every byte is in some region"
    assert {what.partition(" ")[0] for what, _, _ in places} == {"header", "content", "padding", "end"}
    for what, first, last in places:
        for bit in flips(archive, count, first=first, last=last):
            assert refused(archive), f"{what}: bit {bit} (seed {SEED})"


@pytest.mark.faults
def test_every_single_bit_of_every_header_and_padding_matters(archive: Path) -> None:
    for what, first, last in regions(archive.read_bytes()):
        for bit in range(first * 8, last * 8) if not what.startswith("content") else ():
            with flipped(archive, bit):
                assert refused(archive), f"{what}: bit {bit}"


def test_a_package_cut_short_anywhere_is_refused(archive: Path) -> None:
    content, rng = archive.read_bytes(), random.Random(SEED)
    for length in [0, 1, 511, 512, len(content) - 1, *(rng.randrange(len(content)) for _ in range(50))]:
        archive.write_bytes(content[:length])
        assert refused(archive), length


@pytest.mark.parametrize("more", [b"\0", bytes(512), bytes(1024), bytes(8192), b"x"])
def test_anything_after_the_end_of_an_archive_is_refused(archive: Path, more: bytes) -> None:
    archive.write_bytes(archive.read_bytes() + more)
    assert refused(archive)


def test_a_flipped_bit_exits_65_from_the_command_line(archive: Path) -> None:
    for _ in flips(archive, 20):
        assert main(["package", "verify", str(archive)]) == 65


def test_a_digest_made_to_fit_a_changed_manifest_is_another_package(directory: Path) -> None:
    with open_package(directory) as opened:
        before = opened.digest
    changed = (directory / "manifest.json").read_bytes().replace(b'"version":"1.0.0"', b'"version":"1.0.1"')
    (directory / "manifest.json").write_bytes(changed)
    (directory / "DIGEST").write_text(digest_bytes(changed) + "\n")
    with open_package(directory) as opened:
        assert opened.digest != before


def test_a_file_made_to_fit_its_size_but_not_its_digest_is_refused_when_read(directory: Path) -> None:
    (directory / "heads/priority.mlp").write_bytes(bytes(1024))
    with open_package(directory) as opened, pytest.raises(PackageDamaged, match=r"heads/priority\.mlp"):
        opened.read("heads/priority.mlp")
