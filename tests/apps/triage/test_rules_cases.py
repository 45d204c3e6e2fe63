"""Fixture tables: what a failing case says."""

from __future__ import annotations

import pytest

from holdfast.apps.triage.rubric import Rubric
from holdfast.apps.triage.rules_cases import read_cases, run_case
from holdfast.apps.triage.rules_file import InvalidRules, parse_rules
from holdfast.apps.triage.scoring import Policy

RULES = parse_rules("[[rule]]\nname = 'vip'\nwhen = { field = 'title', prefix = 'vip' }\nset = 80\nroute = 'desk'")


def run(matcher, expect: str, ticket: str = "{ title = 'VIP lounge' }"):
    text = f"[[case]]\nname = 'c'\nticket = {ticket}\nexpect = {expect}"
    (case,) = read_cases(text, name="t.toml")
    return run_case(case, Policy(Rubric(), matcher, RULES))


def test_a_case_that_holds_has_no_wrongs(matcher) -> None:
    result = run(matcher, "{ fired = ['vip'], score = 80, priority = 'P1', route = 'desk', not = ['x'] }")
    assert result.wrongs == ()


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ("{ fired = [] }", "fired: expected none, found vip"),
        ("{ not = ['vip'] }", "not: expected vip, found vip"),
        ("{ score = 79 }", "score: expected 79.0, found 80.0"),
        ("{ at_least = 81 }", "at_least: expected 81.0, found 80.0"),
        ("{ at_most = 79 }", "at_most: expected 79.0, found 80.0"),
        ("{ priority = 'P0' }", "priority: expected P0, found P1"),
        ("{ route = 'ops' }", "route: expected ops, found desk"),
    ],
)
def test_a_case_that_fails_says_what_it_wanted_and_got(matcher, expect: str, wrong: str) -> None:
    assert run(matcher, expect).wrongs == (wrong,)


def test_a_ticket_the_node_would_refuse_fails_its_case(matcher) -> None:
    (wrong,) = run(matcher, "{}", "{ title = 'x', metadata = { deadline_at = 'soon' } }").wrongs
    assert "expected an instant" in wrong


@pytest.mark.parametrize(
    "text", ["", "case = 3", "[[case]]\nname = 'x'", "[[case]]\nname='x'\nticket={}\nexpect={fird=[]}"]
)
def test_a_table_without_usable_cases_is_refused(text: str) -> None:
    with pytest.raises(InvalidRules, match=r"t\.toml"):
        read_cases(text, name="t.toml")
