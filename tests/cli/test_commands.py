"""The command line: exit codes, one line per error, commands that cost nothing until they run."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from holdfast.cli.main import COMMANDS, LazyGroup, main


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={"PATH": "/usr/bin", **environment},
    )


def _all_commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    waiting = [(name, target) for name, (target, _) in COMMANDS.items()]
    commands = [(name, _load(target)) for name, target in waiting]
    while commands:
        name, command = commands.pop()
        found.append((name, command))
        if isinstance(command, click.Group):
            context = click.Context(command)
            inner = [(one, command.get_command(context, one)) for one in command.list_commands(context)]
            commands += [(f"{name} {one}", sub) for one, sub in inner if sub is not None]
    return found


def _load(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def test_every_command_of_the_table_exists_and_explains_itself() -> None:
    for name, command in _all_commands():
        assert command.help, name
        if not isinstance(command, click.Group):
            assert "Example: holdfast" in command.help, name


@pytest.mark.parametrize("command", ["ledger export", "triage overrides export", "triage pilot"])
def test_a_file_that_cannot_be_made_exits_73_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file, state = tmp_path / "missing" / "file", str(tmp_path / "state")
    assert main(["--data", state, "ledger", "erase", "--task", "T", "--yes"]) == 0
    capsys.readouterr()
    assert main(["--data", state, *command.split(), "-o", str(file)]) == 73
    told = capsys.readouterr().err
    assert told.startswith("holdfast: ")
    assert (str(file) in told, told.count("\n")) == (True, 1)


def test_commands_that_report_print_json_too() -> None:
    without = {
        name
        for name, command in _all_commands()
        if not isinstance(command, click.Group) and not any("--json" in one.opts for one in command.params)
    }
    assert without <= {"init", "serve", "ledger export", "triage overrides export"}  # an export is data as it is


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys; from holdfast.cli.main import main; main(['--help']);"
        "print([m for m in ('numpy', 'uvicorn', 'apsw', 'rich', 'cryptography') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"
    assert all(name in said for name in COMMANDS)


def test_help_comes_quickly() -> None:
    started = time.monotonic()
    assert run("--help").returncode == 0
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nonsense",), 64),
        (("serve", "--port", "many"), 64),
        (("--config", "/absent.toml", "config", "check"), 78),
        (("--data", "/proc/1/nowhere", "package", "list"), 69),
        (("--data", "/proc/1/nowhere", "package", "pin", "a@1"), 74),
        (("package", "verify", "/absent.tar"), 74),
        (("--data", "/tmp/holdfast-absent-directory", "status"), 69),
        (("serve", "--host", "192.0.2.1"), 78),
    ],
)
def test_an_error_is_one_line_and_a_code_of_sysexits(arguments: tuple[str, ...], code: int) -> None:
    ended = run(*arguments, HOME="/nonexistent")
    assert ended.returncode == code, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("holdfast: ")
    assert "Traceback" not in ended.stderr


def test_a_bug_is_one_line_and_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(LazyGroup, "get_command", broken)
    assert main(["status"]) == 70
    assert "internal error, ZeroDivisionError" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    pipeline = f"{sys.executable} -m holdfast config show | head -1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", pipeline], capture_output=True, text=True, check=False)
    assert ended.stderr == ""


def test_init_writes_a_file_once(tmp_path: Path) -> None:
    path = tmp_path / "made" / "holdfast.toml"
    assert run("--config", str(path), "init").returncode == 0
    assert run("--config", str(path), "config", "check").returncode == 0
    again = run("--config", str(path), "init")
    assert again.returncode == 73
    assert "--force" in again.stderr


def test_config_show_tells_where_each_value_was_set(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text("[server]\nport = 9000\n")
    shown = run("--config", str(path), "config", "show", "--json", HOLDFAST_LIMITS__DEPTH="9").stdout
    values = json.loads(shown)
    assert values["server.port"] == {"value": 9000, "origin": f"{path}:2"}
    assert values["limits.depth"]["origin"] == "environment HOLDFAST_LIMITS__DEPTH"


def test_config_check_reads_the_rule_file_too(tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text('[triage]\nrules_file = "rules.toml"\n')
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "x"\nwhen = { no_such_operator = 1 }\nfloor = 9\n')
    wrong = run("--config", "holdfast.toml", "config", "check", cwd=tmp_path)
    assert wrong.returncode == 65
    assert "rules.toml" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    (tmp_path / "rules.toml").write_text("")
    assert run("--config", "holdfast.toml", "config", "check", cwd=tmp_path).returncode == 0


def test_conf_d_beside_the_file_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text("[limits]\ndepth = 5\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.toml").write_text("[limits]\ndepth = 6\n")
    (tmp_path / "conf.d" / "20.toml").write_text("[limits]\ndepth = 7\n")
    shown = run("--config", str(tmp_path / "holdfast.toml"), "config", "show", "--json").stdout
    assert json.loads(shown)["limits.depth"]["value"] == 7


def test_reload_without_a_node_says_that_there_is_nothing_to_reload(tmp_path: Path) -> None:
    ended = run("--data", str(tmp_path / "data"), "config", "reload")
    assert ended.returncode == 69
    assert "expected a running node" in ended.stderr
