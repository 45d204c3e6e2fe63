"""Accuracy from headers alone: what people let stand, whoever judged twice."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from holdfast.record import Header
from holdfast.report.accuracy import Fold, wilson

PACKAGE = "sha256:" + "a" * 64
NAMES = {PACKAGE: ("triage-en", "1.0.0")}


class Ledger:
    """Headers in order."""

    def __init__(self) -> None:
        self.headers: list[Header] = []

    def add(  # noqa: PLR0913  # one header
        self, kind: str, task: str, band: str | None, *, day: str = "2026-11-20", package: str = PACKAGE, team: str = ""
    ) -> None:
        self.headers.append(
            Header(
                sequence=len(self.headers) + 1,
                kind=kind,
                recorded_at=f"{day}T08:00:00Z",
                tier=None,
                package=package,
                score=None,
                band=band,
                subject_hmac=task,
                payload_sha256=None,
                team=team or None,
            )
        )

    def report(self, period: str = "all"):
        fold = Fold()
        fold.take(self.headers)
        return fold.report(period, names=NAMES)


def test_a_changed_priority_counts_against_the_package_that_decided() -> None:
    ledger = Ledger()
    for task in ("a", "b", "c", "d"):
        ledger.add("decision", task, "P0")
    ledger.add("override", "a", "P2")
    (row,) = ledger.report().rows
    assert (row.package, row.version, row.decisions, row.judged, row.changed) == ("triage-en", "1.0.0", 4, 1, 1)
    assert (row.accuracy, row.changes) == (0.75, {"P0>P2": 1})
    assert row.low < 0.75 < row.high


def test_two_teams_may_call_different_tasks_the_same() -> None:
    ledger = Ledger()
    ledger.add("decision", "1", "P2", team="office")
    ledger.add("decision", "1", "P2", team="cloud")
    ledger.add("override", "1", "P0", team="office")
    changed = {row.team: row.changed for row in ledger.report().rows}
    assert changed == {"office": 1, "cloud": 0}


def test_the_last_word_of_a_person_counts_once() -> None:
    ledger = Ledger()
    ledger.add("decision", "a", "P0")
    for band in ("P2", "P3", "P0"):
        ledger.add("override", "a", band)
    (row,) = ledger.report().rows
    assert (row.judged, row.changed, row.changes) == (1, 0, {})


def test_a_correction_belongs_to_the_latest_decision_on_its_task() -> None:
    ledger = Ledger()
    ledger.add("decision", "a", "P0", day="2026-11-02")
    ledger.add("decision", "a", "P1", day="2026-11-09")
    ledger.add("override", "a", "P3", day="2026-11-20")
    later, earlier = ledger.report("week").rows
    assert (later.since, later.changed) == ("2026-11-09", 1)
    assert (earlier.since, earlier.changed) == ("2026-11-02", 0)


def test_a_correction_of_an_unknown_task_is_told_and_counted_nowhere() -> None:
    ledger = Ledger()
    ledger.add("override", "never-seen", "P0")
    assert (ledger.report().rows, ledger.report().unattributed) == ((), 1)


@pytest.mark.parametrize("seed", range(20))
def test_folding_in_pieces_gives_what_a_plain_recount_gives(seed: int) -> None:
    rng, ledger = random.Random(seed), Ledger()
    for _ in range(200):
        kind = rng.choice(["decision", "decision", "override", "package"])
        ledger.add(kind, rng.choice("abcdefgh"), rng.choice(["P0", "P1", "P2", "P3"]))
    fold, rest = Fold(), ledger.headers
    while rest:
        some = rng.randint(1, 40)
        fold.take(rest[:some])
        rest = rest[some:]
    changed = Counter[str]()
    decided: dict[str, list[str]] = {}
    for header in ledger.headers:
        task, band = header.subject_hmac or "", header.band or ""
        if header.kind == "decision":
            changed += _change(decided.pop(task, []))
            decided[task] = [band]
        elif header.kind == "override" and task in decided:
            decided[task] = [decided[task][0], band]
    for words in decided.values():
        changed += _change(words)
    (row,) = fold.report("all", names=NAMES).rows
    assert row.changes == dict(changed)


def _change(words: list[str]) -> Counter[str]:
    return Counter({f"{words[0]}>{words[1]}": 1}) if len(words) == 2 and words[0] != words[1] else Counter()


def test_the_interval_has_width_even_when_nothing_was_changed() -> None:
    low, high = wilson(20, 20)
    assert low == pytest.approx(0.8389, abs=1e-4)  # Wilson 1927, as in every table
    assert high == 1.0
