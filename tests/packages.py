"""Packages for tests that need a whole node: really trained, on fewer tickets, once per test run."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.store.package import write_package
from holdfast.workbench.bundled import load_head
from holdfast.workbench.plan import HeadPlan, Inputs, TrainingPlan
from holdfast.workbench.planning import head_from_split
from holdfast.workbench.splits import SPLITS
from holdfast.workbench.training_run import run

EVERY = {"route": 16, "priority": 24}  # of the bundled tickets: about 2,400 and 900, seconds to train
URGENCY = ("LOW=0.1", "MEDIUM=0.4", "HIGH=0.7", "CRITICAL=1.0")


def once(directory: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Make `directory/name` once for all test processes; the others wait for the first."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = directory / name
        if not path.exists():
            make(path)
        return path


def write_trained(path: Path, *, encoder_dir: Path | None, version: str = "0.9.0", seed: int = 7) -> None:
    """Train `triage-en` on a part of the bundled tickets and write it as one file."""
    plan = TrainingPlan(
        name="triage-en",
        version=version,
        description="For tests: the reference package's recipe on fewer tickets.",
        heads=tuple(_head(name) for name in EVERY),
        encoder_dir=encoder_dir,
        encoder_name="all-MiniLM-L6-v2" if encoder_dir else "",
        seed=seed,
        licences=("CC0-1.0",),
    )
    trained = run(plan, Inputs(datasets=(), notices=())).trained
    write_package(trained.manifest, trained.files, path)


def _head(name: str) -> HeadPlan:
    tickets: Sequence = load_head(name).reading.tickets[:: EVERY[name]]
    split = SPLITS["random"](tickets, share=0.25, seed=3)
    task = "route" if name == "route" else "priority"
    return head_from_split(task, tickets, split=split, urgency=URGENCY if task == "priority" else ())
