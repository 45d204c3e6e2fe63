"""Settings: precedence, origins, and errors a person can act on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.settings.loading import InvalidSettings, Sources, changed_keys, effective, leaves, load
from holdfast.settings.place import data_directory
from holdfast.settings.text import commented_file
from holdfast.settings.tree import OPEN_SECTIONS, Settings


def _file(tmp_path: Path, text: str, name: str = "holdfast.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def _fault(*files: Path, environment: dict[str, str] | None = None, **flags: object) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load(Sources(files, environment or {}, {key.replace("__", "."): value for key, value in flags.items()}))
    return str(refused.value)


def test_a_flag_beats_the_environment_beats_a_later_file_beats_an_earlier_one(tmp_path: Path) -> None:
    first = _file(tmp_path, "[server]\nport = 1\n[limits]\ndepth = 5\nbody_kib = 6\noperator = 7\n", "a.toml")
    second = _file(tmp_path, "[server]\nport = 2\n[limits]\ndepth = 50\nbody_kib = 60\n", "b.toml")
    environment = {"HOLDFAST_SERVER__PORT": "3", "HOLDFAST_LIMITS__DEPTH": "51"}
    loaded = load(Sources((first, second), environment, {"server.port": 4}))
    limits = loaded.settings.limits
    assert (loaded.settings.server.port, limits.depth, limits.body_kib, limits.operator) == (4, 51, 60, 7)
    assert loaded.origins["server.port"] == "flag server.port"
    assert loaded.origins["limits.depth"] == "environment HOLDFAST_LIMITS__DEPTH"
    assert loaded.origins["limits.body_kib"] == f"{second}:5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nport = 99999\n", ":2: server.port: expected `int` <= 65535, found 99999"),
        ('[server]\nport = "x"\n', ":2: server.port: expected `int`, got `str`, found 'x'"),
        ("[server]\nhots = []\n", "server.hots: no such setting (did you mean server.hosts?)"),
        ("[servr]\nport = 1\n", "servr: no such setting"),
        ("[triage.bands]\np1 = 95\n", "triage.bands: expected 0 < p2 < p1 < p0 <= 100"),
        ('[triage]\ntimezone = "Mars/Base"\n', "triage.timezone: expected an IANA time zone"),
        ('[server]\nhost = "0.0.0.0"\n', "server.host: expected a loopback address"),
        ("[tiers]\ntemperature_low_c = 90\n", "tiers.temperature_low_c: expected less than"),
        ('[tiers]\nhighest = "huge"\n', "tiers.highest"),
        ("[ledger]\nretention_days = 0\n", "ledger.retention_days: expected `int` >= 1, found 0"),
        ("[server\n", "not a TOML file"),
        ('[packages.triage-en]\nvarient = "x"\n', "packages.triage-en.varient: no such setting"),
    ],
)
def test_an_error_names_file_line_key_expected_and_found(tmp_path: Path, text: str, expected: str) -> None:
    path = _file(tmp_path, text)
    fault = _fault(path)
    assert str(path) in fault
    assert expected in fault


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    fault = _fault(_file(tmp_path, "[server]\nport = -1\n[limits]\ndepth = 0\n"))
    assert "server.port" in fault
    assert "limits.depth" in fault


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path) -> None:
    assert "cannot be read" in _fault(tmp_path / "absent.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not a TOML file" in _fault(binary)


def test_the_environment_is_read_as_the_type_it_is_for() -> None:
    environment = {
        "HOLDFAST_SERVER__HOSTS": "a.example, b.example",
        "HOLDFAST_TRUST__ALLOW_UNSIGNED": "true",
        "HOLDFAST_TIERS__COOLDOWN_S": "2.5",
        "HOLDFAST_TRIAGE__ROLES": '{"boss": 1.0}',
        "HOLDFAST_CACHE": "/not/ours",
    }
    settings = load(Sources((), environment)).settings
    assert settings.server.hosts == ("a.example", "b.example")
    assert settings.trust.allow_unsigned is True
    assert settings.tiers.cooldown_s == 2.5
    assert settings.triage.roles == {"boss": 1.0}


def test_an_unknown_variable_of_ours_is_an_error() -> None:
    assert "HOLDFAST_SERVER__PROT" in _fault(environment={"HOLDFAST_SERVER__PROT": "1"})


def test_package_overrides_are_kept_by_name(tmp_path: Path) -> None:
    path = _file(tmp_path, '[packages.triage-en]\nvariant = "int8"\noverrides = { cascade = true, x = 0.5 }\n')
    chosen = load(Sources((path,))).settings.packages["triage-en"]
    assert (chosen.variant, chosen.overrides) == ("int8", {"cascade": True, "x": 0.5})


def test_the_commented_file_is_valid_as_it_is_and_with_every_line_uncommented(tmp_path: Path) -> None:
    text = commented_file()
    lines = [
        line[1:] if line.startswith("#[") or (line[:1] == "#" and line[1:2].isalpha() and " = " in line) else line
        for line in text.splitlines()
    ]
    plain, active = _file(tmp_path, text), _file(tmp_path, "\n".join(lines), "b.toml")
    assert load(Sources((plain,))).settings == Settings()
    uncommented = load(Sources((active,)))
    assert msgspec.structs.replace(uncommented.settings, **{name: {} for name in OPEN_SECTIONS}) == Settings()
    assert set(leaves(Settings)) <= set(uncommented.origins)


def test_what_changed_between_two_readings_is_listed(tmp_path: Path) -> None:
    before = load(Sources())
    after = load(Sources((_file(tmp_path, "[limits]\ndepth = 9\n"),)))
    assert changed_keys(before, after) == ("limits.depth",)
    assert changed_keys(before, before) == ()


def test_every_setting_is_shown_with_its_origin() -> None:
    rows = {key: origin for key, _, origin in effective(load(Sources((), {}, {"server.port": 1})))}
    assert set(rows) == set(leaves(Settings))
    assert rows["server.port"] == "flag server.port"
    assert rows["server.host"] == "default"


def test_the_data_directory_follows_the_setting_then_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert data_directory(Settings(), {"XDG_DATA_HOME": "/x"}) == Path("/x/holdfast")
    assert data_directory(Settings(), {"XDG_DATA_HOME": "relative", "HOME": "/h"}) == Path("/h/.local/share/holdfast")
    chosen = load(Sources((), {}, {"data.directory": "/elsewhere"})).settings
    assert data_directory(chosen, {}) == Path("/elsewhere")


def test_root_uses_the_system_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert data_directory(Settings(), {"HOME": "/root"}) == Path("/var/lib/holdfast")
