"""Rule files: what they may say, and where they are wrong."""

from __future__ import annotations

import pytest

from holdfast.apps.triage.rules_file import NO_RULES, InvalidRules, parse_rules

GOOD = """
[calendars.office]
timezone = "Europe/Berlin"
windows = [{ days = ["mon", "tue"], from = "08:00", to = "18:00" }]

[[rule]]
name = "vip"
when.all = [
    { field = "requester.role", in = ["CEO", "cto"] },
    { not = { field = "labels", equals = "newsletter" } },
    { any = [{ field = "at", outside = "office" }, { field = "hours_left", below = 4 }] },
]
floor = 90
route = "front-desk"

[[rule]]
name = "toner"
when = { field = "title", contains_word = ["toner", "paper jam"] }
cap = 30
"""


def broken(rule: str, *, before: str = "") -> InvalidRules:
    with pytest.raises(InvalidRules) as caught:
        parse_rules(f"{before}[[rule]]\nname = 'first'\nwhen = {{ field = 'id', exists = true }}\ncap = 1\n\n{rule}")
    return caught.value


def test_rules_keep_their_order_and_actions() -> None:
    assert [(rule.name, rule.action.text()) for rule in parse_rules(GOOD).rules] == [
        ("vip", "floor 90, route front-desk"),
        ("toner", "cap 30"),
    ]


def test_the_digest_is_of_the_meaning() -> None:
    assert parse_rules(GOOD).digest == parse_rules("# a comment\n" + GOOD.replace("    ", "  ")).digest
    assert parse_rules(GOOD).digest != parse_rules(GOOD.replace("90", "91")).digest


def test_an_empty_file_is_no_rules() -> None:
    assert parse_rules("") == NO_RULES


@pytest.mark.parametrize(
    ("rule", "line", "says"),
    [
        ("[[rule]]\nname = 'x'\nwhen = { field = 'titel', equals = 'a' }\ncap = 1", 8, "did you mean 'title'"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'title', equal = 'a' }\ncap = 1", 8, "did you mean 'equals'"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'title', matches = '.*' }\ncap = 1", 8, "expected one of equals"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'title', above = 3 }\ncap = 1", 8, "holds a text"),
        (
            "[[rule]]\nname = 'x'\nwhen = { field = 'model', above = 'high' }\ncap = 1",
            8,
            "expected 'above' to be a number",
        ),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'model', equals = 'high' }\ncap = 1", 8, "holds a number"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'at', during = 'office' }\ncap = 1", 8, "none are defined"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'deadline_at', within = '4 hours' }\ncap = 1", 8, "a span such as 4h"),
        ("[[rule]]\nname = 'x'\nwhen = { all = [] }\ncap = 1", 8, "to be a list of conditions"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'id', exists = true }\ncap = 101", 9, "from 0 to 100"),
        (
            "[[rule]]\nname = 'x'\nwhen = { field = 'id', exists = true }\ncap = 1\nfloor = 2",
            9,
            "one of floor, cap and set",
        ),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'id', exists = true }", 6, "expected an action"),
        ("[[rule]]\nname = 'x'\ncap = 1", 6, "expected a condition"),
        ("[[rule]]\nname = 'x'\nwen = 1\nwhen = { field = 'id', exists = true }\ncap = 1", 8, "did you mean 'when'"),
        ("[[rule]]\nname = 'first'\nwhen = { field = 'id', exists = true }\ncap = 1", 7, "a second time"),
        ("[[rules]]\nname = 'x'", 6, "found 'rules'"),
        ("[[rule]]\nname = 'x'\nwhen = { field = 'id' exists = true }", 8, "expected TOML"),
        ("[calendars.office]\ntimezone = 'Mars/X'", 6, "IANA time zone"),
        ("[calendars.office]\ntimezone = 'UTC'\nwindows = [{ days = ['monday'] }]", 6, "found 'monday'"),
        ("[calendars.office]\ntimezone = 'UTC'\nwindows = [{ from = '8am' }]", 6, "a time of day"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(rule: str, line: int, says: str) -> None:
    error = broken(rule)
    assert says in str(error)
    assert error.line == line
    assert f"rules:{line}: " in str(error)


def test_the_error_names_the_rule() -> None:
    assert "rule 'x': " in str(broken("[[rule]]\nname = 'x'\nwhen = 3\ncap = 1"))


def test_conditions_nest_eight_deep_and_no_deeper() -> None:
    def nested(levels: int) -> str:
        inner = "{ field = 'id', exists = true }"
        for _ in range(levels):
            inner = f"{{ not = {inner} }}"
        return f"[[rule]]\nname = 'x'\nwhen = {inner}\ncap = 1"

    assert parse_rules(nested(7)).rules
    with pytest.raises(InvalidRules, match="at most 8 levels"):
        parse_rules(nested(8))


def test_too_many_rules_are_refused() -> None:
    rule = "[[rule]]\nname = 'r{}'\nwhen = {{ field = 'id', exists = true }}\ncap = 1\n"
    with pytest.raises(InvalidRules, match="at most 256"):
        parse_rules("".join(rule.format(number) for number in range(257)))


@pytest.mark.parametrize("text", ["rule = 3", "rule = [3]", "calendars = 3", "[calendars]\nx = 3", "[[" * 5000, "\x00"])
def test_nonsense_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(InvalidRules):
        parse_rules(text)
