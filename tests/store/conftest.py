"""A store, and a small package in each of its forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from holdfast.manifest import Manifest
from holdfast.store.choice import InstallLimits
from holdfast.store.install import InstallReport, install
from holdfast.store.package import write_package
from holdfast.store.shelf import Store, StoreLimits

from .samples import FILES, MANIFEST, HeldClock, admit, examine


@pytest.fixture
def manifest() -> Manifest:
    return MANIFEST


@pytest.fixture
def files() -> dict[str, bytes]:
    return dict(FILES)


@pytest.fixture(params=["directory", "archive"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same package in each of its two forms."""
    out = tmp_path / ("p.tar" if request.param == "archive" else "p")
    write_package(MANIFEST, FILES, out)
    return out


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_package(MANIFEST, FILES, tmp_path / "p")
    return tmp_path / "p"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_package(MANIFEST, FILES, tmp_path / "p.tar")
    return tmp_path / "p.tar"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a version of the package: `make("1.1.0", description="…", files={…})`."""

    def write(version: str = "1.0.0", files: dict[str, bytes] | None = None, **changes: object) -> Path:
        out = tmp_path / f"made-{version}-{len(list(tmp_path.iterdir()))}.tar"
        write_package(msgspec.structs.replace(MANIFEST, version=version, **changes), files or FILES, out)
        return out

    return write


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def store(tmp_path: Path, clock: HeldClock) -> Store:
    return Store(tmp_path / "data" / "packages", limits=StoreLimits(keep_free_bytes=0), clock=clock)


@pytest.fixture
def put(store: Store) -> Callable[[Path], InstallReport]:
    """Install a package into the store with engines that are content with everything."""
    return lambda path: install(store, path, admit=admit, examine=examine, limits=InstallLimits())
