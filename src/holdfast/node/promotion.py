"""Promotion: puts a candidate in force for good, in a file of settings of its own, and takes it back."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.apps.triage.experiments import Experiment, InvalidExperiment
from holdfast.errors import HoldfastError
from holdfast.settings.loading import effective
from holdfast.settings.place import PROMOTED
from holdfast.settings.text import toml_value
from holdfast.store.blobs import write_durably
from holdfast.store.install import activate, parse_target

if TYPE_CHECKING:
    from holdfast.node.node import Node

__all__ = ["promote", "roll_back"]

_MODE = 0o640
_HEAD = (
    "# Written by `holdfast triage experiment promote`; `... rollback` takes it back. Stronger than the files above.\n"
)


def promote(node: Node, name: str, *, by: str) -> Experiment:
    """Put the candidate of an experiment in force, durably; a power cut on the way leaves it to be asked again.

    Raises InvalidExperiment, InvalidSettings, and what the journal and the store raise; then what was is in force.
    """
    experiments = node.parts.experiments
    found = experiments.find(name)
    if found.state not in ("running", "stopped"):
        raise InvalidExperiment(f"experiment {name}: expected one that runs or was stopped, found it {found.state}")
    path = node.state.directory / PROMOTED
    wanted = _wanted(node, found)
    before = _text(path)
    if found.replaced is None or before not in (found.replaced, _merged(found.replaced, wanted)):
        # What a rollback goes back to is durable before anything changes; asked again after a power cut, it stays.
        found = msgspec.structs.replace(found, replaced=before, replaced_package=_active_target(node, found))
        found = experiments.keep(found, "promoting", by=by)
    _put(node, path, _merged(found.replaced or "", wanted), wanted)
    if "@" in found.candidate.package:
        activate(node.state.store, found.candidate.package, admit=node.admit)
    promoted = experiments.keep(experiments.ended(found, "promoted"), "promoted", by=by)
    if found.candidate.package:
        node.refresh_serving()
    return promoted


def roll_back(node: Node, *, by: str) -> Experiment:
    """Take the latest promotion back. Raises InvalidExperiment when there is none, else as `promote`."""
    experiments = node.parts.experiments
    promoted = [one for one in experiments.all if one.state == "promoted"]
    if not promoted:
        raise InvalidExperiment("expected a promoted experiment, found none: there is nothing to take back")
    latest = max(promoted, key=lambda one: one.ended_at)
    _put(node, node.state.directory / PROMOTED, latest.replaced or "", {})
    if latest.replaced_package:
        activate(node.state.store, latest.replaced_package, admit=node.admit)
    rolled_back = experiments.keep(msgspec.structs.replace(latest, state="rolled-back"), "rolled-back", by=by)
    if latest.candidate.package:
        node.refresh_serving()
    return rolled_back


def _wanted(node: Node, experiment: Experiment) -> dict[str, Any]:
    """The settings that make the candidate what is in force, by dotted key."""
    candidate, team = experiment.candidate, experiment.team
    section = f"teams.{team}" if team else "triage"
    wanted: dict[str, Any] = {}
    if candidate.weights and team:
        wanted[f"{section}.weights"] = {**node.loaded.settings.teams[team].weights, **candidate.weights}
    elif candidate.weights:
        wanted |= {f"triage.weights.{name}": value for name, value in candidate.weights.items()}
    wanted |= {f"triage.bands.{name}": value for name, value in candidate.bands.items()}
    if candidate.rules is not None:
        rules = node.state.directory / f"promoted-{experiment.name}.rules.toml"
        write_durably(rules, candidate.rules.encode(), mode=_MODE)
        wanted[f"{section}.rules_file"] = rules.name  # beside the file that says so: the data directory may be moved
    if candidate.package:
        wanted[f"{section}.package"] = candidate.package.partition("@")[0]
    return wanted


def _merged(text: str, wanted: Mapping[str, Any]) -> str:
    """The file with the `wanted` keys in the place of older ones: one key a line, so that each has an origin."""
    lines = {key: line for line in text.splitlines() if (key := _key_of(line))}
    lines |= {key: f"{_quoted(key)} = {toml_value(value)}" for key, value in wanted.items()}
    return _HEAD + "\n".join(lines.values()) + "\n"


def _key_of(line: str) -> str:
    """The dotted key of a line this module wrote; empty for a comment."""
    return "" if not line or line.startswith("#") else line.partition(" = ")[0].replace('"', "")


def _quoted(key: str) -> str:
    section, _, rest = key.partition(".")
    name, _, leaf = rest.rpartition(".")
    return f'{section}."{name}".{leaf}' if section == "teams" else key


def _put(node: Node, path: Path, text: str, wanted: Mapping[str, Any]) -> None:
    """Replace the file and have it read; where the settings cannot be used with it, the old one is back."""
    before = _text(path)
    _write(path, text)
    try:
        tomllib.loads(text)
        node.reload()
        found = {key: (value, origin) for key, value, origin in effective(node.loaded)}
        for key, value in wanted.items():
            if found[key][0] != value:
                raise InvalidExperiment(
                    f"{key}: expected the candidate's value to be in force, found another set by {found[key][1]}, "
                    "which is stronger; take it away there"
                )
    except (HoldfastError, tomllib.TOMLDecodeError):
        _write(path, before)
        node.reload()
        raise


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write(path: Path, text: str) -> None:
    if text:
        write_durably(path, text.encode(), mode=_MODE)
    else:
        path.unlink(missing_ok=True)


def _active_target(node: Node, experiment: Experiment) -> str:
    """The version that a promoted one replaces, of the same package; empty where nothing is activated."""
    if "@" not in experiment.candidate.package:
        return ""
    name, _ = parse_target(experiment.candidate.package)
    slots = node.state.store.slots(name)
    active = slots.by_digest(slots.active)
    return f"{name}@{active.version}" if active is not None else ""
