"""Sealed model bytes."""

from __future__ import annotations

import mmap
import os

import pytest

from holdfast.digest import digest_bytes
from holdfast.runtime.sealed import UnverifiedModel, seal, seal_model
from tests.runtime import tiny

CONTENT = b"weights" * 1000


def test_what_is_sealed_can_be_read_and_never_written_grown_or_cut() -> None:
    sealed = seal("graph", CONTENT, expected=digest_bytes(CONTENT))
    assert os.pread(sealed.fd, len(CONTENT), 0) == CONTENT
    for change in (
        lambda: os.pwrite(sealed.fd, b"!", 0),
        lambda: os.ftruncate(sealed.fd, 1),
        lambda: os.ftruncate(sealed.fd, 1 << 20),
        lambda: mmap.mmap(sealed.fd, 10, mmap.MAP_SHARED, mmap.PROT_WRITE),
    ):
        with pytest.raises(PermissionError):
            change()


@pytest.mark.parametrize("bit", [0, 7, 3501, len(CONTENT) * 8 - 1])
def test_one_flipped_bit_is_refused(bit) -> None:
    flipped = bytearray(CONTENT)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(UnverifiedModel, match="install the package again"):
        seal("graph", bytes(flipped), expected=digest_bytes(CONTENT))


def test_a_model_whose_file_is_missing_is_refused_by_name() -> None:
    manifest, files = tiny.manifest(), dict(tiny.files())
    del files["tiny/tokenizer.json"]
    with pytest.raises(UnverifiedModel, match=r"tiny/tokenizer\.json"):
        seal_model(manifest, manifest.variants[0], files)


def test_a_model_is_named_by_its_bytes() -> None:
    same, other = tiny.sealed(), tiny.sealed({"tiny/tokenizer.json": tiny.tokenizer() + b" "})
    assert tiny.sealed().digest == same.digest
    assert other.digest != same.digest
