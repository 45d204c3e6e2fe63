"""At start-up: a package whose bundled answers it does not give is marked bad, and the previous one serves."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from holdfast.inference import InferenceRequest
from holdfast.measure import Measures
from holdfast.node.healthy import healthy_loadout
from holdfast.node.loadouts import Workshop
from holdfast.runtime.linear_engine import LinearEngine
from holdfast.settings.tree import Settings
from holdfast.store.choice import Examined, InstallLimits
from holdfast.store.install import install
from holdfast.store.package import write_package
from holdfast.store.shelf import NoGoodPackage, Store, StoreLimits
from holdfast.tier import Tier
from holdfast.trust.verify import admit_local
from tests.runtime import tiny

WORKSHOP = Workshop(Settings(), tiny.clock, Measures(), workers=False)


def admit(package):
    return admit_local(package, allow_unsigned=True)


def trial(*, off_by: float) -> bytes:
    """One row that the package answers as it says, or off by so much."""
    engine = LinearEngine(tiny.manifest(), tiny.files())
    said = engine.answer(InferenceRequest(texts=("server down",), deadline_s=tiny.clock.monotonic_s() + 5))[0]
    first, *rest = said.heads["route"].probabilities
    label = tiny.ROUTE[max(range(3), key=said.heads["route"].probabilities.__getitem__)]
    expected = {"small": {"route": {"label": label, "probabilities": [first + off_by, *rest]}}}
    return json.dumps({"text": "server down", "expected": expected}).encode()


def add(store: Store, tmp_path: Path, version: str, *, off_by: float = 0.0, **files: bytes) -> None:
    """Install a version as if this machine had been content with it."""
    content = {**tiny.files(), "reference.json": b"{}", "trial.jsonl": trial(off_by=off_by), **files}
    manifest = msgspec.structs.replace(tiny.manifest(content), version=version)
    write_package(manifest, content, tmp_path / "p.tar")
    install(
        store,
        tmp_path / "p.tar",
        admit=admit,
        examine=lambda _, names: [Examined(name) for name in names],
        limits=InstallLimits(),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "packages", limits=StoreLimits(keep_free_bytes=0), clock=tiny.clock)


def test_a_healthy_package_serves(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "1.0.0")
    loadout = healthy_loadout(store, tiny.manifest().name, admit=admit, workshop=WORKSHOP)
    assert loadout.version == "1.0.0"
    assert {Tier.SMALL, Tier.RULES} <= set(loadout.engines)


def test_a_package_that_deviates_gives_way_to_the_previous_one_and_is_marked(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "1.0.0")
    add(store, tmp_path, "1.1.0", off_by=0.2)
    loadout = healthy_loadout(store, tiny.manifest().name, admit=admit, workshop=WORKSHOP)
    assert loadout.version == "1.0.0"
    assert loadout.shortfall
    assert [finding.name for finding in store.findings()] == ["package-unhealthy"]


def test_weights_that_cannot_be_read_give_way_too(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "1.0.0")
    add(store, tmp_path, "1.1.0", **{"heads/route.ngram": b"no tensors"})
    assert healthy_loadout(store, tiny.manifest().name, admit=admit, workshop=WORKSHOP).version == "1.0.0"


def test_with_nothing_healthy_there_is_no_good_package(store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, "1.0.0", off_by=0.2)
    with pytest.raises(NoGoodPackage):
        healthy_loadout(store, tiny.manifest().name, admit=admit, workshop=WORKSHOP)
