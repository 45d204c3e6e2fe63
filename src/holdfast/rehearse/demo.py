"""The demonstration: a node scores tickets it never saw, loses its model worker half-way, and fails none."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.apps.triage.rules_watch import example_rules
from holdfast.errors import HumanNeeded
from holdfast.rehearse.load import Sample, score_all
from holdfast.rehearse.scoreboard import Scoreboard, summarise
from holdfast.rehearse.subject import Subject, free_port
from holdfast.rehearse.unseen import UnseenTicket, draw
from holdfast.workbench.reference import ReferencePackage, unseen_tickets

__all__ = ["Demonstration", "InstallFailed", "Outcome", "demonstrate"]

_PER_HEAD = 1250
_CALLERS = 4
_PREFERRED_PORT = 8470
_START_S = 30.0
_CONFIG = """\
# The demonstration's node. Its package is built on this machine and not signed, so the demo says that this is allowed.
[trust]
allow_unsigned = true

[triage]
rules_file = "rules.toml"
"""


class InstallFailed(HumanNeeded):
    """The node refused the reference package."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What to show, where to run, and whom to tell on the way."""

    reference: ReferencePackage
    directory: Path
    """Configuration, state and log of the demonstration's node."""
    say: Callable[[str], None]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the demonstration showed."""

    address: str
    ready_s: float
    """From the start of the process to the full tier."""
    killed_workers: int
    recovered_s: float
    """From the kill to the full tier again."""
    board: Scoreboard

    @property
    def passed(self) -> bool:
        """A worker was killed, no ticket failed, and every promise of the package was kept."""
        return self.killed_workers > 0 and self.board.passed


def demonstrate(setup: Demonstration, *, keep_serving: bool, show: Callable[[Outcome], None]) -> Outcome:
    """Run the demonstration, `show` its outcome, and keep the node up until Ctrl-C when asked to.

    Raises SubjectDidNotStart, InstallFailed, LearntFromHeldOut.
    """
    setup.directory.mkdir(parents=True, exist_ok=True)
    config, data_dir = setup.directory / "holdfast.toml", setup.directory / "state"
    config.write_text(_CONFIG)
    (setup.directory / "rules.toml").write_text(example_rules())
    _install(setup.reference, config, data_dir)
    with Subject(config, data_dir, port=free_port(_PREFERRED_PORT)) as node:
        ready_s = node.wait_for_tier("full", timeout_s=_START_S)
        setup.say(f"serving at http://{node.host}:{node.port}/ after {ready_s:.1f} s")
        tickets = draw(unseen_tickets(setup.reference), per_head=_PER_HEAD)
        setup.say(f"scoring {len(tickets)} real tickets; the training list proves that the package saw none of them")
        outcome = _score(setup, node, tickets, ready_s=ready_s)
        show(outcome)
        if keep_serving:
            _wait_for_interrupt(node)
    return outcome


def _install(reference: ReferencePackage, config: Path, data_dir: Path) -> None:
    """Install the package with the command a user would type; nothing to do when it is already active."""
    node = [sys.executable, "-m", "holdfast", "--config", str(config), "--data", str(data_dir)]
    listed = subprocess.run([*node, "package", "list", "--json"], capture_output=True, text=True, check=False)
    if listed.returncode == 0 and reference.digest in listed.stdout:
        return
    # A package built again has the same version and other bytes, which a node rightly refuses: the demo starts anew.
    shutil.rmtree(data_dir, ignore_errors=True)
    installed = subprocess.run(
        [*node, "package", "install", str(reference.package)], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        raise InstallFailed(f"the reference package was not installed: {installed.stderr.strip()}")


def _score(setup: Demonstration, node: Subject, tickets: Sequence[UnseenTicket], *, ready_s: float) -> Outcome:
    halfway = _Halfway(node, len(tickets) // 2, setup.say)
    started_s = time.monotonic()
    samples = score_all(
        (node.host, node.port), [ticket.body() for ticket in tickets], callers=_CALLERS, on_sample=halfway
    )
    seconds = time.monotonic() - started_s
    halfway.done.wait(_START_S)
    board = summarise(
        samples, [ticket.labels for ticket in tickets], seconds=seconds, manifest=setup.reference.manifest
    )
    return Outcome(
        address=f"http://{node.host}:{node.port}/",
        ready_s=round(ready_s, 2),
        killed_workers=halfway.killed,
        recovered_s=round(halfway.recovered_s, 2),
        board=board,
    )


class _Halfway:
    """Kills the node's workers once, when half of the tickets are answered. `_lock` guards the count."""

    def __init__(self, node: Subject, at: int, say: Callable[[str], None]) -> None:
        self._node, self._at, self._say = node, at, say
        self._lock = threading.Lock()
        self._count = 0
        self.killed = 0
        self.recovered_s = float("nan")
        self.done = threading.Event()

    def __call__(self, _sample: Sample) -> None:
        with self._lock:
            self._count += 1
            now = self._count == self._at
        if now:
            threading.Thread(target=self._kill, name="halfway", daemon=True).start()

    def _kill(self) -> None:
        self.killed = self._node.kill_workers()
        killed_s = time.monotonic()
        self._say(f"half-way: killed {self.killed} model worker (SIGKILL); tickets go on")
        while not self._node.workers() or self._node.readiness() != "full":
            time.sleep(0.01)
        self.recovered_s = time.monotonic() - killed_s
        self.done.set()


def _wait_for_interrupt(node: Subject) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0) and node.process.poll() is None:
        pass
