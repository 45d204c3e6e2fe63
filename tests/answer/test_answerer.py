"""Which tier answers, what the answer says about it, and what the history keeps."""

from __future__ import annotations

import pytest

from holdfast.answer.answerer import served_by_for
from holdfast.inference import Domain, HeadOutput, Outcome, Stage, TextOutput
from holdfast.runtime.engine import Condition, EngineSet
from holdfast.tier import Reason, Signal, Tier


def heat(house, value_c: float) -> None:
    house.answerer.sense([Signal(kind="temperature_c", value=value_c, taken_at_s=house.clock.now_s)])


def test_the_best_tier_answers_and_is_named(house) -> None:
    served_by = house.ask().served_by
    assert (served_by.tier, served_by.stage, served_by.degraded, served_by.reasons) == (
        Tier.FULL,
        Stage.ENCODER,
        False,
        (),
    )


@pytest.mark.parametrize("reason", [Reason.CRASHED, Reason.TIMED_OUT, Reason.OUT_OF_MEMORY, Reason.CRASH_LOOP])
def test_when_the_full_tier_fails_the_small_tier_answers_and_says_why(house, reason) -> None:
    house.full.fails = reason
    served_by = house.ask().served_by
    assert (served_by.tier, served_by.degraded, served_by.reasons) == (Tier.SMALL, True, (reason.value,))
    assert [a.outcome for a in served_by.attempts] == [Outcome.FAILED, Outcome.ANSWERED]


def test_when_every_model_fails_the_rules_answer(house) -> None:
    house.full.fails = house.small.fails = Reason.CRASHED
    answer = house.ask("the database is down", "hello")
    assert (answer.served_by.tier, len(answer.outputs)) == (Tier.RULES, 2)


def test_one_attempt_gets_at_most_sixty_percent_of_what_remains(house) -> None:
    house.full.fails, house.full.takes_s = Reason.TIMED_OUT, 0.6
    house.ask(within_s=1.0)
    assert house.full.deadlines == [pytest.approx(0.6)]
    assert house.small.deadlines == [pytest.approx(0.24)]


def test_a_request_that_is_already_late_is_answered_by_the_rules(house) -> None:
    served_by = house.ask(within_s=-1.0).served_by
    assert (served_by.tier, served_by.reasons) == (Tier.RULES, ("deadline",))


def test_a_tier_that_is_expected_to_be_late_is_not_tried(house) -> None:
    house.full.state = Condition(service_s=0.5)
    assert house.ask(within_s=1.0).served_by.reasons == ("deadline",)
    assert house.ask(within_s=2.0).served_by.tier is Tier.FULL


def test_a_long_queue_sends_the_request_to_the_tier_below(house) -> None:
    house.full.state = Condition(wait_s=0.45, service_s=0.01)
    served_by = house.ask(within_s=1.0).served_by
    assert (served_by.tier, served_by.reasons) == (Tier.SMALL, ("overloaded",))
    assert house.full.deadlines == []


def test_a_pinned_tier_is_not_degraded(make_house) -> None:
    house = make_house(configured=Tier.SMALL)
    served_by = house.ask().served_by
    assert (served_by.tier, served_by.degraded, served_by.reasons) == (Tier.SMALL, False, ())


def test_a_previous_package_serving_is_degraded_in_every_answer(make_house) -> None:
    house = make_house(shortfall=(Reason.UNVERIFIED,))
    served_by = house.ask().served_by
    assert (served_by.tier, served_by.degraded, served_by.reasons) == (Tier.FULL, True, ("unverified",))


def test_a_missing_tier_is_named_with_its_reason(make_house) -> None:
    house = make_house(
        without=(Tier.FULL, Tier.SMALL), absent=dict.fromkeys((Tier.FULL, Tier.SMALL), Reason.NO_PACKAGE)
    )
    served_by = house.ask().served_by
    assert (served_by.tier, served_by.degraded, served_by.reasons) == (Tier.RULES, True, ("no_package",))


def test_a_set_of_engines_without_rules_cannot_be_built(house) -> None:
    with pytest.raises(ValueError, match="without RULES"):
        EngineSet({Tier.FULL: house.full})


