"""Drift on a node: a loop that follows the ledger and holds what is asked and said against each package's reference."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from holdfast.apps.triage.decision import instant_text
from holdfast.apps.triage.records import DECISION, DecisionRecord, UnreadableRecord, unpack_decision
from holdfast.finding import Finding, Severity
from holdfast.inference import InferenceRequest
from holdfast.ledger.query import Entry, Query
from holdfast.node.loop import Loop
from holdfast.report.shift import DriftReport, Drifts
from holdfast.runtime.engine import Engine
from holdfast.tier import Tier

if TYPE_CHECKING:
    # Only the types: the arithmetic loads numpy, 0.1 s of a cold start in which RULES already answers.
    from holdfast.node.active import Active
    from holdfast.node.node import Node
    from holdfast.report.drift import Observation
    from holdfast.report.drift_watch import Watch

__all__ = ["Drift"]

_EVERY_S = 2.0
_PER_STEP = 400  # tickets read at most: under load the newest are a sample, and scoring keeps the processor
_AT_START = 2_000  # the window: what was seen before a restart is seen again
_PAGE = 250
_READ_S = 5.0
_SHOWN = 3  # features in the alarm's sentence


@dataclass(slots=True)
class _Watched:
    """One package of one team under watch."""

    active: Active
    watch: Watch
    policy: str = ""
    raised_at: str | None = None
    kept: bytes = b""
    """What is on disk of it."""


class Drift:
    """Belongs to its loop's thread; `reports` is replaced whole."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._cursor = 0
        self._loop = Loop("drift", self.step, every_s=_EVERY_S, seen=(node.measures, node.log))
        self.reports = Drifts(packages=())

    def start(self) -> None:
        """Begin to follow the ledger."""
        self._loop.start()

    def stop(self) -> None:
        """End after the step that runs."""
        self._loop.stop()

    def reconfigure(self) -> None:
        """Nothing to take: a change of weights or rules shows in the next record."""

    def findings(self) -> tuple[Finding, ...]:
        """One alarm for each package that is asked, or says, something else than it was made for."""
        return tuple(_finding(report) for report in self.reports.packages if report.drifting)

    def current(self) -> Drifts:
        """The latest reports; a command that runs without a node looks now."""
        if not self._loop.started:
            self.step()
        return self.reports

    def step(self) -> None:
        """Read what is new in the ledger and look again."""
        actives = {(one.serving.digest, one.team): one for one in self._node.parts.teams.actives()}
        watchable = {key: one for key, one in actives.items() if one.loadout.engines.get(Tier.SMALL) is not None}
        if not watchable:
            return  # a package that is not loaded yet must not lose what came before it
        self._watched = {key: self._kept(key, one) for key, one in watchable.items()}
        for key, records in self._new_records().items():
            if key in self._watched:
                self._observe(self._watched[key], records)
        self._report()

    def _kept(self, key: tuple[str, str], active: Active) -> _Watched:
        """The watch there is, else a new one on the package's reference."""
        found = self._watched.get(key)
        if found is not None:
            found.active = active
            return found
        from holdfast.report.drift import read_reference  # noqa: PLC0415  # numpy: see above
        from holdfast.report.drift_watch import Watch  # noqa: PLC0415  # the same

        fresh = _Watched(active, Watch(read_reference(active.loadout.reference)))
        self._remember(fresh)
        return fresh

    def _new_records(self) -> dict[tuple[str, str], list[DecisionRecord]]:
        """Decisions since the last step by package and team, oldest first; of too many the newest."""
        journal = self._node.state.journal
        latest = journal.list(Query(limit=1)).entries
        top = latest[0].header.sequence if latest else 0
        most = min(_PER_STEP if self._cursor else _AT_START, top - self._cursor)
        entries: list[Entry] = []
        before: int | None = None
        while len(entries) < most:
            page = journal.list(Query(kinds=(DECISION,), limit=min(_PAGE, most - len(entries)), before=before))
            entries += [entry for entry in page.entries if entry.header.sequence > self._cursor]
            before = page.next_before
            if before is None or before <= self._cursor + 1:
                break
        self._cursor = top
        found: dict[tuple[str, str], list[DecisionRecord]] = defaultdict(list)
        for entry in reversed(entries):
            record = self._readable(entry)
            if record is not None:
                found[record.decision.served_by.digest, record.decision.team].append(record)
        return found

    def _readable(self, entry: Entry) -> DecisionRecord | None:
        """The decision; None where it was erased."""
        if entry.payload is None:
            return None
        try:
            return unpack_decision(entry.payload)
        except UnreadableRecord:
            # Kept by another version: one ticket less tells nothing less, and must not cost the others.
            self._node.measures.add("swallowed_errors_total", "drift")
            return None

    def _observe(self, watched: _Watched, records: list[DecisionRecord]) -> None:
        from holdfast.report.drift import observations  # noqa: PLC0415  # numpy: see above

        engine: Engine = watched.active.loadout.engines[Tier.SMALL]
        heads = {head.name: (head.labels, head.urgency) for head in watched.active.loadout.heads}
        texts = tuple(record.read_ticket().text for record in records)
        outputs = engine.answer(InferenceRequest(texts, time.monotonic() + _READ_S))
        for record, text, output in zip(records, texts, outputs, strict=True):
            self._follow_policy(watched, record)
            said: dict[str, Observation] = observations(output, text, heads=heads)
            watched.watch.add(said, record.decision.score)
        self._keep(watched)

    def _follow_policy(self, watched: _Watched, record: DecisionRecord) -> None:
        """Scores of other weights or rules are no drift: the baseline is that of the policy in force."""
        if record.policy != watched.policy:
            if watched.policy:
                watched.watch.forget_scores()
            watched.policy = record.policy

    def _remember(self, watched: _Watched) -> None:
        """Take up what the watch of an earlier process had settled."""
        from holdfast.report.drift_watch import Settled  # noqa: PLC0415  # numpy: see above

        found = self._node.state.facts.get(_fact(watched))
        settled = msgspec.msgpack.decode(found, type=Settled) if found is not None else None
        if settled is not None and settled.digest == watched.active.serving.digest:
            watched.watch.baseline, watched.watch.unused = settled.baseline, dict(settled.unused)
            watched.policy, watched.kept = settled.policy, found or b""

    def _keep(self, watched: _Watched) -> None:
        """Have what is settled survive a restart."""
        from holdfast.report.drift_watch import Settled  # noqa: PLC0415  # numpy: see above

        watch, digest = watched.watch, watched.active.serving.digest
        settled = Settled(digest=digest, policy=watched.policy, baseline=watch.baseline, unused=watch.unused)
        value = msgspec.msgpack.encode(settled)
        if value != watched.kept and (watch.baseline is not None or watch.unused):
            self._node.state.facts.put(_fact(watched), value)
            watched.kept = value

    def _report(self) -> None:
        for one in self._watched.values():
            if one.watch.drifting != (one.raised_at is not None):
                one.raised_at = instant_text(self._node.state.clock.wall_at()) if one.watch.drifting else None
                serving = one.active.serving
                said = "drift-raised" if one.watch.drifting else "drift-cleared"
                self._node.log.warning(said, package=serving.package, version=serving.version, team=one.active.team)
        self.reports = Drifts(packages=tuple(map(_reported, self._watched.values())))
        shown: dict[tuple[str, ...], float] = {}
        for report in self.reports.packages:
            for shift in report.features:
                key = (report.package, shift.feature)
                shown[key] = max(shift.psi, shown.get(key, 0.0))
        self._node.measures.replace("drift_psi", shown)


def _fact(watched: _Watched) -> str:
    serving = watched.active.serving
    return f"drift:{serving.package}:{watched.active.team}"


def _reported(one: _Watched) -> DriftReport:
    serving, watch = one.active.serving, one.watch
    return DriftReport(
        package=serving.package,
        version=serving.version,
        team=one.active.team,
        watched=watch.has_reference,
        samples=watch.samples,
        drifting=watch.drifting,
        raised_at=one.raised_at,
        found_after=watch.found_after,
        unused=tuple(name for name, is_unused in watch.unused.items() if is_unused),
        features=watch.shifts,
    )


def _finding(report: DriftReport) -> Finding:
    shown = ", ".join(f"{shift.feature} (PSI {shift.psi:.3f})" for shift in report.features[:_SHOWN])
    whose = f" of team {report.team}" if report.team else ""
    return Finding(
        name="drift",
        severity=Severity.WARNING,
        sentence=f"The last {report.samples} tickets{whose} differ from those {report.package} {report.version} was "
        f"judged on: {shown}.",
        next_step="Look at them with `holdfast triage drift`; if they are here to stay, correct some, then train again "
        "with `holdfast triage train --from-overrides`.",
        component="drift",
    )
