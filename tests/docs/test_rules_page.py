"""docs/rules.md: its examples run, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.apps.triage.conditions import FIELDS
from holdfast.apps.triage.keywords import KINDS, KeywordMatcher
from holdfast.apps.triage.rubric import Bands, Rubric, Weights
from holdfast.apps.triage.rules_cases import read_cases, run_case
from holdfast.apps.triage.rules_file import parse_rules
from holdfast.apps.triage.rules_watch import example_rules
from holdfast.apps.triage.scoring import Policy
from holdfast.apps.triage.vocabulary import read_builtin_vocabulary
from holdfast.rule import OPERATORS

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = [*re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL), example_rules()]
MATCHER = KeywordMatcher(read_builtin_vocabulary())


def cases() -> list:
    return [
        pytest.param(case, parse_rules(example), id=case.name)
        for example in EXAMPLES
        for case in read_cases(example, name="docs/rules.md")
    ]


@pytest.mark.parametrize(("case", "rules"), cases())
def test_an_example_does_what_the_page_says(case, rules) -> None:
    assert run_case(case, Policy(Rubric(), MATCHER, rules)).wrongs == ()


def test_the_page_has_examples_with_rules_and_calendars() -> None:
    assert len(EXAMPLES) >= 3
    assert any("[calendars." in example for example in EXAMPLES)


@pytest.mark.parametrize("word", [*OPERATORS, *FIELDS, *KINDS[:4], "calm", "negator"])
def test_every_operator_field_and_kind_is_explained(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_numbers_of_the_page_are_the_defaults() -> None:
    weights, bands = Weights(), Bands()
    for name in weights.__struct_fields__:
        assert f"| `{name}` | {getattr(weights, name):.2f} |" in PAGE
    assert f"P0 from {bands.p0:g}, P1 from {bands.p1:g}, P2 from {bands.p2:g}" in PAGE
