"""The order of priority labels is that of the tracker they come from."""

from __future__ import annotations

import pytest

from holdfast.workbench.urgency import UnknownUrgency, order_labels, parse_urgency


@pytest.mark.parametrize(
    "rising",
    [
        ("Trivial", "Minor", "Major", "Critical", "Blocker"),
        ("LOW", "MEDIUM", "HIGH", "CRITICAL"),
        ("informational", "low", "medium", "high", "critical"),
        ("5", "4", "3", "2"),
        ("P3", "P2", "P1", "P0"),
    ],
)
def test_labels_of_known_trackers_are_ordered_from_least_to_most_urgent(rising: tuple[str, ...]) -> None:
    labels, urgency = order_labels(reversed(rising))
    assert labels == rising
    assert urgency == tuple(sorted(urgency))
    assert (urgency[0], urgency[-1]) == (0.1, 1.0)


def test_a_label_that_means_nothing_to_us_is_named_with_the_option_that_helps() -> None:
    with pytest.raises(UnknownUrgency, match=r"'wichtig' is not known; .*--urgency"):
        order_labels(["low", "wichtig"])


def test_urgency_can_be_given_for_any_words() -> None:
    assert parse_urgency(["wichtig=0.8", "egal=0.1"], ["egal", "wichtig"]) == (("egal", "wichtig"), (0.1, 0.8))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["a=2"], "from 0 to 1"),
        (["a"], "LABEL=NUMBER"),
        (["a=1"], "no number for label 'b'"),
        (["a=1", "b=0", "c=0"], "'c'"),
    ],
)
def test_urgency_that_does_not_fit_the_labels_is_refused(given: list[str], sentence: str) -> None:
    with pytest.raises(UnknownUrgency, match=sentence):
        parse_urgency(given, ["a", "b"])
