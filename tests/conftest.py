"""What every test may use, and the rule that a skip must be listed."""

from __future__ import annotations

import fnmatch
import os
import tomllib
from pathlib import Path

import pytest

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