def test_an_answer_by_ngrams_inside_the_full_tier_is_full_and_not_degraded(house, monkeypatch) -> None:
    outputs = (_output(Stage.NGRAM), _output(Stage.ENCODER, domain=Domain.OUT, approximate=True))
    monkeypatch.setattr(house.full, "answer", lambda request: outputs)
    answer = house.ask("a", "b")
    first, second = served_by_for(answer, 0), served_by_for(answer, 1)
    assert (first.tier, first.stage, first.degraded, first.reasons) == (Tier.FULL, Stage.NGRAM, False, ())
    assert (second.stage, second.approximate, second.reasons) == (Stage.ENCODER, True, ("out_of_domain",))


def _output(stage: Stage, *, domain: Domain = Domain.IN, approximate: bool = False) -> TextOutput:
    return TextOutput(
        heads={"priority": HeadOutput(probabilities=(1.0,), stage=stage, domain=domain)}, approximate=approximate
    )


def test_answers_are_counted_by_the_tier_that_gave_them(house) -> None:
    house.ask("a", "b")
    assert house.measures.numbers()["tier_served_total"] == {("triage-en", "full"): 2.0}


def test_the_history_says_when_a_tier_came_went_and_came_back(house) -> None:
    house.step()
    house.full.state = Condition(refuses=Reason.CRASHED)
    house.step()
    house.step()
    house.full.state = Condition()
    house.step()
    assert house.history() == [
        (Tier.RULES, Tier.FULL, Reason.STARTING),
        (Tier.FULL, Tier.SMALL, Reason.CRASHED),
        (Tier.SMALL, Tier.FULL, Reason.RECOVERED),
    ]


def test_a_transition_carries_how_the_node_was(house) -> None:
    house.answerer.sense(
        [
            Signal(kind="temperature_c", value=61.5, taken_at_s=house.clock.now_s),
            Signal(kind="available_bytes", value=3e9, taken_at_s=house.clock.now_s),
        ]
    )
    house.full.state = Condition(refuses=Reason.CRASHED, depth=7, wait_s=0.02, service_s=0.006)
    house.step()
    (transition,) = house.answerer.drain_transitions()
    assert (transition.temperature_c, transition.available_bytes) == (61.5, 3_000_000_000)
    assert (transition.queue_depth, transition.latency_ms) == (7, 26.0)


def test_an_overload_is_one_transition_however_many_requests_it_turns_away(house) -> None:
    house.step()
    for _ in range(20):
        house.full.state = Condition(wait_s=9.0)
        house.ask()
        house.full.state = Condition()
        house.step()
        house.clock.now_s += 0.1
    house.clock.now_s += 5.0
    house.step()
    assert [reason for _, _, reason in house.history()] == [Reason.STARTING, Reason.OVERLOADED, Reason.RECOVERED]


def test_a_hot_node_rests_its_full_tier_and_changes_once_per_cooldown(house) -> None:
    house.step()
    for value_c in (81, 60, 81, 60, 81, 60):
        heat(house, value_c)
        house.step()
        house.clock.now_s += 9.0
    assert house.ask().served_by.reasons == ("temperature",)
    house.clock.now_s += 60.0
    heat(house, 60)
    house.step()
    assert [reason for _, _, reason in house.history()] == [Reason.STARTING, Reason.TEMPERATURE, Reason.RECOVERED]


def test_a_person_is_told_while_the_full_tier_rests(house) -> None:
    assert house.answerer.findings() == ()
    heat(house, 90.0)
    (finding,) = house.answerer.findings()
    assert (finding.name, finding.next_step) == ("tier-rests-temperature", "Cool the node.")


def test_lack_of_memory_makes_the_full_tier_give_its_memory_back(house) -> None:
    house.answerer.sense([Signal(kind="available_bytes", value=1e6, taken_at_s=house.clock.now_s)])
    house.step()
    assert (house.full.released, house.ask().served_by.reasons) == (1, ("memory_pressure",))


def test_a_tier_that_lacks_its_worker_is_still_asked(house) -> None:
    house.full.state = Condition(lacks=Reason.UNLOADED_IDLE)
    house.step()
    assert house.ask().served_by.tier is Tier.FULL
    assert house.answerer.best_tier("triage-en") is Tier.SMALL
