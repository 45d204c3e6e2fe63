"""The keyword factor: outages sound urgent, requests do not, and no means no."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage.keywords import Entry, KeywordMatcher
from holdfast.apps.triage.vocabulary import LANGUAGES, read_builtin_vocabulary
from holdfast.wording import Wording
from tests.apps.triage.examples import sentences

ALARMS = ("outage", "data loss", "ransomware", "urgent", "everyone")


def value(matcher: KeywordMatcher, text: str) -> float:
    return matcher.read(Wording(text)).value


@pytest.mark.parametrize("sentence", sentences("outages.txt") + sentences("outages_more.txt"))
def test_an_outage_in_plain_words_is_heard(matcher, sentence: str) -> None:
    assert value(matcher, sentence) >= 0.4


@pytest.mark.parametrize("sentence", sentences("trivial.txt") + sentences("trivial_more.txt"))
def test_a_trivial_request_is_not_mistaken_for_one(matcher, sentence: str) -> None:
    assert value(matcher, sentence) < 0.3


@pytest.mark.parametrize(
    "sentence",
    [
        "No outage today",
        "The server is not down",
        "The database isn't down",
        "Migration finished without data loss",
        "There was never any total outage",
        "Kein Ausfall, alles gut",
        "Der Server ist nicht ausgefallen",
        "Ohne Datenverlust abgeschlossen",
        "Le serveur n'est pas en panne",
        "Terminé sans perte de données",
        "El servidor no está caído",
        "Sin pérdida de datos",
    ],
)
def test_what_is_denied_does_not_count(matcher, sentence: str) -> None:
    assert value(matcher, sentence) == 0.0


@pytest.mark.parametrize(
    "sentence",
    ["No, the server is down", "Not slow: down for everyone", "Not only the mail server is down", "No. Outage!"],
)
def test_a_denial_ends_with_its_clause(matcher, sentence: str) -> None:
    assert value(matcher, sentence) >= 0.4


@pytest.mark.parametrize(
    ("with_part", "word"), [("countdown", "down"), ("outages2go", "outage"), ("meltdowns", "down")]
)
def test_words_inside_words_do_not_count(matcher, with_part: str, word: str) -> None:
    assert value(matcher, word) > 0
    assert value(matcher, with_part) == 0.0


def test_case_width_and_missing_accents_do_not_matter(matcher) -> None:
    assert value(matcher, "\uff2f\uff35\uff34\uff21\uff27\uff25") == value(matcher, "outage")
    assert value(matcher, "panne generale") == value(matcher, "panne générale") > 0
    assert value(matcher, "faellt aus") == value(matcher, "fällt aus") > 0


def test_saying_it_twice_does_not_count_twice(matcher) -> None:
    assert value(matcher, "outage " * 50) == value(matcher, "outage")


def test_a_state_says_more_beside_the_thing_it_is_said_of(matcher) -> None:
    found = matcher.read(Wording("the database has been down since nine"))
    assert found.matched[0][0].startswith("database + ")
    assert found.value > value(matcher, "down since nine")


@given(st.lists(st.sampled_from(ALARMS), max_size=8), st.sampled_from(ALARMS))
def test_one_more_alarm_never_lowers_the_value_and_it_stays_below_one(said: list[str], more: str) -> None:
    matcher = _MATCHER
    before, after = value(matcher, ". ".join(said)), value(matcher, ". ".join([*said, more]))
    assert 0.0 <= before <= after <= 1.0


def test_phrases_of_the_operator_are_heard_and_built_in_ones_can_be_silenced() -> None:
    matcher = KeywordMatcher(read_builtin_vocabulary(), extra={"line 3": 0.8, "outage": 0.0})
    assert value(matcher, "Line 3 again") == 0.8
    assert value(matcher, "outage") == 0.0


def test_only_the_languages_asked_for_are_read() -> None:
    german = KeywordMatcher(read_builtin_vocabulary(("de",)))
    assert value(german, "Stromausfall") > 0
    assert value(german, "blackout of the data center") == 0.0


def test_every_entry_of_the_vocabulary_has_a_language_and_a_weight_below_one() -> None:
    entries = read_builtin_vocabulary()
    assert {entry.language for entry in entries} == set(LANGUAGES)
    assert all(0.0 <= entry.weight < 1.0 for entry in entries)


def test_a_matcher_without_phrases_is_silent() -> None:
    assert value(KeywordMatcher([Entry("en", "alarm", 0.5, ("",))]), "outage") == 0.0


_MATCHER = KeywordMatcher(read_builtin_vocabulary())
