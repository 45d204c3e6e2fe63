"""The checked-in packages: each is accepted or refused as its file says, in both forms where it has both."""

from __future__ import annotations

import base64
import json
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from holdfast.store.layout import PackageRefused
from holdfast.store.package import open_package

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "packages").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads(path.read_text())
    return vector


def verified(package: Path) -> str:
    with open_package(package) as opened:
        opened.verify()
        return opened.digest


def test_there_are_vectors_for_every_step_that_refuses() -> None:
    steps = {read(path)["verdict"].get("step") for path in VECTORS}
    assert steps == {None, 1, 2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_vector_gets_its_verdict(path: Path, tmp_path: Path) -> None:
    vector = read(path)
    verdict, package = vector["verdict"], tmp_path / "p.tar"
    package.write_bytes(zlib.decompress(base64.b64decode(vector["archive_zlib_base64"])))
    if verdict["accepted"]:
        assert verified(package) == verdict["digest"]
        return
    with pytest.raises(PackageRefused) as refusal:
        verified(package)
    assert verdict["about"] in str(refusal.value)


@pytest.mark.parametrize("path", [path for path in VECTORS if read(path)["verdict"].get("step") == 8])
def test_wrong_content_is_found_when_it_is_read_and_not_before(path: Path, tmp_path: Path) -> None:
    (tmp_path / "p.tar").write_bytes(zlib.decompress(base64.b64decode(read(path)["archive_zlib_base64"])))
    with open_package(tmp_path / "p.tar") as opened, pytest.raises(PackageRefused):
        opened.verify()


@pytest.mark.parametrize("path", [path for path in VECTORS if read(path)["verdict"].get("step") in {3, 4, 5, 6}])
def test_an_unpacked_vector_gets_the_same_verdict(path: Path, tmp_path: Path) -> None:
    vector = read(path)
    (tmp_path / "p.tar").write_bytes(zlib.decompress(base64.b64decode(vector["archive_zlib_base64"])))
    with tarfile.open(tmp_path / "p.tar") as tar:
        tar.extractall(tmp_path / "p", filter="data")
    with pytest.raises(PackageRefused) as refusal:
        open_package(tmp_path / "p")
    assert vector["verdict"]["about"] in str(refusal.value)
