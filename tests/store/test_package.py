"""Packages: both forms, deterministic bytes, and what reading refuses."""

from __future__ import annotations

import tarfile
from pathlib import Path

import msgspec
import pytest

from holdfast.digest import canonical
from holdfast.manifest import Manifest
from holdfast.store.layout import PackageRefused
from holdfast.store.package import TargetOccupied, build, open_package, write_package


def test_a_package_reads_back_what_was_written(package: Path, files: dict[str, bytes]) -> None:
    with open_package(package) as opened:
        assert {path: opened.read(path) for path in files} == files


def test_writing_twice_gives_the_same_bytes(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    first = write_package(manifest, files, tmp_path / "a.tar")
    second = write_package(manifest, dict(reversed(files.items())), tmp_path / "b.tar")
    assert first == second
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_both_forms_have_the_same_digest(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    assert write_package(manifest, files, tmp_path / "a") == write_package(manifest, files, tmp_path / "a.tar")


def test_other_tools_can_unpack_an_archive(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        assert tar.getnames()[:2] == ["manifest.json", "DIGEST"]
        tar.extractall(tmp_path / "out", filter="data")
    with open_package(tmp_path / "out") as opened:
        opened.verify()


def test_a_source_directory_builds_into_the_package_it_was_unpacked_from(directory: Path, tmp_path: Path) -> None:
    with open_package(directory) as opened:
        assert build(directory, tmp_path / "again.tar") == opened.digest


def test_a_source_may_be_described_in_toml(tmp_path: Path) -> None:
    source = Path(__file__).parent / "source"
    digest = build(source, tmp_path / "out")
    with open_package(tmp_path / "out") as opened:
        assert (opened.digest, opened.manifest.name) == (digest, "small")


def test_a_whole_number_in_a_manifest_is_written_as_the_format_says(
    tmp_path: Path, manifest: Manifest, files: dict[str, bytes]
) -> None:
    whole = msgspec.structs.replace(manifest, trial=msgspec.structs.replace(manifest.trial, tolerance=1))
    write_package(whole, files, tmp_path / "p")
    with open_package(tmp_path / "p") as opened:
        assert b'"tolerance":1.0' in opened.manifest_bytes


def test_a_directory_that_is_no_package_is_never_replaced(
    tmp_path: Path, manifest: Manifest, files: dict[str, bytes]
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters").write_text("dear")
    with pytest.raises(TargetOccupied, match="something else"):
        write_package(manifest, files, tmp_path / "home")
    assert (tmp_path / "home" / "letters").read_text() == "dear"


def test_a_package_is_replaced_by_a_newer_build(directory: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    digest = write_package(msgspec.structs.replace(manifest, version="2.0.0"), files, directory)
    with open_package(directory) as opened:
        assert opened.digest == digest


def test_a_failed_build_leaves_nothing(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    with pytest.raises(PackageRefused, match=r"trial\.file"):
        write_package(manifest, {k: v for k, v in files.items() if k != "trial.jsonl"}, tmp_path / "x" / "p.tar")
    assert not (tmp_path / "x").exists()


def test_the_manifest_is_its_own_canonical_encoding(package: Path) -> None:
    with open_package(package) as opened:
        assert canonical(opened.manifest) == opened.manifest_bytes
