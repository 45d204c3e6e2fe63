"""Files and names that change while a package is being installed, and verbs that meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.store.choice import Examined, InstallLimits
from holdfast.store.install import InstallReport, install
from holdfast.store.layout import PackageDamaged, PackageRefused
from holdfast.store.package import VerifiedPackage, write_package
from holdfast.store.shelf import LoadedPackage, Store

from .samples import FILES, MANIFEST, admit, examine

Make = Callable[..., Path]
Put = Callable[[Path], InstallReport]
FORGED = {**FILES, "encoder/int8.onnx": b"forged"}


def test_a_package_swapped_after_it_was_admitted_is_not_what_is_installed(
    store: Store, archive: Path, make: Make
) -> None:
    forged = make("1.0.0", files=FORGED)

    def admit_then_swap(package: LoadedPackage | VerifiedPackage):
        forged.rename(archive)
        return admit(package)

    install(store, archive, admit=admit_then_swap, examine=examine, limits=InstallLimits())
    assert store.load("triage-test", admit=admit).files == FILES


def test_a_package_changed_in_place_after_it_was_admitted_is_refused(store: Store, directory: Path) -> None:
    def admit_then_change(package: LoadedPackage | VerifiedPackage):
        (directory / "encoder/int8.onnx").write_bytes(FILES["encoder/int8.onnx"][::-1])
        return admit(package)

    with pytest.raises(PackageDamaged, match=r"encoder/int8\.onnx"):
        install(store, directory, admit=admit_then_change, examine=examine, limits=InstallLimits())
    assert store.used_bytes() == 0


def test_what_is_examined_is_what_was_stored(store: Store, directory: Path) -> None:
    seen: list[bytes] = []

    def examine_after_a_swap(package: LoadedPackage, names: Sequence[str]) -> list[Examined]:
        write_package(MANIFEST, FORGED, directory)
        seen.append(package.files["encoder/int8.onnx"])
        return examine(package, names)

    install(store, directory, admit=admit, examine=examine_after_a_swap, limits=InstallLimits())
    assert seen == [FILES["encoder/int8.onnx"]]


def test_a_blob_changed_between_examination_and_activation_keeps_the_old_version(
    store: Store, put: Put, make: Make
) -> None:
    put(make("1.0.0"))

    def examine_then_damage(package: LoadedPackage, names: Sequence[str]) -> list[Examined]:
        (entry,) = [e for e in package.manifest.files if e.path == "rules.toml"]
        blob = store.directory / "blobs" / entry.sha256[7:9] / entry.sha256[7:]
        blob.chmod(0o644)
        blob.write_bytes(b"# changed")
        return examine(package, names)

    new = make("2.0.0", files={**FILES, "rules.toml": b"# mended"})
    with pytest.raises(PackageRefused, match="install the package again"):
        install(store, new, admit=admit, examine=examine_then_damage, limits=InstallLimits())
    assert store.load("triage-test", admit=admit).manifest.version == "1.0.0"


def test_installing_activating_and_cleaning_up_at_once_loses_nothing(store: Store, put: Put, make: Make) -> None:
    packages = [make(f"1.{i}.0", files={**FILES, "rules.toml": b"# %d" % i}) for i in range(6)]
    with ThreadPoolExecutor(max_workers=10) as threads:
        acts = [threads.submit(put, package) for package in packages]
        acts += [threads.submit(store.collect) for _ in range(4)]
    assert [act.exception() for act in acts] == [None] * 10
    active = store.slots("triage-test").by_digest(store.slots("triage-test").active)
    assert active is not None
    assert store.load("triage-test", admit=admit).manifest.version == active.version
