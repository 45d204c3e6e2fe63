"""The archive form: exactly one spelling, the one that other tools read too."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.store.archive import header, padding, write_members
from holdfast.store.layout import PackageRefused, is_path
from holdfast.store.package import open_package, write_package

from .samples import FILES, MANIFEST

segments = st.from_regex(r"[a-z0-9_][a-z0-9._-]{0,11}", fullmatch=True)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(is_path)
contents = st.dictionaries(paths.map(lambda path: "x/" + path).filter(is_path), st.binary(max_size=1500), max_size=6)


def without_clashes(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out files whose path another file needs as a directory."""
    return {path: content for path, content in files.items() if not any(p.startswith(path + "/") for p in files)}


def header_by_python(path: str, size: int) -> bytes:
    """What Python's tar writer makes of a plain file, with device numbers as POSIX has them: Python leaves them out."""
    member = tarfile.TarInfo(path)
    member.size = size
    block = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    block[329:345] = b"0000000\x000000000\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\x00 " % sum(block)
    return bytes(block)


@given(contents.map(without_clashes))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_an_archive_equals_its_own_serialisation(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    out = tmp_path_factory.mktemp("p") / "p.tar"
    write_package(MANIFEST, {**FILES, **files}, out)
    with open_package(out) as opened:
        read = [(path, opened.read(path)) for path in sorted({**FILES, **files})]
        members = [("manifest.json", opened.manifest_bytes), ("DIGEST", f"{opened.digest}\n".encode()), *read]
    again = io.BytesIO()
    write_members(members, again.write)
    assert out.read_bytes() == again.getvalue()


@pytest.mark.skipif(shutil.which("tar") is None, reason="no tar on this machine")
def test_an_archive_is_what_gnu_tar_writes(archive: Path, directory: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.tar"
    plain = ["--format=ustar", "--blocking-factor=1", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@0"]
    names = ["manifest.json", "DIGEST", *sorted(FILES)]
    subprocess.run(["tar", *plain, "--mode=0644", "-cf", theirs, "-C", directory, *names], check=True)
    assert archive.read_bytes() == theirs.read_bytes()


@given(paths, st.integers(0, (1 << 33) - 1))
@settings(derandomize=True, max_examples=200)
def test_a_header_is_what_the_standard_library_writes(path: str, size: int) -> None:
    assert header(path, size) == header_by_python(path, size)


@given(st.integers(0, 1 << 20))
@settings(derandomize=True)
def test_padding_fills_whole_blocks(size: int) -> None:
    assert (size + len(padding(size))) % 512 == 0
    assert len(padding(size)) < 512


def test_something_else_than_a_package_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "photo.tar").write_bytes(b"\x89PNG" + bytes(2000))
    with pytest.raises(PackageRefused, match="something that is no tar header"):
        open_package(tmp_path / "photo.tar")
