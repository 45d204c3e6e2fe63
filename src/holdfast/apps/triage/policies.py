"""Policies on record: the rubric and rules behind each decision, kept so that it can be derived again later."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.records import POLICY, PolicyRecord, StoredHead, pack, unpack_policy
from holdfast.apps.triage.rules_file import parse_rules
from holdfast.apps.triage.scoring import HeadView, Lens, Policy, read_lens
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from holdfast.clock import Clock
from holdfast.digest import Digest, digest_value
from holdfast.errors import Unavailable
from holdfast.ledger.journal import Journal
from holdfast.ledger.reserve import Mode
from holdfast.record import Draft

__all__ = ["PolicyGone", "PolicyShelf"]

_MOST_IN_FORCE = 256  # beyond it the oldest goes, and is put on record again when it is met again
_KEPT_AGAIN_S = 6 * 3600.0  # a day's key takes its policy entries with it: the one in force must be younger than that


class PolicyGone(Unavailable):
    """The policy a decision was made under cannot be had any more."""


@dataclass(frozen=True, slots=True)
class _InForce:
    policy: Policy
    lens: Lens
    digest: Digest
    record: PolicyRecord
    kept_s: float | None
    """When it was last put on record; None: not yet by this process."""

    def is_of(self, policy: Policy, lens: Lens) -> bool:
        """Say whether this is the very policy."""
        return self.policy is policy and self.lens is lens

    def is_kept(self, now_s: float) -> bool:
        """Say whether it need not be put on record again."""
        return self.kept_s is not None and now_s - self.kept_s < _KEPT_AGAIN_S


class PolicyShelf:
    """Puts policies in force on record, and finds old ones. `_lock` guards `_current`; entries are replaced whole."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._lock = threading.Lock()
        self._current: OrderedDict[tuple[int, int], _InForce] = OrderedDict()
        """By identity of policy and lens, which the entry keeps alive: one for each team and arm."""

    def in_force(self, policy: Policy, lens: Lens) -> Digest:
        """Return the digest of the policy, having it on record. Raises what `Journal.append` raises."""
        current, now_s = self._current.get((id(policy), id(lens))), self._clock.monotonic_s()
        if current is not None and current.is_of(policy, lens) and current.is_kept(now_s):
            return current.digest
        with self._lock:
            return self._keep(policy, lens, now_s)

    def find(self, digest: Digest) -> tuple[Policy, Lens]:
        """Build the policy with this digest again. Raises PolicyGone saying what is missing."""
        entry = self._journal.find(_reference(digest))
        if entry is None or entry.payload is None:
            raise PolicyGone(
                f"the rubric and rules of this decision ({digest[:19]}…) are gone: "
                f"{'retention erased them' if entry is not None else 'the ledger does not hold them'}"
            )
        record = unpack_policy(entry.payload)
        matcher = KeywordMatcher(read_builtin_vocabulary(record.rubric.languages), extra=record.rubric.keywords)
        if matcher.digest != record.vocabulary:
            raise PolicyGone("the keyword table of this decision is gone: this version of Holdfast has another")
        return Policy(record.rubric, matcher, parse_rules(record.rules)), read_lens(record.heads)

    def _keep(self, policy: Policy, lens: Lens, now_s: float) -> Digest:
        key = (id(policy), id(lens))
        current = self._current.get(key)
        if current is None or not current.is_of(policy, lens):
            record = PolicyRecord(
                rubric=policy.rubric,
                rules=policy.rules.source,
                heads=tuple(_stored(head, lens) for head in (lens.priority, lens.route) if head is not None),
                vocabulary=policy.matcher.digest,
            )
            digest = digest_value(record)
            kept_s = max((one.kept_s or 0.0 for one in self._current.values() if one.digest == digest), default=0.0)
            current = _InForce(policy, lens, digest, record, kept_s or None)
        if not current.is_kept(now_s) and self._journal.mode is Mode.OK:  # else its payload would not be kept
            draft = Draft(kind=POLICY, payload=pack(current.record), reference=_reference(current.digest))
            if self._journal.append(draft).recorded:
                current = _InForce(policy, lens, current.digest, current.record, now_s)
        self._current[key] = current
        if len(self._current) > _MOST_IN_FORCE:
            self._current.popitem(last=False)
        return current.digest


def _reference(digest: Digest) -> str:
    return f"policy:{digest}"


def _stored(head: HeadView, lens: Lens) -> StoredHead:
    minimum = lens.minimum_confidence if head is lens.route else 0.0
    return StoredHead(name=head.name, labels=head.labels, urgency=head.urgency, minimum_confidence=minimum)
