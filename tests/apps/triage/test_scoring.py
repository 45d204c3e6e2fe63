"""The score: its sum, its order, its rules, its bytes."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.decision import NEEDS_TRIAGE, Priority, assessment_bytes
from holdfast.apps.triage.keywords import KeywordMatcher
from holdfast.apps.triage.rubric import Rubric, Weights
from holdfast.apps.triage.rules_file import parse_rules
from holdfast.apps.triage.scoring import Policy, band_probabilities, prepare, read_lens, score
from holdfast.apps.triage.ticket import Attachment, Ticket
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from holdfast.inference import Domain, HeadOutput, Stage, TextOutput
from tests.apps.triage.examples import NOON, PRIORITY, ROUTE, sentences

LENS = read_lens((PRIORITY, ROUTE))
MATCHER = KeywordMatcher(read_builtin_vocabulary())
WORDS = ("outage", "urgent", "everyone", "database is down", "please", "not down", "no rush")
ROLES = (None, "guest", "employee", "vip", "janitor")


def said(*, high=0.2, critical=0.1, access=0.7, stage=Stage.NGRAM, domain=Domain.IN) -> TextOutput:
    severity = HeadOutput(probabilities=(1 - high - critical, high, critical), stage=stage, domain=domain)
    team = HeadOutput(probabilities=(1 - access, access), stage=stage, domain=domain)
    return TextOutput(heads={"severity": severity, "team": team})


def ticket(text="Something", *, hours=None, role=None, **metadata) -> Ticket:
    if hours is not None:
        metadata["deadline_at"] = (NOON + timedelta(hours=hours)).isoformat()
    if role is not None:
        metadata["requester"] = {"role": role}
    return Ticket(id="T-1", title=text, metadata=metadata)


def assess(one: Ticket, output: TextOutput, policy: Policy | None = None):
    policy = policy or Policy(Rubric(), MATCHER)
    return score(prepare(one, policy.rubric, now=NOON), output, lens=LENS, policy=policy)


def ruled(text: str) -> Policy:
    return Policy(Rubric(), MATCHER, parse_rules(text))


def points(assessment) -> float:
    return sum(contribution.points for contribution in assessment.contributions)


weights = st.tuples(st.floats(0.01, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(
    lambda four: Weights(**{name: w / sum(four) for name, w in zip(Weights.__struct_fields__, four, strict=True)})
)
tickets = st.builds(
    ticket,
    st.lists(st.sampled_from(WORDS), max_size=4).map(". ".join),
    hours=st.none() | st.floats(-500, 500),
    role=st.sampled_from(ROLES),
)
outputs = st.builds(said, high=st.floats(0, 0.5), critical=st.floats(0, 0.5), access=st.floats(0, 1))
ACTIONS = ("floor = {0}", "cap = {0}", "set = {0}")
rule_lists = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 100)), max_size=5)


def rules_text(actions) -> str:
    return "\n".join(
        f"[[rule]]\nname = 'r{number}'\nwhen = {{ field = 'score', at_least = 0 }}\n{action.format(target)}"
        for number, (action, target) in enumerate(actions)
    )


@given(tickets, outputs, weights, rule_lists)
def test_contributions_sum_to_the_score(one, output, weights, actions) -> None:
    policy = Policy(Rubric(weights=weights), MATCHER, parse_rules(rules_text(actions)))
    assessment = assess(one, output, policy)
    assert abs(points(assessment) - assessment.score) <= 0.5
    assert 0 <= assessment.score <= 100


@given(tickets, outputs, weights)
def test_points_are_a_hundred_times_weight_times_value(one, output, weights) -> None:
    for part in assess(one, output, Policy(Rubric(weights=weights), MATCHER)).contributions:
        assert part.points == pytest.approx(100 * part.weight * part.value, abs=0.06)


@given(tickets, outputs)
def test_weights_of_the_factors_present_sum_to_one(one, output) -> None:
    assert sum(part.weight for part in assess(one, output).contributions) == pytest.approx(1, abs=0.001)


@given(tickets, outputs, st.floats(0, 0.2))
def test_a_more_urgent_model_never_lowers_the_score(one, output, more) -> None:
    low, high, critical = output.heads["severity"].probabilities
    moved = min(more, low)
    urgent = said(high=high, critical=min(critical + moved, 1 - high))
    assert assess(one, urgent).score >= assess(one, output).score


@given(st.floats(-500, 500), st.floats(0, 500), outputs)
def test_a_nearer_deadline_never_lowers_the_score(hours, later, output) -> None:
    near, far = assess(ticket(hours=hours), output), assess(ticket(hours=hours + later), output)
    assert near.score >= far.score


@given(st.sampled_from(["guest", "employee", "manager", "vip"]), st.sampled_from(["free", "gold"]), outputs)
def test_a_higher_customer_tier_never_lowers_the_score(role, tier, output) -> None:
    assert assess(ticket(role=role, customer_tier="enterprise"), output).score >= (
        assess(ticket(role=role, customer_tier=tier), output).score
    )


@given(st.lists(st.sampled_from(("outage", "urgent", "everyone")), max_size=3), outputs)
def test_one_more_alarming_word_never_lowers_the_score(words, output) -> None:
    fewer, more = ". ".join(["x", *words]), ". ".join(["x", *words, "ransomware"])
    assert assess(ticket(more), output).score >= assess(ticket(fewer), output).score


@given(tickets, outputs, rule_lists.filter(bool))
def test_the_last_rule_is_never_outvoted(one, output, actions) -> None:
    total = assess(one, output, ruled(rules_text(actions))).score
    action, target = actions[-1]
    assert {"floor": total >= target, "cap": total <= target, "set": total == target}[action.split()[0]]


@given(tickets, outputs, st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_floors_are_never_outvoted_by_factors_or_each_other(one, output, floors) -> None:
    total = assess(one, output, ruled(rules_text([("floor = {0}", floor) for floor in floors]))).score
    assert total == max(*floors, assess(one, output).score)


@given(tickets, outputs)
def test_the_same_arguments_give_the_same_bytes(one, output) -> None:
    assert assessment_bytes(assess(one, output)) == assessment_bytes(assess(one, output))


def test_an_absent_factor_is_not_a_zero() -> None:
    names = {part.name: part.weight for part in assess(ticket(), said()).contributions}
    assert names == {"model": pytest.approx(0.6 / 0.65, abs=1e-4), "keywords": pytest.approx(0.05 / 0.65, abs=1e-4)}


def test_an_unknown_role_is_no_evidence() -> None:
    assert assess(ticket(role="janitor"), said()) == assess(ticket(), said())


def test_weights_rounded_up_are_clamped_and_it_shows() -> None:
    policy = Policy(Rubric(weights=Weights(model=0.8009, keywords=0, deadline=0.1, requester=0.1)), MATCHER)
    assessment = assess(ticket(hours=-48, role="vip"), said(high=0, critical=1), policy)
    assert assessment.score == 100
    assert assessment.contributions[-1].name == "clamp"
    assert points(assessment) == pytest.approx(100, abs=0.5)


@pytest.mark.parametrize("domain", [Domain.OUT, Domain.LANGUAGE])
def test_outside_its_domain_the_model_says_so_and_the_route_is_left_to_people(domain) -> None:
    assessment = assess(ticket(), said(domain=domain))
    assert domain.value in assessment.contributions[0].source
    assert assessment.route.label == NEEDS_TRIAGE


def test_a_route_below_the_least_confidence_is_left_to_people() -> None:
    policy = Policy(Rubric(minimum_confidence=0.8), MATCHER)
    assert assess(ticket(), said(access=0.7), policy).route.label == NEEDS_TRIAGE
    assert assess(ticket(), said(access=0.9), policy).route.label == "access"


def test_rules_tier_routes_nothing_but_a_rule_may() -> None:
    output = said(access=1.0, stage=Stage.RULES)
    policy = ruled("[[rule]]\nname='desk'\nwhen={field='text',contains_word='vpn'}\nroute='network'")
    assert assess(ticket("vpn"), output).route.label == NEEDS_TRIAGE
    assert assess(ticket("vpn"), output, policy).route.label == "network"


def test_a_model_without_a_priority_head_leaves_its_factor_out() -> None:
    lens = read_lens((ROUTE,))
    prepared = prepare(ticket(), Rubric(), now=NOON)
    assessment = score(prepared, said(), lens=lens, policy=Policy(Rubric(), MATCHER))
    assert [part.name for part in assessment.contributions] == ["keywords"]


@pytest.mark.parametrize(
    ("floor", "band"), [(90, Priority.P0), (70, Priority.P1), (40, Priority.P2), (39.99, Priority.P3)]
)
def test_bands_begin_where_the_rubric_says(floor, band) -> None:
    policy = ruled(f"[[rule]]\nname='r'\nwhen={{field='id',exists=true}}\nset={floor}")
    assert assess(ticket(), said(), policy).priority is band


def test_outages_rank_above_trivial_requests_where_the_model_has_nothing_to_say() -> None:
    def ranks(name: str) -> list[float]:
        return [assess(ticket(line), said(domain=Domain.OUT)).score for line in sentences(name)]

    assert min(ranks("outages.txt")) > max(ranks("trivial.txt"))


def test_the_bands_of_the_labels_urgencies_share_their_probability() -> None:
    assert band_probabilities(said(high=0.3, critical=0.2), lens=LENS, rubric=Rubric()) == pytest.approx(
        (0.2, 0.0, 0.3, 0.5)
    )


BOOT_LOG = Attachment(name="boot.log", text="12:00 ERROR cannot mount /data\n")


@given(tickets, outputs)
def test_a_log_full_of_errors_adds_an_explained_factor_and_never_takes_points(one, output) -> None:
    with_log = msgspec.structs.replace(one, attachments=(BOOT_LOG,))
    before, after = assess(one, output), assess(with_log, output)
    added = after.contributions[len(before.contributions)]
    assert after.contributions[: len(before.contributions)] == before.contributions
    assert (added.name, added.source) == ("attachments", "boot.log: lines with a level: 1, of them 1 error")
    assert before.score <= after.score == pytest.approx(min(100.0, before.score + added.points), abs=0.02)


def test_a_log_without_a_level_or_a_crash_is_named_and_adds_nothing() -> None:
    one = Ticket(id="1", title="x", attachments=(Attachment(name="boot.log", text="outage outage"),))
    added = assess(one, said()).contributions[-1]
    assert (added.name, added.points, added.source) == ("attachments", 0.0, "boot.log: no line has a level")


def test_with_weight_zero_attachments_are_named_and_said_to_be_ignored() -> None:
    one = Ticket(id="1", title="x", attachments=(BOOT_LOG,))
    keywords = assess(one, said(), Policy(Rubric(attachments=0.0), MATCHER)).contributions[-1]
    assert keywords.name == "keywords"
    assert "ignored attachments: boot.log" in keywords.source


def test_a_rule_may_ask_how_bad_the_attached_log_is() -> None:
    rule = "[[rule]]\nname='crashed'\nwhen={field='attachment_severity',at_least=0.5}\nfloor=75"
    one = Ticket(id="1", title="x", attachments=(BOOT_LOG,))
    assert assess(one, said(), ruled(rule)).priority is Priority.P1
    assert assess(Ticket(id="1", title="x"), said(), ruled(rule)).priority is not Priority.P1


def test_an_instant_in_the_ticket_is_the_one_it_is_scored_for() -> None:
    late = msgspec.structs.replace(ticket(hours=1), at=(NOON + timedelta(days=2)).isoformat())
    assert "overdue" in assess(late, said()).contributions[1].source
