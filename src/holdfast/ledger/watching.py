"""What the ledger tells a person: a full or failing disk, a lost or altered past."""

from __future__ import annotations

from holdfast.finding import Finding, Severity
from holdfast.ledger.anchor import AnchorKeeper
from holdfast.ledger.reserve import Mode, Reserve

__all__ = ["findings"]


def findings(reserve: Reserve, anchor: AnchorKeeper) -> tuple[Finding, ...]:
    """The ledger's findings now, one for each thing that is wrong."""
    found = [_of_mode(reserve), _of_loss(anchor), _of_anchor(anchor)]
    return tuple(finding for finding in found if finding is not None)


def _of_mode(reserve: Reserve) -> Finding | None:
    if reserve.mode is Mode.OK:
        return None
    if reserve.mode is Mode.HEADERS_ONLY:
        return Finding(
            name="audit-headers-only",
            severity=Severity.WARNING,
            sentence=f"The ledger keeps headers only, no payloads: {reserve.cause}.",
            next_step="Free disk space; payloads are kept again by themselves once there is room.",
            component="ledger",
        )
    return Finding(
        name="ledger-full",
        severity=Severity.CRITICAL,
        sentence=f"The ledger takes no entry: {reserve.cause}.",
        next_step="Free disk space or replace the disk; the ledger comes back by itself.",
        component="ledger",
    )


def _of_loss(anchor: AnchorKeeper) -> Finding | None:
    if not anchor.loss:
        return None
    return Finding(
        name="ledger-loss",
        severity=Severity.CRITICAL,
        sentence=f"Part of the ledger is gone or was replaced: {anchor.loss}.",
        next_step="Run `holdfast ledger verify`; after a deliberate restore, `holdfast ledger verify --accept-loss`.",
        component="ledger",
    )


def _of_anchor(anchor: AnchorKeeper) -> Finding | None:
    if not anchor.failed:
        return None
    return Finding(
        name="ledger-anchor-unwritten",
        severity=Severity.WARNING,
        sentence="The ledger's head anchor could not be written, so a loss of the latest entries would go unseen.",
        next_step="Make the directory of ledger.anchor_file writable.",
        component="ledger",
    )
