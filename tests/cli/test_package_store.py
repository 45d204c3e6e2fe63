"""`holdfast package` on a data directory without a running node: install, list, activate, roll back, pin, clean up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.cli.main import main
from holdfast.store.package import write_package
from tests.runtime import tiny

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `holdfast package …` on one data directory; returns its JSON, or its exit code when that is not 0."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_TRUST__ALLOW_UNSIGNED", "true")
    monkeypatch.setenv("HOLDFAST_TIERS__HIGHEST", "small")

    def package(*arguments: str) -> Any:
        capsys.readouterr()
        code = main(["--data", str(tmp_path / "data"), "package", *arguments, "--json"])
        printed = capsys.readouterr()
        return json.loads(printed.out) if code == 0 else int(code)

    return package


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], str]:
    def write(version: str) -> str:
        content = {**tiny.files(), "reference.json": b"{}", "trial.jsonl": b"", "notes.md": version.encode()}
        manifest = msgspec.structs.replace(tiny.manifest(content), version=version)
        write_package(manifest, content, tmp_path / f"tiny-{version}.tar")
        return str(tmp_path / f"tiny-{version}.tar")

    return write


def test_installing_makes_a_package_active_and_measures_it_here(run: Run, make: Callable[[str], str]) -> None:
    report = run("install", make("1.0.0"))
    assert (report["active"], report["unsigned"]) == (True, True)
    assert list(report["variants"]) == ["small"]
    assert next(iter(report["measured"].values()))["p50_ms"] > 0


def test_listing_says_what_is_active_and_what_it_takes(run: Run, make: Callable[[str], str]) -> None:
    run("install", make("1.0.0"))
    run("install", make("1.1.0"), "--no-activate")
    found = run("list")
    assert [(p["version"], p["active"], p["staged"]) for p in found["packages"]] == [
        ("1.0.0", True, False),
        ("1.1.0", False, True),
    ]
    assert 0 < found["used_bytes"] < found["quota_bytes"]


def test_activating_and_rolling_back_are_told_in_the_history(run: Run, make: Callable[[str], str]) -> None:
    run("install", make("1.0.0"))
    run("install", make("1.1.0"), "--no-activate")
    assert run("activate", "tiny@1.1.0")["version"] == "1.1.0"
    assert run("rollback", "tiny")["version"] == "1.0.0"
    events = [happening["event"] for happening in run("history", "tiny")["happenings"]]
    assert events == ["installed", "activated", "installed", "activated", "rolled_back"]


def test_cleaning_up_spares_what_is_pinned(run: Run, make: Callable[[str], str]) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        run("install", make(version))
    assert run("pin", "tiny@1.0.0")["pinned"]
    assert run("gc")["removed"] == ["tiny@1.1.0"]
    assert run("pin", "tiny@1.0.0", "--remove")["pinned"] is False
    assert run("gc")["removed"] == ["tiny@1.0.0"]


def test_a_damaged_package_exits_65_even_where_unsigned_ones_are_refused(
    run: Run, make: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(make("1.0.0"))
    content = bytearray(path.read_bytes())
    content[-3000] ^= 1
    path.write_bytes(content)
    assert run("install", str(path)) == 65
    monkeypatch.setenv("HOLDFAST_TRUST__ALLOW_UNSIGNED", "false")
    assert run("install", str(path)) == 65


def test_an_unsigned_package_exits_77_unless_it_is_allowed(
    run: Run, make: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_TRUST__ALLOW_UNSIGNED", "false")
    assert run("install", make("1.0.0")) == 77
    assert run("list")["packages"] == []


def test_a_package_over_the_quota_exits_77_and_stores_nothing(
    run: Run, make: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_DATA__PACKAGE_QUOTA_MIB", "16")
    path = Path(make("1.0.0"))
    content = {**tiny.files(), "reference.json": b"{}", "trial.jsonl": b"", "ballast": bytes(17 << 20)}
    write_package(tiny.manifest(content), content, path)
    assert run("install", str(path)) == 77
    assert run("list")["used_bytes"] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rollback", "tiny"), 69),
        (("rollback", "stranger"), 65),
        (("activate", "tiny@9.9.9"), 65),
        (("activate", "tiny"), 64),
        (("history", "stranger"), 65),
        (("install", "nowhere.tar"), 74),
    ],
)
def test_what_cannot_be_done_exits_with_its_code(
    run: Run, make: Callable[[str], str], arguments: tuple[str, ...], code: int
) -> None:
    run("install", make("1.0.0"))
    assert run(*arguments) == code
