"""The store at start-up: what is loaded when files were changed behind its back."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.digest import digest_bytes
from holdfast.store.blobs import BlobDamaged, Blobs
from holdfast.store.install import InstallReport, activate, rollback
from holdfast.store.layout import PackageDamaged
from holdfast.store.package import open_package
from holdfast.store.shelf import LoadedPackage, NoGoodPackage, Store, StoreLimits
from holdfast.store.slots import BadMark, MarkedBad
from holdfast.trust.verify import admit_local

from .samples import FILES, HeldClock, admit

Make = Callable[..., Path]
Put = Callable[[Path], InstallReport]
NAME = "triage-test"
NEW_FILES = {**FILES, "encoder/int8.onnx": b"another graph"}


@pytest.fixture
def two(store: Store, put: Put, make: Make) -> Store:
    """A store whose active version is 1.1.0 and whose previous one is 1.0.0."""
    put(make("1.0.0"))
    put(make("1.1.0", files=NEW_FILES))
    return store


def graph_of(store: Store, version: str) -> Path:
    content = FILES if version == "1.0.0" else NEW_FILES
    entry = store.read(store.version(NAME, version)).manifest.files[0]
    path = store.directory / "blobs" / entry.sha256[7:9] / entry.sha256[7:]
    assert path.read_bytes() == content["encoder/int8.onnx"]
    path.chmod(0o644)
    return path


def reopened(store: Store) -> Store:
    return Store(store.directory, limits=StoreLimits(keep_free_bytes=0), clock=HeldClock())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3] ^= 0x10
    path.write_bytes(content)


def swap_for_a_link(path: Path) -> None:
    other = path.with_name("elsewhere")
    path.rename(other)
    path.symlink_to(other)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "gone": Path.unlink,
    "a link": swap_for_a_link,
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_active_version_gives_way_to_the_previous_one(two: Store, damage: Callable[[Path], object]) -> None:
    damage(graph_of(two, "1.1.0"))
    loaded = reopened(two).load(NAME, admit=admit)
    assert loaded.manifest.version == "1.0.0"
    assert loaded.files == FILES
    assert loaded.fallen_from is not None


def test_a_fall_back_is_found_told_and_kept_over_a_restart(two: Store) -> None:
    flip(graph_of(two, "1.1.0"))
    first = reopened(two)
    first.load(NAME, admit=admit)
    again = reopened(two)
    assert [event.event for event in first.events()] == ["fell_back"]
    assert [finding.name for finding in again.findings()] == ["package-unverified"]
    assert again.load(NAME, admit=admit).manifest.version == "1.0.0"


def test_with_no_good_version_left_the_store_says_so(two: Store) -> None:
    flip(graph_of(two, "1.1.0"))
    flip(graph_of(two, "1.0.0"))
    with pytest.raises(NoGoodPackage, match=r"1\.1\.0.*1\.0\.0"):
        reopened(two).load(NAME, admit=admit)


def test_a_damaged_manifest_gives_way_too(two: Store) -> None:
    digest = two.version(NAME, "1.1.0").digest
    path = two.directory / "blobs" / digest[7:9] / digest[7:]
    path.chmod(0o644)
    flip(path)
    assert reopened(two).load(NAME, admit=admit).manifest.version == "1.0.0"


def test_a_name_never_installed_has_no_good_version(store: Store) -> None:
    with pytest.raises(NoGoodPackage, match="none active"):
        store.load("stranger", admit=admit)


def test_a_fall_back_works_where_nothing_can_be_written(two: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(graph_of(two, "1.1.0"))
    opened = reopened(two)

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("holdfast.store.statefile.write_durably", full)
    assert opened.load(NAME, admit=admit).manifest.version == "1.0.0"
    assert {finding.name for finding in opened.findings()} == {"package-unverified", "store-state-unwritable"}


def test_an_unhealthy_version_is_never_activated_by_name(two: Store) -> None:
    digest = two.version(NAME, "1.1.0").digest
    two.mark_bad(NAME, digest, BadMark(kind="unhealthy", sentence="its health check deviates by 0.3"))
    assert two.load(NAME, admit=admit).manifest.version == "1.0.0"
    assert two.findings()[0].name == "package-unhealthy"
    with pytest.raises(MarkedBad, match="deviates"):
        activate(two, f"{NAME}@1.1.0", admit=admit)


def test_installing_a_mended_version_clears_the_alert(two: Store, put: Put, make: Make) -> None:
    flip(graph_of(two, "1.1.0"))
    two.load(NAME, admit=admit)
    put(make("1.1.0", files=NEW_FILES))
    assert two.load(NAME, admit=admit).manifest.version == "1.1.0"
    assert two.findings() == ()


def test_activating_what_answers_accepts_the_fall_back(two: Store) -> None:
    flip(graph_of(two, "1.1.0"))
    two.load(NAME, admit=admit)
    assert f"holdfast package activate {NAME}@1.0.0" in two.findings()[0].next_step
    activate(two, f"{NAME}@1.0.0", admit=admit)
    assert two.findings() == ()
    assert two.load(NAME, admit=admit).fallen_from is None


def test_a_damaged_version_cannot_be_activated(two: Store) -> None:
    flip(graph_of(two, "1.0.0"))
    with pytest.raises(BlobDamaged, match="install the package again"):
        rollback(two, NAME, admit=admit)
    assert two.load(NAME, admit=admit).manifest.version == "1.1.0"


def test_an_unsigned_version_is_not_loaded_once_that_is_forbidden(two: Store) -> None:
    def strict(package: LoadedPackage):
        return admit_local(package, allow_unsigned=False)

    with pytest.raises(NoGoodPackage, match=r"trust\.allow_unsigned"):
        two.load(NAME, admit=strict)
    assert [finding.name for finding in two.findings()] == ["package-not-admitted"]
    assert two.load(NAME, admit=admit).manifest.version == "1.1.0"


def test_what_was_loaded_never_changes_with_the_disk(two: Store) -> None:
    loaded = two.load(NAME, admit=admit)
    path = graph_of(two, "1.1.0")
    path.write_bytes(b"overwritten in place")
    assert loaded.files["encoder/int8.onnx"] == NEW_FILES["encoder/int8.onnx"]


def test_whatever_an_attacker_does_meanwhile_a_read_returns_the_verified_bytes_or_nothing(tmp_path: Path) -> None:
    blobs, content = Blobs(tmp_path), bytes(range(256)) * 512
    digest = digest_bytes(content)
    blobs.put(content, digest)
    path = tmp_path / digest[7:9] / digest[7:]
    path.chmod(0o644)
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            for forged in (content[:-1] + b"!", content):
                with path.open("r+b") as file:
                    file.write(forged)

    attacker = threading.Thread(target=attack)
    attacker.start()
    returned = set()
    for _ in range(300):
        with suppress(BlobDamaged):
            returned.add(blobs.read(digest))
    stop.set()
    attacker.join()
    assert returned <= {content}


def test_changing_a_package_in_place_after_opening_is_refused_at_the_read(directory: Path) -> None:
    with open_package(directory) as opened:
        opened.verify()
        graph = directory / "encoder" / "int8.onnx"
        graph.write_bytes(graph.read_bytes()[::-1])
        with pytest.raises(PackageDamaged, match="expected sha256"):
            opened.read("encoder/int8.onnx")


def test_renaming_another_archive_over_an_open_one_changes_nothing(archive: Path, make: Make) -> None:
    with open_package(archive) as opened:
        make("6.6.6", files=NEW_FILES).rename(archive)
        assert opened.read("encoder/int8.onnx") == FILES["encoder/int8.onnx"]
