"""A past decision derived again."""

from __future__ import annotations

import dataclasses

import pytest

from holdfast.apps.triage.archive import DecisionUnreadable
from holdfast.apps.triage.policies import PolicyGone
from holdfast.apps.triage.replay import PackageGone
from holdfast.apps.triage.rubric import Rubric, Weights
from holdfast.apps.triage.rules_file import parse_rules
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.ticket import Attachment
from holdfast.digest import Digest

FLOOR = "[[rule]]\nname='down'\nwhen={field='text',contains_word='down'}\nfloor=80\nroute='ops'"


def replay(office, decision, tolerance=0.02):
    return office.app.replayer.replay(decision.decision_id, office.view, tolerance=tolerance)


@pytest.mark.parametrize("metadata", [{}, {"deadline_at": "2026-03-02T12:00:00Z", "requester": {"role": "ceo"}}])
def test_a_replayed_decision_is_the_same_to_the_byte(office, metadata) -> None:
    decision = office.score("The database is down", metadata=metadata).decision
    office.desk.clock.wall = office.desk.clock.wall.replace(year=2027)
    again = replay(office, decision)
    assert (again.verdict, again.from_ledger, again.derived.score) == ("same", "same", decision.score)


def test_a_decision_with_a_log_is_the_same_though_the_log_is_gone(office) -> None:
    log = Attachment(name="a.log", text="12:00 FATAL disk gone")
    decision = office.score("The database is down", attachments=(log,)).decision
    assert decision.contributions[-1].name == "attachments"
    assert decision.contributions[-1].points > 0
    assert replay(office, decision).verdict == "same"


def test_a_decision_of_a_version_that_read_no_attachments_is_the_same(open_office, matcher) -> None:
    office = open_office(Policy(Rubric(attachments=0.0), matcher))
    decision = office.score("The database is down", attachments=(Attachment(name="a.log", text="ERROR"),)).decision
    office.view.policy = Policy(Rubric(), matcher)
    assert replay(office, decision).verdict == "same"


def test_it_is_replayed_under_the_rules_and_weights_of_its_day(open_office, matcher) -> None:
    office = open_office(Policy(Rubric(), matcher, parse_rules(FLOOR)))
    decision = office.score("The database is down").decision
    weights = Weights(model=0.1, deadline=0.2, requester=0.2, keywords=0.5)
    office.view.policy = Policy(Rubric(weights=weights), matcher)
    office.score("something else")
    assert decision.route.label == "ops"
    assert replay(office, decision).verdict == "same"


def test_on_another_machine_the_priority_is_the_same_the_score_near_and_it_says_so(office) -> None:
    decision = office.score("The database is down").decision
    office.small.shift, office.small.runtime = 0.005, "numpy/other"
    again = replay(office, decision)
    assert again.verdict == "within_tolerance"
    assert "decided on ngram numpy/test, replayed on ngram numpy/other" in again.sentence


def test_a_score_beyond_the_tolerance_is_different(office) -> None:
    decision = office.score("The database is down").decision
    office.small.shift = 0.2
    again = replay(office, decision)
    assert (again.verdict, again.from_ledger) == ("different", "same")


def test_an_erased_decision_names_what_is_gone(office) -> None:
    decision = office.score(task="T-9").decision
    office.desk.journal.erase("T-9")
    with pytest.raises(DecisionUnreadable, match="sealed payload was erased"):
        replay(office, decision)


def test_without_its_package_the_replay_names_it(office) -> None:
    decision = office.score().decision
    office.view.serving = dataclasses.replace(office.view.serving, digest=Digest("sha256:" + "2" * 64), version="2.0.0")
    with pytest.raises(PackageGone, match=r"triage-en@1\.0\.0 .* is not active, triage-en@2\.0\.0 is"):
        replay(office, decision)


def test_without_its_policy_the_replay_says_so(office) -> None:
    with pytest.raises(PolicyGone, match="rubric and rules"):
        office.app.replayer.policies.find(Digest("sha256:" + "3" * 64))
