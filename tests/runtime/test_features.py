"""Hashed n-grams: what a text is turned into, whatever company it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.manifest import NgramSpec
from holdfast.runtime.features import MAX_CHARACTERS, Features, Plan, UnknownFeatures, extract, groups

PLAN = Plan((1, 2, 3), (3, 4), 18)


def _rows(features: Features, text: int) -> list[list[int]]:
    families = [*features.words.values(), *features.chars.values()]
    return [family.rows[family.bounds[text] : family.bounds[text + 1]].tolist() for family in families]


def _naive_counts(text: str) -> dict[str, int]:
    """Number of n-grams by the definition, without any of the vector tricks."""
    words = "".join(c if c.isalnum() or c == "_" else " " for c in text.lower()).split(" ")
    long = [word for word in words if len(word.encode()) >= 2]
    padded = [f" {word} ".encode() for word in words if word]
    windows = {n: sum(max(len(p) - n + 1, 0) if n > 2 else 0 for p in padded) for n in (3, 4)}
    return {"w1": len(long), "w2": max(len(long) - 1, 0), "c3": windows[3], "c4": windows[4]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "Hello",
        "hello big world",
        "a b cd",
        "Zug fährt ab!",
        "x=1; y_2",
        "日本 語",
        "tab\tand\nline",
        "  spaced  ",
    ],
)
def test_every_ngram_of_the_definition_is_counted_once(text: str) -> None:
    features = extract([text], PLAN)
    counts = {"w1": features.words[1], "w2": features.words[2], "c3": features.chars[3], "c4": features.chars[4]}
    assert {name: len(family.rows) for name, family in counts.items()} == _naive_counts(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_text_has_the_same_rows_alone_and_in_company(texts: list[str]) -> None:
    together = extract(texts, PLAN)
    for place, text in enumerate(texts):
        assert _rows(together, place) == _rows(extract([text], PLAN), 0)


def test_case_and_punctuation_change_nothing() -> None:
    assert _rows(extract(["Disk FULL, on Server!"], PLAN), 0) == _rows(extract(["disk full  on server "], PLAN), 0)


def test_ascii_and_other_texts_are_folded_alike() -> None:
    # The second text takes the slow way because of its last word; what both share must hash alike.
    plain, mixed = extract(["Payment FAILED for user_1"], PLAN), extract(["Payment FAILED for user_1 ünder"], PLAN)
    assert _rows(plain, 0)[0] == _rows(mixed, 0)[0][:4]


def test_rows_are_pinned_because_packages_depend_on_them() -> None:
    features = extract(["Production database is down"], PLAN)
    assert features.words[1].rows.tolist() == [253226, 79461, 149888, 154352]
    assert features.words[2].rows.tolist() == [129655, 205164, 63720]
    assert int(features.chars[3].rows.sum()) == 2173911


def test_words_can_be_spelled_out_again() -> None:
    features = extract(["Disk full", "", "größer"], PLAN)
    assert [features.word(i) for i in range(3)] == ["disk", "full", "größer"]


def test_a_long_text_is_read_only_so_far() -> None:
    text = "word " * 300_000
    assert _rows(extract([text], PLAN), 0) == _rows(extract([text[:MAX_CHARACTERS]], PLAN), 0)


def test_groups_keep_order_and_leave_nothing_out() -> None:
    texts = [str(i) * (i % 700) for i in range(300)]
    cut = list(groups(texts))
    assert [text for group in cut for text in group] == texts
    assert all(sum(map(len, group)) <= MAX_CHARACTERS for group in cut)


def test_no_texts_give_no_rows() -> None:
    assert list(groups([])) == []
    features = extract([], PLAN)
    assert features.texts == 0
    assert features.words[1].bounds.tolist() == [0]


def test_hash_collisions_are_as_rare_as_chance_allows() -> None:
    words = [f"word{i:05d}" for i in range(20_000)]
    rows = extract([" ".join(words[:1200])], PLAN).words[1].rows
    assert len(np.unique(rows)) > 1190


@pytest.mark.parametrize(
    ("words", "chars", "bits"), [((1, 4), (), 18), ((1,), (3, 5), 18), ((1,), (), 30)], ids=["words", "chars", "bits"]
)
def test_ngrams_this_version_cannot_make_are_refused(words: tuple[int, ...], chars: tuple[int, ...], bits: int) -> None:
    with pytest.raises(UnknownFeatures):
        Plan.over([NgramSpec(word_orders=words, char_orders=chars, hash_bits=bits)])


def test_one_plan_serves_every_head() -> None:
    specs = [
        NgramSpec(word_orders=(1, 2), char_orders=(3, 4), hash_bits=18),
        NgramSpec(word_orders=(1, 2, 3), char_orders=(), hash_bits=18),
    ]
    assert Plan.over(specs) == PLAN
