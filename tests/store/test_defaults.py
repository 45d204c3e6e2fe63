"""Operator overrides of package defaults: inside the declared bounds, or refused by the name of the key."""

from __future__ import annotations

import pytest

from holdfast.store.defaults import InvalidOverride, effective_defaults

from .samples import MANIFEST


def test_without_overrides_the_package_decides() -> None:
    assert effective_defaults(MANIFEST, {}) == {"cascade": True, "route.minimum_confidence": 0.4, "greeting": "plain"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("cascade", False), ("route.minimum_confidence", 0.9), ("route.minimum_confidence", 0), ("greeting", "warm")],
)
def test_an_override_inside_its_bounds_wins(name: str, value: float | bool | str) -> None:
    assert effective_defaults(MANIFEST, {name: value})[name] == value


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("route.minimum_confidence", 0.91, r"expected 0\.0 to 0\.9, found 0\.91"),
        ("route.minimum_confidence", float("nan"), "found nan"),
        ("route.minimum_confidence", True, "expected a number, found True"),
        ("route.minimum_confidence", "high", "expected a number, found 'high'"),
        ("cascade", 1, "expected true or false, found 1"),
        ("greeting", "rude", "expected one of plain, warm, found 'rude'"),
        ("volume", 11, r"expected one of cascade, greeting, route\.minimum_confidence"),
    ],
)
def test_any_other_override_is_refused_naming_the_key(name: str, value: float | bool | str, expected: str) -> None:
    with pytest.raises(InvalidOverride, match=expected) as refusal:
        effective_defaults(MANIFEST, {name: value})
    assert refusal.value.field == f"packages.triage-test.overrides.{name}"
    assert str(refusal.value).startswith(refusal.value.field)
