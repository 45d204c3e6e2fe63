"""Words of a text: folded, bounded, and never slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wording import CLAUSE, READ_LIMIT, Wording, fold

MEBIBYTE = 1_048_576
HOSTILE = {
    "one letter after another": "a " * (MEBIBYTE // 2),
    "a character that unfolds into eighteen": "\ufdfa" * (MEBIBYTE // 3),
    "combining marks in the wrong order": "a" + "\u0315\u0300\u0316" * (MEBIBYTE // 6),
    "a new word every time": "".join(f"{chr(0x4E00 + i % 20_000)} " for i in range(MEBIBYTE // 4)),
    "nothing but points": "." * MEBIBYTE,
    "signs between letters": "\U0001f525a" * (MEBIBYTE // 5),
}


def test_case_width_and_accents_composed_or_not_do_not_matter() -> None:
    assert fold("STRASSE \uff2e\uff25\uff34\uff3a e\u0301te\u0301") == fold("straße netz été")


def test_apostrophes_of_every_kind_part_words_alike() -> None:
    assert fold("can't") == fold("can\u2019t") == ("can", "t")


def test_a_clause_mark_cannot_be_forged_by_a_control_character() -> None:
    assert CLAUSE not in Wording("not\x01down").tokens
    assert CLAUSE not in Wording("n\u00f6t\x01down").tokens


def test_a_phrase_is_found_only_between_word_bounds_and_inside_a_clause() -> None:
    wording = Wording("Total data loss. Not dataloss")
    assert wording.has(("data", "loss"))
    assert not wording.has(("loss", "not"))
    assert not Wording("metadata losses").has(("data", "loss"))


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    wording = Wording("first " + "x " * READ_LIMIT + "last")
    assert {"first", "last"} <= wording.words
    assert not wording.complete


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mebibyte_is_read_in_milliseconds(text: str) -> None:
    def once() -> float:
        begin = time.process_time()
        wording = Wording(text)
        _ = wording.words, wording.joined
        return time.process_time() - begin

    assert min(once() for _ in range(3)) < 0.020


@given(st.text(max_size=300))
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    once = fold(text)
    assert fold(" ".join(once)) == once


@given(st.text(max_size=200))
def test_words_never_hold_spaces_signs_or_nothing(text: str) -> None:
    words = fold(text)
    assert all(word and not word.isspace() and "_" not in word for word in words)
