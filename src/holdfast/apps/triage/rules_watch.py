"""The rule file watched: a good edit is taken as a whole, a bad one reported while the old rules stay."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from holdfast.apps.triage.rules_file import InvalidRules, RuleSet, parse_rules
from holdfast.finding import Finding, Severity

__all__ = ["RulesWatch", "example_rules", "read_rules"]

_Signature = tuple[int, int, int] | None
"""Inode, size and time of change; None when there is no file."""


def read_rules(path: Path) -> RuleSet:
    """Read the rule file at `path`. Raises InvalidRules."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRules(f"{path}: expected a rule file in UTF-8, found: {error}") from error
    return parse_rules(text, name=str(path))


def example_rules() -> str:
    """Return the rules to begin with that came with this version."""
    return resources.files("holdfast.apps.triage").joinpath("example_rules.toml").read_text(encoding="utf-8")


class RulesWatch:
    """Belongs to one loop, which calls `step` about once a second; `rules` and `findings` may be read by any thread.

    A change is read only when the file has stayed the same from one step to the next: an editor that first empties
    the file and then fills it must not put no rules in force for a moment.
    """

    def __init__(self, path: Path, rules: RuleSet) -> None:
        self.rules = rules
        """The last good rules."""
        self._path = path
        self._read = self._seen = _signature(path)
        self._finding: Finding | None = None

    def step(self) -> bool:
        """Look at the file; True when `rules` are new and meant to be put in force."""
        before, self._seen = self._seen, _signature(self._path)
        if self._seen == self._read or self._seen != before:
            return False
        self._read = self._seen
        try:
            fresh = read_rules(self._path)
        except InvalidRules as error:
            self._finding = _refused(error)
            return False
        self._finding = None
        changed = fresh.digest != self.rules.digest
        self.rules = fresh
        return changed

    def findings(self) -> tuple[Finding, ...]:
        """Why the file on disk is not what is in force; empty when it is."""
        return (self._finding,) if self._finding is not None else ()


def _refused(error: InvalidRules) -> Finding:
    return Finding(
        name="rules-refused",
        severity=Severity.WARNING,
        sentence=f"The rule file was changed and cannot be used, the rules before it stay in force: {error}.",
        next_step="Mend the file; `holdfast triage rules check FILE` says what is wrong with it.",
        component="triage",
    )


def _signature(path: Path) -> _Signature:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
