"""Conditions on facts, and actions on a score."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.glob import Glob
from holdfast.rule import Action, All, Comparison, Facts, Not, Rule, Some, apply_rules

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
FIELDS = {
    "title": "VPN is DOWN again",
    "labels": ("Network", "vip"),
    "count": 3.0,
    "flag": True,
    "due": NOON + timedelta(hours=2),
    "empty": "",
    "nothing": None,
}


def holds(field: str, operator: str, operand) -> bool:
    return Comparison(field, operator, operand).holds(Facts(FIELDS, at=NOON))


@pytest.mark.parametrize(
    ("field", "operator", "operand"),
    [
        ("title", "equals", "vpn is down again"),
        ("labels", "equals", "network"),
        ("labels", "in", frozenset({"vip", "x"})),
        ("title", "contains_word", (("down",),)),
        ("title", "contains_word", (("nope",), ("is", "down"))),
        ("title", "prefix", "vpn"),
        ("title", "glob", Glob("vpn*again")),
        ("labels", "glob", Glob("net????")),
        ("count", "equals", 3),
        ("count", "above", 2),
        ("count", "at_least", 3),
        ("count", "below", 4),
        ("count", "at_most", 3),
        ("flag", "equals", True),
        ("due", "within", timedelta(hours=2)),
        ("due", "after", NOON),
        ("due", "before", NOON + timedelta(days=1)),
        ("title", "exists", True),
        ("empty", "exists", False),
        ("nothing", "exists", False),
        ("unknown", "exists", False),
    ],
)
def test_a_comparison_holds(field, operator, operand) -> None:
    assert holds(field, operator, operand)


@pytest.mark.parametrize(
    ("field", "operator", "operand"),
    [
        ("title", "equals", "vpn"),
        ("title", "contains_word", (("dow",),)),
        ("title", "contains_word", (("down", "is"),)),
        ("title", "above", 2),
        ("flag", "above", 0),
        ("flag", "equals", 1),
        ("count", "above", 3),
        ("due", "within", timedelta(hours=1)),
        ("due", "older_than", timedelta(0)),
        ("nothing", "equals", ""),
        ("unknown", "prefix", "a"),
    ],
)
def test_a_comparison_does_not_hold(field, operator, operand) -> None:
    assert not holds(field, operator, operand)


@given(
    st.recursive(
        st.booleans(),
        lambda inner: st.tuples(st.sampled_from(["all", "any", "not"]), st.lists(inner, min_size=1, max_size=3)),
    )
)
def test_all_any_and_not_mean_what_they_mean_in_logic(tree) -> None:
    def build(node):
        if isinstance(node, bool):
            return Comparison("flag", "equals", node)
        kind, parts = node
        if kind == "not":
            return Not(build(parts[0]))
        return (All if kind == "all" else Some)(tuple(build(part) for part in parts))

    def truth(node) -> bool:
        if isinstance(node, bool):
            return node
        kind, parts = node
        if kind == "not":
            return not truth(parts[0])
        return (all if kind == "all" else any)([truth(part) for part in parts])

    assert build(tree).holds(Facts(FIELDS, at=NOON)) is truth(tree)


def test_each_rule_works_on_what_the_one_before_left() -> None:
    always = Comparison("flag", "equals", True)
    rules = [
        Rule("up", always, Action(floor=80)),
        Rule("down", always, Action(cap=50)),
        Rule("to", always, Action(set_to=60)),
    ]
    assert [(one.before, one.after) for one in apply_rules(rules, Facts(FIELDS, at=NOON), 10)] == [
        (10, 80),
        (80, 50),
        (50, 60),
    ]


def test_a_list_of_a_million_is_looked_at_only_so_far() -> None:
    facts = Facts({"labels": tuple("x" for _ in range(1_000_000))}, at=NOON)
    begin = time.process_time()
    assert not Comparison("labels", "in", frozenset({"y"})).holds(facts)
    assert time.process_time() - begin < 0.01


def test_a_field_is_read_once_however_many_rules_ask() -> None:
    asked: list[str] = []
    facts = Facts({}, at=NOON, open_field=lambda name: asked.append(name) or "some words")
    for _ in range(5):
        assert Comparison("metadata.x", "contains_word", (("words",),)).holds(facts)
    assert len(asked) == 1
