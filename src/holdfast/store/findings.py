"""The sentences the store has for people, as findings."""

from __future__ import annotations

from holdfast.finding import Finding, Severity
from holdfast.store.slots import Slots

__all__ = ["not_recorded", "package_bad", "package_refused"]

_COMPONENT = "store"


def package_bad(name: str, slots: Slots) -> Finding:
    """Say that the version the operator activated is bad, and what is served instead."""
    mark = slots.bad.get(slots.fallen_from or "")
    bad, heir = slots.by_digest(slots.fallen_from), slots.by_digest(slots.active)
    instead = f"{name} {heir.version}" if heir else "the built-in rules"
    reason = mark.sentence if mark else "it was marked bad"
    unhealthy = mark is not None and mark.kind == "unhealthy"
    mend = f"Install another version of {name}" if unhealthy else f"Check the disk and install {name} again"
    keep = f", or keep what answers with 'holdfast package activate {name}@{heir.version}'" if heir else ""
    return Finding(
        name="package-unhealthy" if unhealthy else "package-unverified",
        severity=Severity.CRITICAL,
        sentence=f"{name} {bad.version if bad else slots.fallen_from} is not served, {instead} answers: {reason}",
        next_step=f"{mend}{keep}.",
        component=_COMPONENT,
    )


def package_refused(name: str, sentence: str) -> Finding:
    """Say that an intact package is not served because it may not be."""
    return Finding(
        name="package-not-admitted",
        severity=Severity.CRITICAL,
        sentence=f"{name} is not served, the built-in rules answer: {sentence}",
        next_step="Install a signed package, or set trust.allow_unsigned = true.",
        component=_COMPONENT,
    )


def not_recorded(sentence: str) -> Finding:
    """Say that the state file could not be written."""
    return Finding(
        name="store-state-unwritable",
        severity=Severity.WARNING,
        sentence=f"A package was marked bad, but that could not be written: {sentence}",
        next_step="Make room on the disk; the mark is written with the next change, or found anew at the next start.",
        component=_COMPONENT,
    )
