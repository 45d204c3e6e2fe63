"""Globs: right, and linear."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.glob import Glob

letters = st.text(alphabet="ab", max_size=12)
patterns = st.text(alphabet="ab*?", max_size=10)


@given(patterns, letters)
def test_a_glob_matches_what_the_same_regular_expression_matches(pattern: str, text: str) -> None:
    assert Glob(pattern).matches(text) == bool(re.fullmatch(fnmatch.translate(pattern), text))


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*@example.org", "ann@example.org", True),
        ("*@example.org", "ann@example.org.evil", False),
        ("db-??-*", "db-07-berlin", True),
        ("db-??-*", "db-7-berlin", False),
        ("*", "", True),
        ("?", "", False),
        ("[ab]*", "[ab]c", True),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, text: str, matches: bool) -> None:
    assert Glob(pattern).matches(text) is matches


@pytest.mark.parametrize("pattern", ["*a" * 60 + "*b", "*?a" * 40 + "*b", "a*" * 100 + "b", "*" + "a?" * 60 + "b*"])
def test_a_pattern_made_to_backtrack_takes_no_longer(pattern: str) -> None:
    begin = time.process_time()
    assert not Glob(pattern).matches("a" * 4_096)
    assert time.process_time() - begin < 0.05
