"""What every test may use, and the rule that a skip must be listed."""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from holdfast.workbench.weights import WeightsUnreachable, fetch_public_weights
from tests.packages import once, write_trained
from tests.served import Start, starting

# Two busy cores make any example slow now and then: speed is the benches' business.
settings.register_profile("holdfast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("holdfast")

_ALLOWED_SKIPS = Path(__file__).parent / "skips.toml"


def _is_allowed(report: pytest.TestReport, allowed: list[dict[str, str]]) -> bool:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return any(fnmatch.fnmatch(report.nodeid, entry["test"]) and entry["reason"] in reason for entry in allowed)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when HOLDFAST_STRICT_SKIPS is set and a test skipped for a reason that skips.toml does not list."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("HOLDFAST_STRICT_SKIPS"):
        return
    allowed = tomllib.loads(_ALLOWED_SKIPS.read_text())["skip"]
    unlisted = [report for report in reporter.stats.get("skipped", []) if not _is_allowed(report, allowed)]
    if unlisted:
        reporter.write_line(f"{len(unlisted)} skips are not listed in {_ALLOWED_SKIPS}:", red=True)
        for report in unlisted:
            reporter.write_line(f"  {report.nodeid}: {report.longrepr}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _shared(factory: pytest.TempPathFactory) -> Path:
    """A directory that every process of this test run sees."""
    own = factory.getbasetemp()
    return (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "packages"


@pytest.fixture(scope="session")
def small_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`triage-en@0.9.0`, one file: n-grams only."""
    return once(_shared(tmp_path_factory), "small.tar", lambda path: write_trained(path, encoder_dir=None))


@pytest.fixture(scope="session")
def full_package(tmp_path_factory: pytest.TempPathFactory, public_weights: Path) -> Path:
    """`triage-en@0.9.1`, one file: the public encoder and n-grams."""
    shared = _shared(tmp_path_factory)
    return once(shared, "full.tar", lambda path: write_trained(path, encoder_dir=public_weights, version="0.9.1"))


@pytest.fixture(scope="session")
def public_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of all-MiniLM-L6-v2, from the cache or downloaded into it, by one process at a time."""
    cache = Path(os.environ.get("HOLDFAST_CACHE", Path(__file__).parents[1] / ".cache" / "weights"))
    try:
        once(_shared(tmp_path_factory), "weights", lambda path: path.write_text(str(fetch_public_weights(cache))))
    except WeightsUnreachable as error:
        pytest.skip(str(error))
    return fetch_public_weights(cache)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a node with this configuration; every one is stopped at the end."""
    yield from starting(tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The full fault counts take their time."""
    for item in items:
        if item.get_closest_marker("faults") is not None:
            item.add_marker(pytest.mark.timeout(1200))
