"""docs/howto/lan.md, followed line by line."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import eventually

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "lan.md").read_text()
BLOCKS = re.findall(r"```(sh serve|sh|toml)\n(.*?)```", PAGE, re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Desk:
    """A directory, a shell in it, and a node when the page starts one."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        (directory / "bin").mkdir()
        self.command("holdfast", f'exec {sys.executable} -m holdfast "$@"')
        # The page's name is no name here: it stands for this machine, and the page's port for a free one.
        self.command("curl", f'exec {shutil.which("curl")} --resolve node.lan:{self.port}:127.0.0.1 "$@"')
        self.environment = {
            "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
            "HOME": str(directory),
            "XDG_DATA_HOME": str(directory / "share"),
            "HOLDFAST_CONFIG": str(directory / "holdfast.toml"),
            "HOLDFAST_DATA__DIRECTORY": str(directory / "data"),
            "HOLDFAST_SERVER__PORT": str(self.port),
        }
        self.node: subprocess.Popen[bytes] | None = None

    def command(self, name: str, text: str) -> None:
        path = self.directory / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, line: str) -> str:
        line = line.replace(":8470", f":{self.port}")
        run = subprocess.run(
            ["bash", "-ec", line],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, f"{line}: {run.stderr}"
        return run.stdout

    def serve(self, line: str) -> None:
        with (self.directory / "log").open("wb") as log:
            self.node = subprocess.Popen(line.split(), cwd=self.directory, env=self.environment, stdout=log, stderr=log)
        assert eventually(lambda: '"listening"' in (self.directory / "log").read_text(), within_s=20)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    if one.node is not None:
        one.node.terminate()
        one.node.wait(timeout=20)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not installed")
def test_the_page_followed_literally_ends_with_a_scored_ticket_over_tls(desk: Desk) -> None:
    told: list[str] = []
    for kind, text in BLOCKS:
        if kind == "toml":
            (desk.directory / "holdfast.toml").write_text(text)
        elif kind == "sh serve":
            desk.serve(text.strip())
        else:
            (desk.directory / "holdfast.toml").touch()
            told += [desk.run(line) for line in text.strip().splitlines()]
    assert sum("hf_" in line for line in told) == 0
    assert any('"priority":"P' in line for line in told)
    assert told[-1] == "helpdesk: revoked\n"
