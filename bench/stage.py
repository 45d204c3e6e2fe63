"""What every scenario needs: the reference package, unseen tickets, nodes with one setting changed each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.load import request_bytes
from holdfast.rehearse.subject import Subject, free_port
from holdfast.rehearse.unseen import UnseenTicket

_CONFIG = """\
[trust]
allow_unsigned = true

[tiers]
highest = "{highest}"
cascade = {cascade}
"""


class Address(Protocol):
    """Something that listens."""

    host: str
    port: int


@dataclass(frozen=True)
class Stage:
    """Where the bench works: a package archive, room for data directories, and tickets the package never saw."""

    work: Path
    package: Path
    tickets: list[UnseenTicket]
    """CVE reports and IT tickets of 20 to 150 words, mixed: about 100 tokens each."""
    routing: list[UnseenTicket]
    """IT tickets of any length, with the human's group as label `route`."""

    @property
    def texts(self) -> list[str]:
        return [f"{ticket.title}\n{ticket.description}" for ticket in self.tickets]

    def bodies(self, *, suffix: str = "") -> list[bytes]:
        """One JSON body per ticket; `suffix` makes every text new to the embedding cache."""
        return [ticket.body(suffix=suffix) for ticket in self.tickets]

    @contextmanager
    def node(
        self, name: str, *, highest: str = "full", cascade: bool = False, module: str = "holdfast"
    ) -> Iterator[Subject]:
        """A node with the package installed, serving its highest tier."""
        data_dir = self.work / name
        config = self.work / f"{name}.toml"
        config.write_text(_CONFIG.format(highest=highest, cascade=str(cascade).lower()))
        if not data_dir.exists():
            install(config, data_dir, self.package)
        with Subject(config, data_dir, port=free_port(18470), module=module) as node:
            node.wait_for_tier(highest, timeout_s=30)
            yield node
        shutil.rmtree(data_dir)


def install(config: Path, data_dir: Path, package: Path) -> None:
    """Install and activate `package` into a new data directory with the command a user would type."""
    command = ["--config", str(config), "--data", str(data_dir), "package", "install", str(package)]
    subprocess.run([sys.executable, "-m", "holdfast", *command], check=True, stdout=subprocess.DEVNULL)


def score_requests(node: Address, bodies: list[bytes]) -> list[bytes]:
    """The bytes of one score request per body."""
    return [request_bytes(f"{node.host}:{node.port}", "/v1/triage/score", body) for body in bodies]
