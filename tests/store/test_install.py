"""Installing: what is refused, what is chosen, and what the store holds afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from holdfast.store.choice import ExaminationFailed, Examined, InstallLimits, OverMemory, UnknownVariant
from holdfast.store.install import InstallReport, VersionTaken, activate, install, rollback, stage
from holdfast.store.layout import PackageRefused
from holdfast.store.shelf import QuotaExceeded, Store, StoreLimits
from holdfast.store.slots import NothingPrevious, VersionNotInstalled
from holdfast.tier import Tier
from holdfast.trust.verify import UnsignedPackage, admit_local

from .samples import FILES, MANIFEST, admit, examine

Make = Callable[..., Path]
Put = Callable[[Path], InstallReport]


def test_an_installed_package_is_active_and_loads_whole(
    store: Store, put: Put, package: Path, files: dict[str, bytes]
) -> None:
    report = put(package)
    loaded = store.load("triage-test", admit=admit)
    assert (report.active, report.unsigned, loaded.digest) == (True, True, report.digest)
    assert loaded.files == files


def test_a_staged_package_waits_until_it_is_activated(store: Store, put: Put, make: Make) -> None:
    put(make("1.0.0"))
    stage(store, make("1.1.0"), admit=admit, examine=examine, limits=InstallLimits())
    assert store.load("triage-test", admit=admit).manifest.version == "1.0.0"
    activate(store, "triage-test@1.1.0", admit=admit)
    assert store.load("triage-test", admit=admit).manifest.version == "1.1.0"


def test_an_unsigned_package_is_refused_by_the_name_of_the_setting(store: Store, package: Path) -> None:
    with pytest.raises(UnsignedPackage, match=r"trust\.allow_unsigned"):
        install(
            store,
            package,
            admit=lambda p: admit_local(p, allow_unsigned=False),
            examine=examine,
            limits=InstallLimits(),
        )
    assert store.used_bytes() == 0


def test_changed_labels_store_no_weights_again(store: Store, put: Put, make: Make, files: dict[str, bytes]) -> None:
    put(make("1.0.0"))
    relabelled = msgspec.structs.replace(MANIFEST.heads[0], labels=("calm", "urgent"))
    report = put(make("1.1.0", heads=(relabelled,)))
    with_manifest_only = report.size_bytes - sum(map(len, files.values()))
    assert report.written_bytes == with_manifest_only


def test_an_unchanged_file_is_stored_once_over_all_versions(store: Store, put: Put, make: Make) -> None:
    for i in range(5):
        put(make(f"1.{i}.0"))
    versions = store.slots("triage-test").installed
    blobs = {blob for version in versions for blob in version.blobs}
    assert len(list((store.directory / "blobs").glob("??/*"))) == len(blobs) < 20


def test_the_fastest_variant_that_answers_rightly_serves_its_tier(store: Store, put: Put, package: Path) -> None:
    assert put(package).variants == {"full": "encoder-int8", "small": "ngram"}


def test_a_variant_with_wrong_vectors_gives_way_to_another(store: Store, package: Path) -> None:
    def picky(loaded, names):
        first, *rest = examine(loaded, names)
        return [Examined(variant=first.variant, problem="cosine .4"), *rest]

    report = install(store, package, admit=admit, examine=picky, limits=InstallLimits())
    assert report.variants["full"] == "encoder-fp32"
    assert report.problems == {"encoder-int8": "cosine .4"}


def test_a_package_that_answers_wrongly_is_not_installed(store: Store, put: Put, make: Make) -> None:
    put(make("1.0.0"))
    held = store.used_bytes()
    with pytest.raises(ExaminationFailed, match="deviates"):
        install(
            store,
            make("2.0.0", description="new"),
            admit=admit,
            examine=lambda _, names: [Examined(variant=name, problem="deviates by 0.2") for name in names],
            limits=InstallLimits(),
        )
    assert store.slots("triage-test").by_version("2.0.0") is None
    assert store.used_bytes() == held


def test_a_package_over_the_memory_budget_is_refused_and_what_fits_is_named(store: Store, package: Path) -> None:
    def heavy(loaded, names):
        return [one if one.variant == "ngram" else heavier(one, peak_mib=600) for one in examine(loaded, names)]

    with pytest.raises(OverMemory, match=r"88 MiB too much; what fits: ngram .*tiers\.highest = \"small\"") as refusal:
        install(store, package, admit=admit, examine=heavy, limits=InstallLimits())
    assert refusal.value.fitting == ("ngram",)


def test_a_pinned_variant_over_the_budget_is_refused_naming_the_other(store: Store, package: Path) -> None:
    limits = InstallLimits(memory_budget_bytes=70 << 20, pinned={"triage-test": "encoder-fp32"})
    with pytest.raises(OverMemory, match=r'packages\.triage-test\.variant = "encoder-int8"'):
        install(store, package, admit=admit, examine=examine, limits=limits)


def test_a_pinned_variant_serves_although_another_is_faster(store: Store, package: Path) -> None:
    limits = InstallLimits(pinned={"triage-test": "encoder-fp32"})
    assert install(store, package, admit=admit, examine=examine, limits=limits).variants["full"] == "encoder-fp32"


def test_an_unknown_pinned_variant_is_named(store: Store, package: Path) -> None:
    with pytest.raises(UnknownVariant, match="expected one of encoder-int8, encoder-fp32, ngram"):
        install(store, package, admit=admit, examine=examine, limits=InstallLimits(pinned={"triage-test": "int4"}))


def test_tiers_above_the_highest_are_not_examined(store: Store, package: Path) -> None:
    report = install(store, package, admit=admit, examine=examine, limits=InstallLimits(highest=Tier.SMALL))
    assert report.variants == {"small": "ngram"}
    assert set(report.measured) == {"ngram"}


def test_a_version_never_changes(store: Store, put: Put, make: Make) -> None:
    put(make("1.0.0"))
    with pytest.raises(VersionTaken, match="give the new content a new version"):
        put(make("1.0.0", description="other"))


def test_installing_again_mends_a_damaged_version(store: Store, put: Put, make: Make) -> None:
    report = put(make("1.0.0"))
    blob = next((store.directory / "blobs").glob("??/*"))
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    assert put(make("1.0.0")).digest == report.digest
    assert store.load("triage-test", admit=admit).digest == report.digest


def test_a_full_quota_refuses_before_a_byte_is_written(tmp_path: Path, clock, package: Path) -> None:
    store = Store(tmp_path / "small", limits=StoreLimits(quota_bytes=4096, keep_free_bytes=0), clock=clock)
    with pytest.raises(QuotaExceeded, match=r"holdfast package gc.*data\.package_quota_mib"):
        install(store, package, admit=admit, examine=examine, limits=InstallLimits())
    assert store.used_bytes() == 0


def test_rolling_back_makes_the_earlier_version_active(store: Store, put: Put, make: Make) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        put(make(version))
    assert rollback(store, "triage-test", admit=admit).version == "1.1.0"
    assert rollback(store, "triage-test", admit=admit).version == "1.0.0"
    with pytest.raises(NothingPrevious, match="found none"):
        rollback(store, "triage-test", admit=admit)


def test_activating_what_is_not_there_names_what_is(store: Store, put: Put, make: Make) -> None:
    put(make("1.0.0"))
    with pytest.raises(VersionNotInstalled, match=r"triage-test@9.*found 1\.0\.0"):
        activate(store, "triage-test@9.9.9", admit=admit)


def test_what_happened_is_told_once_for_the_ledger(store: Store, put: Put, make: Make, tmp_path: Path) -> None:
    put(make("1.0.0"))
    (tmp_path / "junk.tar").write_bytes(b"junk")
    with pytest.raises(PackageRefused):
        put(tmp_path / "junk.tar")
    assert [event.event for event in store.events()] == ["installed", "activated", "refused"]
    assert store.events() == ()


def test_bytes_written_are_counted_by_day(store: Store, put: Put, make: Make, clock) -> None:
    report = put(make("1.0.0"))
    clock.now = clock.now.replace(day=2)
    put(make("1.1.0", description="next day"))
    volume = store.state().written_bytes
    assert list(volume) == ["2026-05-01", "2026-05-02"]
    assert volume["2026-05-01"] > report.size_bytes
    assert volume["2026-05-02"] > 0


def test_collecting_keeps_active_previous_pinned_and_staged(store: Store, put: Put, make: Make) -> None:
    for i in range(6):
        put(make(f"1.{i}.0", files={**FILES, "rules.toml": b"# %d" % i}))
    store.pin("triage-test", "1.1.0")
    stage(store, make("2.0.0"), admit=admit, examine=examine, limits=InstallLimits())
    removed = store.collect()
    assert {v.version for v in store.slots("triage-test").installed} == {"1.1.0", "1.4.0", "1.5.0", "2.0.0"}
    assert removed.freed_bytes > 0
    assert store.load("triage-test", admit=admit).manifest.version == "1.5.0"


def heavier(one: Examined, *, peak_mib: int) -> Examined:
    assert one.measured is not None
    return Examined(variant=one.variant, measured=msgspec.structs.replace(one.measured, peak_rss_bytes=peak_mib << 20))
